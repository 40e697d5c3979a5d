/*
 * Records to an HTTP receiver, at least once: a job is cut into requests (http_parts.h), each is
 * sent until it is answered, and what the answer says of each record is the encoding's to read.
 * What an answer leads to is in http_verdict.h.
 *
 * Several requests may be under way at once, but never two of one source: then the records of a
 * source reach the receiver in order whatever happens to a request. One that fails is sent again
 * after a pause of its own while those of other sources go on. When the receiver answers none well,
 * no other is begun; those under way come to their end, and what they bring stays decided when the
 * job is tried again.
 */
#include "sink/sinks.h"

#include <ev.h>
#include <stddef.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/timer.h"
#include "sink/compressor.h"
#include "net/http_call.h"
#include "sink/http/http_encoding.h"
#include "sink/http/http_receipts.h"
#include "sink/http/http_secrets.h"
#include "sink/http/http_verdict.h"

/* So many refusals of single records in the same words end the first try of a job of which nothing
 * is taken; the next looks further. */
#define HTTP_DOUBT_LEAST ((size_t)256)
#define HTTP_DOUBT_FACTOR 4
_Static_assert(HTTP_DOUBT_LEAST >= SINK_BLAME_LEAST, "SINK_NONE_TAKEN");

/* A request under way, from its taking to the verdict on its records. */
struct http_flight {
	struct sink_http *http;
	struct http_part part;
	size_t lane;
	struct http_call call;
	bool under_way;
	bool renewed; /* it was tried with a fresh token */
	bool advanced; /* its answer decides some of its records */
	size_t size; /* of its body, not compressed */
};

struct sink_http {
	struct sink base;
	struct ev_loop *loop;
	const struct http_options *options;
	const struct http_encoding *encoding;
	struct http_sender sender;
	char *location;
	struct http_secrets secrets; /* what headers hold of credentials: masked in messages */

	struct http_parts parts;
	struct http_flight *flights; /* options->in_flight of them */
	size_t n_under_way;
	size_t turn; /* the lane that is looked at first */
	struct http_receipts receipts;
	char channel[RANDOM_UUID_SIZE];
	ev_timer rest; /* ends when a part that failed may be sent again, or the job begins */
	unsigned n_strikes; /* failures since a request was answered well */
	bool stepping;
	bool failing; /* nothing more is begun; the job is to be tried again: */
	struct fault fault;
	size_t doubt; /* so many refusals in the same words, and none taken, end a try */
	size_t largest; /* body that was taken */
	bool size_told; /* the log knows that requests are too large */
};

static struct log_subject sink_http_subject(const struct sink_http *http)
{
	return (struct log_subject){"sink", http->base.name, http->location};
}

/* --- what is under way --- */

/* What follows may be taken, and then the records are to blame: each try looks further. */
static bool sink_http_is_in_doubt(const struct sink_http *http)
{
	return http_parts_none_taken(&http->parts, http->doubt);
}

static void sink_http_end(struct sink_http *http)
{
	struct http_parts *parts = &http->parts;
	struct sink_answer answer = {.result = SINK_DELIVERED};
	size_t first = 0;

	if (http->failing) {
		answer.result = SINK_RETRY;
		answer.error = http->fault;
	} else if (parts->n_refused == 0) {
		http->doubt = HTTP_DOUBT_LEAST;
	} else {
		while (!parts->reasons[first])
			first++;
		fault_set(&answer.error, FAULT_REFUSED, "%s", parts->reasons[first]);
		if (sink_http_is_in_doubt(http)) {
			answer.result = SINK_NONE_TAKEN;
			http->doubt *= HTTP_DOUBT_FACTOR;
		} else {
			answer.result = SINK_REJECTED;
			answer.reasons = parts->reasons;
			answer.n_reasons = parts->n_records;
			parts->reasons = NULL;
			http->doubt = HTTP_DOUBT_LEAST;
		}
		http_parts_deinit(parts);
	}
	sink_answer(&http->base, &answer);
}

