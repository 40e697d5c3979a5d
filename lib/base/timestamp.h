/*
 * Wall times as text. Parsing accepts what the APIs are known to send; formatting is exact.
 * Range: years 1678 to 2261 (what 64-bit nanoseconds hold); outside is TIMESTAMP_E_RANGE.
 */
#ifndef TRAWLD_BASE_TIMESTAMP_H
#define TRAWLD_BASE_TIMESTAMP_H

#include "base/buf.h"
#include "base/clock.h"

enum {
	TIMESTAMP_E_SYNTAX = 1,
	TIMESTAMP_E_RANGE,
};

/* RFC 3339 section 5.6, liberal: 0 to 9 fraction digits (more are cut), 'T', 't' or a blank between
 * date and time, offset `Z`, `+hh:mm`, `+hhmm`, `+hh`; a leap second 60 counts as 59.999999999. No
 * offset at all: TIMESTAMP_E_SYNTAX. */
int timestamp_parse_rfc3339(struct slice text, nsec_t *ret_time);

/* HTTP-date, RFC 9110 section 5.6.7: IMF-fixdate, rfc850-date and asctime-date. */
int timestamp_parse_http(struct slice text, nsec_t *ret_time);

/* How a time is written: one of the names rfc3339 epoch_s epoch_ms epoch_us epoch_ns, or a
 * strptime/strftime pattern
 * (`%Y-%m-%dT%H:%M:%S%z`; `%f` = fraction digits, `%3f` = three of them). Several, with `|`
 * between them: the first that fits is read, the first is written. Compiled once. */
struct timestamp_format;

/* ZONE: an IANA name or `+hh:mm` or NULL (UTC), used by patterns without %z. The zone is
 * read from the system's tz database once. Outcomes: 0, TIMESTAMP_E_SYNTAX (unknown conversion or
 * zone). */
int timestamp_format_new(struct timestamp_format **ret, const char *spec, const char *zone);
void timestamp_format_free(struct timestamp_format *format);
bool timestamp_format_is_number(const struct timestamp_format *format); /* epoch_* */

/* TEXT is the JSON string's decoded content or a JSON number's text (epochs may carry a fraction).
 */
int timestamp_parse(const struct timestamp_format *format, struct slice text, nsec_t *ret_time);
void timestamp_print(const struct timestamp_format *format, nsec_t time, struct buf *out);

/* `2025-12-11T12:23:17.460366Z`: UTC with DIGITS fraction digits (0 to 9). */
void timestamp_print_rfc3339(nsec_t time, unsigned digits, struct buf *out);

/* A configured point in time: RFC 3339, a date (midnight UTC), `now`, `-1h` (before NOW),
 * `earliest` (gives NSEC_NONE). */
int timestamp_parse_point(struct slice text, nsec_t now_time, nsec_t *ret_time);

/* `1h30m`, `45s`, `250ms`: short text for people. */
void timestamp_print_duration(nsec_t duration_ns, struct buf *out);

#endif
