/* One sink's queue against a scripted sink: order, retries, refusals, restarts, bounds. */
#include "pipeline/delivery.h"

#include "base/random.h"
#include "pipeline_fixture.h"

START_TEST(scripts)
{
	/* three pages of four records, each a job of its own */
	static const struct {
		const char *script;
		uint64_t delivered, refused, retries;
		size_t n_calls;
	} rows[] = {
		{"", 12, 0, 0, 3},
		{"r", 12, 0, 1, 4},
		{"rrrr", 12, 0, 4, 7},
		{"x", 8, 4, 0, 3},
		{"xxx", 0, 12, 0, 3},
		{"p", 10, 2, 0, 3},
		{"ppp", 6, 6, 0, 3},
		{"rpxr", 6, 6, 2, 5},
		{"dpd", 10, 2, 0, 3},
	};
	size_t i = (size_t)_i;
	struct fake *fake = pipeline_simple(_i % 2 ? &fake_plain : &fake_bodies);
	struct sink_status status;
	int64_t number;
	char *position;
	struct fault fault;

	ck_assert_uint_lt(i, sizeof(rows) / sizeof(rows[0]));
	fake->script = rows[i].script;
	for (int page = 0; page < 3; page++) {
		pipeline_pages("a", page, page + 1, 4);
		pipeline_settle();
		while (pipeline_status("out").failing) {
			size_t n = fake->n_calls;

			fanout_retry_now(fanout);
			RUN_UNTIL(fake->n_calls > n && !fake->held);
			pipeline_settle();
		}
	}
	status = pipeline_status("out");
	ck_assert_msg(status.delivered_records == rows[i].delivered, "row %zu: %" PRIu64, i,
		status.delivered_records);
	ck_assert_msg(status.refused_records == rows[i].refused, "row %zu: %" PRIu64, i,
		status.refused_records);
	ck_assert_msg(status.retries == rows[i].retries, "row %zu: %" PRIu64, i, status.retries);
	ck_assert_msg(fake->n_calls == rows[i].n_calls, "row %zu: %zu", i, fake->n_calls);
	ck_assert_msg(dead_letters() == rows[i].refused, "row %zu: %zu", i, dead_letters());
	ck_assert_msg(
		text_count(buf_text(&fake->delivered), "\n") == rows[i].delivered, "row %zu", i);
	ck_assert_uint_eq(status.pending_records, 0);
	ck_assert_msg(
		(status.last_success_time != NSEC_NONE) == (rows[i].delivered > 0), "row %zu", i);
	ck_assert_int_eq(spool_sink_get(store, "out", &number, &position, NULL, &fault), 0);
	ck_assert_int_eq(number, 3);
	ck_assert_uint_eq(spool_bytes(store), 0);
	free(position);
}
END_TEST

START_TEST(what_waits_goes_through_the_spool_in_order)
{
	struct fake *fake = pipeline_simple(&fake_bodies);

	fake->script = "h";
	pipeline_pages("a", 0, 1, 10);
	RUN_UNTIL(fake->held);
	for (int i = 1; i < 300; i += 10)
		pipeline_pages("a", i, i + 10 < 300 ? i + 10 : 300, 10);
	ck_assert_uint_eq(pipeline_status("out").pending_records, 3000);
	fake_release(fake, 'd');
	pipeline_settle();
	ck_delivered(fake, 0, 300, 10);
	for (size_t i = 0; i < fake->n_calls; i++)
		ck_assert_uint_le(fake->n_batches[i], JOB_MAX_BATCHES);
	ck_assert_uint_eq(pipeline_status("out").pending_records, 0);
	ck_assert_uint_eq(spool_bytes(store), 0);
}
END_TEST

START_TEST(a_failing_sink_keeps_its_job_only)
{
	struct fake *fake = pipeline_simple(&fake_bodies);
	size_t job_memory;

	fake->script = "h";
	pipeline_pages("a", 0, 1, 10);
	RUN_UNTIL(fake->held);
	job_memory = spool_memory(store);
	ck_assert_uint_gt(job_memory, 0);
	pipeline_pages("a", 1, 20, 10);
	ck_assert(committer_flush(committer));
	ck_assert_uint_gt(spool_memory(store), 10 * job_memory);
	fake_release(fake, 'r');
	ck_assert_uint_eq(spool_memory(store), job_memory);
	pipeline_pages("a", 20, 30, 10);
	ck_assert(committer_flush(committer));
	ck_assert_uint_eq(spool_memory(store), job_memory);
	fanout_retry_now(fanout);
	pipeline_settle();
	ck_delivered(fake, 0, 30, 10);
	ck_assert_uint_eq(spool_memory(store), 0);
}
END_TEST

