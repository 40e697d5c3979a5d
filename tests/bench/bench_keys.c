/*
 * What the dedupe keys of one source cost: N records go through an intake, page by page, then the
 * state is opened again. Prints four numbers: bytes of memory a key at the end, the largest ratio
 * of memory to keys while their number doubled the last time, milliseconds of CPU to read the keys
 * at a start, and of these the longest that the loop had no turn.
 *
 *	bench_keys DIRECTORY N ids|texts
 */
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/number.h"
#include "pipeline/intake.h"
#include "store/spool.h"

#define PAGE_RECORDS 1000
#define N_FIRST 200000 /* what is allocated up to then is not the keys' */

static struct store *store;
static struct ev_loop *loop;
static struct committer *committer;
static struct intake *intake;

static void fail(const struct fault *fault)
{
	fprintf(stderr, "bench_keys: %s\n", fault->text);
	exit(EXIT_FAILURE);
}

static void begin(const char *directory)
{
	struct fault fault = FAULT_NULL;

	if (store_open(&store, directory, STORE_OWN, &fault) != 0)
		fail(&fault);
	loop = ev_loop_new(EVFLAG_AUTO);
	committer = committer_new(loop, store, NULL, NULL);
	intake = intake_new(&(struct intake_setup){
		.store = store, .committer = committer, .source = "bench", .provider = "p"});
}

static void end(void)
{
	intake_free(intake);
	committer_free(committer);
	store_close(store);
	ev_loop_destroy(loop);
}

/* VmRSS or VmHWM, in bytes. */
static int64_t memory(const char *name)
{
	char line[128];
	long long kb = 0;
	FILE *file = fopen("/proc/self/status", "r");

	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, name, strlen(name)) == 0)
			sscanf(line + strlen(name), ": %lld", &kb);
	if (file)
		fclose(file);
	return kb * 1024;
}

static void forget_peak(void)
{
	FILE *file = fopen("/proc/self/clear_refs", "w");

	if (!file || fputs("5", file) < 0 || fclose(file) != 0)
		exit(EXIT_FAILURE);
}

static double cpu_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

/* Uniform, as a digest is (splitmix64). */
static struct id key_of(uint64_t n)
{
	struct id id;

	for (size_t i = 0; i < 2; i++) {
		uint64_t mixed = (2 * n + i + 1) * UINT64_C(0x9e3779b97f4a7c15);
		mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
		mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
		mixed ^= mixed >> 31;
		memcpy(id.bytes + 8 * i, &mixed, sizeof(mixed));
	}
	return id;
}

static void accept(uint64_t first, bool has_ids)
{
	static struct record records[PAGE_RECORDS];

	for (size_t i = 0; i < PAGE_RECORDS; i++)
		records[i] = (struct record){
			.text = SLICE("{}"),
			.id_text = has_ids ? SLICE("i") : SLICE_NULL,
			.key = key_of(first + i),
			.time = NSEC_PER_SEC,
		};
	intake_accept(
		&(struct record_batch){
			.records = {records, PAGE_RECORDS},
			.scope = RECORD_SCOPE_CHAIN,
			.new_chain = first == 0,
			.key_time = NSEC_PER_SEC,
			.horizon = NSEC_NONE,
		},
		intake);
	if (first / PAGE_RECORDS % 10 != 9)
		return;
	commit_add_release(store, "bench", spool_last(store));
	if (!committer_flush(committer))
		exit(EXIT_FAILURE);
}

static void fill(int64_t n_keys, bool has_ids)
{
	int64_t before = 0, n_before = 0;
	double worst = 0;

	for (int64_t n = 0; n < n_keys;) {
		accept((uint64_t)n, has_ids);
		n += PAGE_RECORDS;
		if (n == N_FIRST) {
			before = memory("VmRSS");
			n_before = n;
		}
		if (n % 50000 || n <= n_keys / 2)
			continue;
		double ratio = (double)(memory("VmHWM") - before) / (double)(n - n_before);
		worst = n > n_keys / 2 + 50000 && ratio > worst ? ratio : worst;
		forget_peak();
	}
	struct intake_status status;
	intake_status(intake, &status);
	if (status.window_size != (size_t)n_keys)
		exit(EXIT_FAILURE);
	printf("%.1f %.1f ", (double)(memory("VmRSS") - before) / (double)(n_keys - n_before),
		worst);
}

static void load(int64_t n_keys)
{
	struct fault fault = FAULT_NULL;
	struct intake_status status;
	double began = cpu_ms(), turn = began, longest = 0;
	int r = intake_ready(intake, NSEC_NONE, &fault);

	for (;;) {
		double now = cpu_ms();
		longest = now - turn > longest ? now - turn : longest;
		turn = now;
		if (r != STORE_E_WAIT)
			break;
		ev_run(loop, EVRUN_ONCE);
		r = intake_ready(intake, NSEC_NONE, &fault);
	}
	if (r)
		fail(&fault);
	intake_status(intake, &status);
	if (status.window_size != (size_t)n_keys)
		exit(EXIT_FAILURE);
	printf("%.0f %.1f\n", turn - began, longest);
}

int main(int argc, char **argv)
{
	struct fault fault = FAULT_NULL;
	int64_t n_keys = 0;

	mem_keep_small();
	if (argc != 4 ||
		number_parse(slice_of(argv[2]), 1000000, INT64_C(100000000), &n_keys) != 0 ||
		n_keys % 10000) {
		fprintf(stderr, "usage: bench_keys DIRECTORY N ids|texts\n");
		return 64;
	}
	begin(argv[1]);
	if (intake_ready(intake, NSEC_NONE, &fault) != 0)
		fail(&fault);
	fill(n_keys, strcmp(argv[3], "ids") == 0);
	end();
	begin(argv[1]);
	load(n_keys);
	end();
	return EXIT_SUCCESS;
}
