/*
 * A request of a sink with its credential: the credential is made ready, the message written, then
 * signed and sent. Several calls of one sink share their credential.
 */
#ifndef TRAWLD_NET_HTTP_CALL_H
#define TRAWLD_NET_HTTP_CALL_H

#include "net/auth/auth.h"
#include "net/client.h"

struct http_call;

struct http_sender {
	struct http_client *client;
	struct http_transport transport;
	struct auth *auth;
};

struct http_call_kind {
	/* 0, or -1, which ends the call. */
	int (*write)(struct http_call *call, struct http_message *message, struct fault *reterr);
	/* Once a start, also inside it. RESPONSE is NULL when nothing was sent: FAULT says why. The
	 * call may be started again. */
	void (*done)(struct http_call *call, struct http_response *response, struct fault *fault);
};

/* Embedded in what it belongs to. */
struct http_call {
	const struct http_call_kind *kind;
	struct http_sender *sender;
	void *userdata;
	struct auth_waiter *waiter;
	struct http_request *request;
	unsigned epoch; /* of the credential when it was sent */
};

void http_call_start(struct http_call *call); /* not while it runs */
void http_call_cancel(struct http_call *call); /* DONE does not come */
bool http_call_is_running(const struct http_call *call);

/* The credential was refused. True: another one is worth a try (auth_reject). */
bool http_call_renew(struct http_call *call);

#endif
