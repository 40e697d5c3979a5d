/*
 * The array of auth kinds and what they share: the check of their keys and the calls through the
 * row. No kind is named here but in the array.
 */
#include "net/auth/auth.h"

#include <assert.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"

#include "net/auth/auth_internal.h"

static const struct auth_kind *const auth_kinds[] = {
	&auth_none,
	&auth_bearer,
	&auth_basic,
	&auth_header,
	&auth_sigv4,
	&auth_huawei_aksk,
	&auth_oauth2_client,
	&auth_login,
	&auth_jwt,
	&auth_hmac,
	&auth_http_signature,
	&auth_command,
};

#define N_AUTH_KINDS (sizeof(auth_kinds) / sizeof(auth_kinds[0]))

static const struct auth_kind *find_kind(const char *type)
{
	for (size_t i = 0; i < N_AUTH_KINDS; i++) {
		if (strcmp(auth_kinds[i]->info.type, type) == 0)
			return auth_kinds[i];
	}
	return NULL;
}

const struct auth_kind_info *auth_kind_find(const char *type)
{
	const struct auth_kind *kind = find_kind(type);

	return kind ? &kind->info : NULL;
}

const char *const *auth_kind_names(void)
{
	static const char *names[N_AUTH_KINDS + 1];

	for (size_t i = 0; i < N_AUTH_KINDS; i++)
		names[i] = auth_kinds[i]->info.type;
	return names;
}

const char *auth_kind_with_key(const char *key)
{
	for (size_t i = 0; i < N_AUTH_KINDS; i++)
		for (size_t k = 0; auth_kinds[i]->info.keys[k]; k++)
			if (strcmp(auth_kinds[i]->info.keys[k], key) == 0)
				return auth_kinds[i]->info.type;
	return NULL;
}

static size_t count(const char *const *names)
{
	size_t n = 0;

	while (names[n])
		n++;
	return n;
}

static bool is_listed(const char *const *names, struct slice name)
{
	for (size_t i = 0; names && names[i]; i++) {
		if (slice_is(name, names[i]))
			return true;
	}
	return false;
}

bool auth_kind_takes(const struct auth_kind_info *info, const char *key)
{
	for (size_t i = 0; info->keys[i]; i++) {
		const char *name = info->keys[i];

		if (str_ends(name, ".") ? str_starts(key, name) && key[strlen(name)]
					: strcmp(key, name) == 0)
			return true;
	}
	return false;
}

/* True at each variable of TEXT, whose name and what follows are then in RET_NAME and TEXT; what
 * stands before it in RET_BEFORE. */
static bool next_variable(struct slice *text, struct slice *ret_before, struct slice *ret_name)
{
	const char *end = text->data + text->size;
	const char *open = text->size ? memchr(text->data, AUTH_MARK, text->size) : NULL;
	const char *close = open ? memchr(open + 1, AUTH_MARK, (size_t)(end - open - 1)) : NULL;

	if (!close)
		return false;
	*ret_before = (struct slice){text->data, (size_t)(open - text->data)};
	*ret_name = (struct slice){open + 1, (size_t)(close - open - 1)};
	*text = (struct slice){close + 1, (size_t)(end - close - 1)};
	return true;
}

void auth_fill(struct slice text, auth_variable_fn variable, void *userdata, struct buf *out)
{
	struct slice before;
	struct slice name;

	while (next_variable(&text, &before, &name)) {
		buf_append_slice(out, before);
		variable(name, out, userdata);
	}
	buf_append_slice(out, text);
}

void auth_wipe(struct buf *buf)
{
	if (buf->data)
		secret_wipe(buf->data, buf->size);
	buf_deinit(buf);
}

static int check_value(
	const struct auth_kind_info *info, const struct option_pair *pair, struct fault *reterr)
{
	bool is_text = is_listed(info->texts, slice_of(pair->name));
	struct slice rest = slice_of(pair->value);
	bool is_sendable = true;
	struct slice before;
	struct slice name;

	while (next_variable(&rest, &before, &name)) {
		is_sendable &= is_text || auth_is_sendable(before);
		if (!is_listed(info->variables, name))
			return fault_set(reterr, FAULT_CONFIG,
				"auth key `%s` uses ${%.*s}, which auth type `%s` does not have",
				pair->name, (int)name.size, name.data, info->type);
	}
	if (is_sendable && (is_text || auth_is_sendable(rest)))
		return 0;
	return fault_set(reterr, FAULT_CONFIG,
		"the value of auth key `%s` holds a line break or another control character",
		pair->name);
}

