/* A source's cursor as people read it. */
#include "cursor_text.h"

#include "check_unit.h"

#define T(seconds) ((nsec_t)(seconds)*NSEC_PER_SEC)

static void assert_described(const struct cursor *cursor, const char *expected)
{
	struct buf out = BUF_NULL;
	cursor_describe(cursor, 2, &out);
	ck_assert_str_eq(buf_text(&out), expected);
	buf_deinit(&out);
}

START_TEST(nothing_read_yet)
{
	struct cursor cursor = CURSOR_NULL;
	assert_described(&cursor, "  starts from      the earliest record of the API\n");
	cursor.started_time = T(1) + 5;
	assert_described(&cursor, "  starts from      1970-01-01T00:00:01.000000005Z\n");
}
END_TEST

START_TEST(windows)
{
	struct cursor cursor = CURSOR_NULL;
	cursor.started_time = T(0);
	cursor.watermark_time = T(100);
	assert_described(&cursor, "  read up to       1970-01-01T00:01:40Z\n"
				  "  started from     1970-01-01T00:00:00Z\n");
	cursor.start_time = T(90);
	cursor.end_time = cursor.until_time = T(120);
	cursor.offset = 200;
	assert_described(&cursor,
		"  next offset      200\n"
		"  open window      1970-01-01T00:01:30Z to 1970-01-01T00:02:00Z\n"
		"  read up to       1970-01-01T00:01:40Z\n"
		"  started from     1970-01-01T00:00:00Z\n");
	cursor.offset = -1;
	cursor.number = 3;
	cursor.until_time = T(180);
	cursor.watermark_time = NSEC_NONE;
	assert_described(&cursor,
		"  next page no.    3\n"
		"  open window      1970-01-01T00:01:30Z to 1970-01-01T00:02:00Z, then up to "
		"1970-01-01T00:03:00Z\n"
		"  started from     1970-01-01T00:00:00Z\n");
}
END_TEST

START_TEST(links_and_cursors)
{
	struct cursor cursor = CURSOR_NULL;
	struct buf json = BUF_NULL;
	cursor_set(&cursor.resume, SLICE("https://h/?cursor=1&access_token=abcd"));
	cursor_set(&cursor.page, SLICE("{\"secret\":\"x\",\"at\":\"y\"}"));
	cursor.exact = true;
	cursor.newest_time = T(60);
	cursor.start_time = T(30);
	assert_described(&cursor,
		"  next request     the API's link https://h/?cursor=1&access_token=***\n"
		"  next page        the API's cursor {\"secret\":\"***\",\"at\":\"y\"}\n"
		"  requesting from  1970-01-01T00:00:30Z\n"
		"  newest record    1970-01-01T00:01:00Z\n"
		"  started from     the earliest record of the API\n");
	cursor_describe_json(&cursor, &json);
	ck_assert_str_eq(buf_text(&json),
		"{\"version\":1,\"resume\":\"https://h/?cursor=1&access_token=***\","
		"\"page\":\"{\\\"secret\\\":\\\"***\\\",\\\"at\\\":\\\"y\\\"}\",\"exact\":true,"
		"\"start\":\"1970-01-01T00:00:30.000000000Z\","
		"\"newest\":\"1970-01-01T00:01:00.000000000Z\"}");
	ck_assert_str_eq(cursor.resume, "https://h/?cursor=1&access_token=abcd");
	buf_deinit(&json);
	cursor_deinit(&cursor);
}
END_TEST

UNIT_MAIN("cursor_text", nothing_read_yet, windows, links_and_cursors)
