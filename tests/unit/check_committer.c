/* When what is collected is committed, and what happens when it cannot be. */
#include "pipeline/committer.h"

#include <signal.h>
#include <sys/resource.h>

#include "base/random.h"
#include "pipeline_fixture.h"

static int n_done;

static void done(struct batch *batch, void *userdata)
{
	(void)batch;
	(void)userdata;
	n_done++;
}

static void add(size_t n_records)
{
	struct batch *batch = fixture_batch("a", 1, n_records, 1000);

	commit_add_page(store, "a", batch, "{}", done, NULL);
	batch_unref(batch);
	committer_touch(committer);
}

static void setup(void)
{
	pipeline_setup();
	n_done = n_state_faults = n_state_recoveries = 0;
	state_corrupt = false;
}

/* Keeps the loop from ever being idle: there is always something to read. */
static ev_io busy;
static int n_turns;
static int busy_ends[2];

static void on_busy(struct ev_loop *l, ev_io *watcher, int events)
{
	(void)l;
	(void)watcher;
	(void)events;
	n_turns++;
}

static void busy_begin(void)
{
	n_turns = 0;
	ck_assert_int_eq(pipe(busy_ends), 0);
	ck_assert_int_eq(write(busy_ends[1], "", 1), 1);
	ev_io_init(&busy, on_busy, busy_ends[0], EV_READ);
	ev_io_start(loop, &busy);
}

START_TEST(idle_loop_commits_together)
{
	add(3);
	add(3);
	ck_assert_int_eq(n_done, 0); /* never inside the call */
	for (int i = 0; i < 3; i++)
		ev_run(loop, EVRUN_NOWAIT); /* the delay is not waited for */
	ck_assert_int_eq(n_done, 2); /* one transaction */
	ck_assert(!commit_pending(store));
	ck_assert_int_eq(spool_last(store), 2);
}
END_TEST

START_TEST(busy_loop_commits_after_the_delay)
{
	busy_begin();
	add(3);
	RUN_UNTIL(n_done > 0);
	ck_assert_int_eq(n_done, 1);
	ck_assert_int_gt(n_turns, 1); /* it was not the idle watcher */
}
END_TEST

START_TEST(pages_of_a_chain_are_committed_together)
{
	struct batch *batch = fixture_batch("a", 1, 1, 1000);
	nsec_t began_at = clock_monotonic();

	commit_add_page(store, "a", batch, "{}", done, NULL);
	batch_unref(batch);
	committer_touch_more(committer);
	for (int i = 0; i < 3; i++)
		ev_run(loop, EVRUN_NOWAIT); /* at rest: the next page is on its way */
	add(1); /* another source does not hurry it */
	ev_run(loop, EVRUN_NOWAIT);
	if (n_done > 0) /* this process had to wait for others */
		ck_assert_int_ge(clock_monotonic() - began_at, 20 * NSEC_PER_MSEC);
	RUN_UNTIL(n_done == 2);
}
END_TEST

START_TEST(much_is_committed_at_once)
{
	busy_begin();
	while (commit_pending_bytes(store) < (size_t)4 << 20)
		add(20000);
	ck_assert_int_eq(n_done, 0);
	ev_run(loop, EVRUN_NOWAIT);
	ck_assert_int_gt(n_done, 0);
}
END_TEST

static void add_ack(void)
{
	commit_add_ack(store, "out", 1, "at 1");
	committer_touch_later(committer);
}

/* Has the loop committed what waits, without a delay? */
static bool commits_at_rest(void)
{
	for (int i = 0; i < 3; i++)
		ev_run(loop, EVRUN_NOWAIT);
	return !commit_pending(store);
}

START_TEST(what_may_wait_is_committed_with_the_next_page)
{
	nsec_t began_at = clock_monotonic();
	bool committed;

	add_ack();
	committed = commits_at_rest();
	if (clock_monotonic() - began_at < NSEC_PER_SEC) /* else this process waited for others */
		ck_assert(!committed);
	add(1);
	add_ack(); /* does not hold the page up */
	ck_assert(commits_at_rest());
	ck_assert_int_eq(n_done, 1);
}
END_TEST

START_TEST(what_may_wait_waits_for_a_second_at_most)
{
	nsec_t began_at = clock_monotonic();

	add_ack();
	add_ack(); /* does not move the end */
	RUN_UNTIL(!commit_pending(store));
	ck_assert_int_ge(clock_monotonic() - began_at, NSEC_PER_SEC - 10 * NSEC_PER_MSEC);
}
END_TEST

START_TEST(in_a_hurry_nothing_waits)
{
	add_ack();
	committer_hurry(committer, true);
	ck_assert(commits_at_rest());
	add_ack();
	ck_assert(commits_at_rest());
	committer_hurry(committer, false);
	add_ack();
	committer_touch(committer); /* something else does not wait */
	ck_assert(commits_at_rest());
}
END_TEST

START_TEST(flush_needs_no_loop)
{
	ck_assert(committer_flush(committer)); /* nothing to do */
	add(1);
	ck_assert(committer_flush(committer));
	ck_assert_int_eq(n_done, 1);
	ck_assert(!committer_failing(committer));
	ck_assert_int_eq(n_state_faults + n_state_recoveries, 0);
}
END_TEST

static bool inner_flush;

static void done_and_more(struct batch *batch, void *userdata)
{
	(void)batch;
	(void)userdata;
	inner_flush = committer_flush(committer);
	add(1);
}