static int check_keys(
	const struct auth_kind *kind, const struct auth_setup *setup, struct fault *reterr)
{
	const struct auth_kind_info *info = &kind->info;
	size_t n_keys = count(info->keys);

	for (size_t i = 0; i < setup->n_settings; i++) {
		const char *name = setup->settings[i].name;
		char *hint CLEANUP_FREE = str_hint(name, info->keys, n_keys);
		int r;

		if (!auth_kind_takes(info, name))
			return fault_set(reterr, FAULT_CONFIG, "auth type `%s` has no key `%s`%s",
				info->type, name, hint);
		r = check_value(info, &setup->settings[i], reterr);
		if (r)
			return r;
	}
	for (size_t i = 0; info->required[i]; i++) {
		if (auth_setting(setup, info->required[i]).size == 0)
			return fault_set(reterr, FAULT_CONFIG, "auth type `%s` needs `%s`",
				info->type, info->required[i]);
	}
	return 0;
}

/* --- sharing --- */

static struct auth *shared;

/* With its size, so that no two lists of values look the same. */
static void identify_text(struct buf *key, const char *name, const char *value)
{
	struct slice text = slice_of(value ? value : "");

	buf_printf(key, "%s=%zu:", name, text.size);
	buf_append_slice(key, text);
}

static struct id identify(const struct auth_kind *kind, const struct auth_setup *setup)
{
	CLEANUP(auth_wipe) struct buf key = BUF_NULL;

	buf_printf(&key, "%s %p ", kind->info.type, (void *)setup->client);
	for (size_t i = 0; i < setup->n_settings; i++)
		identify_text(&key, setup->settings[i].name, setup->settings[i].value);
	identify_text(&key, "ca_file", setup->transport.ca_file);
	identify_text(&key, "client_cert", setup->transport.client_cert);
	identify_text(&key, "client_key", setup->transport.client_key);
	identify_text(&key, "client_key_password", setup->transport.client_key_password);
	identify_text(&key, "proxy", setup->transport.proxy);
	return digest_id(buf_slice(&key));
}

static struct auth *join(const struct id *identity)
{
	for (struct auth *auth = shared; auth; auth = auth->next) {
		if (memcmp(&auth->identity, identity, sizeof(*identity)) != 0)
			continue;
		auth->n_users++;
		auth->kind->join(auth);
		return auth;
	}
	return NULL;
}

int auth_new(struct auth **ret, const struct auth_setup *setup, struct fault *reterr)
{
	const char *type = setup->type ? setup->type : "none";
	const struct auth_kind *kind = find_kind(type);
	struct auth *auth = NULL;
	struct id identity;
	int r;

	if (!kind) {
		char *hint CLEANUP_FREE = str_hint_or_all(type, auth_kind_names(), N_AUTH_KINDS);

		return fault_set(reterr, FAULT_CONFIG, "unknown auth type `%s`%s", type, hint);
	}
	r = check_keys(kind, setup, reterr);
	if (r)
		return r;
	if (kind->join) {
		identity = identify(kind, setup);
		*ret = join(&identity);
		if (*ret)
			return 0;
	}
	r = kind->create(&auth, setup, reterr);
	if (r)
		return r;
	auth->kind = kind;
	auth->n_users = 1;
	if (kind->join) {
		auth->identity = identity;
		auth->next = shared;
		shared = auth;
	}
	*ret = auth;
	return 0;
}

static void leave(const struct auth *auth)
{
	struct auth **next = &shared;

	while (*next && *next != auth)
		next = &(*next)->next;
	if (*next)
		*next = auth->next;
}

void auth_free(struct auth *auth)
{
	if (!auth || --auth->n_users > 0)
		return;
	leave(auth);
	auth->kind->destroy(auth);
}

struct auth_waiter *auth_prepare(struct auth *auth, auth_ready_fn ready, void *userdata)
{
	return auth->kind->prepare ? auth->kind->prepare(auth, ready, userdata) : NULL;
}

int auth_apply(
	struct auth *auth, struct http_message *message, nsec_t now_time, struct fault *reterr)
{
	assert(message->url);
	return auth->kind->apply(auth, message, now_time, reterr);
}

unsigned auth_epoch(const struct auth *auth)
{
	return auth->epoch;
}

bool auth_reject(struct auth *auth, unsigned epoch)
{
	if (!auth->kind->reject)
		return false;
	if (epoch != auth->epoch)
		return true;
	if (!auth->kind->reject(auth))
		return false;
	auth->epoch++;
	return true;
}

struct slice auth_setting(const struct auth_setup *setup, const char *key)
{
	for (size_t i = 0; i < setup->n_settings; i++) {
		const struct option_pair *pair = &setup->settings[i];

		if (strcmp(pair->name, key) == 0 && pair->value && *pair->value)
			return slice_of(pair->value);
	}
	return SLICE_NULL;
}

bool auth_is_sendable(struct slice text)
{
	for (size_t i = 0; i < text.size; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c < 0x20 || c == 0x7f)
			return false;
	}
	return true;
}
