/* A receiver that takes nothing: nobody is blamed until it is known who is to blame. */
#include "pipeline/delivery.h"

#include "pipeline_fixture.h"

static void retry(struct fake *fake)
{
	size_t n = fake->n_calls;

	fanout_retry_now(fanout);
	RUN_UNTIL(fake->n_calls > n && !fake->held);
	pipeline_settle();
}

START_TEST(none_taken_waits)
{
	static const int sizes[] = {1, 4, 15, 16, 100};
	struct fake *fake = pipeline_simple(_i % 2 ? &fake_plain : &fake_stable);

	fake->script = "nnn";
	pipeline_pages("a", 0, 1, (size_t)sizes[_i]);
	pipeline_settle();
	for (int try = 0; try < 3; try++) {
		struct sink_status status = pipeline_status("out");

		ck_assert(status.failing);
		ck_assert_ptr_nonnull(strstr(status.fault.text, "refuses every record"));
		ck_assert_ptr_nonnull(strstr(status.fault.text, "the receiver says n"));
		ck_assert_uint_eq(dead_letters(), 0);
		ck_assert_int_eq(status.acknowledged, 0);
		retry(fake);
	}
	ck_assert_uint_eq(fake->n_calls, 4);
	ck_assert(!pipeline_status("out").failing);
	ck_assert_uint_eq(dead_letters(), 0);
	ck_delivered(fake, 0, 1, (size_t)sizes[_i]);
}
END_TEST

/* Few records say little: what waits is tried with them, at once. */
START_TEST(few_are_tried_with_what_waits)
{
	struct fake *fake = pipeline_simple(&fake_plain);

	fake->script = "hpd";
	pipeline_pages("a", 0, 1, 1);
	RUN_UNTIL(fake->held);
	pipeline_pages("a", 1, 6, 1);
	ck_assert(committer_flush(committer));
	fake_release(fake, 'n');
	pipeline_settle();
	ck_assert_uint_eq(fake->n_calls, 2);
	ck_assert_uint_eq(fake->n_batches[1], 6);
	ck_assert_str_ne(fake->ids[0], fake->ids[1]);
	ck_assert_uint_eq(dead_letters(), 3);
	ck_assert_int_eq(pipeline_status("out").acknowledged, 6);
	ck_assert_uint_eq(pipeline_status("out").pending_records, 0);
	ck_assert(!pipeline_status("out").failing);
}
END_TEST

/* A new record ends the wait of one that is alone. */
START_TEST(one_alone_waits_for_the_next)
{
	struct fake *fake = pipeline_simple(&fake_plain);

	fake->script = "nnp";
	for (int i = 0; i < 2; i++) {
		pipeline_pages("a", i, i + 1, 1);
		RUN_UNTIL(fake->n_calls == (size_t)i + 1);
		pipeline_settle();
		ck_assert(pipeline_status("out").failing);
	}
	ck_assert_uint_eq(fake->n_batches[1], 2);
	pipeline_pages("a", 2, 3, 1);
	RUN_UNTIL(!pipeline_status("out").failing);
	pipeline_settle();
	ck_assert(!pipeline_status("out").failing);
	ck_assert_uint_eq(fake->n_calls, 3);
	ck_assert_uint_eq(fake->n_batches[2], 3);
	ck_assert_uint_eq(dead_letters(), 1);
	ck_assert_int_eq(pipeline_status("out").acknowledged, 3);
}
END_TEST

/* Enough records: the job stays as it is, and new records do not hurry it. */
START_TEST(many_stay_a_job)
{
	struct fake *fake = pipeline_simple(&fake_plain);

	fake->script = "hn";
	pipeline_pages("a", 0, 1, 16);
	RUN_UNTIL(fake->held);
	pipeline_pages("a", 1, 6, 1);
	ck_assert(committer_flush(committer));
	fake_release(fake, 'n');
	pipeline_settle();
	pipeline_pages("a", 6, 7, 1);
	pipeline_settle();
	ck_assert_uint_eq(fake->n_calls, 1);
	retry(fake);
	ck_assert_uint_eq(fake->n_calls, 2);
	ck_assert_uint_eq(fake->n_batches[1], 1);
	ck_assert_str_eq(fake->ids[0], fake->ids[1]);
	retry(fake);
	ck_assert_uint_eq(dead_letters(), 0);
	ck_assert_int_eq(pipeline_status("out").acknowledged, 7);
}
END_TEST

/* The larger job is the same after a crash. */
START_TEST(a_wider_job_is_stable)
{
	struct fake *fake = pipeline_simple(&fake_stable);

	fake->script = "nhd";
	pipeline_pages("a", 0, 1, 1);
	pipeline_settle();
	pipeline_pages("a", 1, 3, 1);
	RUN_UNTIL(fake->held);
	pipeline_pages("a", 3, 9, 1);
	pipeline_close();
	pipeline_open();
	pipeline_simple(&fake_stable);
	pipeline_settle();
	ck_assert_uint_eq(fake->n_batches[1], 3);
	ck_assert_uint_eq(fake->n_batches[2], 3);
	ck_assert_str_eq(fake->ids[1], fake->ids[2]);
	ck_delivered(fake, 0, 9, 1);
}
END_TEST

/* A sink of few of many records: no job can hold enough of them to tell, so the jobs are counted.
 */
START_TEST(few_of_many)
{
	enum { BATCHES = 20 * JOB_MAX_BATCHES };
	struct sink_common_options common = {.format = RECORD_RAW};
	struct fake *fake;
	char *text;

	for (int i = 0; i < 20; i++) {
		text = mem_printf("/n = %d", i * JOB_MAX_BATCHES);
		str_list_add(&common.include, text);
		free(text);
	}
	pipeline_sink("out", &fake_plain, &common);
	pipeline_route("a", "out");
	pipeline_pages("a", 0, BATCHES, 1);
	ck_assert(committer_flush(committer));
	fake = fake_find("out");
	fake->script = "nnnnnnnnnnnnnnnnnd";
	fanout_start(fanout);
	pipeline_settle();
	ck_assert_uint_eq(fake->n_calls, 16);
	ck_assert(pipeline_status("out").failing);
	ck_assert_uint_eq(dead_letters(), 15);
	retry(fake);
	ck_assert(pipeline_status("out").failing);
	ck_assert_uint_eq(dead_letters(), 15);
	retry(fake);
	ck_assert(!pipeline_status("out").failing);
	ck_assert_uint_eq(dead_letters(), 15);
	ck_assert_uint_eq(text_count(buf_text(&fake->delivered), "\n"), 5);
	pipeline_close();
	str_list_deinit(&common.include);
}
END_TEST

static void add_tests(Suite *suite)
{
	TCase *tcase = tcase_create("delivery_refusal");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, pipeline_setup, pipeline_teardown);
	tcase_add_loop_test(tcase, none_taken_waits, 0, 5);
	tcase_add_test(tcase, few_are_tried_with_what_waits);
	tcase_add_test(tcase, one_alone_waits_for_the_next);
	tcase_add_test(tcase, many_stay_a_job);
	tcase_add_test(tcase, a_wider_job_is_stable);
	tcase_add_test(tcase, few_of_many);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	return fixture_main("delivery_refusal", add_tests);
}
