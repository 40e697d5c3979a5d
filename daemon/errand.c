/* See errand.h. */
#include "errand.h"

#include <ev.h>
#include <inttypes.h>
#include <sysexits.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timer.h"
#include "base/timestamp.h"
#include "source/span.h"
#include "store/coverage.h"
#include "store/cursors.h"
#include "store/events.h"
#include "store/spool.h"
#include "trawld.h"

#define REACH_MAX (30 * NSEC_PER_DAY) /* where it is not known how long the API keeps records */
#define RETENTION_MARGIN NSEC_PER_MIN /* in which the first request is made */
#define KEYS_MARGIN NSEC_PER_HOUR

struct spans {
	struct span *items;
	size_t n_items, capacity;
};

struct errand {
	struct poller *poller;
	struct spans spans;
	size_t index; /* of the span that is requested */
	struct runner *runner; /* NULL: none is */
	struct intake *intake;
	ev_timer next; /* the span is done: not inside the runner's own callback */
	struct fault fault; /* class FAULT_NONE: it was read */
	bool partial; /* the API did not return all of it */
};

nsec_t errand_keys_time(const struct definition *definition, nsec_t start_time)
{
	return span_floor(start_time, definition->step_ns) - KEYS_MARGIN;
}

nsec_t errand_oldest_time(const struct definition *definition, nsec_t now_time)
{
	nsec_t retention = definition->resume.retention_ns;
	return now_time - (retention ? retention - RETENTION_MARGIN : REACH_MAX);
}

/* --- what the runner calls --- */

static void accept_records(const struct record_batch *batch, void *userdata)
{
	struct errand *errand = userdata;
	intake_accept(batch, errand->intake);
}

static bool known(const struct record *record, void *userdata)
{
	struct errand *errand = userdata;
	return intake_known(record, errand->intake);
}

static int set_apart(const struct bad_elements *bad, void *userdata, struct fault *reterr)
{
	struct errand *errand = userdata;
	return quarantine_take(errand->poller->quarantine, bad, reterr);
}

static bool may_poll(bool needs_window, void *userdata)
{
	struct errand *errand = userdata;
	struct trawld *trawld = errand->poller->trawld;
	struct runner_status status;
	struct fault fault;
	(void)needs_window;
	runner_status(errand->poller->runner, &status);
	if (status.state != RUNNER_UP_TO_DATE || status.failing || !trawld_may_poll(trawld) ||
		spool_bytes(trawld->store) >= trawld->setup->config->daemon.spool_limit / 2)
		return false;
	/* the source's own window first: what it then accepts is known here, too */
	return intake_ready(errand->poller->intake, runner_horizon(errand->poller->runner),
		       &fault) == 0 &&
	       intake_ready(errand->intake, NSEC_NONE, &fault) == 0;
}

static void requested(nsec_t elapsed_ns, size_t body_size, void *userdata)
{
	struct errand *errand = userdata;
	tally_requested(&errand->poller->tally, elapsed_ns, body_size);
}

static void failed(const struct fault *fault, void *userdata)
{
	struct errand *errand = userdata;
	errand->poller->tally.faults[fault->class]++;
}

static void gap(nsec_t start_time, nsec_t end_time, enum gap_reason reason, void *userdata)
{
	struct errand *errand = userdata;
	(void)start_time;
	(void)end_time;
	(void)reason;
	errand->partial = true;
}

static void rested(const struct fault *fault, void *userdata)
{
	struct errand *errand = userdata;
	if (fault)
		errand->fault = *fault;
	timer_start(errand->poller->trawld->loop, &errand->next, 0);
}

static const struct runner_callbacks callbacks = {
	.accept = accept_records,
	.known = known,
	.set_apart = set_apart,
	.may_poll = may_poll,
	.rested = rested,
	.requested = requested,
	.failed = failed,
	.gap = gap,
};

/* --- span after span --- */

static void print_span(const struct span *span, struct buf *out)
{
	timestamp_print_rfc3339(span->start_time, 3, out);
	buf_append_text(out, " to ");
	timestamp_print_rfc3339(span->end_time, 3, out);
}

static void end_span(struct errand *errand)
{
	runner_free(errand->runner);
	intake_free(errand->intake);
	errand->runner = NULL;
	errand->intake = NULL;
}

/* 0, or the fault of the runner or the store. */
static int begin_span(struct errand *errand, struct fault *reterr)
{
	struct poller *poller = errand->poller;
	struct trawld *trawld = poller->trawld;
	const struct source *source = poller->source;
	const struct span *span = &errand->spans.items[errand->index];
	char *cursor CLEANUP_FREE = NULL;
	/* what was learned of the API's pages is in the source's cursor */
	int r = cursors_get(trawld->store, source->name, &cursor, reterr);
	if (r)
		return r;
	errand->fault = FAULT_NULL;
	errand->partial = false;
	errand->intake = intake_new_errand(
		poller->intake, errand_keys_time(source->definition, span->start_time));
	r = runner_new(&errand->runner,
		&(struct runner_setup){
			.loop = trawld->loop,
			.client = trawld->client,
			.source = source,
			.cursor = cursor,
			.give_up = true,
			.errand = span,
			.callbacks = &callbacks,
			.userdata = errand,
		},
		reterr);
	if (r)
		end_span(errand);
	return r;
}

