/*
 * What went wrong, for people and for the decision what follows: filled where it happened, carried
 * up unchanged, printed once by daemon/. The class is a row of the failure table (FAILURES in
 * trawld(8)).
 */
#ifndef TRAWLD_BASE_FAULT_H
#define TRAWLD_BASE_FAULT_H

#include "base/clock.h"

#include <stdbool.h>

enum fault_class {
	FAULT_NONE,
	FAULT_CONFIG, /* a person must change something: bad option, 4xx without a cursor */
	FAULT_NETWORK, /* DNS, connect, reset, TLS */
	FAULT_TIMEOUT,
	FAULT_THROTTLED, /* 429, or a sink that says "later" */
	FAULT_SERVER, /* 5xx, 408 */
	FAULT_AUTH, /* 401, 403, failed login */
	FAULT_LOST, /* the stored cursor or link is gone */
	FAULT_BODY, /* not JSON, cut short, records not where they should be, wrong type */
	FAULT_INCOMPLETE, /* a 200 that says of itself that it is not whole */
	FAULT_LIMIT, /* a ceiling: page size, nesting, decompression ratio, record size */
	FAULT_LOOP, /* a chain of pages that does not move */
	FAULT_ORIGIN, /* a link or redirect that leaves the configured origin */
	FAULT_REFUSED, /* a sink's receiver refuses this batch for good */
	FAULT_STORE, /* state: disk full, read-only, corrupt */
	FAULT_INTERNAL,
};

struct fault {
	enum fault_class class;
	int status; /* HTTP status, or 0 */
	bool decided; /* by the API's own words: the status does not decide any more */
	nsec_t wait_ns; /* the peer asked for at least this pause; 0: nothing asked */
	char text[640]; /* one line, no secrets, no final full stop or semicolon */
};

#define FAULT_NULL ((struct fault){0})

const char *fault_class_to_string(
	enum fault_class class); /* "network", "auth", ... (metric label) */

/* May a later attempt succeed although nobody changes anything? */
bool fault_may_pass(enum fault_class class);

/* Replaces *FAULT, without status and wait (NULL allowed: nothing happens). Control characters in
 * the text become '?', registered secrets `***`. Returns -1, for `return fault_set(...)`. Where a
 * header says "0 or FAULT_STORE", the function returns 0, or -1 and a fault of that class. */
int fault_set(struct fault *fault, enum fault_class class, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
