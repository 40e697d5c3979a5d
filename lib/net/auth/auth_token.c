/*
 * The life of a fetched token. One fetch at a time, however many wait for it; renewed early, and
 * while that fails the old one is used to its end; after a failure no fetch for a while, in which
 * waiters get that failure at once. Time is the monotonic clock's: a step of the wall clock neither
 * kills a token nor keeps a dead one.
 */
#include "net/auth/auth_token.h"

#include <assert.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/mem.h"
#include "base/timer.h"

#include "net/client_internal.h"
#include "net/outcome.h"
#include "net/url.h"

#define ANSWER_SIZE_MAX ((size_t)1024 * 1024)
#define SKEW_LARGE (60 * NSEC_PER_SEC) /* signatures are allowed more */

struct auth_waiter {
	struct auth_token *owner;
	struct auth_waiter_list *list;
	struct auth_waiter *previous;
	struct auth_waiter *next;
	auth_ready_fn ready;
	void *userdata;
};

static void waiter_append(struct auth_waiter_list *list, struct auth_waiter *waiter)
{
	waiter->list = list;
	waiter->previous = list->last;
	waiter->next = NULL;
	if (list->last)
		list->last->next = waiter;
	else
		list->first = waiter;
	list->last = waiter;
}

static void waiter_remove(struct auth_waiter *waiter)
{
	struct auth_waiter_list *list = waiter->list;

	if (waiter->previous)
		waiter->previous->next = waiter->next;
	else
		list->first = waiter->next;
	if (waiter->next)
		waiter->next->previous = waiter->previous;
	else
		list->last = waiter->previous;
	waiter->list = NULL;
}

/* The first of LIST, which has it no more; NULL: it is empty. */
static struct auth_waiter *waiter_take(struct auth_waiter_list *list)
{
	struct auth_waiter *waiter = list->first;

	if (!waiter)
		return NULL;
	list->first = waiter->next;
	if (waiter->next)
		waiter->next->previous = NULL;
	else
		list->last = NULL;
	waiter->list = NULL;
	return waiter;
}

void auth_prepare_cancel(struct auth_waiter *waiter)
{
	if (!waiter || !waiter->list) /* without a list its callback is running */
		return;
	waiter_remove(waiter);
	free(waiter);
}

/* Answers all that wait now; who comes to wait meanwhile is answered by the next fetch. The last
 * thing a function does: SELF may be gone. */
static void answer(struct auth_token *self, const struct fault *reported)
{
	struct fault fault = reported ? *reported : FAULT_NULL;
	struct auth_waiter *waiter;
	bool gone = false;

	while ((waiter = waiter_take(&self->waiting)))
		waiter_append(&self->answering, waiter);
	while ((waiter = waiter_take(&self->answering))) {
		bool *outer = self->gone;

		self->gone = &gone;
		waiter->ready(reported ? &fault : NULL, waiter->userdata);
		free(waiter);
		if (gone) {
			if (outer)
				*outer = true;
			return;
		}
		self->gone = outer;
	}
}

static bool is_usable(const struct auth_token *self, nsec_t now_at)
{
	return self->token.text && now_at < self->expires_at;
}

static bool is_fetching(const struct auth_token *self)
{
	return self->request || self->caller_waiter || self->running;
}

static void note(struct auth_token *self, const struct fault *fault)
{
	bool is_auth = fault->class == FAULT_AUTH || fault->class == FAULT_CONFIG;
	nsec_t pause = backoff_next(is_auth ? &self->backoff_auth : &self->backoff);

	self->fault = FAULT_NULL;
	fault_set(&self->fault, fault->class, "no token from %s: %s", self->origin, fault->text);
	self->fault.status = fault->status;
	nsec_t asked = backoff_grant(self->retry_max_ns, fault->wait_ns);
	self->retry_at = clock_monotonic() + (asked > pause ? asked : pause);
	self->retried = false;
}

static void fail(struct auth_token *self, const struct fault *fault)
{
	nsec_t now_at = clock_monotonic();

	note(self, fault);
	if (is_usable(self, now_at)) {
		answer(self, NULL);
		return;
	}
	self->fault.wait_ns = self->retry_at - now_at;
	answer(self, &self->fault);
}

static void keep(struct auth_token *self, const struct token_answer *answered)
{
	nsec_t now_at = clock_monotonic();

	secret_set(&self->token, buf_slice(&answered->token));
	self->auth.epoch++;
	self->expires_at = now_at + answered->life_ns;
	self->refresh_at = self->expires_at - token_answer_margin(answered->life_ns);
	self->retry_at = now_at;
	self->retried = false;
	backoff_reset(&self->backoff);
	backoff_reset(&self->backoff_auth);
	answer(self, NULL);
}