/* Whether the acknowledgement of the job in hand, with SCRIPT's answer, is committed at rest. */
static bool acknowledgement_hurries(const struct sink_kind *kind, char answer, bool more)
{
	struct fake *fake = pipeline_simple(kind);
	bool pending;

	fake->script = "hh";
	pipeline_pages("a", 0, 1, 2);
	RUN_UNTIL(fake->held);
	if (more)
		pipeline_pages("a", 1, 2, 2);
	ck_assert(!commit_pending(store));
	fake_release(fake, answer);
	if (fakes_answer() || answer == 'x') /* the dead letters are written first */
		RUN_UNTIL(pipeline_status("out").refused_records > 0);
	ck_assert(commit_pending(store));
	for (int i = 0; i < 5; i++)
		ev_run(loop, EVRUN_NOWAIT);
	pending = commit_pending(store);
	if (fake->held)
		fake_release(fake, 'd');
	return !pending;
}

START_TEST(only_what_a_sink_finds_by_itself_waits_for_a_page)
{
	static const struct {
		const struct sink_kind *kind;
		char answer;
		bool more, hurries;
	} rows[] = {
		{&fake_exact, 'd', false, false},
		{&fake_exact, 'd', true, true}, /* a backlog: the unstored part stays small */
		{&fake_exact, 'x', false, true}, /* dead letters would be repeated */
		{&fake_plain, 'd', false, true},
	};
	size_t i = (size_t)_i;
	nsec_t began_at = clock_monotonic();
	bool hurries = acknowledgement_hurries(rows[i].kind, rows[i].answer, rows[i].more);

	if (clock_monotonic() - began_at < NSEC_PER_SEC) /* else this process waited for others */
		ck_assert_msg(hurries == rows[i].hurries, "row %zu", i);
}
END_TEST

START_TEST(a_retried_job_is_the_same)
{
	struct fake *fake = pipeline_simple(&fake_plain);

	fake->script = "rrd";
	for (int try = 0; try < 3; try++) {
		pipeline_pages("a", 5 * try, 5 * try + 5, 2);
		fanout_retry_now(fanout);
		RUN_UNTIL(fake->n_calls > (size_t)try && !fake->held);
	}
	for (size_t i = 1; i < 3; i++) {
		ck_assert_str_eq(fake->ids[i], fake->ids[0]);
		ck_assert_uint_eq(fake->n_batches[i], fake->n_batches[0]);
	}
	pipeline_settle();
	ck_delivered(fake, 0, 15, 2);
}
END_TEST

static void answer_at_once(struct sink *sink, struct sink_job *job)
{
	fake_answer(fake_of(sink), job, 'd');
}

/* The object that is called cannot be freed in its own call. */
START_TEST(an_answer_inside_deliver_is_an_assertion)
{
	static struct sink_kind hasty = FAKE_KIND(0);
	struct fake *fake;

	hasty.deliver = answer_at_once;
	fake = pipeline_simple(&hasty);
	pipeline_pages("a", 0, 1, 1);
	RUN_UNTIL(fake->delivered.size > 0 && !fake->held);
}
END_TEST

static uint64_t zero(uint64_t bound)
{
	(void)bound;
	return 0;
}

