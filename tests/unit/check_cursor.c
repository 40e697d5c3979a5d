/* Cursors as text, and the arithmetic of windows. */
#include "source/cursor.h"

#include "check_unit.h"
#include "source/span.h"

#define S NSEC_PER_SEC

START_TEST(round_trip)
{
	struct cursor cursor = CURSOR_NULL, again = CURSOR_NULL;
	cursor_set(&cursor.resume, SLICE("https://h/x?cursor=1"));
	cursor_set(&cursor.page, SLICE("[1e400,\"\\u00e9\"]"));
	cursor.offset = 7;
	cursor.exact = true;
	cursor.started_time = 1;
	cursor.watermark_time = 1757888743123456789;
	cursor.polled_time = 3;
	cursor.start_time = 2;
	cursor.end_time = 3;
	cursor.clock_time = 4;
	cursor.known_time = 5;
	cursor.page_size = 50;
	cursor.page_cut = 20;
	cursor_set(&cursor.page_shape, SLICE("0123456789abcdef"));
	char *text = cursor_print(&cursor);
	ck_assert_int_eq(cursor_parse(&again, text), 0);
	ck_assert_str_eq(again.resume, cursor.resume);
	ck_assert_str_eq(again.page, cursor.page);
	ck_assert(again.exact && again.offset == 7 && again.number == -1);
	ck_assert(again.started_time == 1 && again.watermark_time == cursor.watermark_time);
	ck_assert(again.polled_time == 3);
	ck_assert(again.newest_time == NSEC_NONE && again.start_time == 2 && again.end_time == 3);
	ck_assert(again.clock_time == 4 && again.known_time == 5);
	ck_assert(again.page_size == 50 && again.page_cut == 20);
	ck_assert_str_eq(again.page_shape, "0123456789abcdef");
	char *second = cursor_print(&again);
	ck_assert_str_eq(text, second);
	free(text);
	free(second);
	cursor_copy(&again, &cursor);
	cursor_close_chain(&again);
	ck_assert(!again.page && again.resume && again.offset == -1);
	cursor_rewind(&again, 5 * S);
	ck_assert(!again.resume && !again.exact && again.started_time == 5 * S);
	cursor_deinit(&cursor);
	cursor_deinit(&again);
}
END_TEST

START_TEST(refused_texts)
{
	static const char *const texts[] = {"", "{}", "null", "[]", "{\"version\":2}",
		"{\"version\":1,\"started\":\"yesterday\"}", "{\"version\":1,\"end\":5}"};
	struct cursor cursor = CURSOR_NULL;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_msg(cursor_parse(&cursor, texts[i]) == CURSOR_E_SYNTAX, "%s", texts[i]);
	ck_assert_int_eq(cursor_parse(&cursor, "{\"version\":1,\"later\":true}"), 0);
	cursor_deinit(&cursor);
}
END_TEST

START_TEST(spans)
{
	static const struct {
		nsec_t started, watermark, now;
		bool asks;
		nsec_t start, end, gap;
	} cases[] = {
		/* overlap 10 s, lag 5 s, retention 1000 s */
		{100 * S, NSEC_NONE, 200 * S, true, 100 * S, 195 * S, NSEC_NONE},
		{100 * S, NSEC_NONE, 104 * S, false, 0, 0, NSEC_NONE},
		{100 * S, 150 * S, 200 * S, true, 140 * S, 195 * S, NSEC_NONE},
		{100 * S, 105 * S, 200 * S, true, 100 * S, 195 * S, NSEC_NONE},
		{100 * S, 195 * S, 200 * S, false, 0, 0, NSEC_NONE},
		{100 * S, 150 * S, 2000 * S, true, 1060 * S, 1995 * S, 150 * S},
		{100 * S, NSEC_NONE, 2000 * S, true, 1060 * S, 1995 * S, NSEC_NONE},
	};
	struct span_rules rules = {10 * S, 5 * S, 1000 * S};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span span = {0, 0}, gap;
		bool asks = span_of_poll(&rules, cases[i].started, cases[i].watermark, cases[i].now,
			span_oldest(&rules, cases[i].now), &span, &gap);
		ck_assert_msg(asks == cases[i].asks && span.start_time == cases[i].start &&
				      span.end_time == cases[i].end &&
				      gap.start_time == cases[i].gap,
			"case %zu: %d, %lld to %lld", i, asks, (long long)span.start_time,
			(long long)span.end_time);
	}
	struct span poll = {0, 25}, slice = span_slice(&poll, 0, 10, 0);
	ck_assert_int_eq(slice.end_time, 10);
	slice = span_slice(&poll, 20, 10, 0);
	ck_assert_int_eq(slice.end_time, 25);
	ck_assert_int_eq(span_slice(&poll, 0, 10, 7).end_time, 7);
	ck_assert_int_eq(span_slice(&poll, 7, 10, 7).end_time, 14);
	ck_assert_int_eq(span_slice(&poll, 23, 10, 7).end_time, 25);
	ck_assert_int_eq(span_slice(&poll, 6, 10, 30).end_time, 16);
	ck_assert_int_eq(span_next(&slice, 0, 0), 25);
	ck_assert_int_eq(span_next(&slice, 2, 0), 23);
	ck_assert_int_eq(span_next(&slice, 100, 0), 23);
	ck_assert_int_eq(span_next(&slice, 100, 4), 25);
	ck_assert_int_eq(span_floor(-5, 10), -10);
	ck_assert_int_eq(span_floor(15, 10), 10);
	ck_assert_int_eq(span_ceil(15, 10), 20);
	ck_assert_int_eq(span_ceil(20, 10), 20);
	ck_assert_int_eq(span_ceil(15, 0), 15);
}
END_TEST

UNIT_MAIN("cursor", round_trip, refused_texts, spans)