static bool sink_http_take_of(struct sink_http *http, struct http_flight *flight, size_t lane)
{
	struct http_part *part = &flight->part;
	struct http_lane *own = &http->parts.lanes[lane];

	if (own->busy || (own->rest_until_at > 0 && own->rest_until_at > clock_monotonic()) ||
		!http_parts_next(&http->parts, lane, http->parts.job->requests.n_records,
			http->parts.job->requests.bytes, &part->places, &part->n_records))
		return false;
	own->busy = true;
	part->receipt = -1;
	part->format = http->parts.job->format;
	flight->lane = lane;
	flight->renewed = false;
	flight->advanced = false;
	flight->under_way = true;
	http->n_under_way++;
	return true;
}

/* The next part of a lane that has none under way. NULL: no more for now. */
static struct http_flight *sink_http_take(struct sink_http *http)
{
	struct http_flight *flight = http->flights;

	if (http->n_under_way == (size_t)http->options->in_flight)
		return NULL;
	while (flight->under_way)
		flight++;
	for (size_t i = 0; i < http->parts.n_lanes; i++) {
		size_t lane = (http->turn + i) % http->parts.n_lanes;

		if (sink_http_take_of(http, flight, lane)) {
			http->turn = lane + 1;
			return flight;
		}
	}
	return NULL;
}

/* Arms the timer for the first lane that rests; the next landing serves where all flights are under
 * way. False: no lane rests. */
static bool sink_http_rest(struct sink_http *http)
{
	nsec_t first_at = 0;
	nsec_t now_at;

	ev_timer_stop(http->loop, &http->rest);
	if (http->n_under_way == (size_t)http->options->in_flight)
		return true;
	for (size_t i = 0; i < http->parts.n_lanes; i++) {
		const struct http_lane *lane = &http->parts.lanes[i];

		if (!lane->busy && lane->rest_until_at > 0 &&
			(first_at == 0 || lane->rest_until_at < first_at))
			first_at = lane->rest_until_at;
	}
	if (first_at == 0)
		return false;
	now_at = clock_monotonic();
	timer_start(http->loop, &http->rest, first_at > now_at ? first_at - now_at : 0);
	return true;
}

/* Is the plan of the job so that requests may be sent? Else it is to be tried again. */
static bool sink_http_is_planned(struct sink_http *http)
{
	if (http->parts.resplit && !sink_store_splits(&http->base, &http->fault))
		http->failing = true;
	else
		http->parts.resplit = false;
	return !http->failing;
}

/* May requests be begun? */
static bool sink_http_goes_on(struct sink_http *http)
{
	return !http->failing && !sink_http_is_in_doubt(http) && sink_http_is_planned(http);
}

static void sink_http_step(struct sink_http *http)
{
	struct http_flight *flight;

	if (http->stepping)
		return;
	http->stepping = true;
	while (sink_http_goes_on(http) && (flight = sink_http_take(http)))
		http_call_start(&flight->call);
	http->stepping = false;
	if (!http->failing && !sink_http_is_in_doubt(http) && sink_http_rest(http))
		return;
	ev_timer_stop(http->loop, &http->rest);
	if (http->n_under_way == 0)
		sink_http_end(http);
}

static void sink_http_on_rested(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	sink_http_step(timer->data);
}

static void sink_http_drop(struct http_flight *flight)
{
	flight->under_way = false;
	free(flight->part.places);
	flight->part.places = NULL;
	flight->http->n_under_way--;
	flight->http->parts.lanes[flight->lane].busy = false;
}

/* The last thing that is done with a flight: the job may be over with it. */
static void sink_http_land(struct http_flight *flight)
{
	sink_http_drop(flight);
	sink_http_step(flight->http);
}

/* The receiver has done something with a request. */
static void sink_http_works(struct sink_http *http)
{
	http->n_strikes = 0;
	sink_advanced(&http->base);
}

static void sink_http_decided(struct http_flight *flight)
{
	sink_http_works(flight->http);
	flight->http->base.poison = false;
	http_parts_done(&flight->http->parts, flight->lane);
	sink_http_land(flight);
}

