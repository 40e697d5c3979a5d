/* See seal_stamps.h. */
#include "sink/file/seal_stamps.h"

#include <ev.h>
#include <inttypes.h>

#include "base/backoff.h"
#include "base/encode.h"
#include "base/mem.h"
#include "base/timer.h"
#include "base/timestamp.h"
#include "base/timestamp_token.h"
#include "net/client.h"
#include "net/outcome.h"
#include "sink/file/file_io.h"

#define STAMP_INTERVAL NSEC_PER_HOUR
#define STAMP_PATIENCE (10 * NSEC_PER_SEC)
#define STAMP_SIZE_MAX ((size_t)256 << 10)
#define STAMP_SUFFIX ".tsr"

/* What is known of a chain. */
struct stamp {
	char chain[33];
	int64_t number; /* of the last seal that has a token; 0: not known */
	nsec_t due_time; /* of the next */
};

struct seal_stamps {
	struct seal_stamps_setup setup;
	struct http_transport transport;
	struct stamp *items;
	size_t n_items;
	size_t capacity;
	ev_timer timer;
	struct backoff backoff;
	bool failing;
	nsec_t retry_time; /* while failing */

	/* under way: */
	struct http_request *request;
	struct token_request *query;
	struct stamp asked; /* due_time is not used */
	char digest[DIGEST_HEX_SIZE];
	char *path;
	struct buf line; /* to be written to it */
};

static void stamps_on_timer(struct ev_loop *loop, ev_timer *timer, int events);

struct seal_stamps *seal_stamps_new(const struct seal_stamps_setup *setup)
{
	struct seal_stamps *stamps = MEM_NEW(struct seal_stamps);

	stamps->setup = *setup;
	stamps->transport = (struct http_transport){
		.timeout_ns = STAMP_PATIENCE,
		.connect_timeout_ns = STAMP_PATIENCE,
		.max_body = STAMP_SIZE_MAX,
	};
	stamps->backoff = (struct backoff){.min_ns = NSEC_PER_SEC, .max_ns = STAMP_INTERVAL};
	ev_init(&stamps->timer, stamps_on_timer);
	stamps->timer.data = stamps;
	return stamps;
}

static void stamps_end_request(struct seal_stamps *stamps)
{
	stamps->request = NULL;
	token_request_free(stamps->query);
	stamps->query = NULL;
	free(stamps->path);
	stamps->path = NULL;
	buf_deinit(&stamps->line);
}

void seal_stamps_stop(struct seal_stamps *stamps)
{
	if (!stamps)
		return;
	http_request_cancel(stamps->request);
	stamps->request = NULL;
	ev_timer_stop(stamps->setup.loop, &stamps->timer);
}

void seal_stamps_free(struct seal_stamps *stamps)
{
	if (!stamps)
		return;
	stamps_end_request(stamps);
	free(stamps->items);
	free(stamps);
}

/* --- what is due --- */

/* CHAIN's path is that of its seals. */
static char *stamps_path(const struct seal_chain *chain)
{
	size_t size = strlen(chain->path) - strlen(SEAL_SUFFIX);

	return mem_printf("%.*s" STAMP_SUFFIX, (int)size, chain->path);
}

/* An earlier process may have asked; the file's time shows when. */
static nsec_t stamps_first_due(const struct seal_chain *chain, nsec_t now)
{
	char *path = stamps_path(chain);
	struct stat status;
	nsec_t changed = NSEC_NONE;

	if (file_io_lstat(path, &status) == 0 && status.st_size > 0)
		changed = (nsec_t)status.st_mtim.tv_sec * NSEC_PER_SEC;
	free(path);
	return changed == NSEC_NONE || changed > now ? now : changed + STAMP_INTERVAL;
}

static struct stamp *stamps_find(
	struct seal_stamps *stamps, const struct seal_chain *chain, nsec_t now)
{
	struct stamp *stamp;

	for (size_t i = 0; i < stamps->n_items; i++) {
		if (strcmp(stamps->items[i].chain, chain->id) == 0)
			return &stamps->items[i];
	}
	stamps->items = mem_grow(
		stamps->items, stamps->n_items, &stamps->capacity, sizeof(stamps->items[0]));
	stamp = &stamps->items[stamps->n_items++];
	*stamp = (struct stamp){.due_time = stamps_first_due(chain, now)};
	memcpy(stamp->chain, chain->id, sizeof(stamp->chain));
	return stamp;
}

/* The chain that is due first, and when. NULL: each has a token of its last seal. */
static const struct seal_chain *stamps_next(
	struct seal_stamps *stamps, nsec_t now, nsec_t *ret_due_time)
{
	const struct seals *seals = stamps->setup.seals;
	const struct seal_chain *first = NULL;

	for (size_t i = 0; i < seals->n_chains; i++) {
		const struct seal_chain *chain = seals->chains[i];
		const struct stamp *stamp;

		if (chain->number == 0 || chain->pending || !chain->path)
			continue;
		stamp = stamps_find(stamps, chain, now);
		if (stamp->number == chain->number || (first && stamp->due_time >= *ret_due_time))
			continue;
		first = chain;
		*ret_due_time = stamp->due_time;
	}
	return first;
}

/* --- a token --- */

static void stamps_print(struct seal_stamps *stamps, nsec_t time, struct slice token)
{
	struct buf *out = &stamps->line;

	buf_printf(out, "{\"chain\":\"%s\",\"seal\":%" PRId64 ",\"digest\":\"%s\",\"time\":\"",
		stamps->asked.chain, stamps->asked.number, stamps->digest);
	timestamp_print_rfc3339(time, 0, out);
	buf_append_text(out, "\",\"token\":\"");
	encode_base64(token, out);
	buf_append_text(out, "\"}\n");
}

