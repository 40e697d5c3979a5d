/*
 * The kind hmac: a keyed digest over what is sent, made for each message. The text that is
 * signed, and the headers that carry the signature, are templates of the definition; the query is
 * sent as it is signed, sorted and in one percent-encoding.
 */
#include "net/auth/auth_internal.h"

#include <ctype.h>
#include <strings.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"
#include "base/timestamp.h"

#include "net/auth/canonical.h"
#include "net/query.h"
#include "net/url.h"

#define EXPIRES_AFTER (10 * NSEC_PER_MIN)
#define NONCE_SIZE 16
#define HEADER "header."

struct hmac_auth {
	struct auth auth;
	enum digest_kind hash;
	bool is_keyed; /* false: a plain digest, the key is part of the text or not used */
	bool is_base64;
	struct secret key;
	char *sign; /* with line breaks */
	char *user; /* NULL: the signature is in headers */
	struct option_pair *headers; /* NAME and text */
	size_t n_headers;
};

/* One message that is being signed. */
struct signing {
	const struct http_message *message;
	struct url_parts parts;
	nsec_t now_time;
	char nonce[2 * NONCE_SIZE + 1];
	struct buf signature;
};

typedef void (*print_fn)(const struct signing *signing, struct buf *out);

static void print_method(const struct signing *signing, struct buf *out)
{
	buf_append_text(out, signing->message->method ? signing->message->method : "GET");
}

static void print_host(const struct signing *signing, struct buf *out)
{
	buf_append_slice(out, http_headers_get(&signing->message->headers, "Host"));
}

static void print_uri(const struct signing *signing, struct buf *out)
{
	buf_append_text(out, signing->message->url);
}

static void print_path(const struct signing *signing, struct buf *out)
{
	buf_append_slice(out, signing->parts.path.size ? signing->parts.path : SLICE("/"));
}

static void print_query(const struct signing *signing, struct buf *out)
{
	buf_append_slice(out, signing->parts.query);
}

/* The names with ';' between them, or the decoded values one after the other. */
static void print_pairs(const struct signing *signing, bool names, struct buf *out)
{
	struct slice rest = signing->parts.query;
	struct slice pair;
	size_t n = 0;

	while (rest.size > 0 && str_next_part(&rest, '&', &pair)) {
		const char *sign = memchr(pair.data, '=', pair.size);
		size_t size = sign ? (size_t)(sign - pair.data) : pair.size;

		if (names && n++ > 0)
			buf_append_char(out, ';');
		if (names)
			decode_percent((struct slice){pair.data, size}, false, out);
		else if (sign)
			decode_percent((struct slice){sign + 1, pair.size - size - 1}, false, out);
	}
}

static void print_query_names(const struct signing *signing, struct buf *out)
{
	print_pairs(signing, true, out);
}

static void print_query_values(const struct signing *signing, struct buf *out)
{
	print_pairs(signing, false, out);
}

static void print_body(const struct signing *signing, struct buf *out)
{
	buf_append_slice(out, buf_slice(&signing->message->body));
}

static void print_digest(const struct signing *signing, enum digest_kind kind, struct buf *out)
{
	uint8_t digest[DIGEST_SIZE_MAX];
	char hex[2 * DIGEST_SIZE_MAX + 1];

	digest_hex(digest, digest_of(kind, buf_slice(&signing->message->body), digest), hex);
	buf_append_text(out, hex);
}

static void print_body_sha256(const struct signing *signing, struct buf *out)
{
	print_digest(signing, DIGEST_SHA256, out);
}

static void print_body_sha512(const struct signing *signing, struct buf *out)
{
	print_digest(signing, DIGEST_SHA512, out);
}

static void print_nonce(const struct signing *signing, struct buf *out)
{
	buf_append_text(out, signing->nonce);
}

static void print_signature(const struct signing *signing, struct buf *out)
{
	buf_append_slice(out, buf_slice(&signing->signature));
}

/* In English whatever the locale: RFC 5322 section 3.3, with the zone of times without one. */
static void print_date_rfc2822(const struct signing *signing, struct buf *out)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t seconds = (time_t)(signing->now_time / NSEC_PER_SEC);
	struct tm tm = {0};

	gmtime_r(&seconds, &tm);
	buf_printf(out, "%.3s, %02d %.3s %04d %02d:%02d:%02d -0000", days + 3 * tm.tm_wday,
		tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
		tm.tm_sec);
}

static void print_date_rfc3339(const struct signing *signing, struct buf *out)
{
	timestamp_print_rfc3339(signing->now_time, 0, out);
}

