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

static const char *const months[] = {
	"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char *const weekdays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

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
		else if (!*p || !strchr("YmdeHMSfzZsbaTFy%", *p))
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

static bool take_name(struct slice *text, const char *const *names, size_t n, unsigned *ret)
{
	for (size_t i = 0; i < n; i++)
		if (text->size >= 3 && strncasecmp(text->data, names[i], 3) == 0) {
			text->data += 3;
			text->size -= 3;
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
	scan->civil.year =
		(int)(year < 70 ? 2000 + year : 1900 + year); /* RFC 9110 section 5.6.7 */
	return true;
}

static bool scan_conversion(struct scan *scan, char conversion)
{
	struct slice *text = &scan->text;
	struct civil *civil = &scan->civil;
	unsigned value;
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
		if (!take_name(text, months, 12, &value))
			return false;
		civil->month = value + 1;
		return true;
	case 'a':
		return take_name(text, weekdays, 7, &value);
	case 'd':
		return take_number(text, 2, &civil->day);
	case 'e':
		take_char(text, ' ');
		return take_number(text, 2, &civil->day) || take_number(text, 1, &civil->day);
	case 'H':
		return take_number(text, 2, &civil->hour);
	case 'M':
		return take_number(text, 2, &civil->minute);
	case 'S':
		return take_number(text, 2, &civil->second);
	case 'f':
		return take_fraction(text, &civil->nanosecond);
	case 'F':
		return scan_conversion(scan, 'Y') && take_char(text, '-') &&
		       scan_conversion(scan, 'm') && take_char(text, '-') &&
		       scan_conversion(scan, 'd');
	case 'T':
		return scan_conversion(scan, 'H') && take_char(text, ':') &&
		       scan_conversion(scan, 'M') && take_char(text, ':') &&
		       scan_conversion(scan, 'S');
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

static int parse_pattern(
	const char *pattern, const struct timezone_rules *zone, struct slice text, nsec_t *ret)
{
	struct scan scan = {.text = text, .civil = {.year = 1970, .month = 1, .day = 1}};
	for (const char *p = pattern; *p; p++) {
		bool good;
		if (*p == '%') {
			p += p[1] >= '1' && p[1] <= '9' ? 2 : 1; /* any fraction will do */
			good = scan_conversion(&scan, *p);
		} else {
			good = take_char(&scan.text, *p);
		}
		if (!good)
			return TIMESTAMP_E_SYNTAX;
	}
	if (scan.text.size)
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
		return parse_pattern(format->pattern, format->zone, text, ret_time);
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
	static const char *const patterns[] = {"%a, %d %b %Y %T GMT", "%a %b %e %T %Y", NULL};
	text = str_trim(text);
	for (size_t i = 0; patterns[i]; i++)
		if (parse_pattern(patterns[i], NULL, text, ret_time) == 0)
			return 0;
	/* rfc850-date: the weekday is written out */
	const char *comma = text.size ? memchr(text.data, ',', text.size) : NULL;
	if (!comma)
		return TIMESTAMP_E_SYNTAX;
	struct slice rest = {comma + 1, text.size - (size_t)(comma + 1 - text.data)};
	return parse_pattern("%d-%b-%y %T GMT", NULL, str_trim(rest), ret_time);
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

static void print_conversion(
	char conversion, const struct civil *c, nsec_t time, int64_t offset_s, struct buf *out)
{
	switch (conversion) {
	case 'Y':
		buf_printf(out, "%04d", c->year);
		break;
	case 'y':
		buf_printf(out, "%02d", c->year % 100);
		break;
	case 'm':
		buf_printf(out, "%02u", c->month);
		break;
	case 'b':
		buf_append_text(out, months[c->month - 1]);
		break;
	case 'a':
		buf_append_text(out, weekdays[c->weekday]);
		break;
	case 'd':
		buf_printf(out, "%02u", c->day);
		break;
	case 'e':
		buf_printf(out, "%2u", c->day);
		break;
	case 'H':
		buf_printf(out, "%02u", c->hour);
		break;
	case 'M':
		buf_printf(out, "%02u", c->minute);
		break;
	case 'S':
		buf_printf(out, "%02u", c->second);
		break;
	case 'f':
		print_fraction(c, 6, out);
		break;
	case 'F':
		buf_printf(out, "%04d-%02u-%02u", c->year, c->month, c->day);
		break;
	case 'T':
		buf_printf(out, "%02u:%02u:%02u", c->hour, c->minute, c->second);
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
