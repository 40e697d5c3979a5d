/* Routes, releases, reloads: what each sink gets, and when a body may go. */
#include "pipeline/fanout.h"

#include "pipeline_fixture.h"

static void sinks_setup(void)
{
	pipeline_sink("one", &fake_bodies, &common_raw);
	pipeline_sink("two", &fake_exact, &common_raw);
	pipeline_route("a", "one,two");
	pipeline_route("b", "two");
	pipeline_route("c", "");
	fanout_start(fanout);
	ck_assert(committer_flush(committer));
}

START_TEST(each_sink_gets_its_sources)
{
	sinks_setup();
	pipeline_pages("a", 0, 2, 2);
	pipeline_pages("b", 2, 4, 2);
	pipeline_pages("c", 4, 6, 2);
	pipeline_settle();
	ck_delivered(fake_find("one"), 0, 2, 2);
	ck_delivered(fake_find("two"), 0, 4, 2);
	ck_assert_uint_eq(spool_bytes(store), 0); /* c had nobody to wait for */
	fanout_committed(NULL, fanout); /* an empty page */
}
END_TEST

START_TEST(bodies_wait_for_the_last_sink)
{
	struct fake *one, *two;
	uint64_t bytes;

	sinks_setup();
	one = fake_find("one");
	two = fake_find("two");
	two->script = "h";
	pipeline_pages("a", 0, 3, 2);
	RUN_UNTIL(two->held);
	RUN_UNTIL(one->delivered.size > 0);
	for (int i = 0; i < 5; i++) {
		ev_run(loop, EVRUN_NOWAIT);
		ck_assert(committer_flush(committer));
	}
	bytes = spool_bytes(store);
	ck_assert_uint_gt(bytes, 0);
	ck_assert(!fanout_drained(fanout, NULL));
	fake_release(two, 'd');
	pipeline_settle();
	ck_assert_uint_eq(spool_bytes(store), 0);
	ck_delivered(two, 0, 3, 2);
}
END_TEST

START_TEST(a_dead_sink_delays_no_other)
{
	struct fake *one, *two;
	size_t n_failing = 9;

	sinks_setup();
	one = fake_find("one");
	two = fake_find("two");
	two->script = "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrr";
	for (int i = 0; i < 200; i += 20)
		pipeline_pages("a", i, i + 20, 5);
	pipeline_settle();
	ck_delivered(one, 0, 200, 5);
	ck_assert(fanout_drained(fanout, &n_failing));
	ck_assert_uint_eq(n_failing, 1);
	ck_assert_uint_eq(pipeline_status("two").pending_records, 1000);
	ck_assert_uint_gt(spool_bytes(store), 0);
	two->script = "";
	fanout_retry_now(fanout);
	RUN_UNTIL(!pipeline_status("two").failing);
	pipeline_settle();
	ck_delivered(two, 0, 200, 5);
	ck_assert(fanout_drained(fanout, &n_failing));
	ck_assert_uint_eq(n_failing, 0);
	ck_assert_uint_eq(spool_bytes(store), 0);
}
END_TEST

START_TEST(a_new_sink_begins_now)
{
	struct fake *two;

	pipeline_sink("one", &fake_bodies, &common_raw);
	pipeline_route("a", "one");
	fanout_start(fanout);
	fake_find("one")->script = "h";
	pipeline_pages("a", 0, 3, 1);
	RUN_UNTIL(fake_find("one")->held);
	pipeline_sink("two", &fake_plain, &common_raw);
	fanout_route(fanout, "a", "two", spool_last(store));
	fanout_start(fanout);
	pipeline_pages("a", 3, 5, 1);
	fake_release(fake_find("one"), 'd');
	pipeline_settle();
	two = fake_find("two");
	ck_delivered(two, 3, 5, 1);
	ck_delivered(fake_find("one"), 0, 5, 1);
	ck_assert_uint_eq(spool_bytes(store), 0);
}
END_TEST

/* New options: the sink is taken out and comes back in one turn of the loop. */
START_TEST(a_changed_sink_loses_and_repeats_nothing)
{
	struct fake *two;

	sinks_setup();
	two = fake_find("two");
	pipeline_pages("a", 0, 2, 1);
	pipeline_settle();
	two->script = "h";
	pipeline_pages("a", 2, 3, 1);
	RUN_UNTIL(two->held);
	pipeline_pages("a", 3, 5, 1);
	fake_release(two, 'd');
	ck_assert(committer_flush(committer));
	fanout_remove_sink(fanout, "two");
	ck_assert(!two->alive);
	pipeline_sink("two", &fake_exact, &common_raw);
	fanout_start(fanout);
	pipeline_settle();
	ck_assert_str_eq(two->recovered_with, "at 3");
	ck_delivered(two, 0, 5, 1);
	ck_delivered(fake_find("one"), 0, 5, 1);
	ck_assert_uint_eq(spool_bytes(store), 0);
}
END_TEST

