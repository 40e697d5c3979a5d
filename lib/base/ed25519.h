/* Signatures by Ed25519 (RFC 8032) with keys in PEM form, by OpenSSL. */
#ifndef TRAWLD_BASE_ED25519_H
#define TRAWLD_BASE_ED25519_H

#include "base/buf.h"
#include "base/digest.h"

#define ED25519_SIGNATURE_SIZE 64

struct ed25519;

enum {
	ED25519_E_PEM = 1, /* TEXT is not an unencrypted private key, or a public key, in PEM form
			    */
	ED25519_E_KIND, /* it is a key of another kind */
};

/* TEXT is a private key (PKCS #8), in which `\n` can be written for a line break. */
int ed25519_private(struct ed25519 **ret, struct slice text);
/* TEXT holds public keys; takes the one at *REST and moves *REST after it. */
int ed25519_public(struct ed25519 **ret, struct slice *rest);
void ed25519_free(struct ed25519 *key); /* NULL allowed */

/* The key's name: SHA-256 of the public key in DER form, as `openssl pkey -pubout -outform DER |
 * sha256sum` prints it. */
const char *ed25519_fingerprint(const struct ed25519 *key);

/* Appends the signature of DATA. 0, or -1 where OpenSSL refuses. */
int ed25519_sign(const struct ed25519 *key, struct slice data, struct buf *out);
bool ed25519_verify(const struct ed25519 *key, struct slice data, struct slice signature);

#endif
