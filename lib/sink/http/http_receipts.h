/*
 * Requests that are taken but not yet acknowledged: one question, asked again and again, is about
 * all of them.
 */
#ifndef TRAWLD_SINK_HTTP_RECEIPTS_H
#define TRAWLD_SINK_HTTP_RECEIPTS_H

#include <ev.h>

#include "net/http_call.h"
#include "sink/http/http_encoding.h"

struct http_receipt {
	struct http_part *part;
	nsec_t until_at;
};

/* FAULT is NULL: acknowledged. Else its time is over. Not inside http_receipts_add. */
typedef void (*http_receipt_fn)(struct http_part *part, const struct fault *fault, void *userdata);

struct http_receipts {
	struct http_call call;
	const struct http_encoding *encoding;
	struct ev_loop *loop;
	ev_timer timer;
	nsec_t pause_ns; /* before the next question */
	struct http_receipt items[HTTP_IN_FLIGHT_MAX];
	size_t n_items;
	size_t n_asked; /* so many of the first items is the question about */
	struct fault unconfirmed; /* what the last question brought */
	http_receipt_fn ended;
	void *userdata;
};

/* ENCODING and SENDER live as long. */
void http_receipts_init(struct http_receipts *receipts, const struct http_encoding *encoding,
	struct http_sender *sender, struct ev_loop *loop);
/* From now on what becomes of PART is asked for; it lives until ENDED or the cancel. */
void http_receipts_add(struct http_receipts *receipts, struct http_part *part);
void http_receipts_cancel(struct http_receipts *receipts); /* forgets all */

#endif