/* So many in a row, at least one of each request that may be under way, end the try. */
static unsigned sink_http_most_strikes(const struct sink_http *http)
{
	size_t n = (size_t)http->options->in_flight;
	return HTTP_STRIKES * (unsigned)(n < http->parts.n_lanes ? n : http->parts.n_lanes);
}

/* Was some of the part taken, or does the receiver take other requests? Then the part is sent again
 * after a pause of its own, while the others go on. */
static bool sink_http_again(struct http_flight *flight, const struct fault *fault)
{
	struct sink_http *http = flight->http;
	struct http_lane *lane = &http->parts.lanes[flight->lane];

	if (http->failing || fault->wait_ns > 0)
		return false;
	if (flight->advanced) {
		sink_http_works(http);
		backoff_reset(&lane->backoff);
	} else {
		http->n_strikes += http_verdict_strikes(fault, sink_http_most_strikes(http));
	}
	if (http->n_strikes >= sink_http_most_strikes(http))
		return false;
	lane->rest_until_at = clock_monotonic() + backoff_next(&lane->backoff);
	sink_retried(&http->base, fault);
	sink_http_land(flight);
	return true;
}

/* The first fault is told; the pause is long enough for all. */
static void sink_http_later(struct http_flight *flight, const struct fault *fault)
{
	struct sink_http *http = flight->http;

	http_parts_again(&http->parts, flight->lane);
	if (sink_http_again(flight, fault))
		return;
	if (!http->failing)
		http->fault = *fault;
	else if (http->fault.wait_ns < fault->wait_ns)
		http->fault.wait_ns = fault->wait_ns;
	http->failing = true;
	sink_http_land(flight);
}

/* --- one request --- */

static int sink_http_write(
	struct http_call *call, struct http_message *message, struct fault *reterr)
{
	struct http_flight *flight = call->userdata;
	struct sink_http *http = flight->http;
	enum compression compression =
		http_options_compression(http->options, http->parts.job->requests.coding);
	struct http_part *part = &flight->part;
	struct sink_record *records;
	char key[33];
	size_t size = 0;

	http_options_message(http->options, message);
	if (http->encoding->prepare)
		http->encoding->prepare(part, message);
	records = http_parts_records(&http->parts, part->places, part->n_records);
	part->records = records;
	for (size_t i = 0; i < part->n_records; i++)
		size += part->records[i].view.text.size + 2;
	buf_reserve(&message->body, size);
	http->encoding->write(part, &message->body);
	part->records = NULL;
	free(records);
	flight->size = message->body.size;
	http_parts_key(&http->parts, part->places[0], buf_slice(&message->body), key);
	http_headers_set(&message->headers, "Idempotency-Key", slice_of(key));
	if (compression != COMPRESSION_NONE)
		http_headers_set(&message->headers, "Content-Encoding",
			slice_of(compression_names[compression]));
	return compressor_replace(compression, &message->body, reterr);
}

static void sink_http_tell_size(struct http_flight *flight)
{
	struct sink_http *http = flight->http;
	struct log_subject subject = sink_http_subject(http);

	if (http->size_told)
		return;
	http->size_told = true;
	log_notice(&subject,
		"the receiver takes no request of %zu records (413); sending smaller ones. A lower batch_bytes or batch_records saves it the trouble",
		flight->part.n_records);
}

static void sink_http_refuse(struct http_flight *flight, const struct fault *fault)
{
	struct buf words = BUF_NULL;

	http_verdict_words(fault->text, &words);
	http_parts_refuse(
		&flight->http->parts, flight->part.places[0], fault->text, buf_text(&words));
	buf_deinit(&words);
	sink_http_decided(flight);
}

static void sink_http_halve(struct http_flight *flight, const struct fault *fault)
{
	struct sink_http *http = flight->http;
	struct http_parts *parts = &http->parts;

	if (fault->status == 413)
		sink_http_tell_size(flight);
	if (http_parts_halve(parts, flight->lane)) {
		http_parts_know(parts, flight->lane);
		sink_http_land(flight);
		return;
	}
	/* too large, and smaller ones are taken: this says nothing of other records */
	if (fault->status == 413 && http->largest > 0 && flight->size > http->largest)
		parts->accepted = true;
	sink_http_refuse(flight, fault);
}

