/*
 * Records to an HTTP receiver, at least once: a job is cut into requests (http_parts.h), each is
 * sent until it is answered, and what the answer says of each record is the encoding's to read.
 *
 * What an answer leads to:
 *   2xx                       what the encoding reads in it
 *   413                       the request is halved; a single record is refused
 *   400, 422 and other 4xx    the same: halving finds the records to blame, the rest arrives
 *   401, 403                  a fetched token is renewed once; then the sink waits for a person
 *   3xx, 404, 405, 407, ...   the same, as these speak of the address and never of a record
 *   408, 409, 423, 429, 5xx   later, as without an answer (409: the request is being worked on)
 */
#include "sink/sinks.h"

#include <ev.h>
#include <stddef.h>
#include <strings.h>

#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "http/outcome.h"
#include "sink/compressor.h"
#include "sink/http_encoding.h"

/* Pauses between two questions for a receipt. */
#define SINK_HTTP_ASK_MIN (200 * NSEC_PER_MSEC)
#define SINK_HTTP_ASK_MAX (5 * NSEC_PER_SEC)

struct sink_http {
	struct sink base;
	const struct http_options *options;
	const struct http_encoding *encoding;
	struct http_client *client;
	struct http_transport transport;
	struct auth *auth;
	char *place;
	struct secret *secrets; /* what headers hold of credentials: masked in messages */
	size_t n_secrets;

	struct http_parts parts;
	struct http_part part; /* in hand */
	struct auth_waiter *waiter;
	struct http_request *request;
	char channel[37];
	bool asking; /* for the receipt of the part in hand, which is taken */
	nsec_t ask_until_at;
	nsec_t ask_pause_ns;
	struct fault unconfirmed; /* what the last question brought */
	ev_timer ask_timer;
	struct ev_loop *loop;
	bool renewed; /* this request was tried with a fresh token */
	bool size_told; /* the log knows that requests are too large */
};

enum sink_http_next {
	SINK_HTTP_TAKEN,
	SINK_HTTP_LATER,
	SINK_HTTP_RENEW, /* with a fresh token, if that may help */
	SINK_HTTP_HALVE,
};

static void sink_http_go(struct sink_http *http);

static struct log_subject sink_http_subject(const struct sink_http *http)
{
	return (struct log_subject){"sink", http->base.name, http->place};
}

/* --- answers to the delivery --- */

static void sink_http_later(struct sink_http *http, const struct fault *fault)
{
	sink_finish(&http->base, SINK_RETRY, NULL, fault);
}

static void sink_http_end(struct sink_http *http)
{
	struct http_parts *parts = &http->parts;
	struct fault fault = FAULT_NULL;
	size_t first = 0;

	if (parts->n_refused == 0) {
		sink_finish(&http->base, SINK_DELIVERED, NULL, NULL);
		return;
	}
	while (!parts->reasons[first])
		first++;
	fault_set(&fault, FAULT_REFUSED, "%s", parts->reasons[first]);
	sink_finish_reasons(&http->base, (const char *const *)parts->reasons, &fault);
}

/* --- one request --- */

/* Takes the next part in hand. False: the job is answered. */
static bool sink_http_take(struct sink_http *http)
{
	struct http_part *part = &http->part;

	http->renewed = false;
	http->asking = false;
	part->receipt = -1;
	if (!http_parts_next(&http->parts, (size_t)http->options->batch_records,
		    (size_t)http->options->batch_bytes, &part->first, &part->n_records)) {
		sink_http_end(http);
		return false;
	}
	part->records = http->parts.job->records + part->first;
	part->format = http->parts.job->format;
	return true;
}

static void sink_http_step(struct sink_http *http)
{
	if (sink_http_take(http))
		sink_http_go(http);
}

/* The same for every try of a request and for no other: made of the job's name, the place in it and
 * the body, since jobs of two machines, or from before a lost state, may have one name. */
static void sink_http_key(const struct sink_http *http, struct http_message *message)
{
	struct buf text = BUF_NULL;
	struct id id = digest_id(buf_slice(&message->body));
	char hex[33];

	buf_printf(&text, "%s %zu ", http->parts.id, http->part.first);
	buf_append(&text, id.bytes, sizeof(id.bytes));
	id = digest_id(buf_slice(&text));
	digest_hex(id.bytes, sizeof(id.bytes), hex);
	http_headers_set(&message->headers, "Idempotency-Key", slice_of(hex));
	buf_deinit(&text);
}