static int stamps_append(const struct seal_stamps *stamps, struct fault *reterr)
{
	const struct seals *seals = stamps->setup.seals;
	struct iovec iov = {stamps->line.data, stamps->line.size};
	struct file_target *file;
	int r = file_target_open(&file, stamps->path, &seals->modes, &seals->subject, reterr);

	if (r)
		return r;
	file->touched = true;
	r = file_target_append(file, &iov, 1, reterr);
	if (!r)
		r = file_target_sync(file, &seals->modes, &seals->subject, reterr);
	file_target_free(file);
	return r;
}

static int stamps_read(struct seal_stamps *stamps, const struct http_response *response, nsec_t now,
	struct fault *reterr)
{
	struct buf reason = BUF_NULL;
	struct slice body = buf_slice(&response->body);
	nsec_t time;
	int r = 0;

	if (http_outcome(response, SLICE_NULL, now, reterr) != FAULT_NONE)
		return -1;
	if (token_request_check(stamps->query, body, &time, &reason) != 0)
		r = fault_set(reterr, FAULT_BODY, "no valid token: %s", buf_text(&reason));
	buf_deinit(&reason);
	if (!r)
		stamps_print(stamps, time, body);
	return r;
}

static void stamps_succeeded(struct seal_stamps *stamps, nsec_t now)
{
	for (size_t i = 0; i < stamps->n_items; i++) {
		if (strcmp(stamps->items[i].chain, stamps->asked.chain) != 0)
			continue;
		stamps->items[i].number = stamps->asked.number;
		stamps->items[i].due_time = now + STAMP_INTERVAL;
	}
	backoff_reset(&stamps->backoff);
	if (stamps->failing)
		log_notice(&stamps->setup.seals->subject, "timestamp_url answers again");
	stamps->failing = false;
}

static void stamps_failed(struct seal_stamps *stamps, nsec_t now, const struct fault *fault)
{
	stamps->retry_time = now + backoff_next(&stamps->backoff);
	if (!stamps->failing)
		log_warning(&stamps->setup.seals->subject,
			"timestamp_url: %s; seals are made without a time stamp, retrying",
			fault->text);
	stamps->failing = true;
}

static void stamps_done(struct http_response *response, void *userdata)
{
	struct seal_stamps *stamps = userdata;
	struct fault fault = FAULT_NULL;
	nsec_t now = clock_wall();

	stamps->request = NULL;
	if (stamps_read(stamps, response, now, &fault) != 0) {
		stamps_failed(stamps, now, &fault);
		stamps_end_request(stamps);
	}
	stamps->setup.due(stamps->setup.userdata);
}

/* --- the request --- */

static void stamps_ask(struct seal_stamps *stamps, const struct seal_chain *chain)
{
	struct http_message message = HTTP_MESSAGE_NULL;
	struct fault fault = FAULT_NULL;
	struct merkle parsed;

	/* the digest of the last seal's body is what the next one names as its predecessor */
	memcpy(stamps->digest, chain->previous, sizeof(stamps->digest));
	memcpy(stamps->asked.chain, chain->id, sizeof(stamps->asked.chain));
	stamps->asked.number = chain->number;
	if (merkle_parse(&parsed, 1, slice_of(chain->previous)) == 0)
		stamps->query = token_request_new(parsed.nodes[0].bytes);
	if (!stamps->query) {
		fault_set(&fault, FAULT_INTERNAL, "OpenSSL cannot make a request");
		stamps_failed(stamps, clock_wall(), &fault);
		return;
	}
	stamps->path = stamps_path(chain);
	message.method = mem_strdup("POST");
	message.url = mem_strdup(stamps->setup.url);
	message.has_body = true;
	http_headers_set(&message.headers, "Content-Type", SLICE("application/timestamp-query"));
	http_headers_set(&message.headers, "Accept", SLICE("application/timestamp-reply"));
	token_request_print(stamps->query, &message.body);
	stamps->request = http_request_start(
		stamps->setup.client, &message, &stamps->transport, stamps_done, stamps);
	http_message_deinit(&message);
}

static void stamps_look(struct seal_stamps *stamps)
{
	nsec_t now = clock_wall(), due_time = now;
	const struct seal_chain *chain;

	if (stamps->request)
		return;
	ev_timer_stop(stamps->setup.loop, &stamps->timer);
	chain = stamps_next(stamps, now, &due_time);
	if (!chain)
		return;
	if (stamps->failing && due_time < stamps->retry_time)
		due_time = stamps->retry_time;
	if (due_time <= now)
		stamps_ask(stamps, chain);
	else /* a clock that is set is noticed within the hour */
		timer_start(stamps->setup.loop, &stamps->timer,
			due_time - now < STAMP_INTERVAL ? due_time - now : STAMP_INTERVAL);
}

static void stamps_on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct seal_stamps *stamps = timer->data;

	(void)loop;
	(void)events;
	stamps->setup.due(stamps->setup.userdata);
}

void seal_stamps_step(struct seal_stamps *stamps)
{
	struct fault fault = FAULT_NULL;

	if (!stamps)
		return;
	if (stamps->line.size > 0) {
		if (stamps_append(stamps, &fault) == 0)
			stamps_succeeded(stamps, clock_wall());
		else
			stamps_failed(stamps, clock_wall(), &fault);
		stamps_end_request(stamps);
	}
	stamps_look(stamps);
}

bool seal_stamps_busy(const struct seal_stamps *stamps)
{
	return stamps && (stamps->request || stamps->line.size > 0);
}
