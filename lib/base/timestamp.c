/*
 * See timestamp.h. Calendar arithmetic is on the proleptic Gregorian calendar without the C
 * library: it is exact, knows no locale and is an order of magnitude faster than mktime.
 */
#include "base/timestamp.h"

#include "base/mem.h"
#include "base/number.h"
#include "base/str.h"
#include "base/timestamp_internal.h"

#define YEAR_MIN 1678
#define YEAR_MAX 2261

int64_t civil_to_days(int64_t year, unsigned month, unsigned day)
{
	year -= month <= 2;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	unsigned of_era = (unsigned)(year - era * 400);
	unsigned of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	unsigned days = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
	return era * 146097 + (int64_t)days - 719468;
}

struct civil civil_from_days(int64_t days)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	unsigned of_era = (unsigned)(z - era * 146097);
	unsigned years = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	unsigned of_year = of_era - (365 * years + years / 4 - years / 100);
	unsigned mp = (5 * of_year + 2) / 153;
	unsigned month = mp < 10 ? mp + 3 : mp - 9;
	return (struct civil){
		.year = (int)(years + era * 400 + (month <= 2)),
		.month = month,
		.day = of_year - (153 * mp + 2) / 5 + 1,
		.weekday = (unsigned)((days % 7 + 11) % 7),
	};
}

struct civil civil_from_time(nsec_t time)
{
	int64_t seconds = floor_div(time, NSEC_PER_SEC);
	int64_t days = floor_div(seconds, 86400), rest = seconds - days * 86400;
	struct civil civil = civil_from_days(days);
	civil.hour = (unsigned)(rest / 3600);
	civil.minute = (unsigned)(rest / 60 % 60);
	civil.second = (unsigned)(rest % 60);
	civil.nanosecond = (unsigned)(time - seconds * NSEC_PER_SEC);
	return civil;
}

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

