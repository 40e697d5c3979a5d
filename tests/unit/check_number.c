/* Strict numbers, sizes, durations, rates. */
#include "base/number.h"

#include "check_unit.h"

START_TEST(integers)
{
	static const struct {
		const char *text;
		int outcome;
		int64_t value;
	} cases[] = {
		{"0", 0, 0},
		{"42", 0, 42},
		{"-7", 0, -7},
		{"9223372036854775807", 0, INT64_MAX},
		{"-9223372036854775808", 0, INT64_MIN},
		{"9223372036854775808", NUMBER_E_RANGE, 0},
		{"99999999999999999999999", NUMBER_E_RANGE, 0},
		{"", NUMBER_E_SYNTAX, 0},
		{"-", NUMBER_E_SYNTAX, 0},
		{"+1", NUMBER_E_SYNTAX, 0},
		{" 1", NUMBER_E_SYNTAX, 0},
		{"1 ", NUMBER_E_SYNTAX, 0},
		{"1x", NUMBER_E_SYNTAX, 0},
		{"0x10", NUMBER_E_SYNTAX, 0},
		{"1.0", NUMBER_E_SYNTAX, 0},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t value = 0;
		int r = number_parse(slice_of(cases[i].text), INT64_MIN, INT64_MAX, &value);
		ck_assert_msg(r == cases[i].outcome && value == cases[i].value,
			"case %zu: %s gives %d, %lld", i, cases[i].text, r, (long long)value);
	}
	int64_t value = 5;
	ck_assert_int_eq(number_parse(SLICE("11"), 0, 10, &value), NUMBER_E_RANGE);
	ck_assert_int_eq(value, 5);
}
END_TEST

START_TEST(sizes)
{
	static const struct {
		const char *text;
		int outcome;
		uint64_t value;
	} cases[] = {
		{"4096", 0, 4096},
		{"64KiB", 0, 65536},
		{"64 KiB", 0, 65536},
		{"1MiB", 0, 1048576},
		{"1GiB", 0, 1073741824},
		{"5MB", 0, 5000000},
		{"1kib", 0, 1024},
		{"1G", 0, 1073741824},
		{"500M", 0, 524288000},
		{"1.5MiB", NUMBER_E_SYNTAX, 0},
		{"potato", NUMBER_E_SYNTAX, 0},
		{"-1", NUMBER_E_SYNTAX, 0},
		{"99999999999TiB", NUMBER_E_RANGE, 0},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t value = 0;
		int r = number_parse_size(slice_of(cases[i].text), 0, UINT64_MAX, &value);
		ck_assert_msg(r == cases[i].outcome && value == cases[i].value,
			"case %zu: %s gives %d, %llu", i, cases[i].text, r,
			(unsigned long long)value);
	}
}
END_TEST

START_TEST(durations)
{
	static const struct {
		const char *text;
		int outcome;
		nsec_t value;
	} cases[] = {
		{"90s", 0, 90 * NSEC_PER_SEC},
		{"15m", 0, 15 * NSEC_PER_MIN},
		{"2h", 0, 2 * NSEC_PER_HOUR},
		{"1d", 0, NSEC_PER_DAY},
		{"1w", 0, 7 * NSEC_PER_DAY},
		{"500ms", 0, 500 * NSEC_PER_MSEC},
		{"1h30m", 0, 90 * NSEC_PER_MIN},
		{"1h 30m", 0, 90 * NSEC_PER_MIN},
		{"0", 0, 0},
		{"5", NUMBER_E_SYNTAX, -1},
		{"5x", NUMBER_E_SYNTAX, -1},
		{"", NUMBER_E_SYNTAX, -1},
		{"-5s", NUMBER_E_SYNTAX, -1},
		{"s", NUMBER_E_SYNTAX, -1},
		{"99999999999999d", NUMBER_E_RANGE, -1},
		{"106751d106751d", NUMBER_E_RANGE, -1},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		nsec_t value = -1;
		int r = number_parse_duration(slice_of(cases[i].text), 0, INT64_MAX, &value);
		ck_assert_msg(r == cases[i].outcome && value == cases[i].value,
			"case %zu: %s gives %d, %lld", i, cases[i].text, r, (long long)value);
	}
}
END_TEST

START_TEST(rates_and_booleans)
{
	uint32_t count = 9;
	nsec_t period = 9;
	ck_assert_int_eq(number_parse_rate(SLICE("60/min"), &count, &period), 0);
	ck_assert_uint_eq(count, 60);
	ck_assert_int_eq(period, NSEC_PER_MIN);
	ck_assert_int_eq(number_parse_rate(SLICE("5/s"), &count, &period), 0);
	ck_assert_int_eq(period, NSEC_PER_SEC);
	ck_assert_int_eq(number_parse_rate(SLICE("off"), &count, &period), 0);
	ck_assert_uint_eq(count, 0);
	static const char *const bad[] = {"", "5", "/s", "5/", "0/s", "5/x", "5s", "-1/s"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(
			number_parse_rate(slice_of(bad[i]), &count, &period) != 0, "%s", bad[i]);
	bool value = false;
	ck_assert(number_parse_bool(SLICE("yes"), &value) == 0 && value);
	ck_assert(number_parse_bool(SLICE("off"), &value) == 0 && !value);
	ck_assert_int_eq(number_parse_bool(SLICE("Yes"), &value), NUMBER_E_SYNTAX);
}
END_TEST

UNIT_MAIN("number", integers, sizes, durations, rates_and_booleans)
