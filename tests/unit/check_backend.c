/* A state that a backend keeps: nothing is believed before the answer, and all that changes is
 * kept. */
#include "store/backend.h"

#include <ev.h>
#include <fcntl.h>

#include "fake_backend.h"
#include "pipeline/committer.h"
#include "store_fixture.h"

#include "store/coverage.h"
#include "store/events.h"
#include "store/pause.h"
#include "store/reconcile.h"
#include "store/routes.h"
#include "store/store_internal.h"

#define RUN_UNTIL(condition)                                                                       \
	do {                                                                                       \
		while (!(condition))                                                               \
			ev_run(loop, EVRUN_ONCE);                                                  \
	} while (0)

static struct ev_loop *loop;
static struct committer *committer;
static struct fault fault;
static int n_done;
static int last_outcome;
static char done_order[64];

static void on_state(int outcome, const struct fault *why, void *userdata)
{
	(void)why;
	(void)userdata;
	last_outcome = outcome;
}

static void open_copy(const char *node)
{
	int r = store_open_copy(&store, state, "shard-0.db", node, &fake.backend, &fault);

	ck_assert_msg(r == 0, "store_open_copy: %d %s", r, fault.text);
}

static void setup(void)
{
	fixture_setup();
	fake_begin();
	open_copy("here");
	loop = ev_loop_new(EVFLAG_AUTO);
	committer = committer_new(loop, store, on_state, NULL);
	n_done = last_outcome = 0;
	done_order[0] = '\0';
}

static void teardown(void)
{
	committer_free(committer);
	committer = NULL;
	fixture_teardown();
	ev_loop_destroy(loop);
	fake_end();
}

static void done(struct batch *batch, void *userdata)
{
	ck_assert_int_eq(batch->number, ++n_done);
	strcat(done_order, userdata);
}

static void add(const char *source, int number, const char *name)
{
	struct batch *batch = fixture_batch(source, number, 2, 1000 * number);

	commit_add_page(store, source, batch, "{}", done, (void *)(uintptr_t)name);
	batch_unref(batch);
	committer_touch(committer);
}

START_TEST(nothing_is_handed_on_before_the_answer)
{
	fake_set(FAKE_WAITS);
	int n_sent = fake.n_sent;

	add("s", 1, "a");
	RUN_UNTIL(fake.n_sent > n_sent);
	add("s", 2, "b"); /* for the next one */
	add("t", 3, "c");
	for (int i = 0; i < 5; i++)
		ev_run(loop, EVRUN_NOWAIT);
	ck_assert_int_eq(fake.n_sent, n_sent + 1);
	ck_assert_int_eq(n_done, 0);
	ck_assert_int_eq(spool_last(store), 0);
	ck_assert_ptr_null(fixture_next(0, NULL));
	ck_assert_ptr_null(fixture_cursor("s"));
	ck_assert(commit_pending(store));
	ck_assert_uint_gt(spool_bytes(store), 0);
	fake_set(FAKE_COMMITS);
	RUN_UNTIL(n_done == 3);
	ck_assert_str_eq(done_order, "abc");
	ck_assert_int_eq(fake.n_sent, n_sent + 2);
	ck_assert(!commit_pending(store));
	ck_assert_int_eq(last_outcome, 0);
}
END_TEST

START_TEST(what_is_refused_is_sent_again)
{
	fake_set(FAKE_REFUSES);
	add("s", 1, "a");
	RUN_UNTIL(last_outcome != 0);
	ck_assert_int_eq(last_outcome, STORE_E_FULL);
	ck_assert(committer_failing(committer));
	ck_assert_int_eq(n_done, 0);
	add("s", 2, "b");
	fake_set(FAKE_COMMITS);
	RUN_UNTIL(n_done == 2);
	ck_assert_str_eq(done_order, "ab");
	ck_assert_int_eq(last_outcome, 0);
}
END_TEST

START_TEST(a_flush_does_not_wait_for_ever)
{
	nsec_t began_at = clock_monotonic();

	fake_set(FAKE_WAITS);
	add("s", 1, "a");
	ck_assert(!committer_flush(committer));
	ck_assert_int_ge(clock_monotonic() - began_at, 250 * NSEC_PER_MSEC);
	ck_assert_int_eq(last_outcome, 0); /* that is no failure */
	ck_assert(commit_pending(store));
	fake_set(FAKE_COMMITS);
	ck_assert(committer_flush(committer));
	ck_assert_int_eq(n_done, 1);
}
END_TEST

