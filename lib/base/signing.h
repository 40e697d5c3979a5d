/*
 * Signatures with a private key or a shared secret: the algorithms of JSON Web Signatures (RFC
 * 7518) by OpenSSL's EVP. What is signed and how the signature is written is the caller's.
 */
#ifndef TRAWLD_BASE_SIGNING_H
#define TRAWLD_BASE_SIGNING_H

#include "base/buf.h"

enum signing_algorithm {
	SIGNING_RS256, /* RSASSA-PKCS1-v1_5 with SHA-256 */
	SIGNING_RS512, /* RSASSA-PKCS1-v1_5 with SHA-512 */
	SIGNING_PS256, /* RSASSA-PSS with SHA-256 and a salt of 32 bytes */
	SIGNING_ES256, /* ECDSA on P-256 with SHA-256; the signature is R and S, 64 bytes */
	SIGNING_HS256, /* HMAC with SHA-256 */
};

/* By its name, such as `RS256`. 0 or -1. */
int signing_algorithm_parse(struct slice name, enum signing_algorithm *ret);
const char *signing_algorithm_to_string(enum signing_algorithm algorithm);

struct signing_key;

enum {
	SIGNING_E_PEM = 1, /* TEXT is not an unencrypted private key in PEM form */
	SIGNING_E_KIND, /* the key is not one for ALGORITHM: RSA of 2048 bits or more, P-256 */
};

/* TEXT is a private key in PEM form (PKCS #1, PKCS #8 or SEC 1, not encrypted), in which `\n` may
 * stand for a line break; for SIGNING_HS256 it is the secret itself. It is copied, and wiped with
 * the key. */
int signing_key_new(struct signing_key **ret, enum signing_algorithm algorithm, struct slice text);
void signing_key_free(struct signing_key *key);

/* Appends the signature of DATA to OUT. 0, or -1 where OpenSSL refuses. */
int signing_key_sign(const struct signing_key *key, struct slice data, struct buf *out);

#endif
