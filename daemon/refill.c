/* trawlctl refill: an errand for the open gaps of a source. */
#include "errand.h"

#include <inttypes.h>
#include <sysexits.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "store/coverage.h"
#include "store/events.h"
#include "poller.h"

struct spans {
	struct span *items;
	size_t n_items, capacity;
};

static void print_span(const struct span *span, struct buf *out)
{
	timestamp_print_rfc3339(span->start_time, 3, out);
	buf_append_text(out, " to ");
	timestamp_print_rfc3339(span->end_time, 3, out);
}

static void span_done(const struct errand_result *result, void *userdata)
{
	struct poller *poller = userdata;
	const struct log_subject *subject = &poller->source->subject;
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	print_span(&result->span, &text);
	if (result->fault) {
		log_warning(subject,
			"refill from %s: %s; the gap stays open (`trawlctl refill %s` retries)",
			buf_text(&text), result->fault->text, poller->source->name);
		return;
	}
	if (result->partial) {
		log_warning(subject,
			"refill from %s: the API again returns only a part of these records; the gap stays open",
			buf_text(&text));
		return;
	}
	coverage_refill(poller->store, poller->source->name, result->span.start_time,
		result->span.end_time);
	committer_flush(poller->committer); /* else as soon as it can */
	poller_look_at_gaps(poller);
	log_notice(subject,
		"refilled from %s: %" PRIu64 " new record%s, %" PRIu64
		" duplicate%s; the gap is closed",
		buf_text(&text), result->n_records, str_plural(result->n_records),
		result->n_duplicates, str_plural(result->n_duplicates));
}

static void waits(const char *why, void *userdata)
{
	const struct poller *poller = userdata;
	log_notice(&poller->source->subject, "refill waits %s", why);
}

static void ended(bool interrupted, void *userdata)
{
	const struct poller *poller = userdata;
	if (interrupted)
		log_notice(&poller->source->subject,
			"refill interrupted; what it has not read stays open (`trawlctl refill %s` continues)",
			poller->source->name);
}

static const struct errand_kind refill_kind = {.waits = waits, .done = span_done, .ended = ended};

struct search {
	const struct definition *definition;
	nsec_t oldest_time;
	struct spans spans;
	struct refill_result *result;
};

static void add_gap(const struct coverage_gap *gap, void *userdata)
{
	struct search *search = userdata;
	struct spans *spans = &search->spans;
	struct span span = {gap->start_time, gap->end_time};
	if (strcmp(gap->reason, gap_reason_to_string(GAP_DOCUMENT)) == 0) {
		search->result->n_lost++;
		return;
	}
	/* dedupe keys followed the watermark, and do not reach back to where it begins */
	if (strcmp(gap->reason, gap_reason_to_string(GAP_CLOCK)) == 0) {
		search->result->n_clock++;
		return;
	}
	if (span.start_time < search->oldest_time)
		span.start_time = search->oldest_time;
	if (span.start_time >= span.end_time) {
		search->result->n_expired++;
		return;
	}
	search->result->n_gaps++;
	spans->items = mem_grow(spans->items, spans->n_items, &spans->capacity, sizeof(span));
	spans->items[spans->n_items++] = span;
}

/* 0, EX_USAGE or EX_TEMPFAIL. */
static int check(const struct poller *poller, struct fault *reterr)
{
	const struct definition *definition = poller->source->definition;
	const char *why = NULL;
	int code = EX_USAGE;
	if (!definition->resume.window)
		why = "its API continues from a cursor and cannot be asked for a span of time";
	else if (definition->fetches)
		why = "its records come in documents";
	else if (definition->n_records_id == 0 && definition->n_records_time == 0)
		why = "its records have neither an ID nor a time, so duplicates could not be told";
	else if (poller->paused)
		code = EX_TEMPFAIL, why = "it is paused or disabled";
	else if (poller->errand)
		code = EX_TEMPFAIL, why = "a refill or reconciliation is under way (see the log)";
	if (!why)
		return 0;
	fault_set(reterr, FAULT_CONFIG, "the gaps of source %s cannot be refilled%s: %s",
		poller->source->name, code == EX_TEMPFAIL ? " now" : "", why);
	return code;
}

static void note_event(const struct poller *poller, const char *by, size_t n_gaps)
{
	char *text CLEANUP_FREE =
		mem_printf("%zu open gap%s requested again", n_gaps, str_plural(n_gaps));
	events_add(poller->store, &(struct event){.kind = EVENT_REFILL,
					  .source = poller->source->name,
					  .by = by,
					  .text = text});
	committer_touch(poller->committer);
	log_notice(&poller->source->subject, "%s by %s", text, by);
}

int errand_refill(
	struct poller *poller, const char *by, struct refill_result *ret, struct fault *reterr)
{
	struct runner_status status;
	*ret = (struct refill_result){0};
	int code = check(poller, reterr);
	if (code)
		return code;
	runner_status(poller->runner, &status);
	struct search search = {
		.definition = poller->source->definition,
		.oldest_time = errand_oldest_time(
			poller->source->definition, clock_wall() + status.skew_ns),
		.result = ret,
	};
	/* gaps that were just found are among the rows, too */
	int r = committer_flush(poller->committer) ? 0 : STORE_E_FULL;
	if (r)
		fault_set(reterr, FAULT_STORE, "%s; nothing was changed",
			committer_why(poller->committer));
	else
		r = coverage_each_gap(
			poller->store, poller->source->name, false, add_gap, &search, reterr);
	if (r == STORE_E_CORRUPT)
		committer_damaged(poller->committer, reterr);
	if (r || search.spans.n_items == 0) {
		free(search.spans.items);
		return r ? EX_TEMPFAIL : 0;
	}
	ret->failing = status.failing;
	note_event(poller, by, ret->n_gaps);
	errand_start(poller, &refill_kind, poller, search.spans.items, search.spans.n_items);
	free(search.spans.items);
	return 0;
}
