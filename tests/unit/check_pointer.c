/* JSON Pointers. */
#include "base/pointer.h"

#include "check_unit.h"

/* The examples of RFC 6901 section 5. */
START_TEST(rfc6901)
{
	static const char document[] =
		"{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,\"g|h\":4,"
		"\"i\\\\j\":5,\"k\\\"l\":6,\" \":7,\"m~n\":8}";
	static const struct {
		const char *pointer, *value;
	} cases[] = {{"/foo", "[\"bar\",\"baz\"]"}, {"/foo/0", "\"bar\""}, {"/", "0"},
		{"/a~1b", "1"}, {"/c%d", "2"}, {"/e^f", "3"}, {"/g|h", "4"}, {"/i\\j", "5"},
		{"/k\"l", "6"}, {"/ ", "7"}, {"/m~0n", "8"}, {"/foo/2", NULL}, {"/foo/00", NULL},
		{"/foo/-", NULL}, {"/nothing/x", NULL}};
	json_t *root = json_loads(document, 0, NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pointer pointer = POINTER_NULL;
		ck_assert_int_eq(pointer_parse(&pointer, slice_of(cases[i].pointer)), 0);
		json_t *found = pointer_find(&pointer, root);
		json_t *expected =
			cases[i].value ? json_loads(cases[i].value, JSON_DECODE_ANY, NULL) : NULL;
		ck_assert_msg((!found && !expected) || json_equal(found, expected), "case %zu: %s",
			i, cases[i].pointer);
		json_decref(expected);
		pointer_deinit(&pointer);
	}
	json_decref(root);
}
END_TEST

START_TEST(bad_pointers)
{
	static const char *const texts[] = {"a", "a/b", "/a~", "/a~2", "/~/x", " /a"};
	struct pointer pointer = POINTER_NULL;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_msg(pointer_parse(&pointer, slice_of(texts[i])) == POINTER_E_SYNTAX, "%s",
			texts[i]);
	ck_assert_int_eq(pointer_parse(&pointer, SLICE("")), 0);
	ck_assert(pointer_is_set(&pointer) && pointer.n_tokens == 0);
	pointer_deinit(&pointer);
	ck_assert(!pointer_is_set(&pointer));
	pointer_deinit(&pointer);
}
END_TEST

UNIT_MAIN("pointer", rfc6901, bad_pointers)
