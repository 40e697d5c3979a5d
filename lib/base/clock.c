/* See clock.h. */
#include "base/clock.h"

#include <stddef.h>
#include <time.h>

static nsec_t (*monotonic_source)(void);
static nsec_t (*wall_source)(void);

static nsec_t read_clock(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (nsec_t)now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

nsec_t clock_monotonic(void)
{
	return monotonic_source ? monotonic_source() : read_clock(CLOCK_MONOTONIC);
}

nsec_t clock_wall(void)
{
	return wall_source ? wall_source() : read_clock(CLOCK_REALTIME);
}

void clock_set_source(nsec_t (*monotonic)(void), nsec_t (*wall)(void))
{
	monotonic_source = monotonic;
	wall_source = wall;
}
