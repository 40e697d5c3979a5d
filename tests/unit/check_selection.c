/* Include and exclude conditions on records. */
#include "pipeline/selection.h"

#include "base/str.h"
#include "store_fixture.h"

static const char record[] = "{\"a\":\"x\\u0041\",\"n\":1e400,\"o\":{\"k\":[1,2]},\"z\":null}";

START_TEST(conditions)
{
	static const struct {
		const char *include, *exclude; /* separated by '|' */
		bool wanted;
	} rows[] = {
		{"", "", true},
		{"/a = xA", "", true},
		{"/a = x*", "", true},
		{"/a = y", "", false},
		{"/a = y|/n = 1e400", "", true}, /* one of them */
		{"/a = y|/n = 2", "", false},
		{"", "/a = xA", false},
		{"", "/a = y", true},
		{"", "/a = y|/z = null", false}, /* none of them */
		{"/a = xA", "/n = 1e400", false}, /* exclude wins */
		{"/a = xA", "/n = 1", true},
		{"/o/k = [1,2]", "", true},
		{"/o/k/1 = 2", "", true},
		{"/missing present", "", false},
		{"/missing absent", "", true},
		{"/missing != y", "", true},
		{"", "/missing != y", false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str_list include = STR_LIST_NULL, exclude = STR_LIST_NULL;
		struct selection *selection;
		struct fault fault = FAULT_NULL;

		str_list_split(&include, slice_of(rows[i].include), '|');
		str_list_split(&exclude, slice_of(rows[i].exclude), '|');
		ck_assert_msg(selection_new(&selection, &include, &exclude, &fault) == 0,
			"row %zu: %s", i, fault.text);
		for (int again = 0; again < 2; again++)
			ck_assert_msg(
				selection_wants(selection, slice_of(record)) == rows[i].wanted,
				"row %zu, try %d", i, again);
		ck_assert_msg(selection_is_all(selection) == (i == 0), "row %zu", i);
		selection_free(selection);
		str_list_deinit(&include);
		str_list_deinit(&exclude);
	}
}
END_TEST

START_TEST(bad_condition_is_named)
{
	struct str_list none = STR_LIST_NULL, bad = STR_LIST_NULL;
	struct selection *selection;
	struct fault fault = FAULT_NULL;

	str_list_add(&bad, "/a = fine");
	str_list_add(&bad, "a = b");
	ck_assert_int_eq(
		unit_class(selection_new(&selection, &none, &bad, &fault), &fault), FAULT_CONFIG);
	ck_assert_ptr_nonnull(strstr(fault.text, "exclude: `a = b`"));
	ck_assert_int_eq(
		unit_class(selection_new(&selection, &bad, &none, &fault), &fault), FAULT_CONFIG);
	ck_assert_ptr_nonnull(strstr(fault.text, "include: `a = b`"));
	str_list_deinit(&bad);
}
END_TEST

START_TEST(what_cannot_be_judged_is_wanted)
{
	struct str_list none = STR_LIST_NULL, list = STR_LIST_NULL;
	struct selection *selection;
	struct fault fault;

	str_list_add(&list, "/a = never");
	ck_assert_int_eq(selection_new(&selection, &list, &none, &fault), 0);
	ck_assert(selection_wants(selection, SLICE("{\"a\":")));
	ck_assert(!selection_wants(selection, SLICE("{\"a\":1}")));
	selection_free(selection);
	selection_free(NULL);
	str_list_deinit(&list);
}
END_TEST

static void add_tests(Suite *suite)
{
	TCase *tcase = tcase_create("selection");

	tcase_add_test(tcase, conditions);
	tcase_add_test(tcase, bad_condition_is_named);
	tcase_add_test(tcase, what_cannot_be_judged_is_wanted);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	return fixture_main("selection", add_tests);
}
