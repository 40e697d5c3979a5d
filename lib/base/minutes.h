/* How much of something there was in each minute of the last hour. */
#ifndef TRAWLD_BASE_MINUTES_H
#define TRAWLD_BASE_MINUTES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define MINUTES 60

struct minutes {
	uint64_t counts[MINUTES]; /* a ring */
	int64_t minute; /* the last that is in the ring; 0 at first: long ago */
};

#define MINUTES_NULL ((struct minutes){{0}, 0})

void minutes_add(struct minutes *minutes, nsec_t now_at, uint64_t n);
/* The last hour, oldest minute first; the last one is the minute under way. */
void minutes_read(const struct minutes *minutes, nsec_t now_at, uint64_t ret_counts[MINUTES]);

#endif