/* The span was read to its end, or what is in the way of that was found. */
static void conclude(struct errand *errand)
{
	struct poller *poller = errand->poller;
	struct store *store = poller->trawld->store;
	const struct span *span = &errand->spans.items[errand->index];
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	struct intake_status status;
	print_span(span, &text);
	intake_status(errand->intake, &status);
	if (errand->fault.class != FAULT_NONE) {
		log_warning(&poller->source->subject,
			"refill from %s: %s; the gap stays open (`trawlctl refill %s` retries)",
			buf_text(&text), errand->fault.text, poller->source->name);
		return;
	}
	if (errand->partial) {
		log_warning(&poller->source->subject,
			"refill from %s: the API again returns only a part of these records; the "
			"gap stays open",
			buf_text(&text));
		return;
	}
	coverage_refill(store, poller->source->name, span->start_time, span->end_time);
	committer_flush(poller->trawld->committer); /* else as soon as it can */
	poller_look_at_gaps(poller);
	log_notice(&poller->source->subject,
		"refilled from %s: %" PRIu64 " new record%s, %" PRIu64
		" duplicate%s; the gap is closed",
		buf_text(&text), status.n_records, str_plural(status.n_records),
		status.n_duplicates, str_plural(status.n_duplicates));
}

static void drop(struct errand *errand)
{
	errand->poller->errand = NULL;
	ev_timer_stop(errand->poller->trawld->loop, &errand->next);
	end_span(errand);
	free(errand->spans.items);
	free(errand);
}

/* The next span, or the end. */
static void step(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct errand *errand = timer->data;
	struct fault fault = FAULT_NULL;
	(void)loop;
	(void)events;
	if (errand->runner) {
		conclude(errand);
		end_span(errand);
		bool gives_up = errand->fault.class != FAULT_NONE; /* the next would fail, too */
		errand->index = gives_up ? errand->spans.n_items : errand->index + 1;
	}
	if (errand->index < errand->spans.n_items && begin_span(errand, &fault) == 0)
		return;
	if (fault.class != FAULT_NONE)
		log_warning(&errand->poller->source->subject, "refill: %s; the gaps stay open",
			fault.text);
	drop(errand);
}

void errand_wake(struct errand *errand)
{
	if (errand && errand->runner)
		runner_wake(errand->runner);
}

void errand_free(struct errand *errand)
{
	if (!errand)
		return;
	const struct source *source = errand->poller->source;
	log_notice(&source->subject,
		"refill interrupted; what it has not read stays open (`trawlctl refill %s` "
		"continues)",
		source->name);
	drop(errand);
}

/* --- trawlctl refill --- */

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
		code = EX_TEMPFAIL, why = "a refill is under way (see the log)";
	if (!why)
		return 0;
	fault_set(reterr, FAULT_CONFIG, "the gaps of source %s cannot be refilled%s: %s",
		poller->source->name, code == EX_TEMPFAIL ? " now" : "", why);
	return code;
}

static void note_event(const struct poller *poller, const char *by, size_t n_gaps)
{
	char *text CLEANUP_FREE =
		mem_printf("%zu open gap%s requested again", n_gaps, n_gaps == 1 ? "" : "s");
	events_add(poller->trawld->store, &(struct event){.kind = EVENT_REFILL,
						  .source = poller->source->name,
						  .by = by,
						  .text = text});
	committer_touch(poller->trawld->committer);
	log_notice(&poller->source->subject, "%s by %s", text, by);
}

int errand_refill(
	struct poller *poller, const char *by, struct refill_result *ret, struct fault *reterr)
{
	struct trawld *trawld = poller->trawld;
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
	int r = committer_flush(trawld->committer) ? 0 : STORE_E_FULL;
	if (r)
		fault_set(reterr, FAULT_STORE, "the state cannot be written now");
	else
		r = coverage_each_gap(
			trawld->store, poller->source->name, false, add_gap, &search, reterr);
	if (r || search.spans.n_items == 0) {
		free(search.spans.items);
		return r ? EX_TEMPFAIL : 0;
	}
	struct errand *errand = MEM_NEW(struct errand);
	errand->poller = poller;
	errand->spans = search.spans;
	ev_init(&errand->next, step);
	errand->next.data = errand;
	poller->errand = errand;
	note_event(poller, by, ret->n_gaps);
	timer_start(trawld->loop, &errand->next, 0);
	return 0;
}
