/*
 * The kind oauth2_client: the client credentials grant (RFC 6749 section 4.4). The client proves
 * itself in the form, as most APIs document it; `client_auth = basic` puts it into the
 * Authorization header (section 2.3.1) for servers that insist.
 */
#include "net/auth/auth_token.h"

#include "base/encode.h"
#include "base/cleanup.h"
#include "base/mem.h"

#include "net/url.h"

struct oauth2 {
	struct auth_token token;
	char *token_url;
	char *client_id;
	struct secret client_secret;
	char *scope; /* NULL: none */
	struct auth *basic; /* NULL: in the form */
	struct pointer access_token;
	struct pointer expires_in;
};

static void append_field(struct buf *out, const char *name, struct slice value)
{
	if (out->size > 0)
		buf_append_char(out, '&');
	buf_printf(out, "%s=", name);
	encode_percent(value, out);
}

static void oauth2_render(struct auth_token *self, struct http_message *out)
{
	struct oauth2 *oauth2 = (struct oauth2 *)self;

	out->method = mem_strdup("POST");
	out->url = mem_strdup(oauth2->token_url);
	out->has_body = true;
	http_headers_set(&out->headers, "Content-Type", SLICE("application/x-www-form-urlencoded"));
	http_headers_set(&out->headers, "Accept", SLICE("application/json"));
	append_field(&out->body, "grant_type", SLICE("client_credentials"));
	if (oauth2->scope)
		append_field(&out->body, "scope", slice_of(oauth2->scope));
	if (oauth2->basic) {
		(void)auth_apply(oauth2->basic, out, 0, NULL); /* basic cannot fail here */
		return;
	}
	append_field(&out->body, "client_id", slice_of(oauth2->client_id));
	append_field(&out->body, "client_secret",
		(struct slice){oauth2->client_secret.text, oauth2->client_secret.size});
}

static int oauth2_read(struct auth_token *self, const struct http_response *response,
	struct token_answer *ret, struct fault *reterr)
{
	struct oauth2 *oauth2 = (struct oauth2 *)self;
	struct slice body = buf_slice(&response->body);
	json_t *root = json_loadb(body.data, body.size, 0, NULL);
	int r;

	if (!root)
		return fault_set(reterr, FAULT_BODY, "the answer is not JSON");
	r = token_answer_pointer(root, &oauth2->access_token, &ret->token, reterr);
	ret->life_ns =
		token_answer_life(root, &oauth2->expires_in, response->server_time, clock_wall());
	token_answer_wipe(root, &oauth2->access_token);
	json_decref(root);
	return r;
}

static void oauth2_destroy(struct auth *auth)
{
	struct oauth2 *oauth2 = (struct oauth2 *)auth;

	auth_token_deinit(&oauth2->token);
	free(oauth2->token_url);
	free(oauth2->client_id);
	free(oauth2->scope);
	secret_deinit(&oauth2->client_secret);
	auth_free(oauth2->basic);
	pointer_deinit(&oauth2->access_token);
	pointer_deinit(&oauth2->expires_in);
	free(oauth2);
}

/* Both are form-encoded before they are joined (RFC 6749 section 2.3.1). */
static int make_basic(struct oauth2 *oauth2, struct fault *reterr)
{
	struct buf user = BUF_NULL;
	struct buf password = BUF_NULL;
	struct option_pair pairs[2];
	int r;

	encode_percent(slice_of(oauth2->client_id), &user);
	encode_percent(
		(struct slice){oauth2->client_secret.text, oauth2->client_secret.size}, &password);
	pairs[0] = (struct option_pair){.name = (char *)"user", .value = user.data};
	pairs[1] = (struct option_pair){.name = (char *)"password", .value = password.data};
	r = auth_new(&oauth2->basic,
		&(struct auth_setup){.type = "basic", .settings = pairs, .n_settings = 2}, reterr);
	secret_wipe(password.data, password.size);
	buf_deinit(&password);
	buf_deinit(&user);
	return r;
}

static const struct auth_token_source oauth2_source = {oauth2_render, oauth2_read};

static char *copy_setting(const struct auth_setup *setup, const char *key)
{
	struct slice value = auth_setting(setup, key);

	return value.data ? mem_strndup(value.data, value.size) : NULL;
}

static int oauth2_create(struct auth **ret, const struct auth_setup *setup, struct fault *reterr)
{
	struct slice way = auth_setting(setup, "client_auth");
	CLEANUP_FREE char *url = copy_setting(setup, "token_url");
	CLEANUP_FREE char *origin = NULL;
	struct oauth2 *oauth2;
	int r;

	if (url_origin(url, &origin) != 0)
		return fault_set(reterr, FAULT_CONFIG,
			"token_url of auth type `oauth2_client` is not an absolute http or "
			"https URL");
	if (way.data && !slice_is(way, "form") && !slice_is(way, "basic"))
		return fault_set(reterr, FAULT_CONFIG,
			"client_auth of auth type `oauth2_client` is `form` or `basic`");
	oauth2 = MEM_NEW(struct oauth2);
	oauth2->token_url = mem_strdup(url);
	oauth2->client_id = copy_setting(setup, "client_id");
	oauth2->scope = copy_setting(setup, "scope");
	secret_set(&oauth2->client_secret, auth_setting(setup, "client_secret"));
	(void)pointer_parse(&oauth2->access_token, SLICE("/access_token"));
	(void)pointer_parse(&oauth2->expires_in, SLICE("/expires_in"));
	r = auth_token_init(&oauth2->token, setup, &oauth2_source, "Authorization", reterr);
	if (r == 0 && slice_is(way, "basic"))
		r = make_basic(oauth2, reterr);
	if (r != 0) {
		oauth2_destroy(&oauth2->token.auth);
		return r;
	}
	*ret = &oauth2->token.auth;
	return 0;
}

static const char *const keys[] = {
	"token_url", "client_id", "client_secret", "scope", "client_auth", "header", NULL};
static const char *const required[] = {"token_url", "client_id", "client_secret", NULL};

const struct auth_kind auth_oauth2_client = {
	.info = {.type = "oauth2_client", .keys = keys, .required = required},
	.create = oauth2_create,
	.destroy = oauth2_destroy,
	.prepare = auth_token_prepare,
	.apply = auth_token_apply,
	.reject = auth_token_reject,
};
