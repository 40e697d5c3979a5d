/*
 * What an auth kind is to auth.c: one constant row and one struct that begins with struct auth.
 * Nothing outside lib/net includes it.
 */
#ifndef TRAWLD_NET_AUTH_INTERNAL_H
#define TRAWLD_NET_AUTH_INTERNAL_H

#include "net/auth/auth.h"

#include "base/idset.h"

struct auth_kind {
	struct auth_kind_info info;
	/* SETUP has been checked against info: the required keys are there and not empty, no other
	 * keys are. Outcomes as auth_new. */
	int (*create)(struct auth **ret, const struct auth_setup *setup, struct fault *reterr);
	void (*destroy)(struct auth *auth);
	/* NULL: always ready */
	struct auth_waiter *(*prepare)(struct auth *auth, auth_ready_fn ready, void *userdata);
	int (*apply)(struct auth *auth, struct http_message *message, nsec_t now_time,
		struct fault *reterr);
	bool (*reject)(struct auth *auth); /* NULL: nothing to drop */
	/* Another caller shares what was created for equal settings. NULL: each has its own. */
	void (*join)(struct auth *auth);
};

/* Each kind's state has this as its first member. */
struct auth {
	const struct auth_kind *kind;
	unsigned epoch; /* grows when a fetched token is dropped or replaced */
	unsigned n_users;
	struct id identity; /* the same for all that can share it */
	struct auth *next; /* of those that can be shared */
};

extern const struct auth_kind auth_none;
extern const struct auth_kind auth_bearer;
extern const struct auth_kind auth_basic;
extern const struct auth_kind auth_header;
extern const struct auth_kind auth_sigv4;
extern const struct auth_kind auth_huawei_aksk;
extern const struct auth_kind auth_oauth2_client;
extern const struct auth_kind auth_login;
extern const struct auth_kind auth_jwt;
extern const struct auth_kind auth_hmac;
extern const struct auth_kind auth_http_signature;
extern const struct auth_kind auth_command;

/* The value of KEY; SLICE_NULL when it is not set or empty. */
struct slice auth_setting(const struct auth_setup *setup, const char *key);

/* True when TEXT can be sent in a header as it is: no control characters. */
bool auth_is_sendable(struct slice text);

/* Appends TEXT to OUT, each of its variables as VARIABLE appends it. */
typedef void (*auth_variable_fn)(struct slice name, struct buf *out, void *userdata);
void auth_fill(struct slice text, auth_variable_fn variable, void *userdata, struct buf *out);

void auth_wipe(struct buf *buf); /* overwrites what it holds, and frees it */

#endif
