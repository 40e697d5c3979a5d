/* What is told of a credential that was refused: how it looks, never what it is. */
#include "net/auth/auth_hint.h"

#include "base/str.h"
#include "check_unit.h"

static const struct {
	const char *value, *told;
} rows[] = {
	{"x", "`token` has 1 character"},
	{"0123456789abcdef", "`token` has 16 characters"},
	{"", "`token` has 0 characters"},
	{"Bearer abcdef", "`token` has 13 characters, begins with `Bearer `"},
	{"bearer abcdef", "`token` has 13 characters, begins with `Bearer `"},
	{"\"abcdef\"", "`token` has 8 characters, is in quotes"},
	{"'abcdef'", "`token` has 8 characters, is in quotes"},
	{"\"", "`token` has 1 character"},
	{" abcdef", "`token` has 7 characters, has white space at its ends"},
	{"abcdef\t", "`token` has 7 characters, has white space at its ends"},
	{"abc def", "`token` has 7 characters, contains white space"},
	{"abc\xc3\xa9", "`token` has 4 characters, contains characters that are not ASCII"},
	{"abc\xff", "`token` has 4 characters, contains characters that are not ASCII"},
};

START_TEST(how_it_looks)
{
	struct buf out = BUF_NULL;

	auth_hint_add(&out, "token", slice_of(rows[_i].value));
	ck_assert_str_eq(buf_text(&out), rows[_i].told);
	buf_deinit(&out);
}
END_TEST

START_TEST(in_a_message)
{
	struct fault fault = {.class = FAULT_AUTH, .status = 401, .wait_ns = 7};
	struct buf hint = BUF_NULL;

	fault_set(&fault, FAULT_AUTH, "HTTP 401");
	fault.status = 401;
	fault.wait_ns = 7;
	auth_hint_append(&fault, &hint);
	ck_assert_str_eq(fault.text, "HTTP 401");
	auth_hint_add(&hint, "user", slice_of("ab"));
	auth_hint_add(&hint, "password", slice_of("cde"));
	auth_hint_append(&fault, &hint);
	ck_assert_str_eq(
		fault.text, "HTTP 401 (`user` has 2 characters; `password` has 3 characters)");
	ck_assert_int_eq(fault.status, 401);
	ck_assert(fault.wait_ns == 7);
	buf_deinit(&hint);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("auth_hint");
	TCase *tcase = tcase_create("auth_hint");

	tcase_add_loop_test(tcase, how_it_looks, 0, (int)(sizeof(rows) / sizeof(rows[0])));
	tcase_add_test(tcase, in_a_message);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