START_TEST(a_callback_may_collect_but_not_flush)
{
	inner_flush = true;
	commit_add_page(store, "a", NULL, "{\"x\":1}", done_and_more, NULL);
	ck_assert(committer_flush(committer));
	ck_assert(!inner_flush);
	ck_assert(commit_pending(store));
	RUN_UNTIL(n_done == 1); /* armed by itself */
}
END_TEST

static uint64_t zero(uint64_t bound)
{
	(void)bound;
	return 0;
}

static struct rlimit limit_before;

static nsec_t now_time;

static nsec_t fake_monotonic(void)
{
	return now_time;
}

/* No file becomes longer than SIZE. */
static void disk_full(rlim_t size)
{
	struct rlimit full;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &limit_before);
	full = limit_before;
	full.rlim_cur = size;
	setrlimit(RLIMIT_FSIZE, &full);
}

static void disk_free(void)
{
	setrlimit(RLIMIT_FSIZE, &limit_before);
}

START_TEST(a_full_disk_is_told_once_and_passes)
{
	disk_full(1);
	add(3);
	RUN_UNTIL(n_state_faults > 0);
	ck_assert(committer_failing(committer));
	ck_assert(!committer_flush(committer));
	add(3);
	ck_assert(!committer_flush(committer));
	ck_assert_int_eq(n_state_faults, 1);
	ck_assert_int_eq(n_done, 0);
	ck_assert(!state_corrupt);
	disk_free();
	ck_assert(committer_flush(committer));
	ck_assert_int_eq(n_done, 2);
	ck_assert_int_eq(n_state_recoveries, 1);
	ck_assert(!committer_failing(committer));
}
END_TEST

START_TEST(the_timer_tries_again)
{
	random_set_source(zero);
	disk_full(1);
	add(3);
	RUN_UNTIL(n_state_faults > 0);
	disk_free();
	RUN_UNTIL(n_state_recoveries > 0 || state_corrupt);
	ck_assert(!state_corrupt);
	ck_assert_int_eq(n_done, 1);
	random_set_source(NULL);
}
END_TEST

/* Commits a record an hour later, when the log is due to be copied. */
static void add_later(void)
{
	now_time += NSEC_PER_HOUR;
	add(1);
	ck_assert(committer_flush(committer));
}

/* A disk on which the log can be written, and trawld.db cannot. */
START_TEST(a_log_that_cannot_be_copied_is_told)
{
	int saved, log = pipeline_log_begin(&saved);
	char *text;

	now_time = clock_monotonic();
	clock_set_source(fake_monotonic, NULL);
	add_later();
	add_later();
	disk_full(20 * 1024); /* the log is shorter, trawld.db is not */
	add_later();
	ck_assert_int_eq(n_state_faults, 0);
	disk_free();
	add_later();
	add_later();
	clock_set_source(NULL, NULL);
	text = pipeline_log_end(log, saved);
	ck_assert_msg(
		text_count(text, "trawld.db-wal grows, as it cannot be copied") == 1, "%s", text);
	ck_assert_msg(text_count(text, "can be copied to trawld.db again") == 1, "%s", text);
	free(text);
}
END_TEST

START_TEST(a_corrupt_state_is_told_once_and_never_tried_again)
{
	char *path = fixture_path("trawld.db");

	unlink(path);
	add(1);
	ck_assert(!committer_flush(committer));
	ck_assert(state_corrupt);
	ck_assert_int_eq(n_state_faults, 1);
	ck_assert(!committer_flush(committer));
	committer_touch(committer);
	ev_run(loop, 0); /* no watcher is left */
	ck_assert_int_eq(n_state_faults, 1);
	ck_assert_int_eq(n_done, 0);
	ck_assert(commit_pending(store));
	free(path);
}
END_TEST

START_TEST(what_a_reader_found_damaged_is_written_no_more)
{
	struct fault fault;

	fault_set(&fault, FAULT_STORE, "a batch cannot be decoded");
	add(1);
	committer_damaged(committer, &fault);
	committer_damaged(committer, &fault);
	ck_assert(state_corrupt);
	ck_assert_int_eq(n_state_faults, 1);
	ck_assert(committer_failing(committer));
	ck_assert(!committer_flush(committer));
	ev_run(loop, 0); /* no watcher is left */
	ck_assert_int_eq(n_done, 0);
	ck_assert(commit_pending(store));
}
END_TEST

static void add_tests(Suite *suite)
{
	TCase *tcase = tcase_create("committer");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, pipeline_teardown);
	tcase_add_test(tcase, idle_loop_commits_together);
	tcase_add_test(tcase, busy_loop_commits_after_the_delay);
	tcase_add_test(tcase, pages_of_a_chain_are_committed_together);
	tcase_add_test(tcase, much_is_committed_at_once);
	tcase_add_test(tcase, what_may_wait_is_committed_with_the_next_page);
	tcase_add_test(tcase, what_may_wait_waits_for_a_second_at_most);
	tcase_add_test(tcase, in_a_hurry_nothing_waits);
	tcase_add_test(tcase, flush_needs_no_loop);
	tcase_add_test(tcase, a_callback_may_collect_but_not_flush);
	tcase_add_test(tcase, a_full_disk_is_told_once_and_passes);
	tcase_add_test(tcase, the_timer_tries_again);
	tcase_add_test(tcase, a_log_that_cannot_be_copied_is_told);
	tcase_add_test(tcase, a_corrupt_state_is_told_once_and_never_tried_again);
	tcase_add_test(tcase, what_a_reader_found_damaged_is_written_no_more);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	return fixture_main("committer", add_tests);
}
