/* Times as text, both ways, and local times. */
#include "base/timestamp.h"
#include "base/timestamp_internal.h"

#include "base/timezone.h"
#include "check_unit.h"

#define S NSEC_PER_SEC

START_TEST(rfc3339)
{
	static const struct {
		const char *text;
		int outcome;
		nsec_t time;
	} cases[] = {
		{"1970-01-01T00:00:00Z", 0, 0},
		{"2025-12-11T12:23:17.460366Z", 0, 1765455797460366000},
		{"2025-12-11T12:23:17Z", 0, 1765455797 * S},
		{"2025-12-11t12:23:17z", 0, 1765455797 * S},
		{"2025-12-11 13:23:17+01:00", 0, 1765455797 * S},
		{"2025-12-11T13:23:17+0100", 0, 1765455797 * S},
		{"2025-12-11T10:23:17-02", 0, 1765455797 * S},
		{"2025-12-11T12:23:17.1234567891234Z", 0, 1765455797123456789},
		{"2016-12-31T23:59:60Z", 0, 1483228799 * S + 999999999},
		{"1969-12-31T23:59:59.5Z", 0, -S / 2},
		{"2024-02-29T00:00:00Z", 0, 1709164800 * S},
		{"2023-02-29T00:00:00Z", TIMESTAMP_E_SYNTAX, 7},
		{"2025-13-01T00:00:00Z", TIMESTAMP_E_SYNTAX, 7},
		{"2025-12-11T24:00:00Z", TIMESTAMP_E_SYNTAX, 7},
		{"2025-12-11T12:23:17", TIMESTAMP_E_SYNTAX, 7},
		{"2025-12-11T12:23:17.Z", TIMESTAMP_E_SYNTAX, 7},
		{"2025-12-11T12:23:17Zx", TIMESTAMP_E_SYNTAX, 7},
		{"2025-12-11T12:23:17 0100", TIMESTAMP_E_SYNTAX, 7},
		{"2025-12-11", TIMESTAMP_E_SYNTAX, 7},
		{"", TIMESTAMP_E_SYNTAX, 7},
		{"0001-01-01T00:00:00Z", TIMESTAMP_E_RANGE, 7},
		{"9999-01-01T00:00:00Z", TIMESTAMP_E_RANGE, 7},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		nsec_t time = 7;
		int r = timestamp_parse_rfc3339(slice_of(cases[i].text), &time);
		ck_assert_msg(r == cases[i].outcome && time == cases[i].time,
			"case %zu: %s gives %d, %lld", i, cases[i].text, r, (long long)time);
	}
}
END_TEST

START_TEST(several_formats)
{
	static const struct {
		const char *spec, *text;
		int outcome;
		nsec_t time;
	} cases[] = {
		{"rfc3339 | %Y-%m-%dT%H:%M:%S", "2025-12-11T12:23:17Z", 0, 1765455797 * S},
		{"rfc3339 | %Y-%m-%dT%H:%M:%S", "2025-12-11T12:23:17", 0, 1765455797 * S},
		{"rfc3339|epoch_ms|%F", "1765455797000", 0, 1765455797 * S},
		{"rfc3339|epoch_ms|%F", "2025-12-11", 0, 1765411200 * S},
		{"rfc3339|epoch_ms", "yesterday", TIMESTAMP_E_SYNTAX, 7},
		{"%F %T.%3f", "2025-12-11 12:23:17.25", 0, 1765455797 * S + S / 4},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct timestamp_format *format = NULL;
		nsec_t time = 7;
		ck_assert_int_eq(timestamp_format_new(&format, cases[i].spec, NULL), 0);
		int r = timestamp_parse(format, slice_of(cases[i].text), &time);
		ck_assert_msg(r == cases[i].outcome && time == cases[i].time,
			"case %zu: %s gives %d, %lld", i, cases[i].text, r, (long long)time);
		timestamp_format_free(format);
	}
}
END_TEST

