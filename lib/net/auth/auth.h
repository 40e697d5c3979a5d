/*
 * Ways to prove who is calling, as an array of kinds behind one interface. The caller prepares
 * (which may fetch a token), then applies to each message just before it is sent: every retry is
 * signed anew.
 */
#ifndef TRAWLD_NET_AUTH_H
#define TRAWLD_NET_AUTH_H

#include "net/client.h"

#include "base/secret.h"
#include "conf/option.h"

struct auth;

/*
 * A value may hold variables that the kind fills in when it makes its proof, such as the assertion
 * of jwt: written as AUTH_VARIABLE("jwt"). Configured texts cannot hold the mark.
 */
#define AUTH_MARK '\x1a'
#define AUTH_VARIABLE(name) "\x1a" name "\x1a"

/*
 * The kinds and their keys (brackets: optional):
 *   none
 *   bearer         token
 *   basic          user [password]
 *   header         name value
 *   sigv4          provider (osc, aws, acs3, tc3) access_key secret_key [service] [region]
 *                  [security_token]
 *   huawei_aksk    access_key secret_key [project_id] [domain_id] [security_token]
 *   oauth2_client  token_url client_id client_secret [scope] [client_auth] (form, basic) [header]
 *   login          [header]
 *   hmac           key hash sign [encode] [user] [header.NAME]
 *   http_signature key key_id
 *   command        command [for] [life] [header] and keys of the kind FOR
 *   jwt            key algorithm [token_url] [key_id] [header] [claim.NAME] [jose.NAME] [form.NAME]
 * `header` names the header that carries a fetched token: Authorization (then with `Bearer `) for
 * oauth2_client and jwt, X-Auth-Token for login.
 *
 * sigv4 and huawei_aksk sign the request as it stands: headers come before auth_apply and stay as
 * they are after it, and so does the URL, whose query sigv4 writes in one encoding.
 *
 * A fetched token is renewed max(30 min, 5 % of its life) before its end (but not before half of
 * it is over), its life taken from the server's own times and measured by the monotonic clock.
 * While renewing fails the old one serves. After a failed fetch the next one waits (1 s to 5 min;
 * 1 to 15 min where the credentials were refused); who prepares meanwhile gets that fault with
 * wait_ns set.
 */

/* The keys of an [auth] section (source definition) or auth.* (sink), values already expanded. */
struct auth_setup {
	const char *type; /* a name of auth_kind_names() */
	const struct option_pair
		*settings; /* type-specific keys: token; user, password; name, value; provider,
			      service, region, access_key, secret_key ... */
	size_t n_settings;
	struct http_client *client; /* for kinds that fetch a token; outlives the auth */
	struct http_transport transport; /* for that fetch; copied with its strings, no redirects */
	nsec_t retry_max_ns; /* that server cannot ask for a longer pause than this, or an hour */
	/* login only: the request that fetches a token, rendered by the owner of the template */
	void (*login_render)(struct http_message *out, void *userdata);
	void *login_userdata;
	/* login only: proves who asks for the token. NULL: the request does. Taken over when
	 * auth_new returns 0. */
	struct auth *login_caller;
	const char *token_from; /* `header:X-Subject-Token` or a JSON Pointer */
	/* JSON Pointer to an RFC 3339 time (a member `issued_at` beside it is used, too), a number
	 * of seconds, or epoch seconds; NULL: 1 h */
	const char *expires_from;
};

/* What a kind takes, for --check: NULL-terminated key names and which of them are required. A name
 * that ends in a dot is the beginning of keys, such as `claim.`. NULL: no such kind. */
struct auth_kind_info {
	const char *type;
	const char *const *keys;
	const char *const *required;
	const char *const *texts; /* keys whose value may hold line breaks; NULL: none */
	const char *const *variables; /* that its values may hold; NULL: none */
};
bool auth_kind_takes(const struct auth_kind_info *info, const char *key);
const struct auth_kind_info *auth_kind_find(const char *type);
const char *const *auth_kind_names(void);
/* The first kind that has KEY, or NULL. */
const char *auth_kind_with_key(const char *key); /* NULL-terminated */

/* 0 or FAULT_CONFIG (type, missing, unknown or unusable key; the value is never shown). Strings are
 * copied. Equal setups of one client share a credential of the kinds oauth2_client, jwt and
 * command, and so its token: some servers end the older token of a client when they give out
 * another. */
int auth_new(struct auth **ret, const struct auth_setup *setup, struct fault *reterr);
/* Waiters that still wait when the last user frees it are dropped without a call; who shares it
 * cancels its own before. */
void auth_free(struct auth *auth);

/* FAULT is NULL when the credential is ready. Exactly once, never inside auth_prepare, not after
 * auth_prepare_cancel. Many waiters share one token request. The waiter is gone afterwards; the
 * callback may cancel others and free the auth. */
typedef void (*auth_ready_fn)(const struct fault *fault, void *userdata);
struct auth_waiter;
/* Returns NULL when no waiting is needed: apply at once. */
struct auth_waiter *auth_prepare(struct auth *auth, auth_ready_fn ready, void *userdata);
void auth_prepare_cancel(struct auth_waiter *waiter);

/* Adds the proof to MESSAGE. NOW_TIME goes into signatures; the caller corrects it by the server's
 * Date. 0 or FAULT_AUTH, FAULT_CONFIG. */
int auth_apply(
	struct auth *auth, struct http_message *message, nsec_t now_time, struct fault *reterr);

/* The server said 401 to a request that was sent at this epoch: drops the fetched token, unless
 * it has been replaced since. True: a fresh one may cure it, try once more. */
unsigned auth_epoch(const struct auth *auth);
bool auth_reject(struct auth *auth, unsigned epoch);

#endif
