/*
 * The only source of "now". nsec_t is signed nanoseconds: `x_ns` a duration, `x_at` an instant of
 * the monotonic clock, `x_time` wall time since 1970-01-01T00:00:00Z.
 */
#ifndef TRAWLD_BASE_CLOCK_H
#define TRAWLD_BASE_CLOCK_H

#include <stdint.h>

typedef int64_t nsec_t;

#define NSEC_NONE INT64_MIN /* "no time" where a time is optional */
#define NSEC_PER_USEC INT64_C(1000)
#define NSEC_PER_MSEC INT64_C(1000000)
#define NSEC_PER_SEC INT64_C(1000000000)
#define NSEC_PER_MIN (60 * NSEC_PER_SEC)
#define NSEC_PER_HOUR (60 * NSEC_PER_MIN)
#define NSEC_PER_DAY (24 * NSEC_PER_HOUR)

nsec_t clock_monotonic(void);
nsec_t clock_wall(void);

/* Test seam: both clocks answer these from now on; NULL restores the system's. */
void clock_set_source(nsec_t (*monotonic)(void), nsec_t (*wall)(void));

#endif
