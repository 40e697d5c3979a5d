/*
 * AWS Signature Version 4 and what was made after it, the same with other words (pure): OSC4,
 * ACS3 and TC3.
 * Nothing outside lib/net includes this.
 *
 * What is signed is the request as it is sent: its path with every byte that is not unreserved (and
 * not `/`) encoded once more, without empty and dot segments, as the service will see it; for s3
 * the path as it is. That is what AWS's own SDKs sign.
 */
#ifndef TRAWLD_NET_AUTH_SIGV4_H
#define TRAWLD_NET_AUTH_SIGV4_H

#include "net/auth/canonical.h"

/* What a scheme calls itself: in its signature, in its headers. */
struct sigv4_scheme {
	const char *provider;
	const char *prefix; /* of the algorithm and of the key */
	const char *terminator; /* of the scope; NULL: no scope, the secret key itself signs */
	bool has_region; /* in the scope */
	const char *date_header;
	/* patterns: how the date is written, and its day in the scope */
	const char *date_format, *day_format;
	const char *separator; /* in the Authorization header */
	bool (*is_signed)(const struct http_headers *headers, size_t index);
	const char *nonce_header; /* NULL: none */
	bool hashes_all; /* the hash of the body is sent with each request */
	const char *token_header; /* NULL: keys come without a token */
	const char *hash_header; /* of the body's hash, which s3 requires; NULL: none */
};

/* By its provider (osc, aws, acs3, tc3), or NULL. */
const struct sigv4_scheme *sigv4_find(struct slice provider);

struct sigv4_key {
	const struct sigv4_scheme *scheme;
	struct slice access_key;
	struct slice secret_key;
	const char *region;
	const char *service;
};

bool sigv4_is_s3(const char *service);
/* How the service's requests are written: all headers are signed but those that are not the
 * caller's to keep on the way, and Authorization. */
struct canonical_rules sigv4_rules(const struct sigv4_scheme *scheme, const char *service);

/* Appends NOW_TIME in FORMAT, a format of the scheme. */
void sigv4_date(const char *format, nsec_t now_time, struct buf *out);

/* Appends the Authorization header's value for a request with the CANONICAL form and signed header
 * NAMES, made at NOW_TIME. */
void sigv4_authorization(const struct sigv4_key *key, nsec_t now_time, struct slice names,
	struct slice canonical, struct buf *out);

#endif
