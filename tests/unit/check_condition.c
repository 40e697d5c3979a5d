/* Tests on a value: what holds, and what is no condition. */
#include "base/condition.h"

#include "check_unit.h"

START_TEST(holds)
{
	static const struct {
		const char *text, *value;
		bool holds;
	} cases[] = {
		{"/a = Read*", "ReadApiLogs", true},
		{"/a = Read*", "Create", false},
		{"/a = Read*", NULL, false},
		{"/a != Read*", "Create", true},
		{"/a != Read*", "Read", false},
		{"/a != Read*", NULL, true},
		{"/a present", "x", true},
		{"/a present", NULL, false},
		{"/a absent", NULL, true},
		{"/a absent", "", false},
		{"/a = true", "true", true},
		{"/a =", "", true},
		{"  /a   =   b c  ", "b c", true},
		{"/a\t=\tb", "b", true},
		{"/a =b", "b", true},
		{"/a = *\\**", "x*y", true},
		{"/a = *\\**", "xy", false},
		{"/a = b", "B", false},
		{"/a = =b", "=b", true},
		{"/a =", "x", false},
		{"/a !=", "", false},
		{"/a !=", "x", true},
		{"/a = null", "null", true},
		{"/a = {*}", "{\"b\":1}", true},
		{"/a = 1e400", "1e400", true},
		{"/a in b", "b", true},
		{"/a in b, Read*,c", "ReadVms", true},
		{"/a in b, Read*,c", "c", true},
		{"/a in b, Read*,c", "b, Read*,c", false},
		{"/a in b,c", NULL, false},
		{"/a in", "", false},
		{"/a in", "in", false},
		{"/a in ,", "", false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct condition condition = CONDITION_NULL;
		ck_assert_msg(condition_parse(&condition, slice_of(cases[i].text)) == 0, "%s",
			cases[i].text);
		ck_assert_str_eq(condition.pointer.text, "/a");
		ck_assert_msg(
			condition_test(&condition, slice_of(cases[i].value)) == cases[i].holds,
			"case %zu: %s", i, cases[i].text);
		condition_deinit(&condition);
	}
}
END_TEST

START_TEST(pointers)
{
	struct condition condition = CONDITION_NULL;
	ck_assert_int_eq(condition_parse(&condition, SLICE("/a~1b/0 present")), 0);
	ck_assert_str_eq(condition.pointer.text, "/a~1b/0");
	ck_assert_uint_eq(condition.pointer.n_tokens, 2);
	ck_assert_str_eq(condition.pointer.tokens[0].name, "a/b");
	ck_assert(condition.op == CONDITION_PRESENT && condition.globs.n_items == 0);
	condition_deinit(&condition);
	ck_assert(!pointer_is_set(&condition.pointer));
	condition_deinit(&condition);
}
END_TEST

START_TEST(bad_conditions)
{
	static const char *const texts[] = {"", " ", "/a", "a = b", "/a ~ b", "/a present x",
		"/a presents", "/a absent absent", "= b", "/a~2 = b", "/a == b",
		"/a ==", "/a !== b", "/a !", "/a PRESENT", "/a inb", "/a in=b"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct condition condition = CONDITION_NULL;
		ck_assert_msg(condition_parse(&condition, slice_of(texts[i])) == CONDITION_E_SYNTAX,
			"case %zu: %s", i, texts[i]);
		ck_assert_msg(condition.globs.n_items == 0 && !condition.pointer.text,
			"case %zu: written", i);
	}
}
END_TEST

UNIT_MAIN("condition", holds, pointers, bad_conditions)
