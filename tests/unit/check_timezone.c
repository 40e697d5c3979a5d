/*
 * Zones against the C library's, which reads the same files: every offset over 170 years. Then the
 * rule at a file's end alone, since a machine's files may list their changes far ahead of it.
 */
#include "base/timezone.h"

#include "base/posix_tz.h"
#include "check_unit.h"

#include <time.h>

#define STEP (31 * 3600 + 123) /* meets every hour of the day and every part of the hour */
#define FIRST INT64_C(-631152000) /* 1950 */
#define FIRST_OF_RULES INT64_C(31536000) /* 1971: the C library computes no rule before 1970 */
#define LAST INT64_C(4733510400) /* 2120 */

static int64_t system_offset(int64_t utc_s)
{
	time_t time = (time_t)utc_s;
	struct tm tm;
	localtime_r(&time, &tm);
	return tm.tm_gmtoff;
}

static void use_zone(const char *name)
{
	setenv("TZ", name, 1);
	tzset();
}

START_TEST(zones_as_the_system_has_them)
{
	static const char *const names[] = {"Europe/Zurich", "America/New_York", "Asia/Shanghai",
		"Australia/Lord_Howe", "Europe/Dublin", "America/Sao_Paulo", "Asia/Kathmandu",
		"Africa/Casablanca", "America/Nuuk", "Pacific/Apia", "Etc/GMT+5", "UTC"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct timezone_rules *rules = NULL;
		ck_assert_msg(timezone_open(&rules, names[i]) == 0, "%s", names[i]);
		use_zone(names[i]);
		for (int64_t t = FIRST; t < LAST; t += STEP)
			ck_assert_msg(timezone_offset_at(rules, t) == system_offset(t),
				"%s at %lld: %lld, the system says %lld", names[i], (long long)t,
				(long long)timezone_offset_at(rules, t),
				(long long)system_offset(t));
		timezone_close(rules);
	}
}
END_TEST

START_TEST(rules_as_the_system_reads_them)
{
	static const char *const texts[] = {"UTC0", "CST-8", "<+0330>-3:30",
		"EST5EDT,M3.2.0,M11.1.0", "CET-1CEST,M3.5.0,M10.5.0/3",
		"IST-1GMT0,M10.5.0,M3.5.0/1", "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
		"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "AEST-10AEDT,M10.1.0,M4.1.0/3",
		"AAA3BBB,J60,J300/1:30:30", "AAA3BBB,59/0,300",
		"AAA-5:30:15BBB-6:45,M1.1.6/26,M12.5.6"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct posix_tz rule;
		ck_assert_msg(posix_tz_parse(&rule, slice_of(texts[i])) == 0, "%s", texts[i]);
		use_zone(texts[i]);
		for (int64_t t = FIRST_OF_RULES; t < LAST; t += STEP)
			ck_assert_msg(posix_tz_offset_at(&rule, t) == system_offset(t),
				"%s at %lld: %lld, the system says %lld", texts[i], (long long)t,
				(long long)posix_tz_offset_at(&rule, t),
				(long long)system_offset(t));
	}
}
END_TEST

/* The second before and the second of a change, where a step over it would see nothing. */
START_TEST(changes_to_the_second)
{
	static const struct {
		const char *rule;
		int64_t at, before, after;
	} cases[] = {
		{"CET-1CEST,M3.5.0,M10.5.0/3", 1743296400, 3600, 7200},
		{"CET-1CEST,M3.5.0,M10.5.0/3", 1761440400, 7200, 3600},
		{"EST5EDT,M3.2.0,M11.1.0", 1741503600, -18000, -14400},
		{"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1743296400, -7200, -3600},
		/* all the year: the changes meet at New Year */
		{"AAA3EDT4,0/0,J365/23", 1735700400, -14400, -14400},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct posix_tz rule;
		ck_assert_int_eq(posix_tz_parse(&rule, slice_of(cases[i].rule)), 0);
		int64_t before = posix_tz_offset_at(&rule, cases[i].at - 1);
		int64_t after = posix_tz_offset_at(&rule, cases[i].at);
		ck_assert_msg(before == cases[i].before && after == cases[i].after,
			"case %zu: %lld, %lld", i, (long long)before, (long long)after);
	}
	struct posix_tz rule;
	ck_assert_int_eq(posix_tz_parse(&rule, SLICE("CET-1CEST,M3.5.0,M10.5.0/3")), 0);
	posix_tz_offset_at(&rule, INT64_MIN);
	posix_tz_offset_at(&rule, INT64_MAX);
}
END_TEST

START_TEST(local_times)
{
	static const struct {
		const char *zone;
		int64_t local_s, offset;
	} cases[] = {
		{"Europe/Zurich", 1743301800, 3600}, /* 2025-03-30 02:30 is skipped */
		{"Europe/Zurich", 1761445800, 7200}, /* 2025-10-26 02:30 comes twice */
		{"Europe/Zurich", 1743294600, 3600},
		{"Europe/Zurich", 1743304200, 7200},
		{"Europe/Zurich", 2383000000, 7200}, /* July 2045, behind every listed change */
		{"Europe/Zurich", 2398000000, 3600},
		{"Pacific/Apia", 1325203200, -36000}, /* 2011-12-30, a day that never was */
		{"+05:45", 0, 20700},
		{"-0330", 0, -12600},
		{"+08", 0, 28800},
		{"Z", 0, 0},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct timezone_rules *rules = NULL;
		ck_assert_msg(timezone_open(&rules, cases[i].zone) == 0, "case %zu", i);
		int64_t offset = timezone_offset(rules, cases[i].local_s);
		ck_assert_msg(offset == cases[i].offset, "case %zu: %lld", i, (long long)offset);
		timezone_close(rules);
	}
}
END_TEST

START_TEST(refused)
{
	static const char *const zones[] = {"", "+", "+8", "+8:00", "+ 1:30", "+-1:30", "+01:60",
		"+27:00", "+01:00x", "Europe", "Europe/Nowhere", "zone1970.tab", "/etc/passwd",
		"../zoneinfo/UTC"};
	struct timezone_rules *rules = NULL;
	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++)
		ck_assert_msg(timezone_open(&rules, zones[i]) == TIMEZONE_E_UNKNOWN, "zone %zu: %s",
			i, zones[i]);
	static const char *const texts[] = {"", "CET", "CE-1", "CET-1x", "CET-1CEST", "CET-1CEST,",
		"CET-1CEST,M3.5.0", "CET-1CEST,M3.5.0,M10.5.0/3x", "CET-1CEST,M13.5.0,M10.5.0",
		"CET-1CEST,M0.5.0,M10.5.0", "CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,M3.5.7,M10.5.0",
		"CET-1CEST,J0,J300", "CET-1CEST,J1,366", "<+01-1", "CET-28", "CET-1:60",
		"CET-1CEST,M3.5.0/168,M10.5.0"};
	struct posix_tz rule;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_msg(posix_tz_parse(&rule, slice_of(texts[i])) == POSIX_TZ_E_SYNTAX,
			"rule %zu: %s", i, texts[i]);
}
END_TEST

UNIT_MAIN("timezone", zones_as_the_system_has_them, rules_as_the_system_reads_them,
	changes_to_the_second, local_times, refused)