START_TEST(fraction_digits)
{
	static const struct {
		const char *spec, *text;
	} cases[] = {{"%T.%3fZ", "12:23:17.004Z"}, {"%T.%1f", "12:23:17.0"},
		{"%T.%9f", "12:23:17.004005006"}, {"%T.%f", "12:23:17.004005"}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct timestamp_format *format = NULL;
		struct buf text = BUF_NULL;
		ck_assert_int_eq(timestamp_format_new(&format, cases[i].spec, NULL), 0);
		timestamp_print(format, 1765455797 * S + 4005006, &text);
		ck_assert_str_eq(buf_text(&text), cases[i].text);
		buf_deinit(&text);
		timestamp_format_free(format);
	}
	struct timestamp_format *none = NULL;
	static const char *const wrong[] = {
		"%3d", "%0f", "%T.%3", "rfc3339 | nothing", "rfc3339 |"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_int_eq(timestamp_format_new(&none, wrong[i], NULL), TIMESTAMP_E_SYNTAX);
}
END_TEST

START_TEST(round_trip)
{
	/* every day of 600 years, at odd seconds */
	struct buf buf = BUF_NULL;
	for (nsec_t day = -106000; day < 106000; day++) {
		nsec_t time = day * NSEC_PER_DAY + (day & 0xffff) * S + 123456789, again;
		buf_clear(&buf);
		timestamp_print_rfc3339(time, 9, &buf);
		ck_assert_msg(
			timestamp_parse_rfc3339(buf_slice(&buf), &again) == 0 && again == time,
			"%s", buf_text(&buf));
	}
	buf_deinit(&buf);
}
END_TEST

START_TEST(http_dates)
{
	static const char *const texts[] = {"Sun, 06 Nov 1994 08:49:37 GMT",
		"Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"};
	for (size_t i = 0; i < 3; i++) {
		nsec_t time = 0;
		ck_assert_msg(timestamp_parse_http(slice_of(texts[i]), &time) == 0 &&
				      time == 784111777 * S,
			"%s gives %lld", texts[i], (long long)time);
	}
	nsec_t time;
	ck_assert_int_ne(timestamp_parse_http(SLICE("tomorrow"), &time), 0);
}
END_TEST

/* Two digits of a year: never more than 50 years from now. */
START_TEST(centuries)
{
	int now = civil_from_time(clock_wall()).year;
	for (int year = now - 49; year <= now + 50; year++) {
		struct buf buf = BUF_NULL;
		nsec_t time;
		buf_printf(&buf, "Sunday, 06-Nov-%02d 08:49:37 GMT", year % 100);
		ck_assert_int_eq(timestamp_parse_http(buf_slice(&buf), &time), 0);
		ck_assert_int_eq(civil_from_time(time).year, year);
		buf_deinit(&buf);
	}
}
END_TEST

START_TEST(formats)
{
	static const struct {
		const char *spec, *zone, *text;
		nsec_t time;
	} cases[] = {
		{"epoch_s", NULL, "1757896497", 1757896497 * S},
		{"epoch_s", NULL, "1757896497.412", 1757896497 * S + 412000000},
		{"epoch_ms", NULL, "1757896497412", 1757896497412000000},
		{"epoch_s", NULL, "1.36372808007E9", 1363728080 * S + 70000000},
		{"epoch_s", NULL, "1e9", 1000000000 * S},
		{"epoch_s", NULL, "17578964974e-1", 1757896497 * S + 400000000},
		{"epoch_s", NULL, "-1.5e0", -3 * S / 2},
		{"epoch_s", NULL, "15e-3", 15000000},
		{"epoch_ms", NULL, "1.757896497412E+12", 1757896497 * S + 412000000},
		{"epoch_s", NULL, "-0.5", -S / 2},
		{"epoch_s", NULL, "-1.5", -3 * S / 2},
		{"%F %T %Z", "Europe/Zurich", "2025-09-14 22:25:43 UTC", 1757888743 * S},
		{"%s.%f", NULL, "1757888743.25", 1757888743 * S + 250000000},
		{"epoch_ns", NULL, "1757896497412000001", 1757896497412000001},
		{"%Y-%m-%dT%H:%M:%S%z", NULL, "2025-09-15T06:25:43+0800", 1757888743 * S},
		{"%Y-%m-%d %H:%M:%S", "+08:00", "2025-09-15 06:25:43", 1757888743 * S},
		{"%Y-%m-%d %H:%M:%S", "+05:45", "2025-09-15 04:10:43", 1757888743 * S},
		{"%Y-%m-%d %H:%M:%S", "Europe/Zurich", "2025-09-15 00:25:43", 1757888743 * S},
		{"%Y-%m-%d %H:%M:%S", "Asia/Shanghai", "2025-09-15 06:25:43", 1757888743 * S},
		{"%F %T.%f", NULL, "2025-09-14 22:25:43.25", 1757888743 * S + 250000000},
		{"%m/%d/%Y %I:%M:%S %p", NULL, "09/14/2025 10:25:43 PM", 1757888743 * S},
		{"%D %I:%M%p", NULL, "09/14/25 12:25am", 1757809500 * S},
		{"%D %R", "Europe/Zurich", "09/14/25 12:25", 1757845500 * S},
		{"%A, %B %e, %Y %T", NULL, "Sunday, September 14, 2025 22:25:43", 1757888743 * S},
		{"%a %b %d %Y %T", NULL, "SUNDAY SEP 14 2025 22:25:43", 1757888743 * S},
		{"%d %B %Y", NULL, "02 May 2025", 1746144000 * S},
		{"%Y-%jT%T", NULL, "2025-257T22:25:43", 1757888743 * S},
		{"%Y-%jT%T", "+08:00", "2024-366T08:00:00", 1735603200 * S},
		{"%d.%m.%y", NULL, "01.01.69", -31536000 * S},
		{"%d.%m.%y", NULL, "01.01.68", 3092601600 * S},
		/* twice: the earlier; skipped: as before the change */
		{"%F %T", "Europe/Zurich", "2025-10-26 02:30:00", 1761438600 * S},
		{"%F %T", "Europe/Zurich", "2025-03-30 02:30:00", 1743298200 * S},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct timestamp_format *format = NULL;
		nsec_t time = 0;
		ck_assert_int_eq(timestamp_format_new(&format, cases[i].spec, cases[i].zone), 0);
		int r = timestamp_parse(format, slice_of(cases[i].text), &time);
		ck_assert_msg(r == 0 && time == cases[i].time, "case %zu: %s gives %d, %lld", i,
			cases[i].text, r, (long long)time);
		timestamp_format_free(format);
	}
}
END_TEST

START_TEST(printing)
{
	static const struct {
		const char *spec, *text;
	} cases[] = {
		{"rfc3339", "2025-09-14T22:25:43.123456Z"},
		{"epoch_s", "1757888743"},
		{"epoch_ms", "1757888743123"},
		{"%Y-%m-%dT%H:%M:%S%z", "2025-09-14T22:25:43+0000"},
		{"%a, %d %b %Y %T GMT", "Sun, 14 Sep 2025 22:25:43 GMT"},
		{"%F.%f%%", "2025-09-14.123456%"},
		{"%A %B %D %I:%M %p %R %j", "Sunday September 09/14/25 10:25 PM 22:25 257"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct timestamp_format *format = NULL;
		struct buf buf = BUF_NULL;
		ck_assert_int_eq(timestamp_format_new(&format, cases[i].spec, NULL), 0);
		timestamp_print(format, 1757888743123456789, &buf);
		ck_assert_str_eq(buf_text(&buf), cases[i].text);
		buf_deinit(&buf);
		timestamp_format_free(format);
	}
}
END_TEST

/* What a format does not allow leaves the output as it was. */
START_TEST(bad_texts)
{
	static const struct {
		const char *spec, *text;
		int outcome;
	} cases[] = {
		{"epoch_s", "", TIMESTAMP_E_SYNTAX},
		{"epoch_s", "1.5x", TIMESTAMP_E_SYNTAX},
		{"epoch_s", "1.", TIMESTAMP_E_SYNTAX},
		{"epoch_s", "1e", TIMESTAMP_E_SYNTAX},
		{"epoch_s", "e9", TIMESTAMP_E_SYNTAX},
		{"epoch_s", "1.e9", TIMESTAMP_E_SYNTAX},
		{"epoch_s", "1e9x", TIMESTAMP_E_SYNTAX},
		{"epoch_s", "1e31", TIMESTAMP_E_SYNTAX},
		{"epoch_s", "1e20", TIMESTAMP_E_RANGE},
		{"epoch_s", "99999999999999", TIMESTAMP_E_RANGE},
		{"epoch_ns", "99999999999999999999", TIMESTAMP_E_RANGE},
		{"%F %T %Z", "2025-09-14 22:25:43 GTC", TIMESTAMP_E_SYNTAX},
		{"%F %T", "2025-09-14 22:25:43 ", 0},
		{"%F %T", "2025-09-14 22:25", TIMESTAMP_E_SYNTAX},
		{"%F %T", "2025-09-31 22:25:43", TIMESTAMP_E_SYNTAX},
		{"%F %T", "2500-01-01 00:00:00", TIMESTAMP_E_RANGE},
		{"%F %I:%M %p", "2025-09-14 13:25 PM", TIMESTAMP_E_SYNTAX},
		{"%F %I:%M %p", "2025-09-14 00:25 PM", TIMESTAMP_E_SYNTAX},
		{"%F %I:%M %p", "2025-09-14 10:25 XM", TIMESTAMP_E_SYNTAX},
		{"%Y-%j", "2025-366", TIMESTAMP_E_SYNTAX},
		{"%Y-%j", "2025-000", TIMESTAMP_E_SYNTAX},
		{"%d %B %Y", "02 Maya 2025", TIMESTAMP_E_SYNTAX},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct timestamp_format *format = NULL;
		nsec_t time = 7;
		ck_assert_int_eq(timestamp_format_new(&format, cases[i].spec, NULL), 0);
		int r = timestamp_parse(format, slice_of(cases[i].text), &time);
		ck_assert_msg(r == cases[i].outcome && (r == 0) == (time != 7),
			"case %zu: %s gives %d, %lld", i, cases[i].text, r, (long long)time);
		timestamp_format_free(format);
	}
}
END_TEST

/* Before 1970 whole seconds are rounded down, as everywhere else. */
START_TEST(printing_before_the_epoch)
{
	static const char *const specs[] = {"%s", "epoch_s", "%F %T.%f"};
	static const char *const texts[] = {"-2", "-2", "1969-12-31 23:59:58.500000"};
	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		struct timestamp_format *format = NULL;
		struct buf buf = BUF_NULL;
		ck_assert_int_eq(timestamp_format_new(&format, specs[i], NULL), 0);
		timestamp_print(format, -3 * S / 2, &buf);
		ck_assert_str_eq(buf_text(&buf), texts[i]);
		buf_deinit(&buf);
		timestamp_format_free(format);
	}
}
END_TEST

START_TEST(bad_formats)
{
	static const char *const specs[] = {"", "epoch", "rfc", "%Q", "%Y-%"};
	struct timestamp_format *format;
	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++)
		ck_assert_msg(timestamp_format_new(&format, specs[i], NULL) == TIMESTAMP_E_SYNTAX,
			"%s", specs[i]);
	static const char *const zones[] = {
		"", "Mars/Base", "../../etc/passwd", "/etc/passwd", "+8", "+99:00"};
	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++)
		ck_assert_msg(
			timestamp_format_new(&format, "rfc3339", zones[i]) == TIMESTAMP_E_SYNTAX,
			"%s", zones[i]);
}
END_TEST

