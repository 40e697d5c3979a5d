/*
 * The array of auth kinds and what they share: the check of their keys and the calls through the
 * row. No kind is named here but in the array.
 */
#include "net/auth/auth.h"

#include <assert.h>

#include "base/cleanup.h"
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

static size_t count(const char *const *names)
{
	size_t n = 0;

	while (names[n])
		n++;
	return n;
}

static int check_keys(
	const struct auth_kind *kind, const struct auth_setup *setup, struct fault *reterr)
{
	const struct auth_kind_info *info = &kind->info;
	size_t n_keys = count(info->keys);

	for (size_t i = 0; i < setup->n_settings; i++) {
		const char *name = setup->settings[i].name;
		char *hint CLEANUP_FREE = str_hint(name, info->keys, n_keys);
		bool known = false;

		for (size_t k = 0; k < n_keys && !known; k++)
			known = strcmp(info->keys[k], name) == 0;
		if (!known)
			return fault_set(reterr, FAULT_CONFIG, "auth type `%s` has no key `%s`%s",
				info->type, name, hint);
		if (!auth_is_sendable(slice_of(setup->settings[i].value)))
			return fault_set(reterr, FAULT_CONFIG,
				"the value of auth key `%s` holds a line break or another "
				"control character",
				name);
	}
	for (size_t i = 0; info->required[i]; i++) {
		if (auth_setting(setup, info->required[i]).size == 0)
			return fault_set(reterr, FAULT_CONFIG, "auth type `%s` needs `%s`",
				info->type, info->required[i]);
	}
	return 0;
}

int auth_new(struct auth **ret, const struct auth_setup *setup, struct fault *reterr)
{
	const char *type = setup->type ? setup->type : "none";
	const struct auth_kind *kind = find_kind(type);
	struct auth *auth = NULL;
	int r;

	if (!kind) {
		char *hint CLEANUP_FREE = str_hint(type, auth_kind_names(), N_AUTH_KINDS);

		return fault_set(reterr, FAULT_CONFIG, "unknown auth type `%s`%s", type, hint);
	}
	r = check_keys(kind, setup, reterr);
	if (r == 0)
		r = kind->create(&auth, setup, reterr);
	if (r != 0)
		return r;
	auth->kind = kind;
	*ret = auth;
	return 0;
}

void auth_free(struct auth *auth)
{
	if (auth)
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

bool auth_reject(struct auth *auth)
{
	return auth->kind->reject && auth->kind->reject(auth);
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