/* The receiver fails at one record: it is named, and the sink waits. */
static void sink_http_name_poison(struct http_flight *flight, struct fault *fault)
{
	struct sink_http *http = flight->http;
	struct log_subject subject = sink_http_subject(http);
	struct sink_record *record = http_parts_records(&http->parts, flight->part.places, 1);

	http_poison_name(fault, record);
	free(record);
	if (!http->base.poison)
		log_warning(&subject, "%s", fault->text);
	http->base.poison = true;
}

/* Is FAULT that of a record? False: it is no more than a failure. */
static bool sink_http_is_poison(struct http_flight *flight, struct fault *fault)
{
	struct sink_http *http = flight->http;
	struct http_lane *lane = &http->parts.lanes[flight->lane];

	if (http->failing || flight->advanced)
		return false;
	switch (http_poison_failed(
		&lane->suspicion, fault, flight->part.n_records, lane->doubted > 0)) {
	case HTTP_POISON_NONE:
		return false;
	case HTTP_POISON_SEARCH:
		http_parts_halve(&http->parts, flight->lane);
		sink_http_land(flight);
		return true;
	case HTTP_POISON_FOUND:
		break;
	}
	if (http->options->poison == HTTP_POISON_DEAD_LETTER) {
		sink_http_refuse(flight, fault);
		return true;
	}
	sink_http_name_poison(flight, fault);
	return false;
}

static void sink_http_renew(struct http_flight *flight, struct fault *fault)
{
	if (!flight->renewed && http_call_renew(&flight->call)) {
		flight->renewed = true;
		http_call_start(&flight->call);
		return;
	}
	if (sink_http_is_poison(flight, fault))
		return;
	http_options_hint(flight->http->options, fault);
	http_verdict_be_patient(fault);
	sink_http_later(flight, fault);
}

static void sink_http_done(
	struct http_call *call, struct http_response *response, struct fault *fault)
{
	struct http_flight *flight = call->userdata;
	struct sink_http *http = flight->http;
	size_t n_decided = http->parts.n_taken + http->parts.n_refused;
	enum http_verdict verdict = HTTP_LATER;

	if (response && (response->fault.class != FAULT_NONE || response->resent))
		http_parts_doubt(&http->parts, flight->lane);
	if (response)
		verdict = http_verdict(http->encoding, &flight->part, response, fault);
	flight->advanced = http->parts.n_taken + http->parts.n_refused > n_decided;
	if (flight->advanced)
		http_parts_know(&http->parts, flight->lane);
	switch (verdict) {
	case HTTP_TAKEN:
		if (http->largest < flight->size)
			http->largest = flight->size;
		if (flight->part.receipt >= 0)
			http_receipts_add(&http->receipts, &flight->part);
		else
			sink_http_decided(flight);
		break;
	case HTTP_LATER:
		/* without a response it is not the record that was refused, but a token */
		if (!response || !sink_http_is_poison(flight, fault))
			sink_http_later(flight, fault);
		break;
	case HTTP_RENEW:
		sink_http_renew(flight, fault);
		break;
	case HTTP_HALVE:
		sink_http_halve(flight, fault);
		break;
	}
}

static void sink_http_acknowledged(
	struct http_part *part, const struct fault *fault, void *userdata)
{
	struct sink_http *http = userdata;
	struct http_flight *flight = http->flights;

	while (&flight->part != part)
		flight++;
	if (fault) {
		http_parts_doubt(&http->parts, flight->lane);
		sink_http_later(flight, fault);
	} else {
		sink_http_decided(flight);
	}
}

static const struct http_call_kind sink_http_call = {
	.write = sink_http_write,
	.done = sink_http_done,
};

/* --- the kind --- */

