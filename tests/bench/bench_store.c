/*
 * What the store alone can take: pages of 1,000 records of 200 bytes, 20 pages a transaction, into
 * a new state directory. Prints records a second, the size of the file, the time that a release of
 * everything takes, the time to read everything back, and the peak of memory.
 *
 *	bench_store DIRECTORY [PAGES]
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/digest.h"
#include "base/number.h"
#include "store/commit.h"
#include "store/reader.h"
#include "store/spool.h"

#define PAGE_RECORDS 1000
#define RECORD_SIZE 200
#define PAGES_A_COMMIT 20

static struct batch *make_page(int page)
{
	struct batch *batch = batch_new("bench", "cloudscale", clock_wall());
	char text[RECORD_SIZE + 1], id[40];

	for (int i = 0; i < PAGE_RECORDS; i++) {
		nsec_t time = (nsec_t)(1700000000 + page * 1000 + i) * NSEC_PER_SEC;
		unsigned noise = (unsigned)(page * 1000003 + i) * 2654435761U;
		int id_size = snprintf(id, sizeof(id), "%08x-%04x-4000-8000-%012x", noise,
			noise >> 20, noise * 40503U);
		int size = snprintf(text, sizeof(text),
			"{\"id\":\"%s\",\"timestamp\":\"2025-11-%02dT12:%02d:%02d.%06dZ\","
			"\"action\":\"server_%s\",\"source_ip\":\"192.0.2.%d\",\"message\":\"",
			id, 1 + page % 28, i / 60 % 60, i % 60, (int)(noise % 1000000),
			i % 3 ? "create" : "delete", i % 250);
		struct id key;

		for (; size < RECORD_SIZE - 2; size++)
			text[size] = (char)('a' + (noise >> size % 24) % 16);
		memcpy(text + RECORD_SIZE - 2, "\"}", 3);
		key = digest_id((struct slice){id, (size_t)id_size});
		batch_add(batch, (struct slice){text, RECORD_SIZE}, &key,
			(struct slice){id, (size_t)id_size}, time);
	}
	return batch;
}

static int64_t any(const char *source, void *userdata)
{
	(void)source;
	(void)userdata;
	return SPOOL_ALL;
}

static int fail(const struct fault *fault)
{
	fprintf(stderr, "bench_store: %s\n", fault->text);
	return EXIT_FAILURE;
}

static long peak_kb(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss;
}

static double seconds_since(nsec_t start_at)
{
	return (double)(clock_monotonic() - start_at) / NSEC_PER_SEC;
}

/* All pages in; only adds and commits are timed. Each commit releases the one before. */
static int pump(struct store *store, int n_pages, bool release, struct fault *fault)
{
	nsec_t spent_ns = 0, start_at;
	struct batch *pages[PAGES_A_COMMIT];
	uint64_t bytes = 0, before;

	for (int page = 0; page < n_pages; page += PAGES_A_COMMIT) {
		for (int i = 0; i < PAGES_A_COMMIT; i++)
			pages[i] = make_page(page + i);
		before = spool_bytes(store);
		start_at = clock_monotonic();
		for (int i = 0; i < PAGES_A_COMMIT; i++) {
			commit_add_page(store, "bench", pages[i], "\"cursor\"", NULL, NULL);
			batch_unref(pages[i]);
		}
		bytes += spool_bytes(store) - before;
		if (release) {
			commit_add_ack(store, "file", spool_last(store), "position");
			commit_add_release(store, "bench", spool_last(store));
		}
		if (commit_run(store, fault) != 0)
			return 1;
		spent_ns += clock_monotonic() - start_at;
	}
	printf("%s: %.0f records/s, %.1f MB encoded of %.1f MB, peak %ld kB\n",
		release ? "commit, release the commit before" : "commit",
		(double)n_pages * PAGE_RECORDS / ((double)spent_ns / NSEC_PER_SEC),
		(double)bytes / 1e6, (double)n_pages * PAGE_RECORDS * (RECORD_SIZE + 1) / 1e6,
		peak_kb());
	return 0;
}

static int read_back(struct store *store, struct fault *fault)
{
	nsec_t start_at = clock_monotonic();
	uint64_t n_records = 0;
	struct spool_reader reader;
	struct batch *batch = NULL;

	spool_reader_init(&reader, store, any, NULL, 0);
	for (;;) {
		if (spool_reader_next(&reader, &batch, fault) != 0)
			return 1;
		if (!batch)
			break;
		n_records += batch->n_records;
		batch_unref(batch);
	}
	spool_reader_deinit(&reader);
	printf("read back: %.0f records/s, peak %ld kB\n",
		(double)n_records / seconds_since(start_at), peak_kb());
	return 0;
}

int main(int argc, char **argv)
{
	struct fault fault = FAULT_NULL;
	struct store *store = NULL;
	int64_t n_pages = 500;
	nsec_t start_at;

	if (argc < 2 || argc > 3 ||
		(argc == 3 &&
			number_parse(slice_of(argv[2]), PAGES_A_COMMIT, 1000000, &n_pages) != 0)) {
		fprintf(stderr, "usage: bench_store DIRECTORY [PAGES]\n");
		return 64;
	}
	if (store_open(&store, argv[1], STORE_OWN, &fault) != 0)
		return fail(&fault);
	printf("open: peak %ld kB\n", peak_kb());
	if (pump(store, (int)n_pages, true, &fault) != 0 ||
		pump(store, (int)n_pages, false, &fault) != 0 || read_back(store, &fault) != 0)
		return fail(&fault);
	start_at = clock_monotonic();
	commit_add_release(store, "bench", spool_last(store));
	if (commit_run(store, &fault) != 0)
		return fail(&fault);
	printf("release of everything: %.3f s\n", seconds_since(start_at));
	store_close(store);
	return EXIT_SUCCESS;
}