static int sink_http_write(
	struct sink_http *http, struct http_message *message, struct fault *reterr)
{
	const struct option_pairs *headers = &http->options->headers;

	message->method = mem_strdup(http->asking ? "POST" : http_methods[http->options->method]);
	message->url = mem_strdup(http->options->url);
	http_headers_add(&message->headers, "Content-Type", slice_of(http->encoding->content_type));
	for (size_t i = 0; i < headers->n_items; i++)
		http_headers_set(&message->headers, headers->items[i].name,
			slice_of(headers->items[i].value));
	message->has_body = true;
	if (http->asking) {
		http->encoding->ask(&http->part, message);
		return 0;
	}
	if (http->encoding->prepare)
		http->encoding->prepare(&http->part, message);
	http->encoding->write(&http->part, &message->body);
	sink_http_key(http, message);
	if (http->options->compression != COMPRESSION_NONE)
		http_headers_set(&message->headers, "Content-Encoding",
			slice_of(compression_names[http->options->compression]));
	return compressor_replace(
		(enum compression)http->options->compression, &message->body, reterr);
}

/* The texts of wrong addresses say what to look at. */
static void sink_http_blame_address(struct fault *fault)
{
	struct fault told = *fault;

	fault_set(fault, FAULT_CONFIG, "%s (is url right?)", told.text);
	fault->status = told.status;
	fault->wait_ns = told.wait_ns;
}

static enum sink_http_next sink_http_judge(struct fault *fault)
{
	switch (fault->class) {
	case FAULT_AUTH:
		return SINK_HTTP_RENEW;
	case FAULT_CONFIG:
		break;
	default:
		return SINK_HTTP_LATER;
	}
	switch (fault->status) {
	case 409:
	case 423:
		return SINK_HTTP_LATER;
	case 402:
	case 404:
	case 405:
	case 406:
	case 407:
	case 410:
	case 411:
	case 414:
	case 415:
	case 426:
	case 431:
	case 451:
		break;
	default:
		if (fault->status >= 400 && fault->status <= 499)
			return SINK_HTTP_HALVE;
		break;
	}
	sink_http_blame_address(fault);
	if (fault->wait_ns < HTTP_PATIENCE)
		fault->wait_ns = HTTP_PATIENCE;
	return SINK_HTTP_LATER;
}

static void sink_http_tell_size(struct sink_http *http)
{
	struct log_subject subject = sink_http_subject(http);

	if (http->size_told)
		return;
	http->size_told = true;
	log_notice(&subject,
		"the receiver takes no request of %zu records (413); sending smaller ones. A lower "
		"batch_bytes or batch_records saves it the trouble",
		http->part.n_records);
}

static void sink_http_halve(struct sink_http *http, const struct fault *fault)
{
	if (fault->status == 413)
		sink_http_tell_size(http);
	if (!http_parts_halve(&http->parts)) {
		http_parts_refuse(&http->parts, http->part.first, fault->text);
		http_parts_done(&http->parts);
	}
	sink_http_step(http);
}

static void sink_http_renew(struct sink_http *http, struct fault *fault)
{
	if (!http->renewed && auth_reject(http->auth)) {
		http->renewed = true;
		sink_http_go(http);
		return;
	}
	if (fault->wait_ns < HTTP_PATIENCE)
		fault->wait_ns = HTTP_PATIENCE;
	sink_http_later(http, fault);
}

/* nginx says 400 with a page where a client certificate is missing or foreign, or TLS was not
 * spoken: no record is to blame. */
static bool sink_http_is_tls_page(const struct http_response *response)
{
	static const char *const words[] = {"SSL certificate", "HTTPS port"};
	struct slice type = http_headers_get(&response->headers, "Content-Type");
	struct slice body = buf_slice(&response->body);

	if (response->status != 400 || type.size < 9 ||
		strncasecmp(type.data, "text/html", 9) != 0 || body.size == 0)
		return false;
	return memmem(body.data, body.size, words[0], strlen(words[0])) ||
	       memmem(body.data, body.size, words[1], strlen(words[1]));
}

