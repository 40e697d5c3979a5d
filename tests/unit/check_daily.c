/* The lines of a day. */
#include "daily.h"

#include "check_unit.h"

static const struct daily_state calm = {.newest_time = NSEC_NONE, .failing_time = NSEC_NONE};

static void assert_line(struct buf *out, const char *expected)
{
	ck_assert_str_eq(buf_text(out), expected);
	buf_deinit(out);
}

START_TEST(of_sources)
{
	struct buf out = BUF_NULL;
	struct daily_counts before = {.n_records = 10, .n_requests = 5, .n_errors = 7};
	struct daily_counts now = {
		.n_records = 11, .n_duplicates = 2, .n_requests = 1445, .n_errors = 7};
	struct daily_state state = calm;
	daily_print_source(&before, &now, &state, &out);
	assert_line(&out, "today: 1 new record, 2 duplicates, 1440 requests");
	now.n_errors = 9;
	now.n_gaps = 1;
	state.newest_time = INT64_C(1700000000) * NSEC_PER_SEC + 5;
	state.failing_time = INT64_C(1700000060) * NSEC_PER_SEC;
	daily_print_source(&before, &now, &state, &out);
	assert_line(&out,
		"today: 1 new record, 2 duplicates, 1440 requests, 2 errors, 1 gap; newest record "
		"2023-11-14T22:13:20Z; failing since 2023-11-14T22:14:20Z");
}
END_TEST

/* A reload that changed the source or sink, so that it counts from 0. */
START_TEST(of_counters_that_began_anew)
{
	struct buf out = BUF_NULL;
	struct daily_counts before = {.n_records = 1000, .n_delivered = 1000};
	struct daily_counts now = {.n_records = 3, .n_delivered = 1};
	struct daily_state state = calm;
	state.paused = true;
	daily_print_source(&before, &now, &state, &out);
	assert_line(&out, "today: 3 new records, 0 duplicates, 0 requests; paused");
	daily_print_sink(&before, &now, &calm, &out);
	assert_line(&out, "today: 1 record delivered");
}
END_TEST

START_TEST(of_sinks)
{
	struct buf out = BUF_NULL;
	struct daily_counts before = {0};
	struct daily_counts now = {.n_delivered = 5, .n_rejected = 1, .n_retries = 1};
	struct daily_state state = calm;
	state.n_unsent = 12;
	state.failing_time = INT64_C(1700000060) * NSEC_PER_SEC;
	daily_print_sink(&before, &now, &state, &out);
	assert_line(&out,
		"today: 5 records delivered, 1 rejected, 1 retry, 12 unsent; failing since "
		"2023-11-14T22:14:20Z");
}
END_TEST

UNIT_MAIN("daily", of_sources, of_counters_that_began_anew, of_sinks)
