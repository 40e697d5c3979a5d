/*
 * A job cut into requests. Each request takes the next records up to the configured bounds; one
 * that the receiver finds too large, or refuses without saying which record is to blame, is halved,
 * left half first, so that the order stays. The cuts depend on the job, the bounds and the
 * receiver's answers only: a retry, also after a crash, sends the same requests.
 *
 * What is decided stays decided while the same job is tried again.
 */
#ifndef TRAWLD_SINK_HTTP_PARTS_H
#define TRAWLD_SINK_HTTP_PARTS_H

#include "pipeline/sink.h"

#define HTTP_PARTS_DEPTH 64 /* more halvings than a job can have */

struct http_parts {
	const struct sink_job *job;
	char id[33]; /* of the job; "": none yet */
	size_t n_records; /* as the job's, which may be gone after its end */
	size_t next; /* the first record without a verdict */
	size_t ends[HTTP_PARTS_DEPTH]; /* the part in hand ends at the last of these, its right
					  neighbours at those before */
	size_t n_ends;
	char **reasons; /* one a record; NULL: not refused. NULL: none is */
	size_t n_refused;
	bool over; /* every record is decided */
};

#define HTTP_PARTS_NULL ((struct http_parts){0})

/* Goes on with JOB where it was left, or begins. */
void http_parts_begin(struct http_parts *parts, const struct sink_job *job);
void http_parts_deinit(struct http_parts *parts);

/* The part in hand, at least one record. False: every record is decided. */
bool http_parts_next(struct http_parts *parts, size_t max_records, size_t max_bytes,
	size_t *ret_first, size_t *ret_n);
/* The part in hand is decided. */
void http_parts_done(struct http_parts *parts);
/* The part in hand becomes its left half. False: it is a single record. */
bool http_parts_halve(struct http_parts *parts);
/* The receiver will never take record INDEX of the job. REASON is copied. */
void http_parts_refuse(struct http_parts *parts, size_t index, const char *reason);

#endif
