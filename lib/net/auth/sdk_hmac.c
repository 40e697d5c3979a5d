/*
 * See sdk_hmac.h. The canonical form is made of what the server will decode, not of how we happened
 * to write it: path and query are decoded and encoded anew, byte by byte.
 */
#include "net/auth/sdk_hmac.h"

#include <strings.h>

#include "base/cleanup.h"
#include "base/encode.h"

static bool is_signed(const struct http_headers *headers, size_t index)
{
	const char *name = headers->items[index].name;

	if (strcasecmp(name, "Host") != 0 && strcasecmp(name, "Content-Type") != 0 &&
		strncasecmp(name, "X-", 2) != 0)
		return false;
	if (strchr(name, '_'))
		return false;
	for (size_t i = 0; i < headers->n_items; i++) {
		if (i != index && strcasecmp(headers->items[i].name, name) == 0)
			return false;
	}
	return true;
}

/* Always ends in '/', whatever is sent. */
static void append_path(struct slice path, struct buf *out)
{
	const char *at = path.data;
	const char *end = path.data + path.size;

	while (at < end) {
		const char *stop = memchr(at, '/', (size_t)(end - at));
		CLEANUP(buf_deinit) struct buf plain = BUF_NULL;

		decode_percent(
			(struct slice){at, (size_t)((stop ? stop : end) - at)}, false, &plain);
		encode_percent(buf_slice(&plain), out);
		if (!stop)
			break;
		buf_append_char(out, '/');
		at = stop + 1;
	}
	if (path.size == 0 || end[-1] != '/')
		buf_append_char(out, '/');
}

const struct canonical_rules sdk_hmac_rules = {
	.is_signed = is_signed,
	.append_path = append_path,
	.query_order = QUERY_ORDER_DECODED,
};

void sdk_hmac_signature(struct slice secret_key, struct slice date, struct slice canonical,
	char ret_hex[DIGEST_HEX_SIZE])
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;
	uint8_t digest[DIGEST_SIZE];
	char hex[DIGEST_HEX_SIZE];

	digest_sha256(canonical, digest);
	digest_hex(digest, sizeof(digest), hex);
	buf_append_text(&text, "SDK-HMAC-SHA256\n");
	buf_append_slice(&text, date);
	buf_printf(&text, "\n%s", hex);
	digest_hmac_sha256(secret_key, buf_slice(&text), digest);
	digest_hex(digest, sizeof(digest), ret_hex);
}