/* While a sink is out nothing that waits for it goes, however far the others are. */
START_TEST(nothing_goes_while_a_sink_is_out)
{
	sinks_setup();
	fake_find("two")->script = "h";
	pipeline_pages("a", 0, 3, 1);
	RUN_UNTIL(fake_find("two")->held);
	fanout_remove_sink(fanout, "two");
	pipeline_pages("a", 3, 4, 1);
	pipeline_settle();
	ck_assert_uint_gt(spool_bytes(store), 0);
	pipeline_sink("two", &fake_exact, &common_raw);
	fanout_start(fanout);
	pipeline_settle();
	ck_delivered(fake_find("two"), 0, 4, 1);
	ck_assert_uint_eq(spool_bytes(store), 0);
}
END_TEST

/* A route ends only when the state says so (check_routes.c): then nobody waits. */
START_TEST(a_route_that_has_ended_is_waited_for_no_longer)
{
	sinks_setup();
	fake_find("two")->script = "h";
	pipeline_pages("a", 0, 3, 1);
	RUN_UNTIL(fake_find("two")->held);
	ck_assert(committer_flush(committer));
	fanout_clear_routes(fanout);
	pipeline_route("a", "one");
	fanout_remove_sink(fanout, "two");
	fanout_start(fanout);
	pipeline_settle();
	ck_delivered(fake_find("one"), 0, 3, 1);
	ck_assert_uint_eq(spool_bytes(store), 0);
}
END_TEST

/* The last route of a source has ended between two runs. */
START_TEST(what_has_no_route_is_released)
{
	sinks_setup();
	fake_find("two")->script = "h";
	pipeline_pages("b", 0, 3, 1);
	RUN_UNTIL(fake_find("two")->held);
	pipeline_close();
	pipeline_open();
	pipeline_sink("two", &fake_exact, &common_raw);
	pipeline_route("a", "two");
	fanout_start(fanout);
	pipeline_settle();
	ck_assert_uint_eq(spool_bytes(store), 0);
	ck_assert_uint_eq(fake_find("two")->delivered.size, 0);
}
END_TEST

/* Nobody reads it any more; its route stays until all is delivered, and longer. */
START_TEST(a_source_that_is_gone_is_delivered)
{
	sinks_setup();
	fake_find("two")->script = "h";
	pipeline_pages("b", 0, 3, 1);
	RUN_UNTIL(fake_find("two")->held);
	pipeline_close();
	fake_find("two")->script = "";
	pipeline_open();
	pipeline_sink("two", &fake_exact, &common_raw);
	pipeline_route("b", "two");
	fanout_start(fanout);
	pipeline_settle();
	ck_delivered(fake_find("two"), 0, 3, 1);
	ck_assert_uint_eq(spool_bytes(store), 0);
}
END_TEST

/* A sink that exists is listed by a source of which something waits for another sink. */
START_TEST(a_new_route_counts_from_now)
{
	sinks_setup();
	pipeline_route("d", "one");
	fake_find("one")->script = "h";
	pipeline_pages("d", 0, 4, 1);
	RUN_UNTIL(fake_find("one")->held);
	fanout_route(fanout, "d", "two", 3);
	fanout_start(fanout);
	ck_assert_uint_eq(pipeline_status("two").pending_records, 1);
	fake_release(fake_find("one"), 'd');
	pipeline_pages("d", 4, 5, 1);
	pipeline_settle();
	ck_delivered(fake_find("one"), 0, 5, 1);
	ck_delivered(fake_find("two"), 3, 5, 1);
	ck_assert_uint_eq(spool_bytes(store), 0);
}
END_TEST

/* Its records wait; neither the other sink, nor the end of a run, waits for it. */
START_TEST(a_paused_sink_gets_nothing)
{
	struct fake *one, *two;
	size_t n_failing = 9, n_calls;

	sinks_setup();
	one = fake_find("one");
	two = fake_find("two");
	two->script = "hr";
	pipeline_pages("a", 0, 1, 2);
	RUN_UNTIL(two->held);
	fanout_pause_sink(fanout, "two", true);
	pipeline_pages("a", 1, 3, 2);
	ck_assert(!fanout_drained(fanout, NULL)); /* it still has a job */
	fake_release(two, 'd');
	pipeline_settle();
	fanout_retry_now(fanout);
	fanout_hurry(fanout);
	for (int i = 0; i < 20; i++)
		ev_run(loop, EVRUN_NOWAIT);
	ck_delivered(one, 0, 3, 2);
	ck_delivered(two, 0, 1, 2);
	ck_assert(pipeline_status("two").paused);
	ck_assert_uint_eq(pipeline_status("two").pending_records, 4);
	ck_assert(fanout_drained(fanout, &n_failing));
	ck_assert_uint_eq(n_failing, 1);
	/* a back-off is no way around it */
	fanout_pause_sink(fanout, "two", false);
	RUN_UNTIL(pipeline_status("two").failing);
	fanout_pause_sink(fanout, "two", true);
	n_calls = two->n_calls;
	fanout_retry_now(fanout);
	for (int i = 0; i < 20; i++)
		ev_run(loop, EVRUN_NOWAIT);
	ck_assert_uint_eq(two->n_calls, n_calls);
	fanout_pause_sink(fanout, "two", false);
	RUN_UNTIL(!pipeline_status("two").failing);
	pipeline_settle();
	ck_delivered(two, 0, 3, 2);
	ck_assert(fanout_drained(fanout, &n_failing));
	ck_assert_uint_eq(n_failing, 0);
	ck_assert_uint_eq(spool_bytes(store), 0);
}
END_TEST

