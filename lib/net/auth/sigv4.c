/* See sigv4.h. */
#include "net/auth/sigv4.h"

#include <strings.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "base/timestamp.h"

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

static bool is_host_or_type(const struct http_headers *headers, size_t index)
{
	const char *name = headers->items[index].name;

	return strcasecmp(name, "Host") == 0 || strcasecmp(name, "Content-Type") == 0;
}

static bool is_signed_acs(const struct http_headers *headers, size_t index)
{
	return is_host_or_type(headers, index) ||
	       strncasecmp(headers->items[index].name, "x-acs-", 6) == 0;
}

static const struct sigv4_scheme schemes[] = {
	{.provider = "osc",
		.prefix = "OSC4",
		.terminator = "osc4_request",
		.has_region = true,
		.date_header = "X-Osc-Date",
		.date_format = "%Y%m%dT%H%M%SZ",
		.day_format = "%Y%m%d",
		.separator = ", ",
		.is_signed = is_signed},
	{.provider = "aws",
		.prefix = "AWS4",
		.terminator = "aws4_request",
		.has_region = true,
		.date_header = "X-Amz-Date",
		.date_format = "%Y%m%dT%H%M%SZ",
		.day_format = "%Y%m%d",
		.separator = ", ",
		.is_signed = is_signed,
		.token_header = "X-Amz-Security-Token",
		.hash_header = "X-Amz-Content-Sha256"},
	{.provider = "acs3",
		.prefix = "ACS3",
		.date_header = "x-acs-date",
		.date_format = "%Y-%m-%dT%H:%M:%SZ",
		.separator = ",",
		.is_signed = is_signed_acs,
		.nonce_header = "x-acs-signature-nonce",
		.token_header = "x-acs-security-token",
		.hash_header = "x-acs-content-sha256",
		.hashes_all = true},
	{.provider = "tc3",
		.prefix = "TC3",
		.terminator = "tc3_request",
		.date_header = "X-TC-Timestamp",
		.date_format = "%s",
		.day_format = "%Y-%m-%d",
		.separator = ", ",
		.is_signed = is_host_or_type,
		.token_header = "X-TC-Token"},
};

const struct sigv4_scheme *sigv4_find(struct slice provider)
{
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (slice_is(provider, schemes[i].provider))
			return &schemes[i];
	}
	return NULL;
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

struct canonical_rules sigv4_rules(const struct sigv4_scheme *scheme, const char *service)
{
	return (struct canonical_rules){scheme->is_signed,
		sigv4_is_s3(service) ? append_s3_path : append_path, QUERY_ORDER_ENCODED, true};
}

void sigv4_date(const char *format, nsec_t now_time, struct buf *out)
{
	struct timestamp_format *compiled = NULL;

	if (timestamp_format_new(&compiled, format, NULL) == 0)
		timestamp_print(compiled, now_time, out);
	timestamp_format_free(compiled);
}

/* The key of this day, region and service; RET holds it. */
static void derive_key(const struct sigv4_key *key, struct slice scope, uint8_t ret[DIGEST_SIZE])
{
	CLEANUP(buf_deinit) struct buf secret = BUF_NULL;
	struct slice last;
	struct slice part;

	buf_append_text(&secret, key->scheme->prefix);
	buf_append_slice(&secret, key->secret_key);
	last = buf_slice(&secret);
	while (str_next_part(&scope, '/', &part)) {
		digest_hmac_sha256(last, part, ret);
		last = (struct slice){(const char *)ret, DIGEST_SIZE};
	}
	secret_wipe(secret.data, secret.size);
}

/* Day, region, service and terminator. */
static void append_scope(const struct sigv4_key *key, nsec_t now_time, struct buf *out)
{
	sigv4_date(key->scheme->day_format, now_time, out);
	if (key->scheme->has_region)
		buf_printf(out, "/%s", key->region);
	buf_printf(out, "/%s/%s", key->service, key->scheme->terminator);
}

void sigv4_authorization(const struct sigv4_key *key, nsec_t now_time, struct slice names,
	struct slice canonical, struct buf *out)
{
	const struct sigv4_scheme *scheme = key->scheme;
	CLEANUP(buf_deinit) struct buf scope = BUF_NULL;
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;
	uint8_t digest[DIGEST_SIZE];
	uint8_t derived[DIGEST_SIZE];
	char hex[DIGEST_HEX_SIZE];

	digest_sha256(canonical, digest);
	digest_hex(digest, sizeof(digest), hex);
	buf_printf(&text, "%s-HMAC-SHA256\n", scheme->prefix);
	if (scheme->terminator) {
		append_scope(key, now_time, &scope);
		sigv4_date(scheme->date_format, now_time, &text);
		buf_printf(&text, "\n%s\n", buf_text(&scope));
	}
	buf_append_text(&text, hex);
	if (scheme->terminator) {
		derive_key(key, buf_slice(&scope), derived);
		digest_hmac_sha256((struct slice){(const char *)derived, DIGEST_SIZE},
			buf_slice(&text), digest);
		secret_wipe(derived, sizeof(derived));
	} else {
		digest_hmac_sha256(key->secret_key, buf_slice(&text), digest);
	}
	digest_hex(digest, sizeof(digest), hex);
	buf_printf(out, "%s-HMAC-SHA256 Credential=%.*s%s%s%sSignedHeaders=%.*s%sSignature=%s",
		scheme->prefix, (int)key->access_key.size, key->access_key.data,
		scope.size ? "/" : "", buf_text(&scope), scheme->separator, (int)names.size,
		names.data, scheme->separator, hex);
}