static void sink_http_make_flights(struct sink_http *http)
{
	size_t n = (size_t)http->options->in_flight;

	http->flights = mem_array(n, sizeof(*http->flights));
	for (size_t i = 0; i < n; i++) {
		struct http_flight *flight = &http->flights[i];

		flight->http = http;
		flight->part.options = http->options;
		flight->part.parts = &http->parts;
		flight->part.channel = http->channel;
		flight->call.kind = &sink_http_call;
		flight->call.sender = &http->sender;
		flight->call.userdata = flight;
	}
}

static int sink_http_create(struct sink **ret, const struct sink_setup *setup, struct fault *reterr)
{
	const struct http_options *options = setup->options;
	struct sink_http *http;
	struct auth *auth = NULL;
	int r = http_options_auth(options, setup->client, &auth, reterr);

	if (r)
		return r;
	http = MEM_NEW(struct sink_http);
	http->base.kind = &sink_http;
	http->base.name = mem_strdup(setup->name);
	http->base.gather.age_ns = options->batch_age_ns;
	http->base.max_record = (size_t)options->max_record;
	http->base.requests = (struct sink_requests){(size_t)options->batch_records,
		(size_t)options->batch_bytes, options->in_flight > 1, http_options_coding(options)};
	if (options->in_flight == 1) { /* else as many sources in a job as it can hold */
		http->base.gather.n_records = (size_t)options->batch_records;
		http->base.gather.bytes = (size_t)options->batch_bytes;
	}
	http->loop = setup->loop;
	ev_timer_init(&http->rest, sink_http_on_rested, 0., 0.);
	http->rest.data = http;
	http->options = options;
	http->doubt = HTTP_DOUBT_LEAST;
	http->encoding = http_encoding_of(options);
	http->sender = (struct http_sender){
		.client = setup->client,
		.transport = http_options_transport(options),
		.auth = auth,
	};
	http->location = mem_strdup(setup->location);
	random_uuid(http->channel);
	sink_http_make_flights(http);
	http_receipts_init(&http->receipts, http->encoding, &http->sender, setup->loop);
	http->receipts.ended = sink_http_acknowledged;
	http->receipts.userdata = http;
	http_secrets_init(&http->secrets, &options->headers, options->proxy);
	*ret = &http->base;
	return 0;
}

static void sink_http_deliver(struct sink *sink, struct sink_job *job)
{
	struct sink_http *http = (struct sink_http *)sink;

	http->failing = false;
	http->turn = 0;
	http_parts_begin(&http->parts, job);
	timer_start(http->loop, &http->rest, 0);
}

static void sink_http_cancel(struct sink *sink)
{
	struct sink_http *http = (struct sink_http *)sink;

	ev_timer_stop(http->loop, &http->rest);
	http_receipts_cancel(&http->receipts);
	for (size_t i = 0; i < (size_t)http->options->in_flight; i++) {
		if (!http->flights[i].under_way)
			continue;
		http_call_cancel(&http->flights[i].call);
		http_parts_doubt(&http->parts, http->flights[i].lane);
		sink_http_drop(&http->flights[i]);
	}
}

static void sink_http_destroy(struct sink *sink)
{
	struct sink_http *http = (struct sink_http *)sink;

	sink_http_cancel(sink);
	auth_free(http->sender.auth);
	http_parts_deinit(&http->parts);
	free(http->flights);
	http_secrets_deinit(&http->secrets);
	free(http->location);
	free(http->base.name);
	free(http);
}

const struct sink_kind sink_http = {
	.name = "http",
	.summary = "batches of records to an HTTP receiver",
	.promise =
		"at least once; retries are byte-identical, so a receiver that deduplicates gets each record once",
	.options = http_option_rows,
	.n_options = N_HTTP_OPTION_ROWS,
	.options_size = sizeof(struct http_options),
	.capabilities = SINK_STABLE_JOB | SINK_UTF8,
	.check = http_options_check,
	.create = sink_http_create,
	.deliver = sink_http_deliver,
	.cancel = sink_http_cancel,
	.destroy = sink_http_destroy,
};