static void wipe_answer(struct token_answer *answered)
{
	if (answered->token.data)
		secret_wipe(answered->token.data, answered->token.size);
	buf_deinit(&answered->token);
}

static void kick(struct auth_token *self)
{
	if (!ev_is_active(&self->kick)) {
		timer_start(http_client_loop(self->client), &self->kick, 0);
	}
}

static void fetch(struct auth_token *self);

/* Was the caller's own credential old, or its signature made by a wrong clock? Then once more. */
static bool retry_caller(struct auth_token *self, const struct fault *fault, nsec_t skew_ns)
{
	nsec_t moved = skew_ns - self->skew_ns;

	self->skew_ns = skew_ns;
	if (!(self->caller || self->source->signs) || fault->class != FAULT_AUTH || self->retried)
		return false;
	self->retried = (self->caller && auth_reject(self->caller, self->caller_epoch)) ||
			moved > SKEW_LARGE || moved < -SKEW_LARGE;
	if (self->retried)
		fetch(self);
	return self->retried;
}

static void on_answer(struct http_response *response, void *userdata)
{
	struct auth_token *self = userdata;
	CLEANUP(wipe_answer) struct token_answer answered = {0};
	struct fault fault = FAULT_NULL;
	nsec_t server_time = response->server_time;
	int r;

	self->request = NULL;
	r = http_outcome(response, SLICE_NULL, clock_wall(), &fault) == FAULT_NONE ? 0 : -1;
	if (r && fault.status == 400)
		fault.class = FAULT_AUTH; /* how OAuth 2.0 says: wrong secret (RFC 6749, 5.2) */
	if (!r)
		r = self->source->read(self, response, &answered, &fault);
	if (!r && !auth_is_sendable(buf_slice(&answered.token)))
		r = fault_set(&fault, FAULT_BODY, "the token holds a control character");
	if (response->body.data)
		secret_wipe(response->body.data, response->body.size);
	if (!r)
		keep(self, &answered);
	else if (!retry_caller(self, &fault,
			 server_time != NSEC_NONE ? server_time - clock_wall() : self->skew_ns))
		fail(self, &fault);
}

void auth_token_answer(
	struct auth_token *self, const struct token_answer *answered, const struct fault *fault)
{
	self->running = false;
	if (fault)
		fail(self, fault);
	else
		keep(self, answered);
}

static void run(struct auth_token *self)
{
	struct fault fault = FAULT_NULL;

	assert(self->client);
	self->running = self->source->run(self, &fault) == 0;
	if (!self->running) { /* not answered here: auth_prepare may be calling */
		note(self, &fault);
		kick(self);
	}
}

static void ask(struct auth_token *self)
{
	struct http_message message = HTTP_MESSAGE_NULL;
	struct fault fault = FAULT_NULL;
	int r = 0;

	assert(self->client);
	r = self->source->render(self, &message, &fault);
	free(self->origin);
	self->origin = NULL;
	if (url_origin(message.url ? message.url : "", &self->origin) != 0)
		self->origin = mem_strdup("an unusable URL");
	if (self->caller)
		self->caller_epoch = auth_epoch(self->caller);
	if (!r && self->caller && message.url)
		r = auth_apply(self->caller, &message, clock_wall() + self->skew_ns, &fault);
	if (!r)
		self->request = http_request_start(
			self->client, &message, &self->transport, on_answer, self);
	http_message_deinit(&message);
	if (r) { /* not answered here: auth_prepare may be calling */
		note(self, &fault);
		kick(self);
	}
}

static void caller_ready(const struct fault *fault, void *userdata)
{
	struct auth_token *self = userdata;

	self->caller_waiter = NULL;
	if (fault)
		fail(self, fault);
	else
		ask(self);
}

static void fetch(struct auth_token *self)
{
	if (self->source->run) {
		run(self);
		return;
	}
	self->caller_waiter = self->caller ? auth_prepare(self->caller, caller_ready, self) : NULL;
	if (!self->caller_waiter)
		ask(self);
}

static void on_kick(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct auth_token *self = timer->data;
	nsec_t now_at = clock_monotonic();

	(void)loop;
	(void)revents;
	if (is_fetching(self)) /* its answer is theirs */
		return;
	if (is_usable(self, now_at)) {
		answer(self, NULL);
		return;
	}
	self->fault.wait_ns = self->retry_at > now_at ? self->retry_at - now_at : 0;
	answer(self, &self->fault);
}

void auth_token_form(struct http_message *out, const char *url)
{
	out->method = mem_strdup("POST");
	out->url = mem_strdup(url);
	out->has_body = true;
	http_headers_set(&out->headers, "Content-Type", SLICE("application/x-www-form-urlencoded"));
	http_headers_set(&out->headers, "Accept", SLICE("application/json"));
}

