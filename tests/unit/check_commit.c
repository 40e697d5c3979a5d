/*
 * The one transaction: all or nothing, in order, durable before anybody is told; a disk that is
 * full for a while costs nothing; numbers never come twice. (kill -9: check_commit_kill.c.)
 */
#include "store/commit.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "store/store_internal.h"
#include "store_fixture.h"

/* What the callbacks were told: "number:name ". */
static struct buf told;

static void setup(void)
{
	fixture_open_setup();
	told = BUF_NULL;
}

static void teardown(void)
{
	buf_deinit(&told);
	fixture_teardown();
}

static void tell(struct batch *batch, void *userdata)
{
	buf_printf(&told, "%lld:%s ", batch ? (long long)batch->number : -1, (char *)userdata);
}

static void add_told(const char *source, int number, const char *cursor, const char *name)
{
	struct batch *batch = fixture_batch(source, number, 4, 5);

	commit_add_page(store, source, batch, cursor, tell, (void *)(uintptr_t)name);
	batch_unref(batch);
}

START_TEST(callbacks_come_in_order_after_the_commit)
{
	ck_assert(!commit_pending(store));
	fixture_run(); /* nothing to do */
	add_told("a", 1, NULL, "one");
	commit_add_page(store, "a", NULL, "\"c\"", tell, (void *)(uintptr_t) "empty");
	add_told("b", 2, NULL, "two");
	ck_assert(commit_pending(store));
	ck_assert_uint_gt(commit_pending_bytes(store), 0);
	ck_assert_uint_eq(told.size, 0);
	fixture_run();
	ck_assert_str_eq(buf_text(&told), "1:one -1:empty 2:two ");
	ck_assert(!commit_pending(store));
	ck_assert_uint_eq(commit_pending_bytes(store), 0);
	ck_assert_int_eq(spool_last(store), 2);
}
END_TEST

/* Collects one more page and releases what was just committed: a source without a sink. */
static void tell_and_add(struct batch *batch, void *userdata)
{
	int64_t waiting = -1;

	ck_assert_int_eq(
		statement_number(store, "SELECT count(*) FROM batches", &waiting, NULL), 0);
	ck_assert_int_eq(waiting, 2);
	ck_assert_int_eq(spool_last(store), 2);
	commit_add_release(store, batch->source, batch->number);
	add_told(batch->source, 9, "\"next\"", userdata);
}

START_TEST(a_callback_may_collect)
{
	struct batch *batch = fixture_batch("a", 1, 4, 5);

	commit_add_page(store, "a", batch, NULL, tell_and_add, (void *)(uintptr_t) "again");
	commit_add_page(store, "b", batch, NULL, NULL, NULL);
	batch_unref(batch);
	fixture_run();
	ck_assert_str_eq(buf_text(&told), "");
	ck_assert(commit_pending(store));
	fixture_run();
	ck_assert_str_eq(buf_text(&told), "3:again ");
	batch = fixture_next(0, "a");
	ck_assert_int_eq(batch->number, 3);
	batch_unref(batch);
}
END_TEST

START_TEST(numbers_rise_over_restarts_and_releases)
{
	for (int round = 0; round < 4; round++) {
		fixture_add("a", 1, 2, 5, NULL);
		fixture_add("a", 2, 2, 5, NULL);
		fixture_run();
		ck_assert_int_eq(spool_last(store), 2 * (round + 1));
		commit_add_release(store, "a", spool_last(store));
		commit_add_expiry(store, "a", INT64_MAX);
		fixture_run();
		ck_assert_ptr_null(fixture_next(0, NULL));
		fixture_reopen();
		ck_assert_int_eq(spool_last(store), 2 * (round + 1));
	}
}
END_TEST

