/*
 * An errand: a second poll of a source, beside its own, that requests spans of time again. It has a
 * cursor of its own and moves nothing of the source's; what it finds is delivered once, whoever
 * reads it. It uses the same credential and budget, and makes a request only while the source is up
 * to date and the spool less than half full.
 *
 * `trawlctl refill` sends one for the open gaps of a source. A gap that it has read to the end is
 * closed. An errand that fails, or is interrupted by a reload or the end of the process, leaves the
 * rest of its gaps open.
 */
#ifndef TRAWLD_DAEMON_ERRAND_H
#define TRAWLD_DAEMON_ERRAND_H

#include "base/fault.h"
#include "base/record.h"
#include "definition/definition.h"
#include "source/span.h"

struct errand;
struct poller;

/* How one span ended. */
struct errand_result {
	struct span span;
	const struct fault *fault; /* NULL: it was read to its end */
	bool partial; /* the API did not return all of it */
	uint64_t n_records, n_duplicates; /* that are new, and not */
};

/* What an errand is for. */
struct errand_kind {
	/* What came for the span, before it is accepted. May be NULL. */
	void (*accept)(const struct record_batch *batch, void *userdata);
	/* It waits, and WHY is "until ...": once each time that it has to. May be NULL. */
	void (*waits)(const char *why, void *userdata);
	/* The span is over. */
	void (*done)(const struct errand_result *result, void *userdata);
	/* The errand is over, or INTERRUPTED; the last call. */
	void (*ended)(bool interrupted, void *userdata);
};

/* Begins an errand for the N SPANS (copied), unless one is under way or the source is paused. */
bool errand_start(struct poller *poller, const struct errand_kind *kind, void *userdata,
	const struct span *spans, size_t n);

struct refill_result {
	size_t n_gaps; /* that are requested again */
	size_t n_expired; /* older than what the API keeps */
	size_t n_lost; /* of documents that were gone: not requested */
	size_t n_clock; /* of wrong clocks: not requested, what was delivered would come twice */
	bool failing; /* the source is: they wait until it works again */
};

/* For BY, a person. 0; EX_USAGE: this source's API cannot be asked for a time; EX_TEMPFAIL: not
 * now. */
int errand_refill(
	struct poller *poller, const char *by, struct refill_result *ret, struct fault *reterr);
/* The source has rested: the errand may continue. ERRAND may be NULL, here and below. */
void errand_wake(struct errand *errand);
/* One that is at work is interrupted. */
void errand_free(struct errand *errand);

/* Dedupe keys from here on tell the duplicates of an errand that requests START_TIME and later. */
nsec_t errand_keys_time(const struct definition *definition, nsec_t start_time);
/* What is older at NOW_TIME cannot be requested again. */
nsec_t errand_oldest_time(const struct definition *definition, nsec_t now_time);

#endif