START_TEST(waits)
{
	static const struct {
		nsec_t ask_ns, wait_min_ns, wait_max_ns;
	} rows[] = {
		{0, NSEC_PER_SEC, NSEC_PER_SEC},
		{7 * NSEC_PER_SEC, 7 * NSEC_PER_SEC, 7 * NSEC_PER_SEC},
		{400 * NSEC_PER_DAY, NSEC_PER_HOUR, NSEC_PER_HOUR}, /* a peer has a ceiling */
	};
	struct fake *fake = pipeline_simple(&fake_plain);

	random_set_source(zero); /* the shortest pause */
	fake->script = "rrr";
	pipeline_pages("a", 0, 1, 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sink_status status;

		fake->ask_ns = rows[i].ask_ns;
		fanout_retry_now(fanout);
		RUN_UNTIL(fake->n_calls > i && !fake->held);
		status = pipeline_status("out");
		ck_assert_msg(status.wait_ns >= rows[i].wait_min_ns &&
				      status.wait_ns <= rows[i].wait_max_ns,
			"row %zu: %" PRId64, i, status.wait_ns);
		ck_assert_msg(status.failing && strstr(status.fault.text, "receiver says r"),
			"row %zu: %s", i, status.fault.text);
	}
	fanout_retry_now(fanout);
	RUN_UNTIL(!pipeline_status("out").failing);
	ck_assert_int_eq(pipeline_status("out").wait_ns, 0);
	random_set_source(NULL);
}
END_TEST

START_TEST(the_timer_ends_a_wait)
{
	struct fake *fake = pipeline_simple(&fake_plain);

	random_set_source(zero);
	fake->script = "r";
	pipeline_pages("a", 0, 1, 1);
	RUN_UNTIL(fake->n_calls == 2);
	pipeline_settle();
	ck_delivered(fake, 0, 1, 1);
	random_set_source(NULL);
}
END_TEST

START_TEST(trouble_is_logged_once_and_so_is_its_end)
{
	struct fake *fake = pipeline_simple(&fake_plain);
	int saved, log = pipeline_log_begin(&saved);
	char *text;

	fake->script = "rrrdd";
	pipeline_pages("a", 0, 1, 1);
	while (fake->n_calls < 4) {
		fanout_retry_now(fanout);
		ev_run(loop, EVRUN_ONCE);
	}
	pipeline_pages("a", 1, 2, 1);
	pipeline_settle();
	text = pipeline_log_end(log, saved);
	/* what it did last is told with the first trouble */
	ck_assert_msg(text_count(text, "\n") == 2 + text_count(text, "info: sink out: before ("),
		"%s", text);
	ck_assert_msg(text_count(text, "the receiver says r") == 1, "%s", text);
	ck_assert_msg(text_count(text, "works again after") == 1, "%s", text);
	ck_assert_msg(text_count(text, "3 failed attempts") == 1, "%s", text);
	free(text);
}
END_TEST

START_TEST(a_restart_goes_on_after_what_is_acknowledged)
{
	struct fake *fake = pipeline_simple(&fake_exact);

	pipeline_pages("a", 0, 3, 2);
	pipeline_settle();
	fake->script = "h";
	pipeline_pages("a", 3, 6, 2);
	RUN_UNTIL(fake->held);
	pipeline_close(); /* cancels */
	ck_assert_uint_eq(fake->n_cancels, 1);
	ck_assert(!fake->alive);
	pipeline_open();
	pipeline_simple(&fake_exact);
	ck_assert_uint_eq(pipeline_status("out").pending_records, 6);
	pipeline_settle();
	ck_assert_str_eq(fake->recovered_with, "at 3");
	ck_delivered(fake, 0, 6, 2);
}
END_TEST

/* Delivered, but the process ends before the acknowledgement is committed: it comes again. */
START_TEST(an_acknowledgement_counts_once_it_is_committed)
{
	struct fake *fake = pipeline_simple(&fake_exact);
	const char *twice;

	fake->script = "h";
	pipeline_pages("a", 0, 2, 1);
	RUN_UNTIL(fake->held);
	fake_release(fake, 'd');
	pipeline_close();
	pipeline_open();
	pipeline_simple(&fake_exact);
	pipeline_settle();
	ck_assert_str_eq(fake->recovered_with, "");
	twice = "{\"n\":0,\"i\":0}\n{\"n\":1,\"i\":0}\n{\"n\":0,\"i\":0}\n{\"n\":1,\"i\":0}\n";
	ck_assert_str_eq(buf_text(&fake->delivered), twice);
}
END_TEST