START_TEST(a_release_does_not_reach_what_comes_with_it)
{
	struct batch *batch;

	fixture_add("a", 1, 2, 5, NULL);
	fixture_run();
	commit_add_release(store, "a", INT64_MAX);
	commit_add_release(store, "b", INT64_MAX);
	fixture_add("a", 2, 2, 5, NULL);
	fixture_add("b", 3, 2, 5, NULL);
	fixture_run();
	batch = fixture_next(0, "a");
	ck_assert_int_eq(batch->number, 2);
	batch_unref(batch);
	batch = fixture_next(0, "b");
	ck_assert_int_eq(batch->number, 3);
	batch_unref(batch);
}
END_TEST

static const struct {
	struct {
		int64_t number; /* -2: commit here */
		const char *position;
	} acks[6];
	int64_t number;
	const char *position;
} ack_rows[] = {
	{{{5, NULL}}, 5, NULL},
	{{{5, "a"}, {7, "b"}}, 7, "b"},
	{{{5, "a"}, {7, NULL}}, 7, "a"},
	{{{7, "b"}, {5, "a"}}, 7, "b"},
	{{{7, "b"}, {7, "c"}}, 7, "c"},
	{{{5, "a"}, {-2, NULL}, {7, NULL}}, 7, "a"},
	{{{7, "a"}, {-2, NULL}, {5, "b"}}, 7, "a"},
	{{{7, "a"}, {-2, NULL}, {7, "b"}}, 7, "b"},
};

START_TEST(acknowledgements_only_rise)
{
	CLEANUP_FREE char *position = NULL;
	int64_t number = 0;
	bool known = false;

	for (size_t i = 0; i < 6 && ack_rows[_i].acks[i].number != 0; i++) {
		if (ack_rows[_i].acks[i].number == -2)
			fixture_run();
		else
			commit_add_ack(store, "file", ack_rows[_i].acks[i].number,
				ack_rows[_i].acks[i].position);
	}
	commit_add_ack(store, "other", 1, "x");
	fixture_run();
	ck_assert_int_eq(spool_sink_get(store, "file", &number, &position, &known, NULL), 0);
	ck_assert_msg(
		known && number == ack_rows[_i].number, "row %d: %lld", _i, (long long)number);
	ck_assert_msg(ack_rows[_i].position
			      ? position && strcmp(position, ack_rows[_i].position) == 0
			      : !position,
		"row %d: %s", _i, position);
}
END_TEST

START_TEST(collected_marks_stay_few)
{
	fixture_add("a", 1, 2, 5, NULL);
	fixture_add("b", 2, 2, 5, NULL);
	fixture_run();
	for (int i = 1; i <= 1000; i++) {
		commit_add_ack(store, i % 2 ? "x" : "y", i, "p");
		commit_add_release(store, i % 2 ? "a" : "b", i);
		commit_add_release(store, "c", i); /* it has nothing */
		commit_add_expiry(store, "a", i);
	}
	ck_assert_uint_eq(store->collected.n_sinks, 2);
	ck_assert_uint_eq(store->collected.n_sources, 2);
	fixture_run();
	ck_assert(!commit_pending(store));
	commit_add_release(store, "a", 1000); /* nothing waits any more */
	ck_assert(!commit_pending(store));
}
END_TEST

/* --- a store that cannot be written for a while --- */

static uint64_t bytes_before;

static void assert_refused(const char *words)
{
	struct fault fault = FAULT_NULL;
	int r;

	for (int i = 0; i < 3; i++) {
		r = commit_run(store, &fault);
		ck_assert_msg(r == STORE_E_FULL, "%d: %s", r, fault.text);
		ck_assert_int_eq(fault.class, FAULT_STORE);
		ck_assert_msg(strstr(fault.text, words), "%s", fault.text);
		ck_assert_str_eq(buf_text(&told), "");
		ck_assert_uint_eq(spool_bytes(store), bytes_before);
		ck_assert(commit_pending(store));
		ck_assert(sqlite3_get_autocommit(store->db));
	}
}

