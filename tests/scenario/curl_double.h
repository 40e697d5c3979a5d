/*
 * The HTTP peer. libcurl's easy and multi interfaces are replaced in this program, so that trawld's
 * own client runs whole (options, headers, limits, redirects), and what it would send waits here
 * for the script. Everything else of libcurl, such as URL parsing, is the real one.
 */
#ifndef TRAWLD_TESTS_SCENARIO_CURL_DOUBLE_H
#define TRAWLD_TESTS_SCENARIO_CURL_DOUBLE_H

#include <stdbool.h>
#include <stddef.h>

struct peer_request;

/* The oldest request that no step has expected, and the one after REQUEST; NULL: none waits. */
struct peer_request *peer_unexpected(void);
struct peer_request *peer_unexpected_next(const struct peer_request *request);
/* The one that was expected first of those that are not answered and have a URL like PATTERN. */
struct peer_request *peer_unanswered(const char *pattern);
void peer_expect(struct peer_request *request);

const char *peer_method(const struct peer_request *request);
const char *peer_url(const struct peer_request *request);
/* The value of the header NAME, NULL: it is not sent. */
const char *peer_header(const struct peer_request *request, const char *name);
const char *peer_body(const struct peer_request *request); /* "" without */

struct peer_answer {
	const char
		*head; /* whole lines, each ends with CR LF, then an empty one; NULL: none came */
	const char *body;
	size_t body_size;
	long long wire_size; /* what libcurl says it received; -1: the body's size */
	int result; /* a CURLcode */
	long os_error;
};
/* Copies. The daemon has the answer when its loop turns. */
void peer_answer(struct peer_request *request, const struct peer_answer *answer);

#endif