int civil_to_time(const struct civil *civil, int64_t offset_s, nsec_t *ret)
{
	static const unsigned char days_of[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	struct civil c = *civil;
	if (c.month < 1 || c.month > 12 || c.day < 1 ||
		c.day > days_of[c.month - 1] + (unsigned)(c.month == 2 && is_leap(c.year)) ||
		c.hour > 23 || c.minute > 59 || c.second > 60)
		return TIMESTAMP_E_SYNTAX;
	if (c.year < YEAR_MIN || c.year > YEAR_MAX)
		return TIMESTAMP_E_RANGE;
	if (c.second == 60) {
		c.second = 59;
		c.nanosecond = 999999999;
	}
	int64_t seconds = civil_to_days(c.year, c.month, c.day) * 86400 + c.hour * 3600 +
			  c.minute * 60 + c.second - offset_s;
	*ret = seconds * NSEC_PER_SEC + c.nanosecond;
	return 0;
}

bool take_number(struct slice *text, size_t n, unsigned *ret)
{
	unsigned value = 0;
	if (text->size < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned digit = (unsigned)(unsigned char)text->data[i] - '0';
		if (digit > 9)
			return false;
		value = value * 10 + digit;
	}
	text->data += n;
	text->size -= n;
	*ret = value;
	return true;
}

bool take_char(struct slice *text, char c)
{
	if (text->size == 0 || text->data[0] != c)
		return false;
	text->data++;
	text->size--;
	return true;
}

bool take_fraction(struct slice *text, unsigned *ret_nanoseconds)
{
	unsigned value = 0, n = 0;
	for (; text->size && text->data[0] >= '0' && text->data[0] <= '9'; n++) {
		if (n < 9)
			value = value * 10 + (unsigned)(text->data[0] - '0');
		text->data++;
		text->size--;
	}
	for (unsigned i = n; i < 9; i++)
		value *= 10;
	*ret_nanoseconds = value;
	return n > 0;
}

bool take_offset(struct slice *text, int64_t *ret_s)
{
	unsigned hours, minutes = 0;
	if (take_char(text, 'Z') || take_char(text, 'z')) {
		*ret_s = 0;
		return true;
	}
	bool negative = text->size && text->data[0] == '-';
	if ((!take_char(text, '-') && !take_char(text, '+')) || !take_number(text, 2, &hours))
		return false;
	bool colon = take_char(text, ':');
	if (!take_number(text, 2, &minutes) && colon)
		return false;
	if (hours > 18 || minutes > 59) /* no zone is, or was, farther from UTC */
		return false;
	*ret_s = (negative ? -1 : 1) * (int64_t)(hours * 3600 + minutes * 60);
	return true;
}

int timestamp_parse_rfc3339(struct slice text, nsec_t *ret_time)
{
	struct civil civil = {0};
	unsigned year;
	int64_t offset;
	bool good = take_number(&text, 4, &year) && take_char(&text, '-') &&
		    take_number(&text, 2, &civil.month) && take_char(&text, '-') &&
		    take_number(&text, 2, &civil.day) &&
		    (take_char(&text, 'T') || take_char(&text, 't') || take_char(&text, ' ')) &&
		    take_number(&text, 2, &civil.hour) && take_char(&text, ':') &&
		    take_number(&text, 2, &civil.minute) && take_char(&text, ':') &&
		    take_number(&text, 2, &civil.second);
	if (good && (take_char(&text, '.') || take_char(&text, ',')))
		good = take_fraction(&text, &civil.nanosecond);
	if (!good || !take_offset(&text, &offset) || text.size)
		return TIMESTAMP_E_SYNTAX;
	civil.year = (int)year;
	return civil_to_time(&civil, offset, ret_time);
}

void timestamp_print_rfc3339(nsec_t time, unsigned digits, struct buf *out)
{
	struct civil c = civil_from_time(time);
	buf_printf(out, "%04d-%02u-%02uT%02u:%02u:%02u", c.year, c.month, c.day, c.hour, c.minute,
		c.second);
	if (digits) {
		unsigned value = c.nanosecond;
		for (unsigned i = digits; i < 9; i++)
			value /= 10;
		buf_printf(out, ".%0*u", (int)digits, value);
	}
	buf_append_char(out, 'Z');
}

int timestamp_parse_point(struct slice text, nsec_t now_time, nsec_t *ret_time)
{
	nsec_t duration;
	if (slice_is(text, "now")) {
		*ret_time = now_time;
		return 0;
	}
	if (slice_is(text, "earliest")) {
		*ret_time = NSEC_NONE;
		return 0;
	}
	if (text.size && text.data[0] == '-') {
		struct slice rest = {text.data + 1, text.size - 1};
		if (number_parse_duration(rest, 0, INT64_MAX, &duration))
			return TIMESTAMP_E_SYNTAX;
		/* a clock that was never set is no reason to refuse */
		*ret_time = duration < now_time ? now_time - duration : 0;
		return 0;
	}
	if (text.size == strlen("2026-01-31")) {
		char whole[] = "2026-01-31T00:00:00Z";
		memcpy(whole, text.data, text.size);
		return timestamp_parse_rfc3339(slice_of(whole), ret_time);
	}
	return timestamp_parse_rfc3339(text, ret_time);
}

void timestamp_print_duration(nsec_t duration_ns, struct buf *out)
{
	static const struct {
		nsec_t size;
		const char *name;
	} units[] = {{NSEC_PER_DAY, "d"}, {NSEC_PER_HOUR, "h"}, {NSEC_PER_MIN, "m"},
		{NSEC_PER_SEC, "s"}, {NSEC_PER_MSEC, "ms"}};
	unsigned n = 0;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]) && n < 2; i++) {
		nsec_t count = duration_ns / units[i].size;
		/* milliseconds are told only of what is shorter than a second */
		if (count == 0 || (n && units[i].size < NSEC_PER_SEC))
			continue;
		buf_printf(out, "%lld%s", (long long)count, units[i].name);
		duration_ns %= units[i].size;
		n++;
	}
	if (n == 0)
		buf_append_text(out, "0s");
}
