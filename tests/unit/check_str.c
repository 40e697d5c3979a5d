/* Text helpers: trimming, splitting, globs, the nearest name. */
#include "base/str.h"

#include "check_unit.h"

START_TEST(globs)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} cases[] = {
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"*", "anything", true},
		{"a*c", "abc", true},
		{"a*c", "ac", true},
		{"a*c", "acb", false},
		{"a?c", "abc", true},
		{"a?c", "ac", false},
		{"*b*b*", "abcb", true},
		{"*b*b*", "abc", false},
		{"Read*", "ReadApiLogs", true},
		{"\\*", "*", true},
		{"\\*", "x", false},
		{"\\?", "x", false},
		{"[a]", "[a]", true},
		{"[a]", "a", false},
		{"*a", "aaaaaaaaaaaaaaaaaaaaaaab", false},
		{"a**", "a", true},
		{"abc", "ab", false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(
			str_glob(cases[i].pattern, slice_of(cases[i].text)) == cases[i].matches,
			"case %zu: %s, %s", i, cases[i].pattern, cases[i].text);
}
END_TEST

START_TEST(glob_is_not_exponential)
{
	char text[20001];
	memset(text, 'a', 20000);
	text[20000] = '\0';
	ck_assert(!str_glob("*a*a*a*a*a*a*a*a*a*a*b", slice_of(text)));
}
END_TEST

START_TEST(nearest)
{
	static const char *const names[] = {"interval", "token", "sinks", "start", "cloud"};
	static const struct {
		const char *name, *found;
	} cases[] = {
		{"intervall", "interval"},
		{"tokne", "token"},
		{"tokn", "token"},
		{"snks", "sinks"},
		{"completely_other", NULL},
		{"x", NULL},
		{"stat", "start"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *found = str_nearest(cases[i].name, names, 5);
		ck_assert_msg((!found && !cases[i].found) ||
				      (found && cases[i].found && !strcmp(found, cases[i].found)),
			"case %zu: %s gives %s", i, cases[i].name, found ? found : "nothing");
	}
}
END_TEST

START_TEST(splits)
{
	struct str_list list = STR_LIST_NULL;
	str_list_split(&list, SLICE(" a, b ,,c"), ',');
	ck_assert_uint_eq(list.n_items, 3);
	ck_assert_str_eq(list.items[1], "b");
	ck_assert(str_list_has(&list, "c") && !str_list_has(&list, "d"));
	str_list_deinit(&list);
	struct slice rest = SLICE("x;;y"), part;
	size_t n = 0;
	while (str_next_part(&rest, ';', &part))
		n++;
	ck_assert_uint_eq(n, 3);
	ck_assert(!str_next_part(&rest, ';', &part));
	ck_assert(slice_is(str_trim(SLICE(" \t x y\r\n")), "x y"));
	ck_assert(str_starts("abc", "ab") && !str_starts("a", "ab"));
	ck_assert(str_ends("abc", "bc") && !str_ends("c", "bc"));
}
END_TEST

START_TEST(plurals)
{
	ck_assert_str_eq(str_plural(0), "s");
	ck_assert_str_eq(str_plural(1), "");
	ck_assert_str_eq(str_plural(2), "s");
}
END_TEST

UNIT_MAIN("str", globs, glob_is_not_exponential, nearest, splits, plurals)
