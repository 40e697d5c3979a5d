/*
 * What of each source's time was read, and what was not.
 *
 * Read: the API was asked for all of it and its answer was read to the proven end ('full'), or its
 * own cursor leads on from what was read before ('chain'). Rows that touch are one, so a healthy
 * source has one row. It is written with the page that it speaks of.
 *
 * Not read: gaps, one row each, from the commit that found one until a person acknowledges it, and
 * after that as a record of what was acknowledged, when and by whom. A gap that touches an open one
 * of the same source and reason makes that one longer. A gap counts whatever rows say that its time
 * was read, until it is refilled: asked again, and read to the end.
 *
 * Rows name their source by text: a gap stays when its source is gone.
 */
#ifndef TRAWLD_STORE_COVERAGE_H
#define TRAWLD_STORE_COVERAGE_H

#include "store/database.h"

#include <stddef.h>

#include "base/gap.h"
#include "base/names.h"

struct coverage_gap {
	int64_t number;
	const char *source;
	nsec_t start_time, end_time; /* equal: one moment, as of a lost document */
	const char *reason; /* as gap_reason_to_string */
	nsec_t found_time;
	nsec_t acknowledged_time; /* NSEC_NONE: open */
	const char *acknowledged_by; /* NULL: open */
	nsec_t refilled_time; /* when it was read after all; NSEC_NONE: it was not */
};

/* For the next commit_run: SOURCE has a gap from START_TIME to END_TIME. */
void coverage_add_gap(struct store *store, const char *source, nsec_t start_time, nsec_t end_time,
	enum gap_reason reason);

/* For the next commit_run: SOURCE was read from START_TIME to END_TIME; CHAIN: on the word of the
 * API's cursor. */
void coverage_add(
	struct store *store, const char *source, nsec_t start_time, nsec_t end_time, bool chain);

/* For the next commit_run: what SOURCE is said to have read after TIME was not read: a clock was
 * wrong. */
void coverage_retract(struct store *store, const char *source, nsec_t time);

/* For the next commit_run: a person, BY, acknowledges every open gap of SOURCE (NULL: of all
 * sources) but those that were found after ASKED_TIME; they are N, for the event. A gap that is
 * said to be found in the future was found by a wrong clock: it counts. */
void coverage_acknowledge(
	struct store *store, const char *source, nsec_t asked_time, size_t n, const char *by);

/* For the next commit_run: SOURCE was asked again for START_TIME to END_TIME, and read to the end:
 * it was read, and what is open of gaps there is closed. */
void coverage_refill(struct store *store, const char *source, nsec_t start_time, nsec_t end_time);

typedef void (*coverage_gap_fn)(const struct coverage_gap *gap, void *userdata);

/* Calls EACH for the gaps of SOURCE (NULL: of all sources), by source and time; ACKNOWLEDGED: also
 * for those that are, or were refilled. 0 or STORE_E_*. */
int coverage_each_gap(struct store *store, const char *source, bool acknowledged,
	coverage_gap_fn each, void *userdata, struct fault *reterr);

/* Where the first open gap of SOURCE begins; NSEC_NONE: there is none. 0 or
 * STORE_E_*: *RET_TIME is unchanged. */
int coverage_oldest_gap(
	struct store *store, const char *source, nsec_t *ret_time, struct fault *reterr);

struct coverage_span {
	const char *source;
	nsec_t start_time, end_time;
	bool chain;
};

typedef void (*coverage_span_fn)(const struct coverage_span *span, void *userdata);

/* Calls EACH for what was read of SOURCE (NULL: of all sources), by source and time. 0 or
 * STORE_E_*. */
int coverage_each_span(struct store *store, const char *source, coverage_span_fn each,
	void *userdata, struct fault *reterr);

/* Up to when SOURCE was read, committed; NSEC_NONE: nothing was. */
nsec_t coverage_until(const struct store *store, const char *source);

/* Open gaps of SOURCE, committed and collected. */
uint64_t coverage_open_gaps(const struct store *store, const char *source);

typedef void (*coverage_open_fn)(const char *source, uint64_t n, void *userdata);

/* Calls EACH for the sources with open gaps, N of them, that are not among NAMES. */
void coverage_each_open(const struct store *store, const struct names *names, coverage_open_fn each,
	void *userdata);

#endif
