/*
 * The kind sigv4: each request is signed with an access key (sigv4.h). The URL's query is written
 * in one encoding before it is signed and sent, so that client, proxies and server agree on it.
 * Applying again (a retry) replaces date and signature.
 */
#include "net/auth/auth_internal.h"

#include <ctype.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/random.h"

#include "net/auth/sigv4.h"
#include "net/url.h"

#define NONCE_SIZE 16

struct sigv4 {
	struct auth auth;
	const struct sigv4_scheme *scheme;
	char *service; /* "": in no scope */
	char *region; /* the same */
	char *access_key;
	struct secret secret_key;
	struct secret security_token; /* not set: a key that does not expire */
};

static bool is_word(struct slice text)
{
	for (size_t i = 0; i < text.size; i++) {
		if (!isalnum((unsigned char)text.data[i]) && !strchr("-_.", text.data[i]))
			return false;
	}
	return text.size > 0;
}

static int sigv4_create(struct auth **ret, const struct auth_setup *setup, struct fault *reterr)
{
	const struct sigv4_scheme *scheme = sigv4_find(auth_setting(setup, "provider"));
	struct slice service = auth_setting(setup, "service");
	struct slice region = auth_setting(setup, "region");
	struct slice access_key = auth_setting(setup, "access_key");
	struct slice token = auth_setting(setup, "security_token");
	struct sigv4 *sigv4;

	if (!scheme)
		return fault_set(reterr, FAULT_CONFIG,
			"provider of auth type `sigv4`: expected osc, aws, acs3 or tc3");
	bool good_service = !scheme->terminator || is_word(service);
	if (!good_service || (scheme->has_region && !is_word(region)))
		return fault_set(reterr, FAULT_CONFIG,
			"auth type `sigv4` with provider %s requires %s: letters, digits, `-`, `_` and `.`",
			scheme->provider, good_service ? "region" : "service");
	if (token.data && !scheme->token_header)
		return fault_set(reterr, FAULT_CONFIG,
			"auth type `sigv4` does not take security_token with provider %s",
			scheme->provider);
	sigv4 = MEM_NEW(struct sigv4);
	sigv4->scheme = scheme;
	sigv4->service = mem_printf("%.*s", (int)service.size, service.data ? service.data : "");
	sigv4->region = mem_printf("%.*s", (int)region.size, region.data ? region.data : "");
	sigv4->access_key = mem_strndup(access_key.data, access_key.size);
	secret_set(&sigv4->secret_key, auth_setting(setup, "secret_key"));
	if (token.data)
		secret_set(&sigv4->security_token, token);
	*ret = &sigv4->auth;
	return 0;
}

static void sigv4_destroy(struct auth *auth)
{
	struct sigv4 *sigv4 = (struct sigv4 *)auth;

	free(sigv4->service);
	free(sigv4->region);
	free(sigv4->access_key);
	secret_deinit(&sigv4->secret_key);
	secret_deinit(&sigv4->security_token);
	free(sigv4);
}

/* In the order in which it was written: what a service makes of equal names may depend on it. */
static void encode_query(struct http_message *message)
{
	CLEANUP(buf_deinit) struct buf url = BUF_NULL;
	struct url_parts parts;

	if (url_split(message->url, &parts) != 0 || !parts.query.data)
		return;
	buf_append(&url, message->url, (size_t)(parts.query.data - message->url));
	query_canonical(parts.query, QUERY_ORDER_AS_IS, &url);
	free(message->url);
	message->url = buf_take(&url);
}

static void set_headers(const struct sigv4 *sigv4, struct http_message *message)
{
	struct http_headers *headers = &message->headers;
	uint8_t digest[DIGEST_SIZE];
	uint8_t nonce[NONCE_SIZE];
	char hex[DIGEST_HEX_SIZE];

	/* What says how a body is read has to be signed; this is what would be sent anyhow. */
	if (message->body.size > 0 && !http_headers_get(headers, "Content-Type").data)
		http_headers_add(headers, "Content-Type", SLICE("application/octet-stream"));
	if (sigv4->security_token.text)
		http_headers_set(headers, sigv4->scheme->token_header,
			(struct slice){sigv4->security_token.text, sigv4->security_token.size});
	if (sigv4->scheme->nonce_header) {
		random_bytes(nonce, sizeof(nonce));
		digest_hex(nonce, sizeof(nonce), hex);
		http_headers_set(headers, sigv4->scheme->nonce_header, slice_of(hex));
	}
	if (!sigv4->scheme->hash_header ||
		!(sigv4->scheme->hashes_all || sigv4_is_s3(sigv4->service)))
		return;
	digest_sha256(buf_slice(&message->body), digest);
	digest_hex(digest, sizeof(digest), hex);
	http_headers_set(headers, sigv4->scheme->hash_header, slice_of(hex));
}

static int sigv4_apply(
	struct auth *auth, struct http_message *message, nsec_t now_time, struct fault *reterr)
{
	const struct sigv4 *sigv4 = (const struct sigv4 *)auth;
	const struct sigv4_key key = {
		.scheme = sigv4->scheme,
		.access_key = slice_of(sigv4->access_key),
		.secret_key = {sigv4->secret_key.text, sigv4->secret_key.size},
		.region = sigv4->region,
		.service = sigv4->service,
	};
	const struct sigv4_scheme *scheme = sigv4->scheme;
	const struct canonical_rules rules = sigv4_rules(scheme, sigv4->service);
	CLEANUP(buf_deinit) struct buf date = BUF_NULL;
	CLEANUP(buf_deinit) struct buf names = BUF_NULL;
	CLEANUP(buf_deinit) struct buf canonical = BUF_NULL;
	CLEANUP(buf_deinit) struct buf value = BUF_NULL;
	int r = canonical_host(message, reterr);

	if (r)
		return r;
	sigv4_date(scheme->date_format, now_time, &date);
	http_headers_set(&message->headers, scheme->date_header, buf_slice(&date));
	encode_query(message);
	set_headers(sigv4, message);
	canonical_names(&rules, &message->headers, &names);
	r = canonical_request(&rules, message->method ? message->method : "GET", message->url,
		&message->headers, buf_slice(&names), buf_slice(&message->body), &canonical);
	if (r)
		return r;
	sigv4_authorization(&key, now_time, buf_slice(&names), buf_slice(&canonical), &value);
	http_headers_set(&message->headers, "Authorization", buf_slice(&value));
	message->is_signed = true;
	return 0;
}

static const char *const keys[] = {
	"provider", "service", "region", "access_key", "secret_key", "security_token", NULL};
static const char *const required[] = {"provider", "access_key", "secret_key", NULL};

const struct auth_kind auth_sigv4 = {
	.info = {.type = "sigv4", .keys = keys, .required = required},
	.create = sigv4_create,
	.destroy = sigv4_destroy,
	.apply = sigv4_apply,
};
