/* See http_poison.h. */
#include "sink/http/http_poison.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "net/outcome.h"
#include "pipeline/sink.h"
#include "sink/http/http_verdict.h"

#define POISON_ID_SIZE 64

/* Is it what a receiver says of one request? With a pause it speaks of itself. */
static bool poison_is_possible(const struct fault *fault)
{
	return fault->wait_ns == 0 && (fault->status == 403 || fault->status >= 500);
}

static struct id poison_words(const struct fault *fault)
{
	CLEANUP(buf_deinit) struct buf words = BUF_NULL;

	http_verdict_words(fault->text, &words);
	return digest_id(buf_slice(&words));
}

enum http_poison http_poison_failed(
	struct http_suspicion *suspicion, const struct fault *fault, size_t n, bool doubted)
{
	struct id words;

	if (!poison_is_possible(fault)) {
		/* the receiver has a problem of its own, and may have had it before */
		if (doubted)
			http_poison_forget(suspicion);
		return HTTP_POISON_NONE;
	}
	words = poison_words(fault);
	if (memcmp(&words, &suspicion->words, sizeof(words)) != 0)
		*suspicion = (struct http_suspicion){words, .accepted = suspicion->accepted};
	if (n == 1)
		return ++suspicion->n_alone < (suspicion->accepted && !doubted
							      ? HTTP_POISON_TRIES
							      : HTTP_POISON_TRIES_MORE)
			       ? HTTP_POISON_NONE
			       : HTTP_POISON_FOUND;
	suspicion->n_failures++;
	if (!suspicion->searching &&
		suspicion->n_failures < (doubted ? HTTP_POISON_TRIES_MORE : HTTP_POISON_TRIES))
		return HTTP_POISON_NONE;
	suspicion->searching = true;
	return HTTP_POISON_SEARCH;
}

void http_poison_forget(struct http_suspicion *suspicion)
{
	suspicion->n_failures = 0;
	suspicion->n_alone = 0;
	suspicion->searching = false;
}

void http_poison_name(struct fault *fault, const struct sink_record *record)
{
	CLEANUP(buf_deinit) struct buf id = BUF_NULL;
	struct fault told = *fault;
	char scratch[33];

	http_excerpt(batch_id_text(&record->view, scratch), POISON_ID_SIZE, &id);
	fault_set(fault, told.class,
		"%s; record `%s` of source %s alone fails, too, and what follows waits for it (poison = dead_letter sets such records aside)",
		told.text, buf_text(&id), record->batch->source);
	fault->status = told.status;
}

void http_poison_decided(struct http_suspicion *suspicion, bool taken, bool all)
{
	suspicion->n_failures = 0;
	suspicion->n_alone = 0;
	suspicion->accepted = taken;
	if (all)
		*suspicion = HTTP_SUSPICION_NULL;
}
