/*
 * Times as APIs write them: epochs with and without fraction, strptime/strftime patterns with a
 * zone, and HTTP dates. Patterns are interpreted here and not by the C library, whose month names
 * follow the locale and whose %z differs between systems.
 */
#include "base/timestamp.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/str.h"
#include "base/timestamp_internal.h"
#include "base/timezone.h"

static const char *const months[] = {"January", "February", "March", "April", "May", "June", "July",
	"August", "September", "October", "November", "December"};
static const char *const weekdays[] = {
	"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

#define SHORT_NAME 3 /* letters of an abbreviated name */
#define STRPTIME_YEAR_MAX 2068 /* the latest year that %y stands for */
#define FIRST_YEAR 2026 /* no true clock shows an earlier one */
#define HTTP_YEARS_AHEAD 50 /* RFC 9110 section 5.6.7 */

enum kind { KIND_RFC3339, KIND_EPOCH, KIND_PATTERN };

struct timestamp_format {
	enum kind kind;
	nsec_t unit; /* of an epoch */
	char *pattern;
	struct timezone_rules *zone; /* NULL: UTC */
	struct timestamp_format *next; /* tried where this one does not fit; NULL: none */
};

static const struct {
	const char *name;
	nsec_t unit;
} epochs[] = {{"epoch_s", NSEC_PER_SEC}, {"epoch_ms", NSEC_PER_MSEC}, {"epoch_us", NSEC_PER_USEC},
	{"epoch_ns", 1}};

/* Does PATTERN have known conversions only? `%3f` is a fraction of three digits. */
static bool is_pattern(const char *pattern)
{
	for (const char *p = pattern; (p = strchr(p, '%')); p++) {
		p++;
		if (*p >= '1' && *p <= '9' && p[1] == 'f')
			p++;
		else if (!*p || !strchr("YmdeHMSfzZsbaTFyIpjABDR%", *p))
			return false;
	}
	return true;
}

static bool read_spec(struct timestamp_format *format, const char *spec, const char *zone)
{
	if (strchr(spec, '%')) {
		format->kind = KIND_PATTERN;
		format->pattern = mem_strdup(spec);
		if (!is_pattern(spec))
			return false;
	} else if (strcmp(spec, "rfc3339") != 0) {
		format->kind = KIND_EPOCH;
		for (size_t i = 0; i < sizeof(epochs) / sizeof(epochs[0]); i++)
			if (strcmp(epochs[i].name, spec) == 0)
				format->unit = epochs[i].unit;
		if (!format->unit)
			return false;
	}
	return !zone || timezone_open(&format->zone, zone) == 0;
}

int timestamp_format_new(struct timestamp_format **ret, const char *spec, const char *zone)
{
	struct slice rest = slice_of(spec), part;
	struct timestamp_format *first = NULL, **end = &first;
	while (str_next_part(&rest, '|', &part)) {
		part = str_trim(part);
		char *text CLEANUP_FREE = mem_strndup(part.data, part.size);
		*end = MEM_NEW(struct timestamp_format);
		if (!read_spec(*end, text, zone)) {
			timestamp_format_free(first);
			return TIMESTAMP_E_SYNTAX;
		}
		end = &(*end)->next;
	}
	*ret = first;
	return first ? 0 : TIMESTAMP_E_SYNTAX;
}

void timestamp_format_free(struct timestamp_format *format)
{
	while (format) {
		struct timestamp_format *next = format->next;
		timezone_close(format->zone);
		free(format->pattern);
		free(format);
		format = next;
	}
}

bool timestamp_format_is_number(const struct timestamp_format *format)
{
	return format->kind == KIND_EPOCH;
}

#define EXPONENT_MAX 30

/* The digits of *TEXT, taken off, appended to PLAIN; how many they are. */
static size_t take_digits(struct slice *text, struct buf *plain)
{
	size_t n = 0;
	while (n < text->size && text->data[n] >= '0' && text->data[n] <= '9')
		n++;
	buf_append(plain, text->data, n);
	text->data += n;
	text->size -= n;
	return n;
}

/* TEXT, which has an exponent, without it: `1.5e3` is `1500`. False: it is not a number, or out of
 * all range. */
static bool without_exponent(struct slice text, struct buf *plain)
{
	struct buf digits CLEANUP(buf_deinit) = BUF_NULL;
	int64_t exponent;
	bool negative = text.size && text.data[0] == '-';
	if (negative)
		text = (struct slice){text.data + 1, text.size - 1};
	size_t n_whole = take_digits(&text, &digits), n = n_whole;
	if (text.size && text.data[0] == '.') {
		text = (struct slice){text.data + 1, text.size - 1};
		n += take_digits(&text, &digits);
		if (n == n_whole)
			return false;
	}
	if (n_whole == 0 || !text.size || (text.data[0] != 'e' && text.data[0] != 'E'))
		return false;
	text = (struct slice){text.data + 1, text.size - 1};
	if (text.size && text.data[0] == '+')
		text = (struct slice){text.data + 1, text.size - 1};
	if (number_parse(text, -EXPONENT_MAX, EXPONENT_MAX, &exponent) != 0)
		return false;
	int64_t point = (int64_t)n_whole + exponent; /* so many digits are before it */
	buf_append_text(plain, negative ? "-" : "");
	if (point <= 0)
		buf_append_text(plain, "0.");
	for (int64_t i = point; i < 0; i++)
		buf_append_char(plain, '0');
	for (int64_t i = 0; i < (int64_t)n || i < point; i++) {
		if (i == point && i > 0)
			buf_append_char(plain, '.');
		buf_append_char(plain, i < (int64_t)n ? digits.data[i] : '0');
	}
	return true;
}

/* `1757896497412`, `1757896497.412`, `1.757896497412e9`: as JSON writes numbers. */
static int parse_epoch(const struct timestamp_format *format, struct slice text, nsec_t *ret)
{
	int64_t whole;
	unsigned fraction = 0;
	struct buf plain CLEANUP(buf_deinit) = BUF_NULL;
	if (memchr(text.data, 'e', text.size) || memchr(text.data, 'E', text.size)) {
		if (!without_exponent(text, &plain))
			return TIMESTAMP_E_SYNTAX;
		text = buf_slice(&plain);
	}
	const char *dot = memchr(text.data, '.', text.size);
	struct slice head = {text.data, dot ? (size_t)(dot - text.data) : text.size};
	bool negative = text.size && text.data[0] == '-'; /* also of `-0.5`, whose whole is 0 */
	int r = number_parse(head, INT64_MIN, INT64_MAX, &whole);
	if (r)
		return r == NUMBER_E_RANGE ? TIMESTAMP_E_RANGE : TIMESTAMP_E_SYNTAX;
	if (dot) {
		struct slice tail = {dot + 1, text.size - head.size - 1};
		if (!take_fraction(&tail, &fraction) || tail.size)
			return TIMESTAMP_E_SYNTAX;
	}
	nsec_t part = (nsec_t)fraction * format->unit / NSEC_PER_SEC;
	if (__builtin_mul_overflow(whole, format->unit, &whole) ||
		__builtin_add_overflow(whole, negative ? -part : part, &whole) ||
		whole == NSEC_NONE)
		return TIMESTAMP_E_RANGE;
	*ret = whole;
	return 0;
}

/* A name, written out or abbreviated, in any case. */
static bool take_name(struct slice *text, const char *const *names, size_t n, unsigned *ret)
{
	for (size_t i = 0; i < n; i++) {
		size_t size = strlen(names[i]);
		if (text->size < SHORT_NAME || strncasecmp(text->data, names[i], SHORT_NAME) != 0)
			continue;
		if (text->size < size || strncasecmp(text->data, names[i], size) != 0)
			size = SHORT_NAME;
		*text = (struct slice){text->data + size, text->size - size};
		*ret = (unsigned)i;
		return true;
	}
	return false;
}

struct scan {
	struct slice text;
	struct civil civil;
	bool has_offset;
	int64_t offset_s;
	bool has_epoch;
	int64_t epoch_s;
	unsigned hour_12, day_of_year; /* 0: not given */
	bool after_noon;
	int year_max; /* of years of two digits */
};

static bool take_word(struct slice *text, const char *word)
{
	struct slice head = slice_of(word);
	if (text->size < head.size || memcmp(text->data, head.data, head.size) != 0)
		return false;
	*text = (struct slice){text->data + head.size, text->size - head.size};
	return true;
}

static bool scan_epoch(struct scan *scan)
{
	size_t n = 0;
	while (n < scan->text.size && scan->text.data[n] >= '0' && scan->text.data[n] <= '9')
		n++;
	if (number_parse(
		    (struct slice){scan->text.data, n}, 0, INT32_MAX * INT64_C(4), &scan->epoch_s))
		return false;
	scan->text = (struct slice){scan->text.data + n, scan->text.size - n};
	return scan->has_epoch = true;
}

static bool scan_short_year(struct scan *scan)
{
	unsigned year;
	if (!take_number(&scan->text, 2, &year))
		return false;
	scan->civil.year = scan->year_max - (scan->year_max - (int)year) % 100;
	return true;
}

static bool scan_half_of_day(struct scan *scan)
{
	struct slice *text = &scan->text;
	if (text->size < 2 || (text->data[1] | 0x20) != 'm')
		return false;
	char half = (char)(text->data[0] | 0x20);
	scan->after_noon = half == 'p';
	*text = (struct slice){text->data + 2, text->size - 2};
	return half == 'a' || half == 'p';
}

static bool scan_list(struct scan *scan, const char *pattern);

/* What CONVERSION is short for; NULL: nothing. */
static const char *list_of(char conversion)
{
	switch (conversion) {
	case 'F':
		return "%Y-%m-%d";
	case 'D':
		return "%m/%d/%y";
	case 'T':
		return "%H:%M:%S";
	case 'R':
		return "%H:%M";
	default:
		return NULL;
	}
}

static bool scan_conversion(struct scan *scan, char conversion)
{
	struct slice *text = &scan->text;
	struct civil *civil = &scan->civil;
	unsigned value;
	if (list_of(conversion))
		return scan_list(scan, list_of(conversion));
	switch (conversion) {
	case 'Y':
		if (!take_number(text, 4, &value))
			return false;
		civil->year = (int)value;
		return true;
	case 'y':
		return scan_short_year(scan);
	case 'm':
		return take_number(text, 2, &civil->month);
	case 'b':
	case 'B':
		if (!take_name(text, months, 12, &value))
			return false;
		civil->month = value + 1;
		return true;
	case 'a':
	case 'A':
		return take_name(text, weekdays, 7, &value);
	case 'd':
		return take_number(text, 2, &civil->day);
	case 'e':
		take_char(text, ' ');
		return take_number(text, 2, &civil->day) || take_number(text, 1, &civil->day);
	case 'H':
		return take_number(text, 2, &civil->hour);
	case 'I':
		return take_number(text, 2, &scan->hour_12) && scan->hour_12 >= 1 &&
		       scan->hour_12 <= 12;
	case 'p':
		return scan_half_of_day(scan);
	case 'j':
		return take_number(text, 3, &scan->day_of_year) && scan->day_of_year >= 1;
	case 'M':
		return take_number(text, 2, &civil->minute);
	case 'S':
		return take_number(text, 2, &civil->second);
	case 'f':
		return take_fraction(text, &civil->nanosecond);
	case 's':
		return scan_epoch(scan);
	case 'Z':
		scan->has_offset = true;
		return take_word(text, "GMT") || take_word(text, "UTC");
	case 'z':
		return scan->has_offset = take_offset(text, &scan->offset_s);
	default:
		return take_char(text, '%');
	}
}

static bool scan_list(struct scan *scan, const char *pattern)
{
	for (const char *p = pattern; *p; p++) {
		bool good;
		if (*p == '%') {
			p += p[1] >= '1' && p[1] <= '9' ? 2 : 1; /* any fraction will do */
			good = scan_conversion(scan, *p);
		} else {
			good = take_char(&scan->text, *p);
		}
		if (!good)
			return false;
	}
	return true;
}

/* What conversions say together; false: they contradict each other. */
static bool settle(struct scan *scan)
{
	struct civil *civil = &scan->civil;
	if (scan->hour_12)
		civil->hour = scan->hour_12 % 12 + (scan->after_noon ? 12 : 0);
	if (!scan->day_of_year)
		return true;
	struct civil day =
		civil_from_days(civil_to_days(civil->year, 1, 1) + scan->day_of_year - 1);
	civil->month = day.month;
	civil->day = day.day;
	return day.year == civil->year;
}

static int parse_pattern(const char *pattern, const struct timezone_rules *zone, int year_max,
	struct slice text, nsec_t *ret)
{
	struct scan scan = {
		.text = text, .civil = {.year = 1970, .month = 1, .day = 1}, .year_max = year_max};
	if (!scan_list(&scan, pattern) || scan.text.size || !settle(&scan))
		return TIMESTAMP_E_SYNTAX;
	if (scan.has_epoch) {
		*ret = scan.epoch_s * NSEC_PER_SEC + scan.civil.nanosecond;
		return 0;
	}
	if (!scan.has_offset && zone) {
		int64_t local_s = civil_to_days(scan.civil.year,
					  scan.civil.month ? scan.civil.month : 1, scan.civil.day) *
					  86400 +
				  scan.civil.hour * 3600 + scan.civil.minute * 60 +
				  scan.civil.second;
		scan.offset_s = timezone_offset(zone, local_s);
	}
	return civil_to_time(&scan.civil, scan.offset_s, ret);
}

static int parse_one(const struct timestamp_format *format, struct slice text, nsec_t *ret_time)
{
	switch (format->kind) {
	case KIND_RFC3339:
		return timestamp_parse_rfc3339(text, ret_time);
	case KIND_EPOCH:
		return parse_epoch(format, text, ret_time);
	case KIND_PATTERN:
		return parse_pattern(
			format->pattern, format->zone, STRPTIME_YEAR_MAX, text, ret_time);
	}
	return TIMESTAMP_E_SYNTAX;
}

int timestamp_parse(const struct timestamp_format *format, struct slice text, nsec_t *ret_time)
{
	int r = TIMESTAMP_E_SYNTAX;
	text = str_trim(text);
	for (; format && r; format = format->next)
		r = parse_one(format, text, ret_time);
	return r;
}

int timestamp_parse_http(struct slice text, nsec_t *ret_time)
{
	static const char *const patterns[] = {
		"%a, %d %b %Y %T GMT", "%a %b %e %T %Y", "%A, %d-%b-%y %T GMT"};
	/* a clock that was never set tells no century */
	int now = civil_from_time(clock_wall()).year;
	int year_max = (now > FIRST_YEAR ? now : FIRST_YEAR) + HTTP_YEARS_AHEAD;
	text = str_trim(text);
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
		if (parse_pattern(patterns[i], NULL, year_max, text, ret_time) == 0)
			return 0;
	return TIMESTAMP_E_SYNTAX;
}

static void print_offset(int64_t offset_s, struct buf *out)
{
	long long minutes = (offset_s < 0 ? -offset_s : offset_s) / 60;
	buf_printf(out, "%c%02lld%02lld", offset_s < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

static void print_fraction(const struct civil *civil, size_t n_digits, struct buf *out)
{
	char digits[16];
	snprintf(digits, sizeof(digits), "%09u", civil->nanosecond);
	buf_append(out, digits, n_digits);
}

static int day_of_year(const struct civil *c)
{
	return (int)(civil_to_days(c->year, c->month, c->day) - civil_to_days(c->year, 1, 1)) + 1;
}

static bool print_number(char conversion, const struct civil *c, struct buf *out)
{
	const struct {
		char conversion;
		int width, value;
	} numbers[] = {{'Y', 4, c->year}, {'y', 2, c->year % 100}, {'m', 2, (int)c->month},
		{'d', 2, (int)c->day}, {'j', 3, day_of_year(c)}, {'H', 2, (int)c->hour},
		{'I', 2, (int)(c->hour + 11) % 12 + 1}, {'M', 2, (int)c->minute},
		{'S', 2, (int)c->second}, {'f', 6, (int)(c->nanosecond / 1000)}};
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (numbers[i].conversion != conversion)
			continue;
		buf_printf(out, "%0*d", numbers[i].width, numbers[i].value);
		return true;
	}
	return false;
}

static void print_conversion(
	char conversion, const struct civil *c, nsec_t time, int64_t offset_s, struct buf *out)
{
	const char *list = list_of(conversion);
	for (const char *p = list; p && *p; p++)
		if (*p == '%')
			print_number(*++p, c, out);
		else
			buf_append_char(out, *p);
	if (list || print_number(conversion, c, out))
		return;
	switch (conversion) {
	case 'b':
		buf_append(out, months[c->month - 1], SHORT_NAME);
		break;
	case 'B':
		buf_append_text(out, months[c->month - 1]);
		break;
	case 'a':
		buf_append(out, weekdays[c->weekday], SHORT_NAME);
		break;
	case 'A':
		buf_append_text(out, weekdays[c->weekday]);
		break;
	case 'e':
		buf_printf(out, "%2u", c->day);
		break;
	case 'p':
		buf_append_text(out, c->hour < 12 ? "AM" : "PM");
		break;
	case 's':
		buf_printf(out, "%lld", (long long)floor_div(time, NSEC_PER_SEC));
		break;
	case 'z':
		print_offset(offset_s, out);
		break;
	case 'Z':
		buf_append_text(out, "UTC");
		break;
	default:
		buf_append_char(out, conversion);
	}
}

void timestamp_print(const struct timestamp_format *format, nsec_t time, struct buf *out)
{
	if (format->kind == KIND_RFC3339) {
		timestamp_print_rfc3339(time, 6, out);
		return;
	}
	if (format->kind == KIND_EPOCH) {
		buf_printf(out, "%lld", (long long)floor_div(time, format->unit));
		return;
	}
	int64_t offset =
		format->zone ? timezone_offset_at(format->zone, floor_div(time, NSEC_PER_SEC)) : 0;
	struct civil civil = civil_from_time(time + offset * NSEC_PER_SEC);
	for (const char *p = format->pattern; *p; p++) {
		if (*p == '%' && p[1] >= '1' && p[1] <= '9') {
			print_fraction(&civil, (size_t)(p[1] - '0'), out);
			p += 2;
		} else if (*p == '%') {
			print_conversion(*++p, &civil, time, offset, out);
		} else {
			buf_append_char(out, *p);
		}
	}
}
