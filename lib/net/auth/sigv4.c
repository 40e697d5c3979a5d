/* See sigv4.h. */
#include "net/auth/sigv4.h"

#include <strings.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/mem.h"
#include "base/secret.h"

static const struct sigv4_scheme schemes[] = {
	{"osc", "OSC4", "osc4_request", "X-Osc-Date", NULL, NULL},
	{"aws", "AWS4", "aws4_request", "X-Amz-Date", "X-Amz-Security-Token",
		"X-Amz-Content-Sha256"},
};

const struct sigv4_scheme *sigv4_find(struct slice provider)
{
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (slice_is(provider, schemes[i].provider))
			return &schemes[i];
	}
	return NULL;
}

/* Proxies and libcurl add or change the others. */
static bool is_signed(const struct http_headers *headers, size_t index)
{
	static const char *const unsigned_names[] = {"Authorization", "Connection",
		"Content-Length", "Expect", "Transfer-Encoding", "User-Agent", "X-Amzn-Trace-Id"};

	for (size_t i = 0; i < sizeof(unsigned_names) / sizeof(unsigned_names[0]); i++) {
		if (strcasecmp(headers->items[index].name, unsigned_names[i]) == 0)
			return false;
	}
	return true;
}

/* Empty segments and `.` go, `..` takes the one before it along. */
static size_t split_path(struct slice path, struct slice *segments)
{
	const char *at = path.data;
	const char *end = path.data + path.size;
	size_t n = 0;

	while (at < end) {
		const char *stop = memchr(at, '/', (size_t)(end - at));
		struct slice segment = {at, (size_t)((stop ? stop : end) - at)};

		if (slice_is(segment, ".."))
			n -= n > 0;
		else if (segment.size > 0 && !slice_is(segment, "."))
			segments[n++] = segment;
		at += segment.size + 1;
	}
	return n;
}

static void append_path(struct slice path, struct buf *out)
{
	CLEANUP_FREE struct slice *segments = mem_array(path.size + 1, sizeof(*segments));
	size_t n = split_path(path, segments);

	for (size_t i = 0; i < n; i++) {
		buf_append_char(out, '/');
		encode_percent(segments[i], out);
	}
	if (n == 0 || path.data[path.size - 1] == '/')
		buf_append_char(out, '/');
}

static void append_s3_path(struct slice path, struct buf *out)
{
	buf_append_slice(out, path.size > 0 ? path : SLICE("/"));
}

bool sigv4_is_s3(const char *service)
{
	return strncmp(service, "s3", 2) == 0;
}

const struct canonical_rules *sigv4_rules(const char *service)
{
	static const struct canonical_rules rules = {
		is_signed, append_path, QUERY_ORDER_ENCODED, true};
	static const struct canonical_rules s3_rules = {
		is_signed, append_s3_path, QUERY_ORDER_ENCODED, true};

	return sigv4_is_s3(service) ? &s3_rules : &rules;
}

/* The key of this day, region and service; RET holds it. */
static void derive_key(
	const struct sigv4_key *key, const struct slice scope[4], uint8_t ret[DIGEST_SIZE])
{
	CLEANUP(buf_deinit) struct buf secret = BUF_NULL;
	struct slice last;

	buf_append_text(&secret, key->scheme->prefix);
	buf_append_slice(&secret, key->secret_key);
	last = buf_slice(&secret);
	for (size_t i = 0; i < 4; i++) {
		digest_hmac_sha256(last, scope[i], ret);
		last = (struct slice){(const char *)ret, DIGEST_SIZE};
	}
	secret_wipe(secret.data, secret.size);
}

void sigv4_authorization(const struct sigv4_key *key, struct slice date, struct slice names,
	struct slice canonical, struct buf *out)
{
	const struct sigv4_scheme *scheme = key->scheme;
	struct slice scope[4] = {{date.data, 8}, slice_of(key->region), slice_of(key->service),
		slice_of(scheme->terminator)};
	CLEANUP_FREE char *scope_text = mem_printf(
		"%.8s/%s/%s/%s", date.data, key->region, key->service, scheme->terminator);
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;
	uint8_t digest[DIGEST_SIZE];
	uint8_t derived[DIGEST_SIZE];
	char hex[DIGEST_HEX_SIZE];

	digest_sha256(canonical, digest);
	digest_hex(digest, sizeof(digest), hex);
	buf_printf(&text, "%s-HMAC-SHA256\n%.*s\n%s\n%s", scheme->prefix, (int)date.size, date.data,
		scope_text, hex);
	derive_key(key, scope, derived);
	digest_hmac_sha256(
		(struct slice){(const char *)derived, DIGEST_SIZE}, buf_slice(&text), digest);
	secret_wipe(derived, sizeof(derived));
	digest_hex(digest, sizeof(digest), hex);
	buf_printf(out, "%s-HMAC-SHA256 Credential=%.*s/%s, SignedHeaders=%.*s, Signature=%s",
		scheme->prefix, (int)key->access_key.size, key->access_key.data, scope_text,
		(int)names.size, names.data, hex);
}
