/* All sources and sinks at one moment: what /readyz and /status are made of. */
#ifndef TRAWLD_DAEMON_OVERVIEW_H
#define TRAWLD_DAEMON_OVERVIEW_H

#include "trawld.h"

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
	nsec_t now_time;
	struct overview_source *sources;
	size_t n_sources;
	struct sink_status *sinks;
	size_t n_sinks;
	size_t sinks_capacity;
};

/* One source of it, and all sinks. */
void overview_take_source(struct overview_source *ret, const struct trawld *trawld,
	const struct poller *poller, nsec_t now_time);
void overview_take_sinks(struct overview *overview);
/* Borrows from TRAWLD: not to be kept over a turn of the loop. */
void overview_take(struct overview *ret, const struct trawld *trawld);
void overview_deinit(struct overview *overview);

/* Why trawld is not ready, a line each; nothing: it is. */
void overview_print_reasons(const struct overview *overview, struct buf *out);

#endif