START_TEST(a_stable_job_is_the_same_after_a_crash)
{
	struct fake *fake = pipeline_simple(&fake_stable);

	for (int round = 0; round < 2; round++) {
		int base = 13 * round;
		size_t call = fake->n_calls;

		fake->script = "hd";
		pipeline_pages("a", base, base + 3, 2);
		RUN_UNTIL(fake->held);
		pipeline_pages("a", base + 3, base + 13, 2);
		pipeline_close();
		pipeline_open();
		pipeline_simple(&fake_stable);
		pipeline_settle();
		ck_assert_uint_eq(fake->n_batches[call], 3);
		ck_assert_uint_eq(fake->n_batches[call + 1], 3);
		ck_assert_str_eq(fake->ids[call], fake->ids[call + 1]);
		ck_assert_uint_eq(fake->n_batches[call + 2], 10);
		ck_delivered(fake, 0, base + 13, 2);
	}
}
END_TEST

START_TEST(selection_decides_and_empty_jobs_are_acknowledged)
{
	struct sink_common_options common = {.format = RECORD_ENVELOPE};
	struct fake *fake;

	str_list_add(&common.exclude, "/i = 1");
	str_list_add(&common.exclude, "/n = 2");
	pipeline_sink("out", &fake_bodies, &common);
	pipeline_route("a", "out");
	fanout_start(fanout);
	fake = fake_find("out");
	for (int i = 0; i < 3; i++) {
		pipeline_pages("a", i, i + 1, 2);
		pipeline_settle();
	}
	ck_assert_uint_eq(fake->n_calls, 2);
	ck_assert_uint_eq(text_count(buf_text(&fake->delivered), "\n"), 2);
	ck_assert_ptr_nonnull(
		strstr(buf_text(&fake->delivered), "\"record\":{\"n\":1,\"i\":0}}\n"));
	ck_assert_int_eq(pipeline_status("out").acknowledged, 3);
	ck_assert_uint_eq(pipeline_status("out").pending_records, 0);
	ck_assert_uint_eq(spool_bytes(store), 0);
	pipeline_close();
	str_list_deinit(&common.exclude);
}
END_TEST

START_TEST(recovery_is_tried_again)
{
	struct fake *fake = fake_find("out");

	fake->n_recover_faults = 2;
	pipeline_simple(&fake_exact);
	pipeline_pages("a", 0, 1, 1);
	pipeline_settle();
	ck_assert(pipeline_status("out").failing);
	ck_assert_uint_eq(fake->n_calls, 0);
	while (fake->n_calls == 0) {
		fanout_retry_now(fanout);
		ev_run(loop, EVRUN_ONCE);
	}
	pipeline_settle();
	ck_assert(!pipeline_status("out").failing);
	ck_delivered(fake, 0, 1, 1);
}
END_TEST

/* Whether the receiver can be used is known some turns later: till then no job, and no silence. */
START_TEST(recovery_has_its_outcome_later)
{
	struct fake *fake = fake_find("out");

	fake->n_recover_faults = 1;
	pipeline_simple(&fake_later);
	RUN_UNTIL(fake->recovering);
	ck_assert(!pipeline_status("out").failing);
	ck_assert(!fanout_drained(fanout, NULL));
	RUN_UNTIL(pipeline_status("out").failing);
	ck_assert_str_eq(pipeline_status("out").fault.text, "the receiver cannot be asked");
	pipeline_pages("a", 0, 1, 1);
	pipeline_settle();
	ck_assert_uint_eq(fake->n_calls, 0);
	fanout_retry_now(fanout);
	RUN_UNTIL(!pipeline_status("out").failing);
	pipeline_settle();
	ck_delivered(fake, 0, 1, 1);
	pipeline_close();
}
END_TEST

/* A sink that recovers while nothing waits is not left failing. */
START_TEST(recovery_alone_ends_the_trouble)
{
	struct fake *fake = fake_find("out");

	fake->n_recover_faults = 1;
	pipeline_simple(&fake_exact);
	pipeline_settle();
	ck_assert(pipeline_status("out").failing);
	fanout_retry_now(fanout);
	RUN_UNTIL(!pipeline_status("out").failing);
	pipeline_settle();
	ck_assert_str_eq(fake->recovered_with, "");
}
END_TEST

