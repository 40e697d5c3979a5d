/*
 * See posix_tz.h. The names of the zones are passed over: only offsets are asked for here. A rule
 * with summer time must say when it is; POSIX lets a text leave that out, TZif does not.
 */
#include "base/posix_tz.h"

#include "base/timestamp_internal.h"

#define DAY_S 86400

/* One to MAX_DIGITS digits, at most MAX. */
static bool take_count(struct slice *text, size_t max_digits, unsigned max, unsigned *ret)
{
	size_t n = 0;
	while (n < max_digits && n < text->size && text->data[n] >= '0' && text->data[n] <= '9')
		n++;
	return n && take_number(text, n, ret) && *ret <= max;
}

/* `EST` or `<+0330>` */
static bool take_zone_name(struct slice *text)
{
	size_t n = 0;
	if (take_char(text, '<')) {
		const char *end = text->size ? memchr(text->data, '>', text->size) : NULL;
		if (!end)
			return false;
		n = (size_t)(end - text->data) + 1;
	} else {
		while (n < text->size && ((text->data[n] >= 'A' && text->data[n] <= 'Z') ||
						 (text->data[n] >= 'a' && text->data[n] <= 'z')))
			n++;
		if (n < 3)
			return false;
	}
	*text = (struct slice){text->data + n, text->size - n};
	return true;
}

/* `[+-]hh[:mm[:ss]]`; up to 167 hours, which RFC 8536 allows for the time of a change. */
static bool take_clock(struct slice *text, int64_t *ret_s)
{
	unsigned hours, minutes = 0, seconds = 0;
	bool negative = take_char(text, '-');
	if (!negative)
		take_char(text, '+');
	if (!take_count(text, 3, 167, &hours))
		return false;
	if (take_char(text, ':') && !take_count(text, 2, 59, &minutes))
		return false;
	if (take_char(text, ':') && !take_count(text, 2, 59, &seconds))
		return false;
	*ret_s = (negative ? -1 : 1) * ((int64_t)hours * 3600 + minutes * 60 + seconds);
	return true;
}

static bool take_change(struct slice *text, struct posix_tz_change *ret)
{
	struct posix_tz_change change = {.kind = POSIX_TZ_DAY, .time_s = 2 * 3600};
	bool good;
	if (!take_char(text, ','))
		return false;
	if (take_char(text, 'M')) {
		change.kind = POSIX_TZ_WEEKDAY;
		good = take_count(text, 2, 12, &change.month) && change.month &&
		       take_char(text, '.') && take_count(text, 1, 5, &change.week) &&
		       change.week && take_char(text, '.') && take_count(text, 1, 6, &change.day);
	} else if (take_char(text, 'J')) {
		change.kind = POSIX_TZ_JULIAN;
		good = take_count(text, 3, 365, &change.day) && change.day;
	} else {
		good = take_count(text, 3, 365, &change.day);
	}
	if (!good || (take_char(text, '/') && !take_clock(text, &change.time_s)))
		return false;
	*ret = change;
	return true;
}

/* POSIX counts offsets west of Greenwich as positive. */
static bool take_west(struct slice *text, int64_t *ret_s)
{
	if (!take_clock(text, ret_s))
		return false;
	*ret_s = -*ret_s;
	return *ret_s > -27 * 3600 && *ret_s < 27 * 3600;
}

int posix_tz_parse(struct posix_tz *ret, struct slice text)
{
	struct posix_tz rule = {0};
	if (!take_zone_name(&text) || !take_west(&text, &rule.standard_s))
		return POSIX_TZ_E_SYNTAX;
	rule.summer_s = rule.standard_s;
	if (text.size) {
		rule.has_summer = true;
		rule.summer_s += 3600;
		if (!take_zone_name(&text) || text.size == 0 ||
			(text.data[0] != ',' && !take_west(&text, &rule.summer_s)) ||
			!take_change(&text, &rule.start) || !take_change(&text, &rule.end) ||
			text.size)
			return POSIX_TZ_E_SYNTAX;
	}
	*ret = rule;
	return 0;
}

/* The change in YEAR, in seconds as a clock on the wall shows them before it. */
static int64_t change_at(const struct posix_tz_change *change, int64_t year)
{
	int64_t first = civil_to_days(year, 1, 1), days;
	bool leap = civil_to_days(year + 1, 1, 1) - first == 366;
	if (change->kind == POSIX_TZ_WEEKDAY) {
		bool december = change->month == 12;
		int64_t begin = civil_to_days(year, change->month, 1);
		int64_t next = civil_to_days(year + december, december ? 1 : change->month + 1, 1);
		int64_t weekday = ((begin + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
		days = begin + (change->day + 7 - weekday) % 7 + (change->week - 1) * 7;
		if (days >= next)
			days -= 7;
	} else if (change->kind == POSIX_TZ_JULIAN) {
		days = first + change->day - 1 + (leap && change->day > 59);
	} else {
		days = first + change->day;
	}
	return days * DAY_S + change->time_s;
}

int64_t posix_tz_offset_at(const struct posix_tz *rule, int64_t utc_s)
{
	if (!rule->has_summer)
		return rule->standard_s;
	/* beyond these years nanoseconds do not reach, and the year below stays computable */
	int64_t local_s = utc_s < -INT64_C(100000000000)  ? -INT64_C(100000000000)
			  : utc_s > INT64_C(100000000000) ? INT64_C(100000000000)
							  : utc_s;
	local_s += rule->standard_s;
	int64_t year = civil_from_days(floor_div(local_s, DAY_S)).year;
	int64_t start = change_at(&rule->start, year) - rule->standard_s;
	int64_t end = change_at(&rule->end, year) - rule->summer_s;
	bool summer = start < end ? utc_s >= start && utc_s < end : utc_s < end || utc_s >= start;
	return summer ? rule->summer_s : rule->standard_s;
}
