/*
 * Tokens of RFC 3161 by OpenSSL: a time-stamping authority (TSA) signs that a digest existed at a
 * time. A token is kept as the TSA's whole response, as `openssl ts` reads it.
 */
#ifndef TRAWLD_BASE_TIMESTAMP_TOKEN_H
#define TRAWLD_BASE_TIMESTAMP_TOKEN_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/digest.h"

struct token_request;

/* For the SHA-256 DIGEST, with a nonce of its own; asks for the TSA's certificate. NULL: OpenSSL
 * fails. */
struct token_request *token_request_new(const uint8_t digest[DIGEST_SIZE]);
void token_request_free(struct token_request *request); /* NULL allowed */
/* What is to be sent, as application/timestamp-query. */
void token_request_print(const struct token_request *request, struct buf *out);

enum {
	TOKEN_E_SYNTAX = 1, /* it is not a response of a TSA */
	TOKEN_E_REFUSED, /* the TSA did not grant a token */
	TOKEN_E_OTHER, /* it is for another digest, or another request */
	TOKEN_E_SIGNATURE, /* of none of the given authorities */
};

/* RESPONSE answers REQUEST: it is granted, for its digest and with its nonce. Who signed it is not
 * looked at. 0 and the token's time, to the second; or TOKEN_E_*, with what OpenSSL says added to
 * REASON. */
int token_request_check(const struct token_request *request, struct slice response,
	nsec_t *ret_time, struct buf *reason);

struct token_authorities;

/* The certificates in the PEM file at PATH, which TSAs are trusted by. NULL: there are none. */
struct token_authorities *token_authorities_read(const char *path);
void token_authorities_free(struct token_authorities *authorities); /* NULL allowed */

/* The same for a kept token of DIGEST. It must also be signed by a TSA that AUTHORITIES trust, at
 * the token's own time, since certificates expire. AUTHORITIES NULL: the signer is not checked. */
int token_check(struct slice response, const uint8_t digest[DIGEST_SIZE],
	const struct token_authorities *authorities, nsec_t *ret_time, struct buf *reason);

#endif