void auth_token_form_add(struct http_message *out, const char *name, struct slice value)
{
	if (out->body.size > 0)
		buf_append_char(&out->body, '&');
	encode_percent(slice_of(name), &out->body);
	buf_append_char(&out->body, '=');
	encode_percent(value, &out->body);
}

struct auth_waiter *auth_token_prepare(struct auth *auth, auth_ready_fn ready, void *userdata)
{
	struct auth_token *self = (struct auth_token *)auth;
	nsec_t now_at = clock_monotonic();
	struct auth_waiter *waiter;

	if (is_usable(self, now_at) && (now_at < self->refresh_at || now_at < self->retry_at))
		return NULL;
	waiter = MEM_NEW(struct auth_waiter);
	waiter->owner = self;
	waiter->ready = ready;
	waiter->userdata = userdata;
	waiter_append(&self->waiting, waiter);
	if (is_fetching(self))
		return waiter;
	if (now_at >= self->retry_at) {
		fetch(self);
		return waiter;
	}
	kick(self);
	return waiter;
}

int auth_token_apply(
	struct auth *auth, struct http_message *message, nsec_t now_time, struct fault *reterr)
{
	struct auth_token *self = (struct auth_token *)auth;
	CLEANUP(buf_deinit) struct buf value = BUF_NULL;

	(void)now_time;
	if (!self->token.text)
		return fault_set(reterr, FAULT_AUTH, "there is no token yet");
	if (self->is_bearer)
		buf_append_text(&value, "Bearer ");
	buf_append(&value, self->token.text, self->token.size);
	http_headers_set(&message->headers, self->header, buf_slice(&value));
	secret_wipe(value.data, value.size);
	return 0;
}

bool auth_token_reject(struct auth *auth)
{
	struct auth_token *self = (struct auth_token *)auth;

	secret_deinit(&self->token);
	return true;
}

/* After a failure it need not wait: a reload may have been made because it is over. */
void auth_token_join(struct auth *auth)
{
	struct auth_token *self = (struct auth_token *)auth;

	self->retry_at = NSEC_NONE;
}

static void copy_transport(struct auth_token *self, const struct http_transport *transport)
{
	self->transport = *transport;
	self->transport.ca_file = mem_strdup(transport->ca_file);
	self->transport.client_cert = mem_strdup(transport->client_cert);
	self->transport.client_key = mem_strdup(transport->client_key);
	if (transport->client_key_password)
		secret_set(&self->client_key_password, slice_of(transport->client_key_password));
	self->transport.client_key_password = self->client_key_password.text;
	self->transport.proxy = mem_strdup(transport->proxy);
	self->transport.origin = NULL; /* credentials are not carried to where a redirect says */
	self->transport.max_body = ANSWER_SIZE_MAX;
	self->transport.max_body_key = NULL;
}

int auth_token_init(struct auth_token *self, const struct auth_setup *setup,
	const struct auth_token_source *source, const char *default_header, struct fault *reterr)
{
	struct slice header = auth_setting(setup, "header");

	for (size_t i = 0; i < header.size; i++) {
		if (strchr(" :;,\"\\/()<>@[]{}=?", header.data[i]))
			return fault_set(reterr, FAULT_CONFIG,
				"the auth key \"header\" is not a header name");
	}
	self->source = source;
	self->client = setup->client;
	self->retry_max_ns = setup->retry_max_ns;
	copy_transport(self, &setup->transport);
	self->header =
		header.data ? mem_strndup(header.data, header.size) : mem_strdup(default_header);
	self->is_bearer = strcasecmp(self->header, "Authorization") == 0;
	self->retry_at = NSEC_NONE;
	self->backoff = BACKOFF_DEFAULT;
	self->backoff_auth = (struct backoff){.min_ns = NSEC_PER_MIN, .max_ns = 15 * NSEC_PER_MIN};
	ev_init(&self->kick, on_kick);
	self->kick.data = self;
	return 0;
}

static void drop_all(struct auth_waiter_list *list)
{
	struct auth_waiter *waiter;

	while ((waiter = waiter_take(list)))
		free(waiter);
}

void auth_token_deinit(struct auth_token *self)
{
	http_request_cancel(self->request);
	self->request = NULL;
	auth_prepare_cancel(self->caller_waiter);
	auth_free(self->caller);
	if (self->client)
		ev_timer_stop(http_client_loop(self->client), &self->kick);
	drop_all(&self->waiting);
	drop_all(&self->answering);
	if (self->gone)
		*self->gone = true;
	secret_deinit(&self->token);
	free(self->origin);
	free(self->header);
	free((char *)self->transport.ca_file);
	free((char *)self->transport.client_cert);
	free((char *)self->transport.client_key);
	secret_deinit(&self->client_key_password);
	free((char *)self->transport.proxy);
}
