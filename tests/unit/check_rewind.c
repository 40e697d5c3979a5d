/* Another cursor in a state that nothing else uses: what is said, and what the state has then. */
#include "rewind.h"

#include <string.h>
#include <sysexits.h>

#include "check_unit.h"
#include "source/cursor.h"
#include "store_fixture.h"

static nsec_t wall(void)
{
	return INT64_C(1757924100) * NSEC_PER_SEC; /* 2025-09-15T08:15:00Z */
}

static void set_up(void)
{
	clock_set_source(NULL, wall);
	fixture_open_setup();
}

static int rewind_to(const char *to, bool dry_run, struct buf *out, struct fault *reterr)
{
	bool damaged;

	buf_clear(out);
	return rewind_source(store,
		&(struct rewind_request){
			.source = "a", .to = to, .by = "alice", .dry_run = dry_run},
		out, &damaged, reterr);
}

START_TEST(times)
{
	static const struct {
		const char *to;
		int code;
	} cases[] = {
		{"2025-09-15T08:00:00Z", 0},
		{"-1h", 0},
		{"earliest", 0},
		{"now", 0},
		{"previous", 0},
		{"2025-09-15T08:15:01Z", EX_USAGE},
		{"yesterday", EX_USAGE},
		{"", EX_USAGE},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fault fault;
		ck_assert_msg(
			rewind_check(cases[i].to, &fault) == cases[i].code, "%s", cases[i].to);
	}
}
END_TEST

START_TEST(and_back)
{
	struct fault fault = FAULT_NULL;
	struct buf out = BUF_NULL;
	struct cursor cursor = CURSOR_NULL;
	cursor_rewind(&cursor, wall() - NSEC_PER_MIN);
	char *first = cursor_print(&cursor);
	fixture_add("a", 1, 2, wall() - 2 * NSEC_PER_MIN, first);
	fixture_run();

	ck_assert_int_eq(rewind_to("-1h", true, &out, &fault), 0);
	ck_assert_ptr_nonnull(strstr(buf_text(&out), "would start at 2025-09-15T07:15:00Z"));
	ck_assert_ptr_nonnull(strstr(buf_text(&out), "2 records read since then are in the"));
	char *now = fixture_cursor("a");
	ck_assert_str_eq(now, first);
	free(now);

	ck_assert_int_eq(rewind_to("-1h", false, &out, &fault), 0);
	now = fixture_cursor("a");
	ck_assert_str_ne(now, first);
	free(now);

	ck_assert_int_eq(rewind_to("previous", false, &out, &fault), 0);
	now = fixture_cursor("a");
	ck_assert_str_eq(now, first);
	free(now);
	free(first);
	cursor_deinit(&cursor);
	buf_deinit(&out);
}
END_TEST

START_TEST(without)
{
	struct fault fault = FAULT_NULL;
	struct buf out = BUF_NULL;
	ck_assert_int_eq(rewind_to("previous", false, &out, &fault), EX_USAGE);
	fixture_add("a", 1, 1, 1000, "{\"of\":\"another version\"");
	fixture_run();
	ck_assert_int_eq(rewind_to("-1h", false, &out, &fault), EX_CANTCREAT);
	ck_assert_ptr_nonnull(strstr(fault.text, "cannot be read"));
	char *now = fixture_cursor("a");
	ck_assert_str_eq(now, "{\"of\":\"another version\"");
	free(now);
	buf_deinit(&out);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rewind");
	TCase *tcase = tcase_create("rewind");
	tcase_add_checked_fixture(tcase, set_up, fixture_teardown);
	tcase_add_test(tcase, times);
	tcase_add_test(tcase, and_back);
	tcase_add_test(tcase, without);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
