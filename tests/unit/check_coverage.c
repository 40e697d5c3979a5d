/* Gaps: kept until acknowledged, joined where they touch, written with the page they belong to. */
#include "store/coverage.h"

#include "store_fixture.h"
#include "store/store_internal.h"

static struct buf listed;

static void list_one(const struct coverage_gap *gap, void *userdata)
{
	(void)userdata;
	buf_printf(&listed, "%s %lld-%lld %s%s%s\n", gap->source, (long long)gap->start_time,
		(long long)gap->end_time, gap->reason, gap->acknowledged_by ? " by " : "",
		gap->acknowledged_by ? gap->acknowledged_by : "");
}

static const char *list(const char *source, bool acknowledged)
{
	struct fault fault = FAULT_NULL;

	buf_clear(&listed);
	ck_assert_msg(coverage_each_gap(store, source, acknowledged, list_one, NULL, &fault) == 0,
		"%s", fault.text);
	return buf_text(&listed);
}

START_TEST(a_gap_stays)
{
	coverage_add_gap(store, "b", 50, 60, GAP_CAPPED);
	coverage_add_gap(store, "a", 10, 20, GAP_RETENTION);
	ck_assert(commit_pending(store));
	ck_assert_str_eq(list(NULL, true), "");
	fixture_run();
	fixture_reopen();
	ck_assert_str_eq(list(NULL, false), "a 10-20 retention\nb 50-60 capped\n");
	ck_assert_str_eq(list("b", false), "b 50-60 capped\n");
	ck_assert_uint_eq(coverage_open_gaps(store, "a"), 1);
	ck_assert_uint_eq(coverage_open_gaps(store, "c"), 0);
}
END_TEST

START_TEST(gaps_that_touch_are_one)
{
	coverage_add_gap(store, "a", 10, 20, GAP_RETENTION);
	coverage_add_gap(store, "a", 20, 30, GAP_RETENTION);
	coverage_add_gap(store, "a", 5, 12, GAP_RETENTION);
	coverage_add_gap(store, "a", 31, 40, GAP_RETENTION);
	coverage_add_gap(store, "a", 15, 16, GAP_DOCUMENT);
	fixture_run();
	ck_assert_str_eq(
		list("a", false), "a 5-30 retention\na 15-16 document\na 31-40 retention\n");
	ck_assert_uint_eq(coverage_open_gaps(store, "a"), 3);
}
END_TEST

START_TEST(acknowledged_gaps_are_kept)
{
	coverage_add_gap(store, "a", 10, 20, GAP_RETENTION);
	coverage_add_gap(store, "b", 10, 20, GAP_SKIPPED);
	fixture_run();
	coverage_acknowledge(store, "a", clock_wall(), 1, "alice");
	fixture_run();
	ck_assert_str_eq(list(NULL, false), "b 10-20 skipped\n");
	ck_assert_str_eq(list(NULL, true), "a 10-20 retention by alice\nb 10-20 skipped\n");
	ck_assert_uint_eq(coverage_open_gaps(store, "a"), 0);
	/* the next one is another gap, even if it touches */
	coverage_add_gap(store, "a", 20, 30, GAP_RETENTION);
	fixture_run();
	ck_assert_str_eq(list("a", true), "a 10-20 retention by alice\na 20-30 retention\n");
	coverage_acknowledge(store, NULL, clock_wall(), 1, "bob");
	fixture_run();
	ck_assert_str_eq(list(NULL, false), "");
	fixture_reopen();
	ck_assert_uint_eq(coverage_open_gaps(store, "b"), 0);
}
END_TEST

START_TEST(uncommitted_gaps_are_dropped)
{
	coverage_add_gap(store, "a", 10, 20, GAP_RETENTION);
	fixture_reopen();
	ck_assert_str_eq(list(NULL, true), "");
	ck_assert_uint_eq(coverage_open_gaps(store, "a"), 0);
}
END_TEST

START_TEST(every_reason_has_a_name)
{
	for (int reason = GAP_RETENTION; reason <= GAP_SKIPPED; reason++)
		ck_assert(strlen(gap_reason_to_string((enum gap_reason)reason)) > 0);
}
END_TEST

static void list_span(const struct coverage_span *span, void *userdata)
{
	(void)userdata;
	buf_printf(&listed, "%s %lld-%lld %s\n", span->source, (long long)span->start_time,
		(long long)span->end_time, span->chain ? "chain" : "full");
}

static const char *list_spans(const char *source)
{
	struct fault fault = FAULT_NULL;

	buf_clear(&listed);
	ck_assert_msg(
		coverage_each_span(store, source, list_span, NULL, &fault) == 0, "%s", fault.text);
	return buf_text(&listed);
}

START_TEST(what_was_read_is_one_row)
{
	for (nsec_t i = 0; i < 10; i++) {
		coverage_add(store, "a", 10 * i, 10 * i + 10, false);
		fixture_run();
		ck_assert_int_eq(coverage_until(store, "a"), 10 * i + 10);
	}
	coverage_add(store, "a", 50, 50, false); /* nothing */
	ck_assert_str_eq(list_spans("a"), "a 0-100 full\n");
	/* of another source, or on another word, is another row */
	coverage_add(store, "b", 100, 110, false);
	coverage_add(store, "a", 100, 110, true);
	fixture_run();
	ck_assert_str_eq(list_spans(NULL), "a 0-100 full\na 100-110 chain\nb 100-110 full\n");
	fixture_reopen();
	ck_assert_int_eq(coverage_until(store, "a"), 110);
	ck_assert_int_eq(coverage_until(store, "c"), NSEC_NONE);
}
END_TEST

