/*
 * The kind http_signature: HTTP signatures with an RSA key (draft-cavage-http-signatures), made
 * for each message: over date, request line and host, and, for a body, its type, length and
 * digest.
 */
#include "net/auth/auth_internal.h"

#include <time.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/mem.h"
#include "base/signing.h"

#include "net/auth/canonical.h"
#include "net/url.h"

struct http_signature {
	struct auth auth;
	char *key_id;
	struct signing_key *key;
};

/* In English whatever the locale: RFC 9110 section 5.6.7. */
static void set_date(struct http_message *message, nsec_t now_time)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t seconds = (time_t)(now_time / NSEC_PER_SEC);
	CLEANUP(buf_deinit) struct buf date = BUF_NULL;
	struct tm tm = {0};

	gmtime_r(&seconds, &tm);
	buf_printf(&date, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", days + 3 * tm.tm_wday,
		tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
		tm.tm_sec);
	http_headers_set(&message->headers, "Date", buf_slice(&date));
}

static void append_header(const struct http_message *message, const char *name, struct buf *out)
{
	struct slice value = http_headers_get(&message->headers, name);

	buf_printf(out, "\n%s: %.*s", name, (int)value.size, value.data ? value.data : "");
}

/* What says how the body is read; its digest is in a header of its own. */
static void append_body(struct http_message *message, struct buf *out)
{
	CLEANUP(buf_deinit) struct buf digest = BUF_NULL;
	uint8_t sha256[DIGEST_SIZE];

	if (!http_headers_get(&message->headers, "Content-Type").data)
		http_headers_add(
			&message->headers, "Content-Type", SLICE("application/octet-stream"));
	digest_sha256(buf_slice(&message->body), sha256);
	encode_base64((struct slice){(const char *)sha256, sizeof(sha256)}, &digest);
	http_headers_set(&message->headers, "x-content-sha256", buf_slice(&digest));
	append_header(message, "x-content-sha256", out);
	append_header(message, "content-type", out);
	buf_printf(out, "\ncontent-length: %zu", message->body.size);
}

/* The target as it is sent, with the method in lower case. */
static void append_target(const struct http_message *message, struct buf *out)
{
	struct url_parts parts;

	(void)url_split(message->url, &parts); /* canonical_host has read it */
	buf_append_text(out, "\n(request-target): ");
	for (const char *at = message->method ? message->method : "GET"; *at; at++)
		buf_append_char(out, (char)(*at >= 'A' && *at <= 'Z' ? *at + ('a' - 'A') : *at));
	buf_printf(out, " %.*s", (int)parts.path.size, parts.path.size ? parts.path.data : "");
	if (parts.path.size == 0)
		buf_append_char(out, '/');
	if (parts.query.data)
		buf_printf(out, "?%.*s", (int)parts.query.size, parts.query.data);
}

static int http_signature_apply(
	struct auth *auth, struct http_message *message, nsec_t now_time, struct fault *reterr)
{
	const struct http_signature *self = (const struct http_signature *)auth;
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;
	CLEANUP(buf_deinit) struct buf signature = BUF_NULL;
	CLEANUP(buf_deinit) struct buf value = BUF_NULL;
	int r = canonical_host(message, reterr);

	if (r)
		return r;
	set_date(message, now_time);
	buf_printf(&text, "date: %s", http_headers_get(&message->headers, "Date").data);
	append_target(message, &text);
	append_header(message, "host", &text);
	if (message->has_body)
		append_body(message, &text);
	if (signing_key_sign(self->key, buf_slice(&text), &signature) != 0)
		return fault_set(
			reterr, FAULT_INTERNAL, "OpenSSL did not sign the request with the key");
	buf_printf(&value,
		"Signature version=\"1\",keyId=\"%s\",algorithm=\"rsa-sha256\",headers=\"date (request-target) host%s\",signature=\"",
		self->key_id,
		message->has_body ? " x-content-sha256 content-type content-length" : "");
	encode_base64(buf_slice(&signature), &value);
	buf_append_char(&value, '"');
	http_headers_set(&message->headers, "Authorization", buf_slice(&value));
	message->is_signed = true;
	return 0;
}

static void http_signature_destroy(struct auth *auth)
{
	struct http_signature *self = (struct http_signature *)auth;

	signing_key_free(self->key);
	free(self->key_id);
	free(self);
}

static int http_signature_create(
	struct auth **ret, const struct auth_setup *setup, struct fault *reterr)
{
	struct slice id = auth_setting(setup, "key_id");
	struct signing_key *key = NULL;
	struct http_signature *self;

	if (memchr(id.data, '"', id.size))
		return fault_set(reterr, FAULT_CONFIG,
			"key_id of auth type `http_signature` contains a quote");
	if (signing_key_new(&key, SIGNING_RS256, auth_setting(setup, "key")) != 0)
		return fault_set(reterr, FAULT_CONFIG,
			"key of auth type `http_signature` is not an unencrypted RSA key of 2048 bits or more in PEM form");
	self = MEM_NEW(struct http_signature);
	self->key = key;
	self->key_id = mem_strndup(id.data, id.size);
	*ret = &self->auth;
	return 0;
}

static const char *const keys[] = {"key", "key_id", NULL};
static const char *const texts[] = {"key", NULL};

const struct auth_kind auth_http_signature = {
	.info = {.type = "http_signature", .keys = keys, .required = keys, .texts = texts},
	.create = http_signature_create,
	.destroy = http_signature_destroy,
	.apply = http_signature_apply,
};
