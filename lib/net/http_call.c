/* See http_call.h. */
#include "net/http_call.h"

#include <stddef.h>

static void http_call_on_done(struct http_response *response, void *userdata)
{
	struct http_call *call = userdata;
	struct fault fault = FAULT_NULL;

	call->request = NULL;
	call->kind->done(call, response, &fault);
}

static void http_call_send(struct http_call *call)
{
	struct http_sender *sender = call->sender;
	struct http_message message = HTTP_MESSAGE_NULL;
	struct fault fault = FAULT_NULL;
	int r = call->kind->write(call, &message, &fault);

	call->epoch = auth_epoch(sender->auth);
	if (!r)
		r = auth_apply(sender->auth, &message, clock_wall(), &fault);
	if (!r)
		call->request = http_request_start(
			sender->client, &message, &sender->transport, http_call_on_done, call);
	http_message_deinit(&message);
	if (r)
		call->kind->done(call, NULL, &fault);
}

static void http_call_on_ready(const struct fault *reported, void *userdata)
{
	struct http_call *call = userdata;
	struct fault fault = reported ? *reported : FAULT_NULL;

	call->waiter = NULL;
	if (reported)
		call->kind->done(call, NULL, &fault);
	else
		http_call_send(call);
}

void http_call_start(struct http_call *call)
{
	call->waiter = auth_prepare(call->sender->auth, http_call_on_ready, call);
	if (!call->waiter)
		http_call_send(call);
}

void http_call_cancel(struct http_call *call)
{
	http_request_cancel(call->request);
	call->request = NULL;
	auth_prepare_cancel(call->waiter);
	call->waiter = NULL;
}

bool http_call_is_running(const struct http_call *call)
{
	return call->request || call->waiter;
}

bool http_call_renew(struct http_call *call)
{
	return auth_reject(call->sender->auth, call->epoch);
}