/* Pages that zstd cannot make small, an acknowledgement, a release. */
static void collect_much(void)
{
	for (int i = 0; i < 40; i++) {
		struct batch *batch = batch_new("a", "p", 1000);

		for (int k = 0; k < 50; k++) {
			char text[2 * DIGEST_SIZE + 3] = "\"";
			uint8_t digest[DIGEST_SIZE];
			struct id key;

			digest_sha256((struct slice){(const char *)&(int[]){i * 1000 + k}[0],
					      sizeof(int)},
				digest);
			digest_hex(digest, sizeof(digest), text + 1);
			text[sizeof(text) - 2] = '"';
			key = digest_id((struct slice){text, sizeof(text) - 1});
			batch_add(
				batch, (struct slice){text, sizeof(text) - 1}, &key, SLICE_NULL, 5);
		}
		commit_add_page(store, "a", batch, i == 39 ? "\"after\"" : NULL,
			i % 13 == 0 ? tell : NULL, (void *)(uintptr_t) "page");
		batch_unref(batch);
	}
	commit_add_ack(store, "file", 1, "pos");
	commit_add_release(store, "a", 1);
	bytes_before = spool_bytes(store);
}

static void begin_small(void)
{
	fixture_add("a", 1, 2, 5, "\"before\"");
	fixture_run();
}

/* Everything is there once, in order, now and after a restart. */
static void assert_recovered(void)
{
	CLEANUP_FREE char *cursor = NULL;
	int64_t after = 0;
	struct batch *batch;

	fixture_run();
	ck_assert_str_eq(buf_text(&told), "2:page 15:page 28:page 41:page ");
	for (int round = 0; round < 2; round++, fixture_reopen()) {
		free(cursor);
		cursor = fixture_cursor("a");
		ck_assert_str_eq(cursor, "\"after\"");
		ck_assert_int_eq(spool_last(store), 41);
		after = 1;
		while ((batch = fixture_next(after == 1 ? 0 : after, NULL))) {
			ck_assert_int_eq(batch->number, after + 1);
			ck_assert_uint_eq(batch->n_records, 50);
			after = batch->number;
			batch_unref(batch);
		}
		ck_assert_int_eq(after, 41);
		ck_assert_ptr_null(fixture_next(41, NULL));
	}
}

START_TEST(no_more_pages)
{
	struct fault fault = FAULT_NULL;
	int64_t n = 0;
	char sql[64];

	begin_small();
	ck_assert_int_eq(statement_number(store, "PRAGMA page_count", &n, &fault), 0);
	snprintf(sql, sizeof(sql), "PRAGMA max_page_count = %lld", (long long)n + 2);
	ck_assert_int_eq(statement_exec(store, sql, &fault), 0);
	collect_much();
	assert_refused("no space left");
	ck_assert_int_eq(statement_exec(store, "PRAGMA max_page_count = 1000000", &fault), 0);
	assert_recovered();
}
END_TEST

START_TEST(a_file_size_limit)
{
	struct rlimit limit, low;

	signal(SIGXFSZ, SIG_IGN);
	begin_small();
	collect_much();
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	low = limit;
	low.rlim_cur = 100000;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &low), 0);
	assert_refused("trawld.db");
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_recovered();
}
END_TEST

