/*
 * The kind login: any request that answers with a token, in a header or in its JSON body. What is
 * asked is rendered by the owner of the template, each time anew; here the answer is read.
 */
#include "net/auth/auth_token.h"

#include <assert.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"

struct login {
	struct auth_token token;
	void (*render)(struct http_message *out, void *userdata);
	void *userdata;
	char *from_header; /* NULL: at FROM */
	struct pointer from;
	struct pointer expires; /* not set: one hour */
};

static int login_render(struct auth_token *self, struct http_message *out, struct fault *reterr)
{
	struct login *login = (struct login *)self;

	(void)reterr;
	login->render(out, login->userdata);
	return 0;
}

static int read_token(struct login *login, const struct http_response *response, json_t *root,
	struct token_answer *ret, struct fault *reterr)
{
	struct slice value;

	if (!login->from_header) {
		if (!root)
			return fault_set(reterr, FAULT_BODY, "the answer is not JSON");
		return token_answer_pointer(root, &login->from, &ret->token, reterr);
	}
	value = http_headers_get(&response->headers, login->from_header);
	if (value.size == 0)
		return fault_set(
			reterr, FAULT_BODY, "the answer has no header %s", login->from_header);
	buf_append_slice(&ret->token, value);
	return 0;
}

static int login_read(struct auth_token *self, const struct http_response *response,
	struct token_answer *ret, struct fault *reterr)
{
	struct login *login = (struct login *)self;
	struct slice body = buf_slice(&response->body);
	json_t *root = json_loadb(body.data, body.size, JSON_DECODE_ANY, NULL);
	int r = read_token(login, response, root, ret, reterr);

	ret->life_ns =
		token_answer_life(root, &login->expires, response->server_time, clock_wall());
	if (!login->from_header)
		token_answer_wipe(root, &login->from);
	json_decref(root);
	return r;
}

static void login_destroy(struct auth *auth)
{
	struct login *login = (struct login *)auth;

	auth_token_deinit(&login->token);
	free(login->from_header);
	pointer_deinit(&login->from);
	pointer_deinit(&login->expires);
	free(login);
}

static int read_places(struct login *login, const struct auth_setup *setup, struct fault *reterr)
{
	if (!setup->token_from)
		return fault_set(reterr, FAULT_CONFIG, "[login] needs `token`");
	if (str_starts(setup->token_from, "header:") && setup->token_from[7])
		login->from_header = mem_strdup(setup->token_from + 7);
	else if (pointer_parse(&login->from, slice_of(setup->token_from)) != 0)
		return fault_set(reterr, FAULT_CONFIG,
			"token: `%s` is not a JSON Pointer or `header:NAME`", setup->token_from);
	if (setup->expires_from &&
		pointer_parse(&login->expires, slice_of(setup->expires_from)) != 0)
		return fault_set(reterr, FAULT_CONFIG, "expires: `%s` is not a JSON Pointer",
			setup->expires_from);
	return 0;
}

static const struct auth_token_source login_source = {.render = login_render, .read = login_read};

static int login_create(struct auth **ret, const struct auth_setup *setup, struct fault *reterr)
{
	struct login *login = MEM_NEW(struct login);
	int r = read_places(login, setup, reterr);

	assert(setup->login_render);
	login->render = setup->login_render;
	login->userdata = setup->login_userdata;
	if (!r)
		r = auth_token_init(&login->token, setup, &login_source, "X-Auth-Token", reterr);
	if (r) {
		login_destroy(&login->token.auth);
		return r;
	}
	login->token.caller = setup->login_caller;
	*ret = &login->token.auth;
	return 0;
}

static const char *const keys[] = {"header", NULL};
static const char *const required[] = {NULL};

const struct auth_kind auth_login = {
	.info = {.type = "login", .keys = keys, .required = required},
	.create = login_create,
	.destroy = login_destroy,
	.prepare = auth_token_prepare,
	.apply = auth_token_apply,
	.reject = auth_token_reject,
};