/* The ledger of a healthy source does not grow. */
START_TEST(polls_without_number_are_one_row)
{
	int64_t n = 0;

	/* as overlapping polls say it; many a commit, for the sake of time */
	for (nsec_t i = 0; i < 10000; i++) {
		coverage_add(store, "a", 10 * i - (i > 0 ? 5 : 0), 10 * i + 10, false);
		if (i % 100 == 99)
			fixture_run();
	}
	ck_assert_str_eq(list_spans(NULL), "a 0-100000 full\n");
	ck_assert_int_eq(statement_number(store, "SELECT count(*) FROM coverage", &n, NULL), 0);
	ck_assert_int_eq(n, 1);
}
END_TEST

/* What is not adjacent is not joined; what comes between joins both. */
START_TEST(holes_stay_until_they_are_filled)
{
	coverage_add(store, "a", 0, 10, false);
	coverage_add(store, "a", 20, 30, false);
	coverage_add(store, "a", 40, 50, false);
	fixture_run();
	ck_assert_str_eq(list_spans("a"), "a 0-10 full\na 20-30 full\na 40-50 full\n");
	coverage_add(store, "a", 5, 20, false);
	fixture_run();
	ck_assert_str_eq(list_spans("a"), "a 0-30 full\na 40-50 full\n");
	coverage_add(store, "a", 29, 60, false);
	fixture_run();
	ck_assert_str_eq(list_spans("a"), "a 0-60 full\n");
}
END_TEST

START_TEST(a_gap_is_not_read)
{
	coverage_add(store, "a", 0, 30, false);
	coverage_add_gap(store, "a", 10, 20, GAP_CAPPED);
	fixture_run();
	coverage_acknowledge(store, NULL, clock_wall(), 1, "alice");
	fixture_run();
	ck_assert_str_eq(list("a", true), "a 10-20 capped by alice\n");
	ck_assert_str_eq(list_spans("a"), "a 0-30 full\n");
	ck_assert_uint_eq(coverage_open_gaps(store, "a"), 0);
}
END_TEST

START_TEST(a_wrong_clock_is_retracted)
{
	coverage_add(store, "a", 0, 10, false);
	coverage_add(store, "a", 20, 30, false);
	coverage_add(store, "a", 40, 50, false);
	coverage_retract(store, "a", 25);
	fixture_run();
	ck_assert_str_eq(list_spans("a"), "a 0-10 full\na 20-25 full\n");
	ck_assert_int_eq(coverage_until(store, "a"), 25);
}
END_TEST

/* Only what was read again is closed: the rest of a gap, and what was acknowledged, stay. */
START_TEST(a_refill_closes_its_part_of_a_gap)
{
	coverage_add_gap(store, "a", 10, 40, GAP_CAPPED);
	coverage_add_gap(store, "b", 10, 40, GAP_CAPPED);
	fixture_run();
	coverage_refill(store, "a", 20, 30);
	fixture_run();
	ck_assert_str_eq(list(NULL, false), "a 10-20 capped\na 30-40 capped\nb 10-40 capped\n");
	ck_assert_str_eq(list("a", true), "a 10-20 capped\na 20-30 capped\na 30-40 capped\n");
	ck_assert_str_eq(list_spans("a"), "a 20-30 full\n");
	ck_assert_uint_eq(coverage_open_gaps(store, "a"), 2);
	coverage_refill(store, "a", 0, 100);
	fixture_run();
	ck_assert_str_eq(list("a", false), "");
	ck_assert_uint_eq(coverage_open_gaps(store, "a"), 0);
	/* one that is found again there is another one */
	coverage_add_gap(store, "a", 15, 35, GAP_CAPPED);
	coverage_acknowledge(store, "b", clock_wall(), 1, "alice");
	coverage_refill(store, "b", 0, 100);
	fixture_run();
	ck_assert_str_eq(list(NULL, false), "a 15-35 capped\n");
	ck_assert_str_eq(list("b", true), "b 10-40 capped by alice\n");
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *cases = tcase_create("coverage");

	tcase_add_checked_fixture(cases, fixture_open_setup, fixture_teardown);
	tcase_add_test(cases, a_gap_stays);
	tcase_add_test(cases, gaps_that_touch_are_one);
	tcase_add_test(cases, acknowledged_gaps_are_kept);
	tcase_add_test(cases, uncommitted_gaps_are_dropped);
	tcase_add_test(cases, what_was_read_is_one_row);
	tcase_add_test(cases, polls_without_number_are_one_row);
	tcase_add_test(cases, a_refill_closes_its_part_of_a_gap);
	tcase_add_test(cases, holes_stay_until_they_are_filled);
	tcase_add_test(cases, a_gap_is_not_read);
	tcase_add_test(cases, a_wrong_clock_is_retracted);
	tcase_add_test(cases, every_reason_has_a_name);
	suite_add_tcase(suite, cases);
}

int main(void)
{
	return fixture_main("coverage", add_cases);
}