START_TEST(another_program_holds_the_lock)
{
	CLEANUP_FREE char *path = fixture_path("trawld.db");
	sqlite3 *shell = NULL;

	begin_small();
	collect_much();
	ck_assert_int_eq(sqlite3_open(path, &shell), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(shell, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_busy_timeout(store->db, 1);
	assert_refused("locked by another program");
	ck_assert_int_eq(sqlite3_close(shell), SQLITE_OK);
	assert_recovered();
}
END_TEST

static void fill_disk(const char *path)
{
	char block[4096] = {0};
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	while (write(fd, block, sizeof(block)) > 0)
		;
	ck_assert_int_eq(errno, ENOSPC);
	close(fd);
}

START_TEST(a_disk_that_is_really_full)
{
	CLEANUP_FREE char *filler = NULL;

	store_close(store);
	store = NULL;
	/* Only root may mount; the tests above cover the rest. In a name space of its own the mount
	 * goes with the process. */
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", "", MS_REC | MS_PRIVATE, NULL) != 0 ||
		mount("none", state, "tmpfs", 0, "size=2m,mode=0700") != 0) {
		fixture_open();
		return;
	}
	fixture_open();
	begin_small();
	collect_much();
	filler = fixture_path("filler");
	fill_disk(filler);
	assert_refused("no space left");
	ck_assert_int_eq(unlink(filler), 0);
	assert_recovered();
	store_close(store);
	store = NULL;
	ck_assert_int_eq(umount(state), 0);
}
END_TEST

/* --- damage and removal while running --- */

START_TEST(a_removed_file_ends_it)
{
	CLEANUP_FREE char *path = fixture_path("trawld.db");
	CLEANUP_FREE char *aside = fixture_path("aside.db");
	struct fault fault = FAULT_NULL;

	begin_small();
	fixture_add("a", 2, 2, 5, NULL);
	ck_assert_int_eq(rename(path, aside), 0);
	ck_assert_int_eq(commit_run(store, &fault), STORE_E_CORRUPT);
	ck_assert_msg(strstr(fault.text, "removed or replaced"), "%s", fault.text);
	fclose(fopen(path, "w"));
	ck_assert_int_eq(commit_run(store, &fault), STORE_E_CORRUPT);
	ck_assert_int_eq(rename(aside, path), 0);
	fixture_run();
	ck_assert_int_eq(spool_last(store), 2);
}
END_TEST

START_TEST(what_sqlite_calls_damage_is_corrupt)
{
	struct fault fault = FAULT_NULL;

	begin_small();
	ck_assert_int_eq(statement_exec(store, "DROP TABLE sinks", &fault), 0);
	commit_add_ack(store, "file", 1, NULL);
	fixture_add("a", 2, 2, 5, NULL);
	ck_assert_int_eq(commit_run(store, &fault), STORE_E_CORRUPT);
	ck_assert_msg(
		strstr(fault.text, "is damaged") && strstr(fault.text, "sinks"), "%s", fault.text);
	ck_assert_int_eq(spool_last(store), 1);
	ck_assert_ptr_null(fixture_next(1, NULL));
}
END_TEST

static const struct {
	int code;
	int outcome;
} codes[] = {
	{SQLITE_FULL, STORE_E_FULL},
	{SQLITE_READONLY, STORE_E_FULL},
	{SQLITE_READONLY_DBMOVED, STORE_E_FULL},
	{SQLITE_BUSY, STORE_E_FULL},
	{SQLITE_BUSY_SNAPSHOT, STORE_E_FULL},
	{SQLITE_LOCKED, STORE_E_FULL},
	{SQLITE_IOERR_WRITE, STORE_E_FULL},
	{SQLITE_IOERR_FSYNC, STORE_E_FULL},
	{SQLITE_CANTOPEN, STORE_E_FULL},
	{SQLITE_NOMEM, STORE_E_FULL},
	{SQLITE_IOERR_CORRUPTFS, STORE_E_FULL},
	{SQLITE_CORRUPT, STORE_E_CORRUPT},
	{SQLITE_CORRUPT_INDEX, STORE_E_CORRUPT},
	{SQLITE_NOTADB, STORE_E_CORRUPT},
	{SQLITE_CONSTRAINT_PRIMARYKEY, STORE_E_CORRUPT},
	{SQLITE_ERROR, STORE_E_CORRUPT},
};

START_TEST(codes_become_outcomes)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		struct fault fault = FAULT_NULL;

		ck_assert_msg(statement_fault(store, codes[i].code, &fault) == codes[i].outcome,
			"row %zu", i);
		ck_assert_msg(strstr(fault.text, store->path), "row %zu: %s", i, fault.text);
	}
}
END_TEST

