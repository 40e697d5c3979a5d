/* base/encode.c and utf8.c: percent-encoding, base64 (RFC 4648's vectors), valid UTF-8. */
#include "base/encode.h"

#include "base/utf8.h"
#include "base/mem.h"
#include "check_unit.h"

START_TEST(percent_of_every_kind_of_byte)
{
	struct buf out = BUF_NULL;

	encode_percent(SLICE("AZaz09-_.~ +:/?#&=%\"\x7f\xc3\xa9"), &out);
	ck_assert_str_eq(buf_text(&out), "AZaz09-_.~%20%2B%3A%2F%3F%23%26%3D%25%22%7F%C3%A9");
	buf_clear(&out);
	encode_percent((struct slice){"\0", 1}, &out);
	ck_assert_str_eq(buf_text(&out), "%00");
	buf_deinit(&out);
}
END_TEST

static const struct {
	const char *text;
	bool plus_is_blank;
	const char *plain;
} percents[] = {
	{"a%20b+c", false, "a b+c"},
	{"a%20b+c", true, "a b c"},
	{"%c3%A9%", true, "\xc3\xa9%"},
	{"%4", true, "%4"},
	{"%zz%41", true, "%zzA"},
	{"", true, ""},
};

START_TEST(percent_undone)
{
	struct buf out = BUF_NULL;

	decode_percent(slice_of(percents[_i].text), percents[_i].plus_is_blank, &out);
	ck_assert_msg(
		slice_is(buf_slice(&out), percents[_i].plain), "case %d: %s", _i, buf_text(&out));
	buf_deinit(&out);
}
END_TEST

static const struct {
	const char *plain;
	const char *text;
} base64s[] = {
	{"", ""},
	{"f", "Zg=="},
	{"fo", "Zm8="},
	{"foo", "Zm9v"},
	{"foob", "Zm9vYg=="},
	{"fooba", "Zm9vYmE="},
	{"foobar", "Zm9vYmFy"},
	{"\xff\xfe\xfd", "//79"},
};

START_TEST(base64)
{
	struct buf out = BUF_NULL;

	encode_base64(slice_of(base64s[_i].plain), &out);
	ck_assert_msg(
		slice_is(buf_slice(&out), base64s[_i].text), "case %d: %s", _i, buf_text(&out));
	buf_clear(&out);
	ck_assert_int_eq(decode_base64(slice_of(base64s[_i].text), &out), 0);
	ck_assert_msg(
		slice_is(buf_slice(&out), base64s[_i].plain), "case %d: %s", _i, buf_text(&out));
	buf_deinit(&out);
}
END_TEST

START_TEST(not_base64)
{
	static const char *const texts[] = {
		"A", "Zg=", "====", "Z===", "Zm9v\n", "Zm-v", "Zg==Zm9v"};
	struct buf out = BUF_NULL;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_msg(
			decode_base64(slice_of(texts[i]), &out) == ENCODE_E_SYNTAX, "case %zu", i);
	buf_deinit(&out);
}
END_TEST

static const struct {
	const char *text;
	size_t size;
} characters[] = {
	{"a", 1},
	{"\x7f", 1},
	{"\x80", 0},
	{"\xc1\xbf", 0}, /* overlong */
	{"\xc2\x80", 2},
	{"\xc3", 0}, /* cut short */
	{"\xe0\x9f\xbf", 0}, /* overlong */
	{"\xe0\xa0\x80", 3},
	{"\xed\x9f\xbf", 3},
	{"\xed\xa0\x80", 0}, /* a surrogate */
	{"\xef\xbf\xbf", 3},
	{"\xef\xbf", 0},
	{"\xf0\x8f\xbf\xbf", 0}, /* overlong */
	{"\xf0\x90\x80\x80", 4},
	{"\xf4\x8f\xbf\xbf", 4},
	{"\xf4\x90\x80\x80", 0}, /* above U+10FFFF */
	{"\xf5\x80\x80\x80", 0},
	{"\xf0\x90\x80\x41", 0},
};

START_TEST(length_of_a_character)
{
	size_t size = utf8_size(characters[_i].text, strlen(characters[_i].text));

	ck_assert_msg(size == characters[_i].size, "case %d: %zu", _i, size);
}
END_TEST

START_TEST(valid_texts)
{
	/* at each place within and behind runs of ASCII */
	for (size_t n = 0; n < 20; n++) {
		char *valid = mem_printf("%*s\xc3\xa9%*s\xf0\x9f\x9a\x80", (int)n, "", (int)n, "");
		char *invalid = mem_printf("%*s\xc3\xa9%*s\xe9", (int)n, "", (int)n, "");

		ck_assert_msg(utf8_is_valid(slice_of(valid)), "%zu", n);
		ck_assert_msg(!utf8_is_valid(slice_of(invalid)), "%zu", n);
		ck_assert(!utf8_is_valid((struct slice){valid, strlen(valid) - 1}));
		free(valid);
		free(invalid);
	}
	ck_assert(utf8_is_valid(SLICE("")));
	ck_assert_uint_eq(utf8_cut("a\xc3\xa9z", 3), 3);
	ck_assert_uint_eq(utf8_cut("a\xc3\xa9z", 2), 1);
	ck_assert_uint_eq(utf8_cut("\xa9\xa9", 1), 0);
}
END_TEST

#define COUNT(table) (int)(sizeof(table) / sizeof((table)[0]))

int main(void)
{
	Suite *suite = suite_create("encode");
	TCase *tcase = tcase_create("encode");

	tcase_add_test(tcase, percent_of_every_kind_of_byte);
	tcase_add_loop_test(tcase, percent_undone, 0, COUNT(percents));
	tcase_add_loop_test(tcase, base64, 0, COUNT(base64s));
	tcase_add_test(tcase, not_base64);
	tcase_add_test(tcase, valid_texts);
	tcase_add_loop_test(tcase, length_of_a_character, 0, COUNT(characters));
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
