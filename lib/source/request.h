/*
 * One request to an API, step by step: where a source begins, what its next request is, what its
 * response means. Nothing here sends, waits or keeps: the daemon's runner and `trawlctl probe` both
 * do, and by sharing these steps a probe requests and judges as the daemon does.
 */
#ifndef TRAWLD_SOURCE_REQUEST_H
#define TRAWLD_SOURCE_REQUEST_H

#include "source/poll.h"

/* Sets POLL to the cursor that TEXT (from the store) says, or without one (NULL) to where its
 * source is configured to begin. 0, or FAULT_STORE: TEXT is not ours. */
int request_cursor(struct poll *poll, const char *text, struct fault *reterr);

/* Are the pages of a chain gathered and sorted before they are handed on? */
bool request_gathers(const struct source *source);

/* The request that POLL has decided on, still without the proof of who requests it (auth_apply).
 * *RET is the caller's to deinit. 0, FAULT_CONFIG, or FAULT_ORIGIN for a stored link that leaves
 * the origin. */
int request_write(const struct poll *poll, struct http_message *ret, struct fault *reterr);

/* The answer to POLL's request for URL, read as page_read does; NOW_TIME is the server's now.
 * 0, or -1: then *PAGE holds nothing to be used. */
int request_read(const struct poll *poll, struct http_response *response, const char *url,
	nsec_t now_time, struct page *page, struct fault *reterr);

/* How far the server's clock is ahead of ours, by its Date; 0 when that is within what a Date can
 * tell. False: the answer has no Date. */
bool request_skew(const struct http_response *response, nsec_t *ret_skew_ns);

/* FAULT ended a request for POLL, which used a cursor that the API gave (STORED): its class becomes
 * FAULT_LOST or FAULT_AUTH where the definition says that its status means that. */
void request_classify(const struct poll *poll, bool stored, struct fault *fault);

#endif