START_TEST(refusals_wait_for_their_dead_letters)
{
	struct fake *fake = pipeline_simple(&fake_plain);
	char *path = fixture_path("dead-letters");
	FILE *file = fopen(path, "w"); /* no directory can be made there */

	fclose(file);
	fake->script = "p";
	pipeline_pages("a", 0, 1, 4);
	pipeline_settle();
	ck_assert(pipeline_status("out").failing);
	ck_assert_int_eq(pipeline_status("out").acknowledged, 0);
	unlink(path);
	fanout_retry_now(fanout);
	RUN_UNTIL(!pipeline_status("out").failing);
	pipeline_settle();
	ck_assert_uint_eq(fake->n_calls, 1); /* what was delivered is not sent again */
	ck_assert_uint_eq(dead_letters(), 2);
	ck_assert_int_eq(pipeline_status("out").acknowledged, 1);
	free(path);
}
END_TEST

START_TEST(jobs_wait_so_long)
{
	struct fake *fake = pipeline_simple(&fake_bodies);

	fake->base.gather = (struct sink_gather){.bytes = 1 << 20, .age_ns = 20 * NSEC_PER_MSEC};
	pipeline_pages("a", 0, 3, 2);
	pipeline_settle();
	ck_assert_uint_eq(fake->n_calls, 1);
	ck_delivered(fake, 0, 3, 2);
}
END_TEST

START_TEST(jobs_wait_for_more)
{
	struct fake *fake = pipeline_simple(&fake_bodies);

	fake->base.gather = (struct sink_gather){.n_records = 5, .age_ns = NSEC_PER_HOUR};
	pipeline_pages("a", 0, 2, 2);
	ev_run(loop, EVRUN_NOWAIT);
	ev_run(loop, EVRUN_NOWAIT);
	ck_assert_uint_eq(fake->n_calls, 0);
	ck_assert(!fanout_drained(fanout, NULL)); /* what waits is not forgotten */
	/* enough, and no job is larger than asked for: 2 and 2 of 2 + 2 + 2 + 2 + 7 + 1 */
	pipeline_pages("a", 2, 4, 2);
	RUN_UNTIL(fake->n_calls == 1);
	pipeline_page("a", 4, 7);
	pipeline_page("a", 5, 1);
	ck_assert(committer_flush(committer));
	RUN_UNTIL(fake->n_calls == 3);
	for (size_t i = 0; i < 5; i++)
		ev_run(loop, EVRUN_NOWAIT);
	ck_assert_uint_eq(fake->n_calls, 3);
	ck_assert_uint_eq(fake->n_batches[0], 2);
	ck_assert_uint_eq(fake->n_batches[1], 2);
	ck_assert_uint_eq(fake->n_batches[2], 1);
	/* at the end nothing waits any longer */
	fanout_hurry(fanout);
	pipeline_settle();
	ck_assert_uint_eq(fake->n_calls, 4);
	pipeline_page("a", 6, 1);
	pipeline_settle();
	ck_assert_uint_eq(fake->n_calls, 5);
}
END_TEST

static void add_tests(Suite *suite)
{
	TCase *tcase = tcase_create("delivery");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, pipeline_setup, pipeline_teardown);
	tcase_add_loop_test(tcase, scripts, 0, 9);
	tcase_add_test(tcase, what_waits_goes_through_the_spool_in_order);
	tcase_add_test(tcase, a_failing_sink_keeps_its_job_only);
	tcase_add_loop_test(tcase, only_what_a_sink_finds_by_itself_waits_for_a_page, 0, 4);
	tcase_add_test(tcase, a_retried_job_is_the_same);
	tcase_add_test_raise_signal(tcase, an_answer_inside_deliver_is_an_assertion, SIGABRT);
	tcase_add_test(tcase, waits);
	tcase_add_test(tcase, the_timer_ends_a_wait);
	tcase_add_test(tcase, trouble_is_logged_once_and_so_is_its_end);
	tcase_add_test(tcase, a_restart_goes_on_after_what_is_acknowledged);
	tcase_add_test(tcase, an_acknowledgement_counts_once_it_is_committed);
	tcase_add_test(tcase, a_stable_job_is_the_same_after_a_crash);
	tcase_add_test(tcase, selection_decides_and_empty_jobs_are_acknowledged);
	tcase_add_test(tcase, recovery_is_tried_again);
	tcase_add_test(tcase, recovery_has_its_outcome_later);
	tcase_add_test(tcase, recovery_alone_ends_the_trouble);
	tcase_add_test(tcase, refusals_wait_for_their_dead_letters);
	tcase_add_test(tcase, jobs_wait_for_more);
	tcase_add_test(tcase, jobs_wait_so_long);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	return fixture_main("delivery", add_tests);
}
