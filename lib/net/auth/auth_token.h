/*
 * A token that is fetched, kept in memory, and used until it is nearly worn out: what the kinds
 * oauth2_client, jwt, login and command share. Nothing outside lib/net includes it.
 */
#ifndef TRAWLD_NET_AUTH_TOKEN_H
#define TRAWLD_NET_AUTH_TOKEN_H

#include <ev.h>
#include <jansson.h>

#include "base/backoff.h"
#include "base/pointer.h"

#include "net/auth/auth_internal.h"

struct token_answer {
	struct buf token; /* wiped by the receiver */
	nsec_t life_ns;
};

struct auth_token;

/* What differs between the kinds. */
struct auth_token_source {
	/* Gets the token without a request, and says so by auth_token_answer, not inside this call.
	 * 0 or -1. NULL: RENDER and READ are used. */
	int (*run)(struct auth_token *self, struct fault *reterr);
	/* Fills OUT, which is HTTP_MESSAGE_NULL. 0 or -1. */
	int (*render)(struct auth_token *self, struct http_message *out, struct fault *reterr);
	/* Reads an answer of class FAULT_NONE. 0 or -1. */
	int (*read)(struct auth_token *self, const struct http_response *response,
		struct token_answer *ret, struct fault *reterr);
	bool signs; /* what is sent holds our time: a wrong clock may be why it is refused */
};

struct auth_waiter_list {
	struct auth_waiter *first;
	struct auth_waiter *last;
};

struct auth_token {
	struct auth auth;
	const struct auth_token_source *source;
	struct http_client *client;
	struct http_transport transport; /* its strings are ours */
	struct secret client_key_password; /* of TRANSPORT */
	char *header; /* that carries the token */
	bool is_bearer; /* `Bearer ` stands before it */

	struct secret token;
	nsec_t refresh_at; /* monotonic, as the next two */
	nsec_t expires_at;
	nsec_t retry_at; /* no fetch before: the last one failed */
	nsec_t retry_max_ns; /* of auth_setup */
	struct backoff backoff;
	struct backoff backoff_auth; /* gentler: wrong passwords lock accounts */
	struct fault fault; /* of the last fetch */

	struct auth *caller; /* proves who fetches; NULL: the request does */
	struct auth_waiter *caller_waiter; /* the fetch waits for it */
	unsigned caller_epoch; /* of the fetch */
	nsec_t skew_ns; /* the server's clock less ours, by its last answer */
	bool retried; /* this fetch was refused once and is made once more */

	struct http_request *request; /* the one fetch under way, or NULL */
	bool running; /* the same of a source that runs */
	char *origin; /* whom it asks */
	ev_timer kick; /* answers waiters when no fetch will */
	struct auth_waiter_list waiting;
	struct auth_waiter_list answering;
	bool *gone; /* set when freed by a waiter's callback */
};

/* DEFAULT_HEADER: where the token goes unless the setting `header` says otherwise. */
int auth_token_init(struct auth_token *self, const struct auth_setup *setup,
	const struct auth_token_source *source, const char *default_header, struct fault *reterr);
void auth_token_deinit(struct auth_token *self); /* waiters are dropped without a call */

/* How RUN ended: ANSWERED, or FAULT. The last thing a function does: SELF may be gone. */
void auth_token_answer(
	struct auth_token *self, const struct token_answer *answered, const struct fault *fault);

/* The rows of struct auth_kind */
struct auth_waiter *auth_token_prepare(struct auth *auth, auth_ready_fn ready, void *userdata);
int auth_token_apply(
	struct auth *auth, struct http_message *message, nsec_t now_time, struct fault *reterr);
bool auth_token_reject(struct auth *auth);
void auth_token_join(struct auth *auth);

/* Makes OUT a request that posts a form to URL, and adds a field to it. */
void auth_token_form(struct http_message *out, const char *url);
void auth_token_form_add(struct http_message *out, const char *name, struct slice value);

/* token_answer.c: reading the answer (pure). */

/* The answer of RFC 6749 section 5.1: access_token and expires_in. A row of auth_token_source. */
int token_answer_oauth2(struct auth_token *self, const struct http_response *response,
	struct token_answer *ret, struct fault *reterr);

/* The string at POINTER into RET. FAULT_BODY when it is not there, is no string, is empty or
 * larger than 64 KiB. */
int token_answer_pointer(
	json_t *root, const struct pointer *pointer, struct buf *ret, struct fault *reterr);
/* The string inside the tree is overwritten before the tree is released. */
void token_answer_wipe(json_t *root, const struct pointer *pointer);
/* How long the token lives. At EXPIRES: seconds, or an instant (RFC 3339, or epoch seconds above
 * 10^9). An instant is measured on the server's own clock: against the member `issued_at` beside
 * it or the Date header, whichever gives less, and against NOW_TIME when neither is there. One hour
 * when there is nothing at EXPIRES or EXPIRES is not set. */
nsec_t token_answer_life(
	json_t *root, const struct pointer *expires, nsec_t server_time, nsec_t now_time);
/* How long before its end a token is renewed: 30 minutes or 5 % of its life, whichever is more,
 * but never more than half of it. */
nsec_t token_answer_margin(nsec_t life_ns);

#endif