/* A state may move to a host of the other byte order. */
START_TEST(times_are_little_endian)
{
	struct batch *batch = fixture_batch("a", 1, 1, 0x0102030405);
	sqlite3_stmt *statement;

	batch->keep_times = true;
	commit_add_page(store, "a", batch, NULL, NULL, NULL);
	batch_unref(batch);
	fixture_run();
	ck_assert_int_eq(sqlite3_prepare_v2(store->db, "SELECT hex(times) FROM batch_keys", -1,
				 &statement, NULL),
		SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
	ck_assert_str_eq((const char *)sqlite3_column_text(statement, 0), "0504030201000000");
	sqlite3_finalize(statement);
}
END_TEST

/* --- space is given back --- */

static int64_t size_of_file(void)
{
	CLEANUP_FREE char *path = fixture_path("trawld.db");
	struct stat status;

	ck_assert_int_eq(stat(path, &status), 0);
	return status.st_size;
}

START_TEST(a_large_release_makes_the_file_small_again)
{
	int64_t large;

	for (int i = 0; i < 40; i++) {
		struct batch *batch = batch_new("a", "p", 1000);
		char *text = mem_alloc(1 << 20);
		struct id key = fixture_key(i, 0);

		for (size_t k = 0; k + DIGEST_SIZE <= 1 << 20; k += DIGEST_SIZE) {
			size_t seed[2] = {k, (size_t)i};

			digest_sha256((struct slice){(const char *)seed, sizeof(seed)},
				(uint8_t *)text + k);
		}
		batch_add(batch, (struct slice){text, 1 << 20}, &key, SLICE_NULL, 5);
		free(text);
		/* The line feeds of noise are no harm here: nobody takes it apart. */
		commit_add_page(store, "a", batch, NULL, NULL, NULL);
		batch_unref(batch);
		fixture_run();
	}
	ck_assert_int_eq(
		sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL),
		SQLITE_OK);
	large = size_of_file();
	ck_assert_int_gt(large, 40 << 20);
	commit_add_release(store, "a", 40);
	for (int i = 0; i < 40; i++) {
		commit_add_cursor(store, "a", "\"c\"");
		fixture_run();
	}
	ck_assert_uint_eq(spool_bytes(store), 0);
	fixture_reopen();
	ck_assert_msg(size_of_file() < 20 << 20, "%lld of %lld left", (long long)size_of_file(),
		(long long)large);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *commits = tcase_create("commit");

	tcase_add_checked_fixture(commits, setup, teardown);
	tcase_add_test(commits, callbacks_come_in_order_after_the_commit);
	tcase_add_test(commits, a_callback_may_collect);
	tcase_add_test(commits, numbers_rise_over_restarts_and_releases);
	tcase_add_test(commits, a_release_does_not_reach_what_comes_with_it);
	tcase_add_loop_test(commits, acknowledgements_only_rise, 0,
		(int)(sizeof(ack_rows) / sizeof(ack_rows[0])));
	tcase_add_test(commits, collected_marks_stay_few);
	tcase_add_test(commits, no_more_pages);
	tcase_add_test(commits, a_file_size_limit);
	tcase_add_test(commits, another_program_holds_the_lock);
	tcase_add_test(commits, a_disk_that_is_really_full);
	tcase_add_test(commits, a_removed_file_ends_it);
	tcase_add_test(commits, what_sqlite_calls_damage_is_corrupt);
	tcase_add_test(commits, codes_become_outcomes);
	tcase_add_test(commits, times_are_little_endian);
	tcase_add_test(commits, a_large_release_makes_the_file_small_again);
	tcase_set_timeout(commits, 60);
	suite_add_tcase(suite, commits);
}

int main(void)
{
	return fixture_main("commit", add_cases);
}
