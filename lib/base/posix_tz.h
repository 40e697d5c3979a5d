/*
 * The rule at the end of a TZif file (RFC 8536 section 3.3): a POSIX TZ text such as
 * `CET-1CEST,M3.5.0,M10.5.0/3`, which says how the offset goes on behind the last listed change.
 */
#ifndef TRAWLD_BASE_POSIX_TZ_H
#define TRAWLD_BASE_POSIX_TZ_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum posix_tz_kind {
	POSIX_TZ_JULIAN, /* Jn: day 1 to 365, 29 February is never counted */
	POSIX_TZ_DAY, /* n: day 0 to 365, 29 February is counted */
	POSIX_TZ_WEEKDAY, /* Mm.w.d: weekday d of week w (5: the last) of month m */
};

struct posix_tz_change {
	enum posix_tz_kind kind;
	unsigned day, week, month;
	int64_t time_s; /* after local midnight; may be negative or over a day */
};

struct posix_tz {
	int64_t standard_s, summer_s; /* what is added to UTC */
	bool has_summer;
	struct posix_tz_change start, end; /* of summer time */
};

enum {
	POSIX_TZ_E_SYNTAX = 1,
};

int posix_tz_parse(struct posix_tz *ret, struct slice text);
/* The offset in force at UTC_S. */
int64_t posix_tz_offset_at(const struct posix_tz *rule, int64_t utc_s);

#endif