static enum sink_http_next sink_http_read(
	struct sink_http *http, const struct http_response *response, struct fault *fault)
{
	if (http_outcome(response, SLICE_NULL, clock_wall(), fault) != FAULT_NONE) {
		if (!sink_http_is_tls_page(response))
			return sink_http_judge(fault);
		if (fault->wait_ns < HTTP_PATIENCE)
			fault->wait_ns = HTTP_PATIENCE;
		return SINK_HTTP_LATER;
	}
	if (http->encoding->read && http->encoding->read(&http->part, response, fault) != 0)
		return SINK_HTTP_LATER;
	return SINK_HTTP_TAKEN;
}

/* --- receipts --- */

static void sink_http_ask_later(struct sink_http *http)
{
	nsec_t now_at = clock_monotonic();
	struct fault fault = FAULT_NULL;

	if (now_at >= http->ask_until_at) {
		fault_set(&fault, FAULT_TIMEOUT,
			"what was sent is not acknowledged in time%s%s; it will be sent again",
			http->unconfirmed.text[0] ? ": " : "", http->unconfirmed.text);
		sink_http_later(http, &fault);
		return;
	}
	ev_now_update(http->loop);
	ev_timer_set(&http->ask_timer, (double)http->ask_pause_ns / (double)NSEC_PER_SEC, 0.);
	ev_timer_start(http->loop, &http->ask_timer);
	if (http->ask_pause_ns < SINK_HTTP_ASK_MAX)
		http->ask_pause_ns *= 2;
}

static void sink_http_on_ask(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	sink_http_go(timer->data);
}

static void sink_http_taken(struct sink_http *http)
{
	if (http->part.receipt < 0) {
		http_parts_done(&http->parts);
		sink_http_step(http);
		return;
	}
	http->asking = true;
	http->unconfirmed = FAULT_NULL;
	http->ask_pause_ns = SINK_HTTP_ASK_MIN;
	http->ask_until_at = clock_monotonic() + http->options->ack_timeout_ns;
	sink_http_ask_later(http);
}

/* Whatever goes wrong with the question, it is asked again until the time is over. */
static void sink_http_on_receipt(struct sink_http *http, const struct http_response *response)
{
	struct fault fault = FAULT_NULL;
	bool confirmed = false;

	if (http_outcome(response, SLICE_NULL, clock_wall(), &fault) == FAULT_NONE)
		http->encoding->confirmed(&http->part, response, &confirmed, &fault);
	if (confirmed) {
		http_parts_done(&http->parts);
		sink_http_step(http);
		return;
	}
	if (fault.class == FAULT_AUTH)
		auth_reject(http->auth);
	http->unconfirmed = fault;
	sink_http_ask_later(http);
}

static void sink_http_on_done(struct http_response *response, void *userdata)
{
	struct sink_http *http = userdata;
	struct fault fault = FAULT_NULL;

	http->request = NULL;
	if (http->asking) {
		sink_http_on_receipt(http, response);
		return;
	}
	switch (sink_http_read(http, response, &fault)) {
	case SINK_HTTP_TAKEN:
		sink_http_taken(http);
		break;
	case SINK_HTTP_LATER:
		sink_http_later(http, &fault);
		break;
	case SINK_HTTP_RENEW:
		sink_http_renew(http, &fault);
		break;
	case SINK_HTTP_HALVE:
		sink_http_halve(http, &fault);
		break;
	}
}

static void sink_http_send(struct sink_http *http)
{
	struct http_message message = HTTP_MESSAGE_NULL;
	struct fault fault = FAULT_NULL;

	if (sink_http_write(http, &message, &fault) != 0 ||
		auth_apply(http->auth, &message, clock_wall(), &fault) != 0)
		sink_http_later(http, &fault);
	else
		http->request = http_request_start(
			http->client, &message, &http->transport, sink_http_on_done, http);
	http_message_deinit(&message);
}

static void sink_http_on_ready(const struct fault *fault, void *userdata)
{
	struct sink_http *http = userdata;

	http->waiter = NULL;
	if (fault)
		sink_http_later(http, fault);
	else
		sink_http_send(http);
}

/* Sends the part in hand, when the credential is ready. */
static void sink_http_go(struct sink_http *http)
{
	http->waiter = auth_prepare(http->auth, sink_http_on_ready, http);
	if (!http->waiter)
		sink_http_send(http);
}

/* --- the kind --- */

