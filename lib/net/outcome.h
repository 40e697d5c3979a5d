/* What an answer means (pure): status and headers to a fault class and the earliest next attempt.
 * The whole table of statuses is in the test. */
#ifndef TRAWLD_NET_OUTCOME_H
#define TRAWLD_NET_OUTCOME_H

#include "net/message.h"

/* FAULT_NONE for 200 to 299. Else fills *RETERR: class, status, wait_ns from Retry-After, else
 * from http_reset_wait(): epoch seconds if above 10^9, epoch milliseconds if above 10^11, else
 * seconds, or an HTTP-date; instants are measured against the answer's own Date, else NOW_TIME; at
 * most one day. The text is "HTTP 429 Too Many
 * Requests[: the API's own words or the first 200 bytes of the body]". API_MESSAGE: the API's own
 * words if the caller found them, or SLICE_NULL. A redirect that the client did not follow is
 * FAULT_CONFIG and names the target's origin. Transport faults are passed through. */
enum fault_class http_outcome(const struct http_response *response, struct slice api_message,
	nsec_t now_time, struct fault *reterr);

/* Appends at most SIZE bytes of BODY to OUT, tabs and line ends as blanks, other control characters
 * and invalid UTF-8 as '?', secrets masked (before the cut): for messages. */
void http_excerpt(struct slice body, size_t size, struct buf *out);

/* How long to send nothing because a budget is used up, whatever the status: X-RateLimit-Reset,
 * X-Rate-Limit-Reset or RateLimit-Reset of a 429, or of an answer where the header of that name
 * with Remaining is 0. 0: not said. */
nsec_t http_reset_wait(const struct http_response *response, nsec_t now_time);

#endif