START_TEST(other_changes_wait_for_what_is_under_way)
{
	fake_set(FAKE_WAITS);
	add("s", 1, "a");
	ck_assert(!committer_flush(committer));
	ck_assert_int_eq(pause_set(store, PAUSE_SOURCE, "s", true, "me", &fault), STORE_E_FULL);
	fake_set(FAKE_COMMITS);
	ck_assert_int_eq(pause_set(store, PAUSE_SOURCE, "s", true, "me", &fault), 0);
	ck_assert_int_eq(spool_last(store), 1);
	ck_assert_int_eq(n_done, 0); /* not inside a call of somebody else */
	RUN_UNTIL(n_done == 1);
}
END_TEST

START_TEST(a_lost_state_is_the_end)
{
	ck_assert(store_may_deliver(store));
	fake_set(FAKE_WAITS);
	add("s", 1, "a");
	ck_assert(!committer_flush(committer));
	fake_set(FAKE_IS_LOST);
	RUN_UNTIL(last_outcome != 0);
	ck_assert_int_eq(last_outcome, STORE_E_LOST);
	ck_assert(!store_may_deliver(store));
	fake_set(FAKE_COMMITS); /* nobody asks again */
	ck_assert(!committer_flush(committer));
	ck_assert_int_eq(commit_run(store, &fault), STORE_E_LOST);
	ck_assert_int_eq(pause_set(store, PAUSE_SOURCE, "s", true, "me", &fault), STORE_E_LOST);
	ck_assert_int_eq(n_done, 0);
}
END_TEST

START_TEST(a_hold_lost_at_rest_is_noticed)
{
	fake_set(FAKE_IS_LOST);
	RUN_UNTIL(last_outcome != 0);
	ck_assert_int_eq(last_outcome, STORE_E_LOST);
}
END_TEST

/* --- all of it is kept --- */

static void print_rows(struct buf *out)
{
	const struct backend_table *tables;
	size_t n;

	buf_clear(out);
	tables = backend_tables(store, &n);
	for (size_t i = 0; i < n; i++) {
		struct buf sql CLEANUP(buf_deinit) = BUF_NULL;
		sqlite3_stmt *statement;

		buf_printf(&sql, "SELECT * FROM %s ORDER BY 1%s", tables[i].name,
			tables[i].n_columns > 1 ? ", 2" : "");
		ck_assert_int_eq(
			sqlite3_prepare_v2(store->db, buf_text(&sql), -1, &statement, NULL), 0);
		while (sqlite3_step(statement) == SQLITE_ROW) {
			buf_append_text(out, tables[i].name);
			for (int k = 0; k < (int)tables[i].n_columns; k++) {
				buf_printf(out, " %d:", sqlite3_column_type(statement, k));
				const void *data = sqlite3_column_blob(statement, k);

				size_t size = (size_t)sqlite3_column_bytes(statement, k);
				char *hex CLEANUP_FREE = mem_alloc(2 * size + 1);

				digest_hex(data, size, hex);
				buf_append_text(out, hex);
			}
			buf_append_char(out, '\n');
		}
		sqlite3_finalize(statement);
	}
}

static void ignore_news(enum routes_news news, const char *name, const char *before,
	const char *now, uint64_t n, void *userdata)
{
	(void)news;
	(void)name;
	(void)before;
	(void)now;
	(void)n;
	(void)userdata;
}

static void ignore_stranded(const struct routes_stranded *stranded, void *userdata)
{
	(void)stranded;
	(void)userdata;
}

static void ignore_route(const char *source, const char *sink, int64_t after, void *userdata)
{
	(void)source;
	(void)sink;
	(void)after;
	(void)userdata;
}

static void adopt(const char *first, const char *second)
{
	const struct str_list all = STR_LIST_NULL;
	const struct routes_source sources[] = {{first, "now", &all}, {second, "now", &all}};
	const struct routes_sink sinks[] = {{"out", "file"}, {"net", "http"}};
	const struct routes_configuration configuration = {sources, 2, sinks, 2};
	const struct routes_report report = {ignore_stranded, ignore_news, ignore_route, NULL};

	ck_assert_msg(
		routes_adopt(store, &configuration, NULL, &report, &fault) == 0, "%s", fault.text);
}

static void rename_source(const char *name, const char *to)
{
	const struct str_list all = STR_LIST_NULL;
	const struct routes_source sources[] = {{to, "now", &all}};
	const struct routes_sink sinks[] = {{"out", "file"}, {"net", "http"}};
	const struct routes_configuration configuration = {sources, 1, sinks, 2};
	struct routes_change change = {ROUTES_RENAME_SOURCE, name, to, "me", 0, false};

	ck_assert_msg(routes_change(store, &configuration, &change, &fault) == 0, "%s", fault.text);
}

/* A flush waits for 250 ms, which is not enough on every machine. */
static void commit(void)
{
	int n = 0;

	while (!committer_flush(committer) && n < 40)
		n++;
	ck_assert_int_lt(n, 40);
}

