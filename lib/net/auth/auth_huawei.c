/*
 * The kind huawei_aksk: each request is signed with an access key (SDK-HMAC-SHA256, sdk_hmac.h).
 * Every header that is added here is signed. Applying again (a retry) replaces date and signature.
 */
#include "net/auth/auth_internal.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include "net/auth/sdk_hmac.h"

struct aksk {
	struct auth auth;
	char *access_key;
	struct secret secret_key;
	char *project_id; /* NULL: not sent */
	char *domain_id;
	struct secret security_token;
};

static char *copy_setting(const struct auth_setup *setup, const char *key)
{
	struct slice value = auth_setting(setup, key);

	return value.data ? mem_strndup(value.data, value.size) : NULL;
}

static int aksk_create(struct auth **ret, const struct auth_setup *setup, struct fault *reterr)
{
	struct aksk *aksk = MEM_NEW(struct aksk);
	struct slice token = auth_setting(setup, "security_token");

	(void)reterr;
	aksk->access_key = copy_setting(setup, "access_key");
	secret_set(&aksk->secret_key, auth_setting(setup, "secret_key"));
	aksk->project_id = copy_setting(setup, "project_id");
	aksk->domain_id = copy_setting(setup, "domain_id");
	if (token.data)
		secret_set(&aksk->security_token, token);
	*ret = &aksk->auth;
	return 0;
}

static void aksk_destroy(struct auth *auth)
{
	struct aksk *aksk = (struct aksk *)auth;

	free(aksk->access_key);
	secret_deinit(&aksk->secret_key);
	free(aksk->project_id);
	free(aksk->domain_id);
	secret_deinit(&aksk->security_token);
	free(aksk);
}

static int set_headers(const struct aksk *aksk, struct http_message *message, nsec_t now_time,
	struct fault *reterr)
{
	struct http_headers *headers = &message->headers;
	int r = canonical_stamp(message, "X-Sdk-Date", now_time, reterr);

	if (r)
		return r;
	if (aksk->project_id)
		http_headers_set(headers, "X-Project-Id", slice_of(aksk->project_id));
	if (aksk->domain_id)
		http_headers_set(headers, "X-Domain-Id", slice_of(aksk->domain_id));
	if (aksk->security_token.text)
		http_headers_set(headers, "X-Security-Token",
			(struct slice){aksk->security_token.text, aksk->security_token.size});
	return 0;
}

static int aksk_apply(
	struct auth *auth, struct http_message *message, nsec_t now_time, struct fault *reterr)
{
	const struct aksk *aksk = (const struct aksk *)auth;
	CLEANUP(buf_deinit) struct buf names = BUF_NULL;
	CLEANUP(buf_deinit) struct buf canonical = BUF_NULL;
	CLEANUP(buf_deinit) struct buf value = BUF_NULL;
	char signature[DIGEST_HEX_SIZE];
	int r = set_headers(aksk, message, now_time, reterr);

	if (r)
		return r;
	canonical_names(&sdk_hmac_rules, &message->headers, &names);
	r = canonical_request(&sdk_hmac_rules, message->method ? message->method : "GET",
		message->url, &message->headers, buf_slice(&names), buf_slice(&message->body),
		&canonical);
	if (r)
		return r;
	sdk_hmac_signature((struct slice){aksk->secret_key.text, aksk->secret_key.size},
		http_headers_get(&message->headers, "X-Sdk-Date"), buf_slice(&canonical),
		signature);
	buf_printf(&value, "SDK-HMAC-SHA256 Access=%s, SignedHeaders=%s, Signature=%s",
		aksk->access_key, buf_text(&names), signature);
	http_headers_set(&message->headers, "Authorization", buf_slice(&value));
	message->is_signed = true;
	return 0;
}

static const char *const keys[] = {
	"access_key", "secret_key", "project_id", "domain_id", "security_token", NULL};
static const char *const required[] = {"access_key", "secret_key", NULL};

const struct auth_kind auth_huawei_aksk = {
	.info = {.type = "huawei_aksk", .keys = keys, .required = required},
	.create = aksk_create,
	.destroy = aksk_destroy,
	.apply = aksk_apply,
};
