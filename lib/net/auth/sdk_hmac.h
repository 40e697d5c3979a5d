/*
 * SDK-HMAC-SHA256, a request signature (pure). The key is used directly: there is no chain of keys
 * as in AWS Signature Version 4, so libcurl cannot make it. Nothing outside lib/net includes this.
 */
#ifndef TRAWLD_NET_SDK_HMAC_H
#define TRAWLD_NET_SDK_HMAC_H

#include "base/digest.h"

#include "net/message.h"

/* The headers that are signed, in order of their lower-case names: `content-type;host;x-sdk-date`.
 * Signed are Content-Type, Host and all `X-...` headers that occur once and hold no '_' (proxies
 * drop those). */
void sdk_hmac_signed_headers(const struct http_headers *headers, struct buf *out);

/* The canonical request. SIGNED as above; each of these headers (Host included) is in HEADERS.
 * 0, or -EINVAL for a URL that cannot be split. */
int sdk_hmac_canonical(const char *method, const char *url, const struct http_headers *headers,
	struct slice signed_headers, struct slice body, struct buf *out);

/* The signature in hex; DATE is the value of X-Sdk-Date. */
void sdk_hmac_signature(struct slice secret_key, struct slice date, struct slice canonical,
	char ret_hex[DIGEST_HEX_SIZE]);

#endif