static void change_everything(void)
{
	struct batch *batch = fixture_batch("s", 9, 3, 9000);

	spool_sink_of_host(store, "out");
	adopt("s", "t");
	add("s", 1, "");
	add("t", 2, "");
	batch->keep_times = true;
	commit_add_page(store, "s", batch, "{\"x\":1}", NULL, NULL);
	batch_unref(batch);
	coverage_add_gap(store, "s", 10, 20, GAP_RETENTION);
	coverage_add(store, "s", 30, 40, true);
	commit();
	commit_add_ack(store, "out", 2, "place of here");
	commit_add_ack(store, "net", 3, "plan");
	commit_add_release(store, "s", 1);
	coverage_add(store, "s", 40, 50, true);
	coverage_refill(store, "s", 12, 15);
	coverage_acknowledge(store, "s", clock_wall(), 1, "me");
	commit();
	ck_assert_int_eq(cursors_rewind(store,
				 &(struct cursors_rewind){.source = "s",
					 .cursor = "{\"x\":2}",
					 .horizon_time = 1000,
					 .from_time = 0,
					 .by = "me",
					 .text = "back"},
				 &fault),
		0);
	ck_assert_int_eq(pause_set(store, PAUSE_SINK, "net", true, "me", &fault), 0);
	commit_add_expiry(store, "s", 2000);
	commit();
	struct reconcile_record *records;
	size_t n;

	ck_assert_int_eq(reconcile_list(store, "s", 0, 100000, &records, &n, &fault), 0);
	ck_assert_uint_eq(n, 3);
	const struct reconcile_result result = {.source = "s",
		.shape = "shape",
		.delay_ns = 60,
		.until_time = 500,
		.late_ns = 40,
		.records = records,
		.n_records = 2,
		.vanished = "gone",
		.overlap = "longer"};
	ck_assert_int_eq(reconcile_settle(store, &result, &fault), 0);
	free(records);
	rename_source("t", "u");
	adopt("s", "u");
}

START_TEST(the_next_holder_finds_everything)
{
	struct buf before CLEANUP(buf_deinit) = BUF_NULL, after CLEANUP(buf_deinit) = BUF_NULL;
	char *position = NULL;
	int64_t number;

	change_everything();
	commit();
	print_rows(&before);
	ck_assert_uint_gt(before.size, 1000);
	committer_free(committer);
	committer = NULL;
	store_close(store);
	CLEANUP_FREE char *copy = fixture_path("shard-0.db");

	ck_assert_int_ne(access(copy, F_OK), 0); /* it is worth nothing any more */
	open_copy("there");
	print_rows(&after);
	ck_assert_str_eq(buf_text(&before), buf_text(&after));
	spool_sink_of_host(store, "out");
	ck_assert_int_eq(spool_sink_get(store, "out", &number, &position, NULL, &fault), 0);
	ck_assert_int_eq(number, 2);
	ck_assert_ptr_null(position); /* that is worth something on the other host */
	ck_assert_int_eq(spool_sink_get(store, "net", &number, &position, NULL, &fault), 0);
	ck_assert_str_eq(position, "plan");
	free(position);
	ck_assert(!store_is_new(store));
	struct batch *batch = fixture_next(2, "s");

	ck_assert(fixture_is(batch, 9, 3));
	batch_unref(batch);
}
END_TEST

START_TEST(numbers_are_never_given_twice)
{
	adopt("s", "t");
	add("s", 1, "");
	commit();
	commit_add_release(store, "s", 1);
	commit();
	committer_free(committer);
	store_close(store);
	open_copy("there");
	ck_assert_ptr_null(fixture_next(0, NULL));
	ck_assert_int_eq(spool_last(store), 1);
	committer = committer_new(loop, store, on_state, NULL);
	add("s", 2, "");
	commit();
	ck_assert_int_eq(spool_last(store), 2);
}
END_TEST

static void suite(Suite *all)
{
	TCase *tests = tcase_create("backend");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, nothing_is_handed_on_before_the_answer);
	tcase_add_test(tests, what_is_refused_is_sent_again);
	tcase_add_test(tests, a_flush_does_not_wait_for_ever);
	tcase_add_test(tests, other_changes_wait_for_what_is_under_way);
	tcase_add_test(tests, a_lost_state_is_the_end);
	tcase_add_test(tests, a_hold_lost_at_rest_is_noticed);
	tcase_add_test(tests, the_next_holder_finds_everything);
	tcase_add_test(tests, numbers_are_never_given_twice);
	suite_add_tcase(all, tests);
}

int main(void)
{
	return fixture_main("backend", suite);
}
