/*
 * Window arithmetic, pure. A poll by time requests the span from watermark - overlap to now - lag,
 * in slices of at most span_max, oldest first and without a hole between them (or overlapping); the
 * watermark moves to the end of a slice when it is wholly read.
 */
#ifndef TRAWLD_SOURCE_SPAN_H
#define TRAWLD_SOURCE_SPAN_H

#include "base/clock.h"

#include <stdbool.h>

#define SPAN_EARLIEST (INT64_C(946684800) * NSEC_PER_SEC) /* 2000-01-01: before any cloud's log */

struct span_rules {
	nsec_t overlap_ns;
	nsec_t lag_ns;
	nsec_t retention_ns; /* 0: none */
};

struct span {
	nsec_t start_time;
	nsec_t end_time;
};

/* What one poll has to request, in all, up to LATE_TIME. STARTED_TIME: the source's first start,
 * never reached behind (NSEC_NONE: as far back as the retention goes, or 2000-01-01).
 * WATERMARK_TIME: NSEC_NONE before the first slice. OLDEST_TIME: span_oldest; NSEC_NONE: no limit.
 * *RET_GAP: what the API no longer keeps, start NSEC_NONE: nothing. False: nothing new to request
 * yet. */
bool span_of_poll(const struct span_rules *rules, nsec_t started_time, nsec_t watermark_time,
	nsec_t late_time, nsec_t oldest_time, struct span *ret, struct span *ret_gap);

/* The beginning of what the API keeps at NOW_TIME, and while it is requested; NSEC_NONE: all. */
nsec_t span_oldest(const struct span_rules *rules, nsec_t now_time);

/* The slice of POLL that begins at START_TIME; it crosses no multiple of ALIGN_NS (0: any). */
struct span span_slice(
	const struct span *poll, nsec_t start_time, nsec_t span_max_ns, nsec_t align_ns);

/* Where the slice after DONE begins, when slices overlap by OVERLAP_NS: so long before its end, in
 * whole steps, but never before its middle. */
nsec_t span_next(const struct span *done, nsec_t overlap_ns, nsec_t step);

nsec_t span_floor(nsec_t time, nsec_t step); /* STEP <= 1: unchanged */
nsec_t span_ceil(nsec_t time, nsec_t step);

#endif
