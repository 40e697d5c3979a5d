/*
 * What the log says once a day, at midnight UTC, of each source and sink: what it has read or
 * delivered since the line before, so that a log shows of every day that all was well, or since
 * when it is not.
 */
#ifndef TRAWLD_DAEMON_DAILY_H
#define TRAWLD_DAEMON_DAILY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"

struct daily;
struct ev_loop;
struct fanout;
struct pollers;

/* Counters of a source or sink at one moment. */
struct daily_counts {
	uint64_t n_records, n_duplicates, n_requests, n_errors, n_gaps; /* sources */
	uint64_t n_delivered, n_rejected, n_retries; /* sinks */
};

/* What is true at the end of the day. */
struct daily_state {
	nsec_t newest_time; /* NSEC_NONE: no record yet, or a sink */
	uint64_t n_unsent; /* sinks */
	nsec_t failing_time; /* since when; NSEC_NONE: it does not fail */
	bool paused;
};

/* The sentence of a source or of a sink. Counters that are less than BEFORE began again. */
void daily_print_source(const struct daily_counts *before, const struct daily_counts *now,
	const struct daily_state *state, struct buf *out);
void daily_print_sink(const struct daily_counts *before, const struct daily_counts *now,
	const struct daily_state *state, struct buf *out);

/* All of it is borrowed. */
struct daily *daily_new(
	struct ev_loop *loop, const struct pollers *pollers, const struct fanout *fanout);
void daily_free(struct daily *daily); /* NULL allowed */

#endif
