/* See http_receipts.h. */
#include "sink/http/http_receipts.h"

#include "base/timer.h"
#include "net/outcome.h"

/* Pauses between two questions. */
#define RECEIPTS_PAUSE_MIN (200 * NSEC_PER_MSEC)
#define RECEIPTS_PAUSE_MAX (5 * NSEC_PER_SEC)

static void receipts_arm(struct http_receipts *receipts)
{
	timer_start(receipts->loop, &receipts->timer, receipts->pause_ns);
	if (receipts->pause_ns < RECEIPTS_PAUSE_MAX)
		receipts->pause_ns *= 2;
}

static void receipts_on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct http_receipts *receipts = timer->data;

	(void)loop;
	(void)events;
	http_call_start(&receipts->call);
}

static int receipts_write(
	struct http_call *call, struct http_message *message, struct fault *reterr)
{
	struct http_receipts *receipts = call->userdata;
	const struct http_part *parts[HTTP_IN_FLIGHT_MAX];

	(void)reterr;
	receipts->n_asked = receipts->n_items;
	for (size_t i = 0; i < receipts->n_asked; i++)
		parts[i] = receipts->items[i].part;
	http_options_message(receipts->items[0].part->options, message);
	receipts->encoding->ask(parts, receipts->n_asked, message);
	return 0;
}

static void receipts_drop(struct http_receipts *receipts, size_t index)
{
	receipts->n_items--;
	memmove(&receipts->items[index], &receipts->items[index + 1],
		(receipts->n_items - index) * sizeof(receipts->items[0]));
}

/* One item is decided, or left for the next question. True: it is gone. */
static bool receipts_settle(
	struct http_receipts *receipts, size_t index, const struct http_response *response)
{
	struct http_receipt item = receipts->items[index];
	struct fault fault = receipts->unconfirmed;
	bool confirmed = false;

	if (response && receipts->unconfirmed.class == FAULT_NONE)
		receipts->encoding->confirmed(item.part, response, &confirmed, &fault);
	if (!confirmed && clock_monotonic() < item.until_at)
		return false;
	receipts_drop(receipts, index);
	if (!confirmed) {
		struct fault told = fault;

		fault_set(&fault, FAULT_TIMEOUT,
			"what was sent is not acknowledged in time%s%s; it will be sent again",
			told.text[0] ? ": " : "", told.text);
	}
	receipts->ended(item.part, confirmed ? NULL : &fault, receipts->userdata);
	return true;
}

/* Whatever goes wrong with the question, it is asked again until the time of each is over. */
static void receipts_done(
	struct http_call *call, struct http_response *response, struct fault *fault)
{
	struct http_receipts *receipts = call->userdata;
	size_t n_asked = receipts->n_asked;
	size_t at = 0;

	if (response)
		http_outcome(response, SLICE_NULL, clock_wall(), fault);
	if (response && fault->class == FAULT_AUTH)
		http_call_renew(call);
	receipts->unconfirmed = *fault;
	if (n_asked == 0) /* nothing was sent */
		n_asked = receipts->n_items;
	for (size_t i = 0; i < n_asked; i++)
		at += !receipts_settle(receipts, at, response);
	receipts->n_asked = 0;
	if (receipts->n_items > 0)
		receipts_arm(receipts);
}

static const struct http_call_kind receipts_call = {
	.write = receipts_write,
	.done = receipts_done,
};

void http_receipts_init(struct http_receipts *receipts, const struct http_encoding *encoding,
	struct http_sender *sender, struct ev_loop *loop)
{
	receipts->call = (struct http_call){
		.kind = &receipts_call,
		.sender = sender,
		.userdata = receipts,
	};
	receipts->encoding = encoding;
	receipts->loop = loop;
	ev_timer_init(&receipts->timer, receipts_on_timer, 0., 0.);
	receipts->timer.data = receipts;
}

void http_receipts_add(struct http_receipts *receipts, struct http_part *part)
{
	receipts->items[receipts->n_items++] = (struct http_receipt){
		.part = part,
		.until_at = clock_monotonic() + part->options->ack_timeout_ns,
	};
	receipts->pause_ns = RECEIPTS_PAUSE_MIN;
	if (!http_call_is_running(&receipts->call))
		receipts_arm(receipts);
}

void http_receipts_cancel(struct http_receipts *receipts)
{
	ev_timer_stop(receipts->loop, &receipts->timer);
	http_call_cancel(&receipts->call);
	receipts->n_items = 0;
	receipts->n_asked = 0;
}
