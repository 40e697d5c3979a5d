/* Timelines: what was read without its gaps, what was never requested, and what is left of a
 * stretch between two times. */
#include "store/timeline.h"

#include "store/coverage.h"
#include "store_fixture.h"

static struct buf listed;

static const char *list(const char *source, nsec_t start_time, nsec_t end_time)
{
	struct timelines timelines CLEANUP(timelines_deinit) = TIMELINES_NULL;
	struct fault fault = FAULT_NULL;

	buf_clear(&listed);
	ck_assert_msg(timelines_read(&timelines, store, source, &fault) == 0, "%s", fault.text);
	for (size_t i = 0; i < timelines.n_items; i++)
		for (size_t j = 0; j < timelines.items[i].all.n_items; j++) {
			struct stretch stretch = timelines.items[i].all.items[j];

			if (stretch_crop(&stretch, start_time, end_time))
				buf_printf(&listed, "%s %lld-%lld %s%s%s%s\n",
					timelines.items[i].source, (long long)stretch.start_time,
					(long long)stretch.end_time, stretch.state,
					stretch.reason ? " " : "",
					stretch.reason ? stretch.reason : "",
					stretch.acknowledged_by ? " seen" : "");
		}
	return buf_text(&listed);
}

static nsec_t read_ns(nsec_t start_time, nsec_t end_time)
{
	struct timelines timelines CLEANUP(timelines_deinit) = TIMELINES_NULL;
	struct fault fault = FAULT_NULL;

	ck_assert_int_eq(timelines_read(&timelines, store, "a", &fault), 0);
	return timeline_read_ns(&timelines.items[0], start_time, end_time);
}

START_TEST(gaps_are_cut_out)
{
	coverage_add(store, "a", 0, 100, false);
	coverage_add_gap(store, "a", 20, 30, GAP_CAPPED);
	coverage_add_gap(store, "a", 50, 50, GAP_DOCUMENT);
	fixture_run();
	coverage_acknowledge(store, "a", clock_wall(), 1, "me");
	coverage_add_gap(store, "a", 90, 120, GAP_RETENTION);
	fixture_run();
	ck_assert_str_eq(list("a", 0, 1000),
		"a 0-20 full\na 20-30 gap capped seen\na 30-50 full\na 50-50 gap document seen\n"
		"a 50-90 full\na 90-120 gap retention\n");
	ck_assert_int_eq(read_ns(0, 1000), 80);
	ck_assert_int_eq(read_ns(10, 25), 10);
	ck_assert_int_eq(read_ns(95, 300), 0);
}
END_TEST

START_TEST(what_was_not_requested)
{
	coverage_add(store, "a", 0, 10, false);
	coverage_add(store, "a", 40, 50, true);
	coverage_add(store, "b", 5, 6, false);
	coverage_add_gap(store, "a", 20, 30, GAP_SKIPPED);
	fixture_run();
	ck_assert_str_eq(list(NULL, 0, 1000), "a 0-10 full\na 10-20 gap not requested\n"
					      "a 20-30 gap skipped\na 30-40 gap not requested\n"
					      "a 40-50 chain\nb 5-6 full\n");
	ck_assert_str_eq(list("b", 0, 1000), "b 5-6 full\n");
	ck_assert_str_eq(list("c", 0, 1000), "");
}
END_TEST

START_TEST(a_part_of_the_time)
{
	coverage_add(store, "a", 0, 100, false);
	coverage_add_gap(store, "a", 40, 60, GAP_CAPPED);
	coverage_add_gap(store, "a", 70, 70, GAP_DOCUMENT);
	fixture_run();
	ck_assert_str_eq(list("a", 40, 60), "a 40-60 gap capped\n");
	ck_assert_str_eq(
		list("a", 50, 70), "a 50-60 gap capped\na 60-70 full\na 70-70 gap document\n");
	ck_assert_str_eq(list("a", 60, 65), "a 60-65 full\n");
	ck_assert_str_eq(list("a", 100, 200), "");
}
END_TEST

START_TEST(what_was_refilled_was_read)
{
	coverage_add(store, "a", 0, 100, false);
	coverage_add_gap(store, "a", 40, 60, GAP_CAPPED);
	fixture_run();
	coverage_refill(store, "a", 40, 60);
	fixture_run();
	ck_assert_str_eq(list("a", 0, 1000), "a 0-100 full\n");
	ck_assert_int_eq(read_ns(0, 1000), 100);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *cases = tcase_create("timeline");

	tcase_add_checked_fixture(cases, fixture_open_setup, fixture_teardown);
	tcase_add_test(cases, gaps_are_cut_out);
	tcase_add_test(cases, what_was_not_requested);
	tcase_add_test(cases, a_part_of_the_time);
	tcase_add_test(cases, what_was_refilled_was_read);
	suite_add_tcase(suite, cases);
}

int main(void)
{
	return fixture_main("timeline", add_cases);
}