static int n_progress;

static void on_progress(void *userdata)
{
	ck_assert_ptr_eq(userdata, &n_progress);
	n_progress++;
}

START_TEST(progress_and_status)
{
	struct sink_status status;

	sinks_setup();
	fanout_on_progress(fanout, on_progress, &n_progress);
	n_progress = 0;
	pipeline_pages("a", 0, 1, 3);
	ck_assert_int_eq(n_progress, 0); /* never inside the call */
	RUN_UNTIL(fanout_drained(fanout, NULL));
	RUN_UNTIL(n_progress > 0);
	status = pipeline_status("one");
	ck_assert_str_eq(status.kind, "fake");
	ck_assert_int_eq(status.acknowledged, 1);
	ck_assert_uint_eq(status.delivered_records, 3);
	ck_assert(!status.failing);
	ck_assert_int_ne(status.last_success_time, NSEC_NONE);
	fanout_reopen(fanout);
	ck_assert_uint_eq(fake_find("one")->n_reopens, 1);
}
END_TEST

static void on_progress_hurry(void *userdata)
{
	int *n = userdata;

	++*n;
	fanout_hurry(fanout);
}

/* What --once does: it must not keep the loop from resting. */
START_TEST(hurrying_at_each_progress_comes_to_rest)
{
	int n = 0, n_before;

	sinks_setup();
	fanout_on_progress(fanout, on_progress_hurry, &n);
	pipeline_pages("a", 0, 1, 3);
	pipeline_settle();
	for (int i = 0; i < 10; i++)
		ev_run(loop, EVRUN_NOWAIT);
	ck_assert_int_gt(n, 0);
	n_before = n;
	for (int i = 0; i < 100; i++)
		ev_run(loop, EVRUN_NOWAIT);
	ck_assert_int_eq(n, n_before);
}
END_TEST

START_TEST(conditions_are_checked)
{
	static const char text[] = "[sink s]\ntype = fake\ninclude = /a = b\n  nonsense\n";
	struct sink_common_options common = {0};
	struct findings findings = FINDINGS_NULL;
	struct option_table table = {sink_common_option_rows, n_sink_common_option_rows, &common};
	struct sink_setup setup = {.name = "s", .options = &fake_plain};
	struct ini ini = INI_NULL;
	struct ini_section *section;
	struct fault fault = FAULT_NULL;

	ck_assert_int_eq(ini_read_text(&ini, "t.conf", text, strlen(text), &findings), 0);
	section = ini_find(&ini, "sink", "s");
	options_parse(&table, 1, section, &findings);
	ck_assert_uint_eq(findings.n_items, 0);
	ck_assert_int_eq(common.retry_max_ns, 5 * NSEC_PER_MIN);
	ck_assert_int_eq(common.format, RECORD_RAW);
	sink_common_check(&common, section, &findings);
	ck_assert_uint_eq(findings.n_items, 1);
	ck_assert_uint_eq(findings.items[0].line, 3);
	ck_assert_ptr_nonnull(strstr(findings.items[0].text, "include: `nonsense`"));
	ck_assert_int_eq(
		unit_class(fanout_add_sink(fanout, &fake_plain, &setup, &common, &fault), &fault),
		FAULT_CONFIG);
	ck_assert(!fake_find("s")->alive);
	findings_deinit(&findings);
	options_deinit(&table);
	ini_deinit(&ini);
}
END_TEST

static void add_tests(Suite *suite)
{
	TCase *tcase = tcase_create("fanout");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, pipeline_setup, pipeline_teardown);
	tcase_add_test(tcase, each_sink_gets_its_sources);
	tcase_add_test(tcase, bodies_wait_for_the_last_sink);
	tcase_add_test(tcase, a_dead_sink_delays_no_other);
	tcase_add_test(tcase, a_new_sink_begins_now);
	tcase_add_test(tcase, a_changed_sink_loses_and_repeats_nothing);
	tcase_add_test(tcase, nothing_goes_while_a_sink_is_out);
	tcase_add_test(tcase, a_route_that_has_ended_is_waited_for_no_longer);
	tcase_add_test(tcase, what_has_no_route_is_released);
	tcase_add_test(tcase, a_source_that_is_gone_is_delivered);
	tcase_add_test(tcase, a_new_route_counts_from_now);
	tcase_add_test(tcase, a_paused_sink_gets_nothing);
	tcase_add_test(tcase, progress_and_status);
	tcase_add_test(tcase, hurrying_at_each_progress_comes_to_rest);
	tcase_add_test(tcase, conditions_are_checked);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	return fixture_main("fanout", add_tests);
}
