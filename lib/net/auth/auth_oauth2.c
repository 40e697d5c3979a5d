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
};

static int oauth2_render(struct auth_token *self, struct http_message *out, struct fault *reterr)
{
	struct oauth2 *oauth2 = (struct oauth2 *)self;

	auth_token_form(out, oauth2->token_url);
	auth_token_form_add(out, "grant_type", SLICE("client_credentials"));
	if (oauth2->scope)
		auth_token_form_add(out, "scope", slice_of(oauth2->scope));
	if (oauth2->basic)
		return auth_apply(oauth2->basic, out, 0, reterr);
	auth_token_form_add(out, "client_id", slice_of(oauth2->client_id));
	auth_token_form_add(out, "client_secret",
		(struct slice){oauth2->client_secret.text, oauth2->client_secret.size});
	return 0;
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

static const struct auth_token_source oauth2_source = {
	.render = oauth2_render, .read = token_answer_oauth2};

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
			"token_url of auth type `oauth2_client` is not an absolute http or https URL");
	if (way.data && !slice_is(way, "form") && !slice_is(way, "basic"))
		return fault_set(reterr, FAULT_CONFIG,
			"client_auth of auth type `oauth2_client`: expected form or basic");
	oauth2 = MEM_NEW(struct oauth2);
	oauth2->token_url = mem_strdup(url);
	oauth2->client_id = copy_setting(setup, "client_id");
	oauth2->scope = copy_setting(setup, "scope");
	secret_set(&oauth2->client_secret, auth_setting(setup, "client_secret"));
	r = auth_token_init(&oauth2->token, setup, &oauth2_source, "Authorization", reterr);
	if (!r && slice_is(way, "basic"))
		r = make_basic(oauth2, reterr);
	if (r) {
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
	.join = auth_token_join,
};