static void print_date_epoch_s(const struct signing *signing, struct buf *out)
{
	buf_printf(out, "%lld", (long long)(signing->now_time / NSEC_PER_SEC));
}

static void print_date_epoch_ms(const struct signing *signing, struct buf *out)
{
	buf_printf(out, "%lld", (long long)(signing->now_time / NSEC_PER_MSEC));
}

static void print_expires(const struct signing *signing, struct buf *out)
{
	buf_printf(out, "%lld", (long long)((signing->now_time + EXPIRES_AFTER) / NSEC_PER_SEC));
}

static const char *const variables[] = {"method", "uri", "host", "path", "query", "query.names",
	"query.values", "body", "body.sha256", "body.sha512", "nonce", "signature", "date.rfc2822",
	"date.rfc3339", "date.epoch_s", "date.epoch_ms", "expires", NULL};
static const print_fn printers[] = {print_method, print_uri, print_host, print_path, print_query,
	print_query_names, print_query_values, print_body, print_body_sha256, print_body_sha512,
	print_nonce, print_signature, print_date_rfc2822, print_date_rfc3339, print_date_epoch_s,
	print_date_epoch_ms, print_expires};

static void append_variable(struct slice name, struct buf *out, void *userdata)
{
	for (size_t i = 0; variables[i]; i++) {
		if (slice_is(name, variables[i]))
			printers[i](userdata, out);
	}
}

/* The query as it is signed and sent. */
static void sort_query(struct http_message *message)
{
	struct buf url CLEANUP(buf_deinit) = BUF_NULL;
	struct url_parts parts;

	if (url_split(message->url, &parts) != 0 || !parts.query.data)
		return;
	buf_append(&url, message->url, (size_t)(parts.query.data - message->url));
	query_canonical(parts.query, QUERY_ORDER_ENCODED, &url);
	free(message->url);
	message->url = buf_take(&url);
}

static void make_signature(const struct hmac_auth *hmac, struct signing *signing)
{
	struct buf text CLEANUP(auth_wipe) = BUF_NULL;
	uint8_t digest[DIGEST_SIZE_MAX];
	char hex[2 * DIGEST_SIZE_MAX + 1];
	size_t size;

	auth_fill(slice_of(hmac->sign), append_variable, signing, &text);
	size = hmac->is_keyed
		       ? digest_hmac(hmac->hash, (struct slice){hmac->key.text, hmac->key.size},
				 buf_slice(&text), digest)
		       : digest_of(hmac->hash, buf_slice(&text), digest);
	digest_hex(digest, size, hex);
	if (hmac->is_base64)
		encode_base64((struct slice){(const char *)digest, size}, &signing->signature);
	else
		buf_append_text(&signing->signature, hex);
}

static void set_headers(
	const struct hmac_auth *hmac, struct signing *signing, struct http_message *message)
{
	struct buf pair CLEANUP(auth_wipe) = BUF_NULL;
	struct buf basic CLEANUP(auth_wipe) = BUF_NULL;

	for (size_t i = 0; i < hmac->n_headers; i++) {
		struct buf value CLEANUP(auth_wipe) = BUF_NULL;

		auth_fill(slice_of(hmac->headers[i].value), append_variable, signing, &value);
		http_headers_set(&message->headers, hmac->headers[i].name, buf_slice(&value));
	}
	if (!hmac->user)
		return;
	buf_printf(&pair, "%s:%s", hmac->user, buf_text(&signing->signature));
	buf_append_text(&basic, "Basic ");
	encode_base64(buf_slice(&pair), &basic);
	http_headers_set(&message->headers, "Authorization", buf_slice(&basic));
}

static int hmac_apply(
	struct auth *auth, struct http_message *message, nsec_t now_time, struct fault *reterr)
{
	const struct hmac_auth *hmac = (const struct hmac_auth *)auth;
	struct signing signing = {.message = message, .now_time = now_time};
	uint8_t nonce[NONCE_SIZE];
	int r;

	sort_query(message);
	r = canonical_host(message, reterr);
	if (r)
		return r;
	(void)url_split(message->url, &signing.parts); /* canonical_host has read it */
	random_bytes(nonce, sizeof(nonce));
	digest_hex(nonce, sizeof(nonce), signing.nonce);
	make_signature(hmac, &signing);
	set_headers(hmac, &signing, message);
	buf_deinit(&signing.signature);
	message->is_signed = true;
	return 0;
}

