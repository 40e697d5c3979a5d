/* Places where the requests of a job are split. */
#include "pipeline/splits.h"

#include "check_unit.h"

static void ck_splits(const struct splits *splits, const char *wanted)
{
	struct buf text = BUF_NULL;

	splits_print(splits, '-', &text);
	ck_assert_str_eq(buf_text(&text), wanted);
	buf_deinit(&text);
}

START_TEST(added_in_any_order)
{
	struct splits splits = SPLITS_NULL;

	ck_splits(&splits, "");
	splits_add(&splits, 7);
	splits_add(&splits, 3);
	splits_add(&splits, 12);
	splits_add(&splits, 7);
	splits_add(&splits, 5);
	ck_splits(&splits, "-3-5-7-12");
	ck_assert_uint_eq(splits_next(&splits, 0, 100), 3);
	ck_assert_uint_eq(splits_next(&splits, 3, 100), 5);
	ck_assert_uint_eq(splits_next(&splits, 4, 5), 5);
	ck_assert_uint_eq(splits_next(&splits, 7, 10), 10);
	ck_assert_uint_eq(splits_next(&splits, 12, 100), 100);
	splits_deinit(&splits);
}
END_TEST

START_TEST(forgotten_between)
{
	static const struct {
		size_t first, end;
		const char *wanted;
	} rows[] = {
		{0, 3, "-3-5-7-12"},
		{3, 5, "-3-5-7-12"},
		{12, 99, "-3-5-7-12"},
		{0, 4, "-5-7-12"},
		{3, 7, "-3-7-12"},
		{5, 99, "-3-5"},
		{0, 99, ""},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct splits splits;

		ck_assert(splits_read(SLICE("3-5-7-12"), '-', &splits));
		ck_assert(splits_forget(&splits, rows[i].first, rows[i].end) ==
			  (strcmp(rows[i].wanted, "-3-5-7-12") != 0));
		ck_splits(&splits, rows[i].wanted);
		splits_deinit(&splits);
	}
}
END_TEST

START_TEST(read_and_copied)
{
	static const char *const wrong[] = {"0", "-1", "3-3", "5-3", "x", "3-x", "3 5"};
	struct splits splits, copy = SPLITS_NULL;

	ck_assert(splits_read(SLICE(""), ' ', &splits));
	ck_assert_uint_eq(splits.n, 0);
	ck_assert(splits_are_equal(&splits, &copy));
	ck_assert(splits_read(SLICE("3 5 700000"), ' ', &splits));
	ck_splits(&splits, "-3-5-700000");
	ck_assert(!splits_are_equal(&splits, &copy));
	splits_copy(&copy, &splits);
	ck_assert(splits_are_equal(&splits, &copy));
	splits_add(&splits, 4);
	ck_assert(!splits_are_equal(&splits, &copy));
	splits_copy(&splits, &copy);
	ck_splits(&splits, "-3-5-700000");
	splits_deinit(&splits);
	splits_deinit(&copy);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		ck_assert_msg(!splits_read(slice_of(wrong[i]), '-', &splits), "%s", wrong[i]);
		ck_assert_uint_eq(splits.n, 0);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("splits");
	TCase *tcase = tcase_create("splits");

	tcase_add_test(tcase, added_in_any_order);
	tcase_add_test(tcase, forgotten_between);
	tcase_add_test(tcase, read_and_copied);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
