/*
 * The time of each source as the state knows it, cut into stretches: what was read, what was not,
 * and why. What is said to have been read is without the gaps in it. Time between two spans that is
 * neither was never requested (a cursor was moved), which is a gap, too. Of what is before the
 * first stretch and after the last one, nothing is known.
 */
#ifndef TRAWLD_STORE_TIMELINE_H
#define TRAWLD_STORE_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>

#include "store/database.h"

struct stretch {
	nsec_t start_time, end_time;
	const char *state; /* full, chain, gap */
	char *reason; /* of a gap; else NULL */
	nsec_t found_time; /* of a gap; NSEC_NONE: not kept */
	nsec_t acknowledged_time; /* of a gap; NSEC_NONE: nobody has seen it */
	char *acknowledged_by; /* NULL: nobody */
	nsec_t refilled_time; /* of a gap that was read after all; NSEC_NONE: it was not */
};

struct stretches {
	struct stretch *items;
	size_t n_items;
	size_t capacity;
};

/* ALL has the stretches by their start; gaps of different reasons may overlap. REFILLED has the
 * gaps that were read after all, which are none any more. */
struct timeline {
	char *source;
	struct stretches spans, gaps, refilled, all;
};

struct timelines {
	struct timeline *items;
	size_t n_items;
	size_t capacity;
};

#define TIMELINES_NULL ((struct timelines){0})

/* The timeline of SOURCE (NULL: of each source that has one), by name. 0 or STORE_E_*; *RET is to
 * be deinitialised in each case. */
int timelines_read(
	struct timelines *ret, struct store *store, const char *source, struct fault *reterr);
/* NULL: nothing is known of SOURCE. */
const struct timeline *timelines_find(const struct timelines *timelines, const char *source);
void timelines_deinit(struct timelines *timelines);

/* How much of the time from START_TIME to END_TIME TIMELINE says was read. */
nsec_t timeline_read_ns(const struct timeline *timeline, nsec_t start_time, nsec_t end_time);

/* Is STRETCH a gap? */
bool stretch_is_gap(const struct stretch *stretch);

/* Cuts *STRETCH to what of it is from START_TIME to END_TIME; false: nothing is. A gap of one
 * moment has no length and may be kept. */
bool stretch_crop(struct stretch *stretch, nsec_t start_time, nsec_t end_time);

#endif
