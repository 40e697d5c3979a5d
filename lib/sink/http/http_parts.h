/*
 * A job cut into requests. Records stand in lanes, one after the other: one lane holds all of them,
 * or each source has its own. Each request takes the next records of a lane up to the configured
 * bounds; one that the receiver finds too large, or refuses without saying which record is to
 * blame, is halved, left half first, so that the order in a lane stays. Of one that is taken in
 * part only the rest is sent again, before what follows. The halves are splits of the job, which
 * the owner makes durable before they are sent: a retry, also after a crash, sends the same
 * requests.
 *
 * What is decided stays decided while the same job is tried again.
 *
 * Refusals blame records, unless all of them are in the same words and nothing was accepted: then
 * http_parts_none_taken tells, and they are forgotten.
 */
#ifndef TRAWLD_SINK_HTTP_PARTS_H
#define TRAWLD_SINK_HTTP_PARTS_H

#include "base/backoff.h"
#include "pipeline/sink.h"
#include "sink/http/http_poison.h"

/* Pauses of one part while others are delivered. */
#define HTTP_PARTS_BACKOFF                                                                         \
	((struct backoff){.min_ns = 100 * NSEC_PER_MSEC, .max_ns = 10 * NSEC_PER_SEC})

struct http_lane {
	size_t next; /* the first place without a verdict */
	size_t end; /* the first place of another lane */
	size_t bound; /* where the request in hand would end that is not split; 0: not known yet.
			 The part in hand is all of it up to the next split */
	/* All up to here may have been taken, since an answer to it was lost: it is tried as it is.
	 * 0: there is none. */
	size_t doubted;
	/* for the owner's use, as new after a begin */
	bool busy; /* its part in hand is under way */
	nsec_t rest_until_at; /* it is not sent before; 0: it may be */
	struct backoff backoff; /* of the part in hand */
	/* for the owner's use, kept by a begin that goes on */
	struct http_suspicion suspicion;
};

/* A place is where a record stands when the lanes are laid end to end. */
struct http_parts {
	struct sink_job *job;
	bool resplit; /* its splits are not those that were last made durable */
	char id[33]; /* of the job; "": none yet */
	size_t n_records; /* as the job's, which may be gone after its end */
	struct http_lane *lanes;
	size_t n_lanes;
	size_t *indexes; /* in the job, of each place; NULL: the same */
	bool *taken; /* one a record of the job: delivered, while others of its part are not. NULL:
			none is */
	char **reasons; /* one a record of the job; NULL: not refused. NULL: none is */
	size_t n_taken;
	size_t n_refused;
	bool accepted; /* something was, or it is known that the receiver takes other records: also
			  set by the owner and by who reads answers */
	char *words; /* of the first refusal */
	bool same_words; /* all refusals are in these */
};

#define HTTP_PARTS_NULL ((struct http_parts){0})

/* Goes on with JOB where it was left, or begins: with a lane for each source (requests.by_source),
 * or with one. */
void http_parts_begin(struct http_parts *parts, struct sink_job *job);
void http_parts_deinit(struct http_parts *parts);
/* Every record is decided. */
bool http_parts_is_over(const struct http_parts *parts);

/* The part in hand of a lane, what of it is not decided: N places, N > 0, for the caller to free.
 * False: the lane's records are decided. */
bool http_parts_next(struct http_parts *parts, size_t lane, size_t max_records, size_t max_bytes,
	size_t **ret_places, size_t *ret_n);
/* The records at N places, for the caller to free. */
struct sink_record *http_parts_records(
	const struct http_parts *parts, const size_t *places, size_t n);
/* Names the request that begins at PLACE with this BODY: the same for every try of it and for no
 * other. */
void http_parts_key(const struct http_parts *parts, size_t place, struct slice body, char ret[33]);
/* The record at PLACE is delivered, others of its part may not be. */
void http_parts_take(struct http_parts *parts, size_t place);
/* The part in hand is decided. What of it is not refused is accepted. */
void http_parts_done(struct http_parts *parts, size_t lane);
/* The part in hand becomes the left half of what is not decided: a split of the job. False: that is
 * a single record. */
bool http_parts_halve(struct http_parts *parts, size_t lane);
/* An answer to the part in hand was lost: the receiver may have taken it, and knows it by its key.
 * Until an answer tells, each try begins with this part, and no longer with halves of it. */
void http_parts_doubt(struct http_parts *parts, size_t lane);
/* Answers have told what was taken of all that was sent up to the part in hand. */
void http_parts_know(struct http_parts *parts, size_t lane);
/* The part in hand is tried again later. */
void http_parts_again(struct http_parts *parts, size_t lane);
/* The receiver will never take the record at PLACE. REASON is copied; WORDS is what is the same in
 * refusals that say the same (NULL: all of REASON). */
void http_parts_refuse(
	struct http_parts *parts, size_t place, const char *reason, const char *words);
/* At least LEAST refusals, or of all records, all in the same words, and nothing accepted. */
bool http_parts_none_taken(const struct http_parts *parts, size_t least);

#endif
