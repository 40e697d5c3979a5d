/* Calendar arithmetic and scanning shared by timestamp.c and timestamp_format.c. */
#ifndef TRAWLD_BASE_TIMESTAMP_INTERNAL_H
#define TRAWLD_BASE_TIMESTAMP_INTERNAL_H

#include "base/timestamp.h"

struct civil {
	int year;
	unsigned month, day; /* from 1 */
	unsigned hour, minute, second, nanosecond;
	unsigned weekday; /* 0: Sunday */
};

/* Rounds down, as a clock before 1970 does. */
static inline int64_t floor_div(int64_t value, int64_t by)
{
	return value / by - (value % by < 0);
}

int64_t civil_to_days(int64_t year, unsigned month, unsigned day); /* since 1970-01-01 */
struct civil civil_from_days(int64_t days); /* the time of day is zero */
struct civil civil_from_time(nsec_t time);
/* OFFSET_S: what CIVIL is ahead of UTC. */
int civil_to_time(const struct civil *civil, int64_t offset_s, nsec_t *ret);

/* Each takes its part off the front of *TEXT, or answers false. */
bool take_number(struct slice *text, size_t n_digits, unsigned *ret);
bool take_char(struct slice *text, char c);
bool take_fraction(struct slice *text, unsigned *ret_nanoseconds);
bool take_offset(struct slice *text, int64_t *ret_s);

#endif
