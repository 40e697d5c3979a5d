/* trawld at one moment, and all its sources and sinks: what /readyz, /status and the metrics are
 * made of. */
#ifndef TRAWLD_DAEMON_OVERVIEW_H
#define TRAWLD_DAEMON_OVERVIEW_H

#include "parts.h"
#include "store/coverage.h"

struct trawld;

struct overview_source {
	const struct poller *poller;
	struct runner_status runner;
	struct intake_status intake;
	uint64_t n_open_gaps;
	nsec_t covered_time; /* up to when it was read; NSEC_NONE: not known */
	nsec_t behind_ns; /* how much is not read yet: 0 when up to date; NSEC_NONE: not known */
	nsec_t lag_ns; /* now less the newest record's time; NSEC_NONE */
};

struct overview {
	const struct trawld *trawld;
	const struct parts *parts; /* of it */
	nsec_t now_time;
	nsec_t start_time; /* of the process */
	nsec_t spool_full_ns; /* until the spool is full; NSEC_NONE: not known */
	bool stopping;
	bool reload_failed; /* the last one: not used, or not all of it */
	struct slice missing; /* sources and sinks that could not be made, a line each */
	unsigned n_reloads; /* that took effect */
	const struct fault *state_fault; /* why the state could not be written the last time */
	struct overview_source *sources;
	size_t n_sources;
	struct sink_status *sinks;
	size_t n_sinks;
	size_t sinks_capacity;
};

/* Borrows from TRAWLD: not to be kept over a turn of the loop. */
void overview_take(struct overview *ret, const struct trawld *trawld);
/* A part of that: without sources and sinks, then one source, then all sinks. */
void overview_begin(struct overview *ret, const struct trawld *trawld);
void overview_take_source(
	struct overview_source *ret, const struct overview *overview, const struct poller *poller);
void overview_take_sinks(struct overview *overview);
void overview_deinit(struct overview *overview);

/* Calls EACH for sources that are no longer configured and have open gaps. */
void overview_each_former(const struct overview *overview, coverage_open_fn each, void *userdata);

/* Why trawld is not ready, a line each; nothing: it is. */
void overview_print_reasons(const struct overview *overview, struct buf *out);

#endif
