/*
 * What an answer to records leads to:
 *   2xx                       what the encoding reads in it
 *   413                       the request is halved; a single record is refused
 *   400, 422                  the same: halving finds the records to blame, the rest arrives;
 *                             unless the answer speaks of the receiver itself: as with 404
 *   401, 403                  a fetched token is renewed once; then the sink waits for a person
 *   3xx, 404 and other 4xx    the same, as these never speak of a record
 *   408, 409, 423, 429, 5xx   later, as without an answer (409: the request is being worked on)
 */
#ifndef TRAWLD_SINK_HTTP_VERDICT_H
#define TRAWLD_SINK_HTTP_VERDICT_H

#include "sink/http/http_encoding.h"

enum http_verdict {
	HTTP_TAKEN, /* every record is decided, or part->receipt is to be asked for */
	HTTP_LATER,
	HTTP_RENEW, /* with a fresh token, if that may help; else later */
	HTTP_HALVE,
};

/* *FAULT says why it is not taken. */
enum http_verdict http_verdict(const struct http_encoding *encoding, struct http_part *part,
	const struct http_response *response, struct fault *fault);

/* What is the same in refusals that say the same: TEXT with each reference of its own ('*' for a
 * run of 16 or more letters, digits, '-' and '_' that has both letters and digits) left out. */
void http_verdict_words(const char *text, struct buf *out);

/* So many failures for each request that may be under way, without one that is answered well, mean
 * that the receiver fails, and not the requests. */
#define HTTP_STRIKES 2
/* How many of MOST strikes FAULT is: how much it says of the receiver as a whole. */
unsigned http_verdict_strikes(const struct fault *fault, unsigned most);

/* Only a person can help: no try for HTTP_PATIENCE. */
void http_verdict_be_patient(struct fault *fault);

#endif
