/* See errand.h. */
#include "errand.h"

#include <ev.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/timer.h"
#include "store/cursors.h"
#include "poller.h"

#define REACH_MAX (30 * NSEC_PER_DAY) /* where it is not known how long the API keeps records */
#define RETENTION_MARGIN NSEC_PER_MIN /* in which the first request is made */
#define KEYS_MARGIN NSEC_PER_HOUR

struct errand {
	struct poller *poller;
	const struct errand_kind *kind;
	void *userdata;
	struct span *spans;
	size_t n_spans;
	size_t index; /* of the span that is requested */
	struct runner *runner; /* NULL: none is */
	struct intake *intake;
	ev_timer next; /* the span is done: not inside the runner's own callback */
	struct fault fault; /* class FAULT_NONE: it was read */
	bool partial; /* the API did not return all of it */
	bool waits; /* and has said so */
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
	if (errand->kind->accept)
		errand->kind->accept(batch, errand->userdata);
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

/* What may take long; NULL: nothing. */
static const char *wait_for(const struct poller *poller, const struct runner_status *status)
{
	if (status->failing)
		return "until the requests of the source succeed again";
	if (!poller->callbacks->has_room(poller->userdata))
		return "until less than half of the spool is used";
	return poller->callbacks->may_poll(poller->userdata)
		       ? NULL
		       : "until the state can be written again";
}

static enum runner_leave may_poll(bool needs_window, void *userdata)
{
	struct errand *errand = userdata;
	struct runner_status status;
	struct fault fault;
	(void)needs_window;
	runner_status(errand->poller->runner, &status);
	const char *why = wait_for(errand->poller, &status);
	if (why && !errand->waits && errand->kind->waits)
		errand->kind->waits(why, errand->userdata);
	errand->waits = why != NULL;
	if (why || status.state != RUNNER_UP_TO_DATE)
		return RUNNER_LEAVE_LATER;
	/* the source's own window first: what it then accepts is known here, too */
	int r = intake_ready(
		errand->poller->intake, runner_horizon(errand->poller->runner), &fault);
	if (!r)
		r = intake_ready(errand->intake, NSEC_NONE, &fault);
	if (r == STORE_E_CORRUPT)
		committer_damaged(errand->poller->committer, &fault);
	return !r ? RUNNER_LEAVE : r == STORE_E_WAIT ? RUNNER_LEAVE_SOON : RUNNER_LEAVE_LATER;
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
	timer_start(errand->poller->loop, &errand->next, 0);
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

static void loaded(void *userdata)
{
	struct errand *errand = userdata;
	errand_wake(errand);
}

/* --- span after span --- */

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
	const struct source *source = poller->source;
	const struct span *span = &errand->spans[errand->index];
	char *cursor CLEANUP_FREE = NULL;
	/* what was learned of the API's pages is in the source's cursor */
	int r = cursors_get(poller->store, source->name, &cursor, reterr);
	if (r)
		return r;
	errand->fault = FAULT_NULL;
	errand->partial = false;
	errand->intake = intake_new_errand(
		poller->intake, errand_keys_time(source->definition, span->start_time));
	intake_on_loaded(errand->intake, loaded, errand);
	r = runner_new(&errand->runner,
		&(struct runner_setup){
			.loop = poller->loop,
			.client = poller->client,
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

static void drop(struct errand *errand, bool interrupted)
{
	errand->poller->errand = NULL;
	ev_timer_stop(errand->poller->loop, &errand->next);
	end_span(errand);
	errand->kind->ended(interrupted, errand->userdata);
	free(errand->spans);
	free(errand);
}

static void conclude(struct errand *errand, const struct fault *fault)
{
	struct intake_status status = {0};
	if (errand->intake)
		intake_status(errand->intake, &status);
	errand->kind->done(
		&(struct errand_result){
			.span = errand->spans[errand->index],
			.fault = fault->class == FAULT_NONE ? NULL : fault,
			.partial = errand->partial,
			.n_records = status.n_records,
			.n_duplicates = status.n_duplicates,
		},
		errand->userdata);
}

/* The next span, or the end. After a failure the next would fail, too. */
static void step(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct errand *errand = timer->data;
	struct fault fault = FAULT_NULL;
	(void)loop;
	(void)events;
	if (errand->runner) {
		fault = errand->fault;
		conclude(errand, &fault);
		end_span(errand);
		errand->index++;
	}
	if (fault.class == FAULT_NONE && errand->index < errand->n_spans) {
		if (begin_span(errand, &fault) == 0)
			return;
		conclude(errand, &fault);
	}
	drop(errand, false);
}

void errand_wake(struct errand *errand)
{
	if (errand && errand->runner)
		runner_wake(errand->runner);
}

void errand_free(struct errand *errand)
{
	if (errand)
		drop(errand, true);
}

bool errand_start(struct poller *poller, const struct errand_kind *kind, void *userdata,
	const struct span *spans, size_t n)
{
	if (poller->errand || poller->paused || n == 0)
		return false;
	struct errand *errand = MEM_NEW(struct errand);
	errand->poller = poller;
	errand->kind = kind;
	errand->userdata = userdata;
	errand->spans = mem_dup(spans, n * sizeof(*spans));
	errand->n_spans = n;
	ev_init(&errand->next, step);
	errand->next.data = errand;
	poller->errand = errand;
	timer_start(poller->loop, &errand->next, 0);
	return true;
}