static void sink_http_keep_secret(struct sink_http *http, struct slice text)
{
	http->secrets = mem_resize(http->secrets, (http->n_secrets + 1) * sizeof(*http->secrets));
	http->secrets[http->n_secrets] = SECRET_NULL;
	secret_set(&http->secrets[http->n_secrets++], text);
}

/* A credential may be written out in the configuration: it is masked all the same, with its scheme
 * and without it. */
static void sink_http_keep_secrets(struct sink_http *http)
{
	static const char *const parts[] = {"auth", "token", "key", "secret", "cookie", NULL};
	const struct option_pairs *headers = &http->options->headers;

	for (size_t i = 0; i < headers->n_items; i++) {
		const char *value = headers->items[i].value;
		const char *blank = strchr(value, ' ');
		bool secret = headers->items[i].secret;

		for (size_t k = 0; parts[k]; k++)
			secret = secret || strcasestr(headers->items[i].name, parts[k]);
		if (!secret)
			continue;
		sink_http_keep_secret(http, slice_of(value));
		if (blank)
			sink_http_keep_secret(http, slice_of(blank + 1));
	}
}

/* A random UUID, RFC 9562 version 4. */
static void sink_http_make_channel(struct sink_http *http)
{
	unsigned char bytes[16];
	char hex[33];

	random_bytes(bytes, sizeof(bytes));
	bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40);
	bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
	digest_hex(bytes, sizeof(bytes), hex);
	snprintf(http->channel, sizeof(http->channel), "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8,
		hex + 12, hex + 16, hex + 20);
	http->part.channel = http->channel;
}

static int sink_http_create(struct sink **ret, const struct sink_setup *setup, struct fault *reterr)
{
	const struct http_options *options = setup->options;
	struct sink_http *http;
	struct auth *auth = NULL;
	int r = http_options_auth(options, setup->client, &auth, reterr);

	if (r != 0)
		return r;
	http = MEM_NEW(struct sink_http);
	http->base.kind = &sink_http;
	http->base.name = mem_strdup(setup->name);
	http->base.gather = (struct sink_gather){
		.age_ns = options->batch_age_ns,
		.n_records = (size_t)options->batch_records,
		.bytes = (size_t)options->batch_bytes,
	};
	http->options = options;
	http->encoding = http_encodings[options->encoding];
	http->client = setup->client;
	http->transport = http_options_transport(options);
	http->auth = auth;
	http->place = mem_strdup(setup->place);
	http->part.options = options;
	http->part.parts = &http->parts;
	http->loop = setup->loop;
	ev_timer_init(&http->ask_timer, sink_http_on_ask, 0., 0.);
	http->ask_timer.data = http;
	sink_http_make_channel(http);
	sink_http_keep_secrets(http);
	*ret = &http->base;
	return 0;
}

static void sink_http_deliver(struct sink *sink, struct sink_job *job)
{
	struct sink_http *http = (struct sink_http *)sink;

	http_parts_begin(&http->parts, job);
	sink_http_step(http);
}

static void sink_http_cancel(struct sink *sink)
{
	struct sink_http *http = (struct sink_http *)sink;

	ev_timer_stop(http->loop, &http->ask_timer);
	http_request_cancel(http->request);
	http->request = NULL;
	auth_prepare_cancel(http->waiter);
	http->waiter = NULL;
}

static void sink_http_destroy(struct sink *sink)
{
	struct sink_http *http = (struct sink_http *)sink;

	sink_http_cancel(sink);
	auth_free(http->auth);
	http_parts_deinit(&http->parts);
	for (size_t i = 0; i < http->n_secrets; i++)
		secret_deinit(&http->secrets[i]);
	free(http->secrets);
	free(http->place);
	free(http->base.name);
	free(http);
}

const struct sink_kind sink_http = {
	.name = "http",
	.summary = "batches of records to an HTTP receiver",
	.promise = "at least once, retries the same to the byte; once where the receiver knows "
		   "what it has",
	.options = http_option_rows,
	.n_options = N_HTTP_OPTION_ROWS,
	.options_size = sizeof(struct http_options),
	.capabilities = SINK_STABLE_JOB,
	.check = http_options_check,
	.create = sink_http_create,
	.deliver = sink_http_deliver,
	.cancel = sink_http_cancel,
	.destroy = sink_http_destroy,
};
