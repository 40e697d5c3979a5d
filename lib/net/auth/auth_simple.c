/*
 * The kinds whose proof is one header that never changes: none, bearer, basic (RFC 7617) and
 * header (any name). The whole value is made once, kept as a secret and set on each message.
 */
#include "net/auth/auth_internal.h"

#include <ctype.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/mem.h"

struct simple {
	struct auth auth;
	char *name; /* NULL: nothing is added */
	struct secret plain; /* as configured: masked wherever it shows up */
	struct secret value;
};

static int simple_create(
	struct auth **ret, const char *name, struct slice plain, const struct buf *value)
{
	struct simple *simple = MEM_NEW(struct simple);

	simple->name = mem_strdup(name);
	if (plain.data)
		secret_set(&simple->plain, plain);
	if (value)
		secret_set(&simple->value, buf_slice(value));
	*ret = &simple->auth;
	return 0;
}

static void simple_destroy(struct auth *auth)
{
	struct simple *simple = (struct simple *)auth;

	free(simple->name);
	secret_deinit(&simple->plain);
	secret_deinit(&simple->value);
	free(simple);
}

static int simple_apply(
	struct auth *auth, struct http_message *message, nsec_t now_time, struct fault *reterr)
{
	struct simple *simple = (struct simple *)auth;

	(void)now_time;
	(void)reterr;
	if (simple->name)
		http_headers_set(&message->headers, simple->name,
			(struct slice){simple->value.text, simple->value.size});
	return 0;
}

static int none_create(struct auth **ret, const struct auth_setup *setup, struct fault *reterr)
{
	(void)setup;
	(void)reterr;
	return simple_create(ret, NULL, SLICE_NULL, NULL);
}

static int bearer_create(struct auth **ret, const struct auth_setup *setup, struct fault *reterr)
{
	CLEANUP(auth_wipe) struct buf value = BUF_NULL;
	struct slice token = auth_setting(setup, "token");

	if (token.size > 7 && strncasecmp(token.data, "Bearer ", 7) == 0)
		return fault_set(reterr, FAULT_CONFIG,
			"the token of auth type `bearer` begins with `Bearer `, which trawld adds itself (remove it)");
	buf_append_text(&value, "Bearer ");
	buf_append_slice(&value, token);
	return simple_create(ret, "Authorization", token, &value);
}

static int basic_create(struct auth **ret, const struct auth_setup *setup, struct fault *reterr)
{
	CLEANUP(auth_wipe) struct buf pair = BUF_NULL;
	CLEANUP(auth_wipe) struct buf value = BUF_NULL;
	struct slice user = auth_setting(setup, "user");
	struct slice password = auth_setting(setup, "password");

	if (memchr(user.data, ':', user.size))
		return fault_set(
			reterr, FAULT_CONFIG, "the user of auth type `basic` cannot contain a `:`");
	buf_append_slice(&pair, user);
	buf_append_char(&pair, ':');
	if (password.data) /* empty is allowed: many APIs take their key as the user */
		buf_append_slice(&pair, password);
	buf_append_text(&value, "Basic ");
	encode_base64(buf_slice(&pair), &value);
	return simple_create(ret, "Authorization", password.data ? password : user, &value);
}

static int header_create(struct auth **ret, const struct auth_setup *setup, struct fault *reterr)
{
	CLEANUP(auth_wipe) struct buf value = BUF_NULL;
	CLEANUP_FREE char *name = NULL;
	struct slice text = auth_setting(setup, "name");
	const char *blank;

	for (size_t i = 0; i < text.size; i++) {
		if (!isalnum((unsigned char)text.data[i]) && !strchr("-_.", text.data[i]))
			return fault_set(reterr, FAULT_CONFIG,
				"the name of auth type `header` is not a header name");
	}
	name = mem_strndup(text.data, text.size);
	text = auth_setting(setup, "value");
	buf_append_slice(&value, text);
	/* `Token x`: a peer may quote x alone */
	blank = memchr(text.data, ' ', text.size);
	if (blank)
		text = (struct slice){blank + 1, text.size - (size_t)(blank + 1 - text.data)};
	return simple_create(ret, name, text, &value);
}

static const char *const no_keys[] = {NULL};
static const char *const bearer_keys[] = {"token", NULL};
static const char *const basic_keys[] = {"user", "password", NULL};
static const char *const basic_required[] = {"user", NULL};
static const char *const header_keys[] = {"name", "value", NULL};

const struct auth_kind auth_none = {
	.info = {.type = "none", .keys = no_keys, .required = no_keys},
	.create = none_create,
	.destroy = simple_destroy,
	.apply = simple_apply,
};

const struct auth_kind auth_bearer = {
	.info = {.type = "bearer", .keys = bearer_keys, .required = bearer_keys},
	.create = bearer_create,
	.destroy = simple_destroy,
	.apply = simple_apply,
};

const struct auth_kind auth_basic = {
	.info = {.type = "basic", .keys = basic_keys, .required = basic_required},
	.create = basic_create,
	.destroy = simple_destroy,
	.apply = simple_apply,
};

const struct auth_kind auth_header = {
	.info = {.type = "header", .keys = header_keys, .required = header_keys},
	.create = header_create,
	.destroy = simple_destroy,
	.apply = simple_apply,
};
