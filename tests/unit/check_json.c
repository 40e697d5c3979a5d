/* Raw JSON values: content, white space, quoting. */
#include "base/json.h"

#include "base/json_value.h"
#include "check_unit.h"

START_TEST(decoding)
{
	static const struct {
		const char *value, *content;
	} cases[] = {
		{"\"\"", ""},
		{"\"abc\"", "abc"},
		{"\"\\u00e9\\/\\\\\\\"\"", "\xc3\xa9/\\\""},
		{"\"\\b\\f\\n\\r\\t\"", "\b\f\n\r\t"},
		{"\"\\ud83d\\ude80\"", "\xf0\x9f\x9a\x80"},
		{"\"\\ud800\"", "\xef\xbf\xbd"},
		{"\"\\ud800\\u0041\"", "\xef\xbf\xbd"
				       "A"},
		{"\"\\udc00x\"", "\xef\xbf\xbdx"},
		{"1e400", "1e400"},
		{"true", "true"},
		{"{\"a\": 1}", "{\"a\": 1}"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf buf = BUF_NULL, scratch = BUF_NULL;
		json_decode(slice_of(cases[i].value), &buf);
		ck_assert_msg(strcmp(buf_text(&buf), cases[i].content) == 0, "case %zu: %s", i,
			buf_text(&buf));
		ck_assert(slice_is(
			json_content(slice_of(cases[i].value), &scratch), cases[i].content));
		buf_deinit(&buf);
		buf_deinit(&scratch);
	}
	struct buf buf = BUF_NULL;
	json_decode(SLICE("\"a\\u0000b\""), &buf);
	ck_assert_uint_eq(buf.size, 3);
	ck_assert_mem_eq(buf.data, "a\0b", 3);
	buf_deinit(&buf);
}
END_TEST

START_TEST(minifying)
{
	static const struct {
		const char *value, *text;
	} cases[] = {
		{"{ \"a\" : [ 1 , 2 ] }", "{\"a\":[1,2]}"},
		{"{\n\t\"k  k\": \"v \\\" \\\\\" ,\r\n\"k  k\":20481.835938}",
			"{\"k  k\":\"v \\\" \\\\\",\"k  k\":20481.835938}"},
		{"[ true , false,null ]", "[true,false,null]"},
		{"\" \"", "\" \""},
		{"[ \"\xf0\x9f\x9a\x80 \xc3\xa9 0123456789 \\\" x\" , \"\\\\\" ]",
			"[\"\xf0\x9f\x9a\x80 \xc3\xa9 0123456789 \\\" x\",\"\\\\\"]"},
		{"\"0123456789abcdef0123456789abcdef \\\"x\"  ",
			"\"0123456789abcdef0123456789abcdef \\\"x\""},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf buf = BUF_NULL;
		buf_append_char(&buf, '>');
		ck_assert_int_eq(json_minify(slice_of(cases[i].value), &buf), 0);
		ck_assert_msg(
			strcmp(buf.data + 1, cases[i].text) == 0, "case %zu: %s", i, buf.data);
		buf_deinit(&buf);
	}
	struct buf small = BUF_LIMITED(3);
	ck_assert_int_eq(json_minify(SLICE("[1,2,3]"), &small), BUF_E_LIMIT);
	buf_deinit(&small);
}
END_TEST

START_TEST(encoding)
{
	static const struct {
		const char *text, *value;
	} cases[] = {
		{"", "\"\""},
		{"a\"\\/", "\"a\\\"\\\\/\""},
		{"\n\t\x01\x7f", "\"\\n\\t\\u0001\x7f\""},
		{"\xc3\xa9\xf0\x9f\x9a\x80", "\"\xc3\xa9\xf0\x9f\x9a\x80\""},
		{"\xff", "\"\xef\xbf\xbd\""},
		{"a\xc3", "\"a\xef\xbf\xbd\""},
		{"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
		{"\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf buf = BUF_NULL;
		json_encode(slice_of(cases[i].text), &buf);
		ck_assert_msg(strcmp(buf_text(&buf), cases[i].value) == 0, "case %zu: %s", i,
			buf_text(&buf));
		buf_deinit(&buf);
	}
	struct buf buf = BUF_NULL;
	json_encode((struct slice){"a\0b", 3}, &buf);
	ck_assert_str_eq(buf.data, "\"a\\u0000b\"");
	buf_deinit(&buf);
	ck_assert_int_eq(json_kind_of(SLICE("-1")), JSON_KIND_NUMBER);
	ck_assert_int_eq(json_kind_of(SLICE("null")), JSON_KIND_NULL);
	ck_assert_int_eq(json_kind_of(SLICE("{}")), JSON_KIND_OBJECT);
}
END_TEST

START_TEST(times)
{
	struct buf buf = BUF_NULL;
	json_encode_time(NSEC_NONE, 3, &buf);
	json_encode_time(INT64_C(1757924100123000000), 3, &buf);
	ck_assert_str_eq(buf_text(&buf), "null\"2025-09-15T08:15:00.123Z\"");
	buf_deinit(&buf);
}
END_TEST

START_TEST(values)
{
	json_t *value = json_value_text("a\xff"
					"b");
	ck_assert_str_eq(json_string_value(value), "a\xef\xbf\xbd"
						   "b");
	json_decref(value);
	value = json_value_time(INT64_C(1757924100123000000));
	ck_assert_str_eq(json_string_value(value), "2025-09-15T08:15:00.123Z");
	json_decref(value);
	ck_assert(json_is_null(json_value_time(NSEC_NONE)));
	ck_assert(json_is_null(json_value_text(NULL)));
	value = json_value_seconds(1234567890);
	ck_assert_double_eq(json_real_value(value), 1.234);
	json_decref(value);
}
END_TEST

UNIT_MAIN("json", decoding, minifying, encoding, times, values)