static void hmac_destroy(struct auth *auth)
{
	struct hmac_auth *hmac = (struct hmac_auth *)auth;

	secret_deinit(&hmac->key);
	if (hmac->sign)
		secret_wipe(hmac->sign, strlen(hmac->sign));
	free(hmac->sign);
	free(hmac->user);
	for (size_t i = 0; i < hmac->n_headers; i++) {
		free(hmac->headers[i].name);
		free(hmac->headers[i].value);
	}
	free(hmac->headers);
	free(hmac);
}

static int read_hash(struct hmac_auth *hmac, struct slice name, struct fault *reterr)
{
	static const struct {
		const char *name;
		enum digest_kind kind;
		bool is_keyed;
	} hashes[] = {{"hmac-sha1", DIGEST_SHA1, true}, {"hmac-sha256", DIGEST_SHA256, true},
		{"hmac-sha512", DIGEST_SHA512, true}, {"sha1", DIGEST_SHA1, false}};

	for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
		if (!slice_is(name, hashes[i].name))
			continue;
		hmac->hash = hashes[i].kind;
		hmac->is_keyed = hashes[i].is_keyed;
		return 0;
	}
	return fault_set(reterr, FAULT_CONFIG,
		"hash of auth type `hmac`: expected hmac-sha1, hmac-sha256, hmac-sha512 or sha1");
}

/* `\n` is written for a line break, since empty lines matter. */
static void read_sign(struct hmac_auth *hmac, struct slice text)
{
	struct buf lines CLEANUP(auth_wipe) = BUF_NULL;

	for (size_t i = 0; i < text.size; i++) {
		bool is_break =
			text.data[i] == '\\' && i + 1 < text.size && text.data[i + 1] == 'n';

		buf_append_char(&lines, is_break ? '\n' : text.data[i]);
		i += is_break;
	}
	hmac->sign = mem_strndup(lines.data, lines.size);
}

static int read_headers(
	struct hmac_auth *hmac, const struct auth_setup *setup, struct fault *reterr)
{
	bool sends = hmac->user != NULL;

	for (size_t i = 0; i < setup->n_settings; i++) {
		const struct option_pair *pair = &setup->settings[i];
		const char *name = pair->name + strlen(HEADER);

		if (!str_starts(pair->name, HEADER) || !pair->value || !*pair->value)
			continue;
		for (const char *at = name; *at; at++) {
			if (!isalnum((unsigned char)*at) && !strchr("-_.", *at))
				return fault_set(reterr, FAULT_CONFIG,
					"`%s` of auth type `hmac` is not a header name", name);
		}
		hmac->headers =
			mem_resize(hmac->headers, (hmac->n_headers + 1) * sizeof(*hmac->headers));
		hmac->headers[hmac->n_headers++] = (struct option_pair){
			.name = mem_strdup(name), .value = mem_strdup(pair->value)};
		sends |= strstr(pair->value, AUTH_VARIABLE("signature")) != NULL;
	}
	return sends ? 0
		     : fault_set(reterr, FAULT_CONFIG,
			       "auth type `hmac` does not send ${signature}: set user, or a header.NAME that contains it");
}

static int hmac_create(struct auth **ret, const struct auth_setup *setup, struct fault *reterr)
{
	struct hmac_auth *hmac = MEM_NEW(struct hmac_auth);
	struct slice user = auth_setting(setup, "user");
	struct slice encode = auth_setting(setup, "encode");
	int r = read_hash(hmac, auth_setting(setup, "hash"), reterr);

	if (user.size > 0)
		hmac->user = mem_strndup(user.data, user.size);
	hmac->is_base64 = slice_is(encode, "base64");
	if (!r && encode.size > 0 && !hmac->is_base64 && !slice_is(encode, "hex"))
		r = fault_set(
			reterr, FAULT_CONFIG, "encode of auth type `hmac` is `hex` or `base64`");
	if (!r && hmac->user && strchr(hmac->user, ':'))
		r = fault_set(
			reterr, FAULT_CONFIG, "the user of auth type `hmac` cannot contain a `:`");
	if (!r)
		r = read_headers(hmac, setup, reterr);
	if (r) {
		hmac_destroy(&hmac->auth);
		return r;
	}
	secret_set(&hmac->key, auth_setting(setup, "key"));
	read_sign(hmac, auth_setting(setup, "sign"));
	*ret = &hmac->auth;
	return 0;
}

static const char *const keys[] = {"key", "hash", "sign", "encode", "user", HEADER, NULL};
static const char *const required[] = {"key", "hash", "sign", NULL};

const struct auth_kind auth_hmac = {
	.info = {.type = "hmac", .keys = keys, .required = required, .variables = variables},
	.create = hmac_create,
	.destroy = hmac_destroy,
	.apply = hmac_apply,
};
