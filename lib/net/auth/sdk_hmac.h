/*
 * SDK-HMAC-SHA256, a request signature (pure). The key is used directly: there is no chain of keys
 * as in AWS Signature Version 4. Nothing outside lib/net includes this.
 */
#ifndef TRAWLD_NET_AUTH_SDK_HMAC_H
#define TRAWLD_NET_AUTH_SDK_HMAC_H

#include "base/digest.h"

#include "net/auth/canonical.h"

/* Signed are Content-Type, Host and all `X-...` headers that occur once and hold no '_' (proxies
 * drop those). The path is what the server will decode, encoded anew. */
extern const struct canonical_rules sdk_hmac_rules;

/* The signature in hex; DATE is the value of X-Sdk-Date. */
void sdk_hmac_signature(struct slice secret_key, struct slice date, struct slice canonical,
	char ret_hex[DIGEST_HEX_SIZE]);

#endif