START_TEST(points_and_durations)
{
	nsec_t time;
	ck_assert(timestamp_parse_point(SLICE("now"), 5 * S, &time) == 0 && time == 5 * S);
	ck_assert(timestamp_parse_point(SLICE("-1h"), 7200 * S, &time) == 0 && time == 3600 * S);
	ck_assert(timestamp_parse_point(SLICE("earliest"), 5, &time) == 0 && time == NSEC_NONE);
	ck_assert(timestamp_parse_point(SLICE("1970-01-01T00:00:01Z"), 5, &time) == 0 && time == S);
	ck_assert_int_ne(timestamp_parse_point(SLICE("yesterday"), 5, &time), 0);
	/* by a clock that was never set */
	ck_assert(timestamp_parse_point(SLICE("-1h"), 5, &time) == 0 && time == 0);
	static const struct {
		nsec_t duration;
		const char *text;
	} cases[] = {{0, "0s"}, {250 * NSEC_PER_MSEC, "250ms"}, {45 * S, "45s"},
		{5400 * S, "1h30m"}, {3661 * S, "1h1m"}, {90000 * S, "1d1h"}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf buf = BUF_NULL;
		timestamp_print_duration(cases[i].duration, &buf);
		ck_assert_str_eq(buf_text(&buf), cases[i].text);
		buf_deinit(&buf);
	}
}
END_TEST

UNIT_MAIN("timestamp", rfc3339, several_formats, fraction_digits, round_trip, http_dates, centuries,
	formats, printing, bad_texts, printing_before_the_epoch, bad_formats, points_and_durations)
