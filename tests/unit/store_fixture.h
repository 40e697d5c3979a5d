/*
 * What the tests of lib/store share: a state directory of their own that goes when the test is
 * done, and batches that can be told apart.
 */
#ifndef TRAWLD_TESTS_STORE_FIXTURE_H
#define TRAWLD_TESTS_STORE_FIXTURE_H

#include "check_unit.h"
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/mem.h"
#include "store/commit.h"
#include "store/cursors.h"
#include "store/database.h"
#include "store/reader.h"
#include "store/spool.h"
#include "store/window.h"

#define FIXTURE_STATE "/tmp/check_store_XXXXXX/state"

static char state[] = FIXTURE_STATE;
static struct store *store;

static inline int fixture_remove(const char *path, const struct stat *s, int type, struct FTW *ftw)
{
	(void)s;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* The directory above the state directory exists, the state directory does not. */
static inline void fixture_setup(void)
{
	char *slash;

	memcpy(state, FIXTURE_STATE, sizeof(state));
	slash = strrchr(state, '/');
	*slash = '\0';
	ck_assert_ptr_nonnull(mkdtemp(state));
	*slash = '/';
}

static inline void fixture_teardown(void)
{
	char *slash = strrchr(state, '/');

	store_close(store);
	store = NULL;
	*slash = '\0';
	nftw(state, fixture_remove, 16, FTW_DEPTH | FTW_PHYS);
	*slash = '/';
}

static inline void fixture_open(void)
{
	struct fault fault = FAULT_NULL;
	int r = store_open(&store, state, STORE_OWN, &fault);

	ck_assert_msg(r == 0, "store_open: %d %s", r, fault.text);
}

static inline void fixture_open_setup(void)
{
	fixture_setup();
	fixture_open();
}

static inline void fixture_reopen(void)
{
	store_close(store);
	store = NULL;
	fixture_open();
}

static inline char *fixture_path(const char *name)
{
	return mem_printf("%s/%s", state, name);
}

static inline void fixture_run(void)
{
	struct fault fault = FAULT_NULL;
	int r = commit_run(store, &fault);

	ck_assert_msg(r == 0, "commit_run: %d %s", r, fault.text);
}

/* N records {"n":NUMBER,"i":...} at TIME, TIME + 1 ...; their keys are digests of their text. */
static inline struct batch *fixture_batch(const char *source, int number, size_t n, nsec_t time)
{
	struct batch *batch = batch_new(source, "cloudscale", 1000);

	for (size_t i = 0; i < n; i++) {
		char text[64];
		int size = snprintf(text, sizeof(text), "{\"n\":%d,\"i\":%zu}", number, i);
		struct slice slice = {text, (size_t)size};
		struct id key = digest_id(slice);

		batch_add(batch, slice, &key, SLICE_NULL,
			time == NSEC_NONE ? NSEC_NONE : time + (nsec_t)i);
	}
	return batch;
}

static inline void fixture_add(
	const char *source, int number, size_t n, nsec_t time, const char *cursor)
{
	struct batch *batch = fixture_batch(source, number, n, time);

	commit_add_page(store, source, batch, cursor, NULL, NULL);
	batch_unref(batch);
}

/* The key of record I of the batch NUMBER. */
static inline struct id fixture_key(int number, size_t i)
{
	char text[64];
	int size = snprintf(text, sizeof(text), "{\"n\":%d,\"i\":%zu}", number, i);

	return digest_id((struct slice){text, (size_t)size});
}

static inline int64_t fixture_any(const char *source, void *userdata)
{
	return !userdata || strcmp(source, userdata) == 0 ? SPOOL_ALL : SPOOL_NONE;
}

/* What a reader of SOURCE (NULL: any) gets first after the number AFTER. */
static inline int fixture_read(
	int64_t after, const char *source, struct batch **ret, struct fault *reterr)
{
	struct spool_reader reader;
	int r;

	spool_reader_init(&reader, store, fixture_any, (void *)(uintptr_t)source, after);
	r = spool_reader_next(&reader, ret, reterr);
	spool_reader_deinit(&reader);
	return r;
}

/* The next batch of SOURCE (NULL: any), or NULL. */
static inline struct batch *fixture_next(int64_t after, const char *source)
{
	struct fault fault = FAULT_NULL;
	struct batch *batch = NULL;
	int r = fixture_read(after, source, &batch, &fault);

	ck_assert_msg(r == 0, "spool_reader_next: %d %s", r, fault.text);
	return batch;
}

/* True: the batch is record for record what fixture_batch(NUMBER, N) made. */
static inline bool fixture_is(const struct batch *batch, int number, size_t n)
{
	struct batch *wanted = fixture_batch(batch->source, number, n, 0);
	bool same = batch->n_records == n &&
		    slice_equal(buf_slice(&batch->body), buf_slice(&wanted->body)) &&
		    (n == 0 || memcmp(batch->ids, wanted->ids, n * sizeof(wanted->ids[0])) == 0);

	batch_unref(wanted);
	return same;
}

static inline char *fixture_cursor(const char *source)
{
	struct fault fault = FAULT_NULL;
	char *cursor = NULL;
	int r = cursors_get(store, source, &cursor, &fault);

	ck_assert_msg(r == 0, "cursors_get: %d %s", r, fault.text);
	return cursor;
}

static inline int fixture_main(const char *name, void (*add)(Suite *suite))
{
	Suite *suite = suite_create(name);
	SRunner *runner;
	int n_failed;

	add(suite);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
