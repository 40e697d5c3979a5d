/* A source's place as people read it. */
#include "ctl/ctl_place.h"

#include "check_unit.h"

#define T(seconds) ((nsec_t)(seconds)*NSEC_PER_SEC)

static void assert_described(const struct place *place, const char *expected)
{
	struct buf out = BUF_NULL;
	place_describe(place, 2, &out);
	ck_assert_str_eq(buf_text(&out), expected);
	buf_deinit(&out);
}

START_TEST(nothing_read_yet)
{
	struct place place = PLACE_NULL;
	assert_described(&place, "  starts from      the earliest record of the API\n");
	place.started_time = T(1) + 5;
	assert_described(&place, "  starts from      1970-01-01T00:00:01.000000005Z\n");
}
END_TEST

START_TEST(windows)
{
	struct place place = PLACE_NULL;
	place.started_time = T(0);
	place.watermark_time = T(100);
	assert_described(&place, "  read up to       1970-01-01T00:01:40Z\n"
				 "  started from     1970-01-01T00:00:00Z\n");
	place.start_time = T(90);
	place.end_time = place.until_time = T(120);
	place.offset = 200;
	assert_described(&place, "  next offset      200\n"
				 "  open window      1970-01-01T00:01:30Z to 1970-01-01T00:02:00Z\n"
				 "  read up to       1970-01-01T00:01:40Z\n"
				 "  started from     1970-01-01T00:00:00Z\n");
	place.offset = -1;
	place.number = 3;
	place.until_time = T(180);
	place.watermark_time = NSEC_NONE;
	assert_described(&place,
		"  next page no.    3\n"
		"  open window      1970-01-01T00:01:30Z to 1970-01-01T00:02:00Z, then up to "
		"1970-01-01T00:03:00Z\n"
		"  started from     1970-01-01T00:00:00Z\n");
}
END_TEST

START_TEST(links_and_cursors)
{
	struct place place = PLACE_NULL;
	struct buf json = BUF_NULL;
	place_set(&place.resume, SLICE("https://h/?cursor=1&access_token=abcd"));
	place_set(&place.page, SLICE("{\"secret\":\"x\",\"at\":\"y\"}"));
	place.exact = true;
	place.newest_time = T(60);
	place.start_time = T(30);
	assert_described(&place,
		"  next request     the API's link https://h/?cursor=1&access_token=***\n"
		"  next page        the API's cursor {\"secret\":\"***\",\"at\":\"y\"}\n"
		"  requesting from  1970-01-01T00:00:30Z\n"
		"  newest record    1970-01-01T00:01:00Z\n"
		"  started from     the earliest record of the API\n");
	place_describe_json(&place, &json);
	ck_assert_str_eq(buf_text(&json),
		"{\"version\":1,\"resume\":\"https://h/?cursor=1&access_token=***\","
		"\"page\":\"{\\\"secret\\\":\\\"***\\\",\\\"at\\\":\\\"y\\\"}\",\"exact\":true,"
		"\"start\":\"1970-01-01T00:00:30.000000000Z\","
		"\"newest\":\"1970-01-01T00:01:00.000000000Z\"}");
	ck_assert_str_eq(place.resume, "https://h/?cursor=1&access_token=abcd");
	buf_deinit(&json);
	place_deinit(&place);
}
END_TEST

UNIT_MAIN("ctl_place", nothing_read_yet, windows, links_and_cursors)
