/* See daily.h. */
#include "daily.h"

#include <ev.h>
#include <inttypes.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timer.h"
#include "base/timestamp.h"
#include "pipeline/fanout.h"
#include "pollers.h"

#define LOOK_AGAIN NSEC_PER_HOUR /* at the clock: it may have been set */

/* A sink, as it was at its last line. */
struct mark {
	char *name;
	struct daily_counts counts;
};

struct daily {
	struct ev_loop *loop;
	const struct pollers *pollers;
	const struct fanout *fanout;
	ev_timer timer;
	nsec_t next_time; /* the midnight that is waited for */
	struct mark *marks;
	size_t n_marks, capacity;
};

static uint64_t since(uint64_t before, uint64_t now)
{
	return now < before ? now : now - before;
}

static void add_count(struct buf *out, const char *before, uint64_t n, const char *word)
{
	buf_printf(out, "%s%" PRIu64 " %s%s", before, n, word, str_plural(n));
}

static void add_time(struct buf *out, const char *before, nsec_t time)
{
	if (time == NSEC_NONE)
		return;
	buf_append_text(out, before);
	timestamp_print_rfc3339(time - time % NSEC_PER_SEC, 0, out);
}

static void add_state(struct buf *out, const struct daily_state *state)
{
	add_time(out, "; failing since ", state->failing_time);
	buf_append_text(out, state->paused ? "; paused" : "");
}

void daily_print_source(const struct daily_counts *before, const struct daily_counts *now,
	const struct daily_state *state, struct buf *out)
{
	uint64_t n_errors = since(before->n_errors, now->n_errors);
	uint64_t n_gaps = since(before->n_gaps, now->n_gaps);
	add_count(out, "today: ", since(before->n_records, now->n_records), "new record");
	add_count(out, ", ", since(before->n_duplicates, now->n_duplicates), "duplicate");
	add_count(out, ", ", since(before->n_requests, now->n_requests), "request");
	if (n_errors)
		add_count(out, ", ", n_errors, "error");
	if (n_gaps)
		add_count(out, ", ", n_gaps, "gap");
	add_time(out, "; newest record ", state->newest_time);
	add_state(out, state);
}

void daily_print_sink(const struct daily_counts *before, const struct daily_counts *now,
	const struct daily_state *state, struct buf *out)
{
	uint64_t n_rejected = since(before->n_rejected, now->n_rejected);
	uint64_t n_retries = since(before->n_retries, now->n_retries);
	uint64_t n_delivered = since(before->n_delivered, now->n_delivered);
	buf_printf(
		out, "today: %" PRIu64 " record%s delivered", n_delivered, str_plural(n_delivered));
	if (n_rejected)
		buf_printf(out, ", %" PRIu64 " rejected", n_rejected);
	if (n_retries)
		buf_printf(
			out, ", %" PRIu64 " %s", n_retries, n_retries == 1 ? "retry" : "retries");
	if (state->n_unsent)
		buf_printf(out, ", %" PRIu64 " unsent", state->n_unsent);
	add_state(out, state);
}

/* The counts of a sink at its last line; all 0: there was none. */
static struct daily_counts *mark_of(struct daily *daily, const char *name)
{
	for (size_t i = 0; i < daily->n_marks; i++)
		if (strcmp(daily->marks[i].name, name) == 0)
			return &daily->marks[i].counts;
	daily->marks =
		mem_grow(daily->marks, daily->n_marks, &daily->capacity, sizeof(struct mark));
	struct mark *mark = &daily->marks[daily->n_marks++];
	*mark = (struct mark){.name = mem_strdup(name)};
	return &mark->counts;
}

static void tell_source(struct poller *poller)
{
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	struct runner_status runner;
	struct intake_status intake;
	runner_status(poller->runner, &runner);
	intake_status(poller->intake, &intake);
	struct daily_counts now = {.n_records = intake.n_records,
		.n_duplicates = intake.n_duplicates,
		.n_requests = runner.n_requests,
		.n_errors = runner.n_faults,
		.n_gaps = poller->n_gaps};
	struct daily_state state = {.newest_time = runner.newest_time,
		.failing_time = runner.failing ? runner.failing_time : NSEC_NONE,
		.paused = poller->paused};
	daily_print_source(&poller->daily, &now, &state, &text);
	log_info(&poller->source->subject, "%s", buf_text(&text));
	poller->daily = now;
}

static void tell_sink(const struct sink_status *status, void *userdata)
{
	struct daily *daily = userdata;
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	struct log_subject subject = {"sink", status->name, status->location};
	struct daily_counts *before = mark_of(daily, status->name);
	struct daily_counts now = {.n_delivered = status->delivered_records,
		.n_rejected = status->refused_records,
		.n_retries = status->retries};
	struct daily_state state = {.newest_time = NSEC_NONE,
		.n_unsent = status->pending_records,
		.failing_time = status->failing ? status->failing_time : NSEC_NONE,
		.paused = status->paused};
	daily_print_sink(before, &now, &state, &text);
	log_info(&subject, "%s", buf_text(&text));
	*before = now;
}

static void arm(struct daily *daily)
{
	nsec_t wait = daily->next_time - clock_wall();
	timer_start(daily->loop, &daily->timer, wait < LOOK_AGAIN ? wait : LOOK_AGAIN);
}

/* A clock that was set back by days is followed; one that was set forward ends one day early. */
static void set_next(struct daily *daily, nsec_t now_time)
{
	daily->next_time = now_time - now_time % NSEC_PER_DAY + NSEC_PER_DAY;
}

static void timer_fired(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct daily *daily = timer->data;
	nsec_t now_time = clock_wall();
	(void)loop;
	(void)events;
	if (now_time >= daily->next_time) {
		for (size_t i = 0; i < daily->pollers->n_items; i++)
			tell_source(daily->pollers->items[i]);
		fanout_each_sink(daily->fanout, tell_sink, daily);
	}
	set_next(daily, now_time);
	arm(daily);
}

struct daily *daily_new(
	struct ev_loop *loop, const struct pollers *pollers, const struct fanout *fanout)
{
	struct daily *daily = MEM_NEW(struct daily);
	daily->loop = loop;
	daily->pollers = pollers;
	daily->fanout = fanout;
	ev_init(&daily->timer, timer_fired);
	daily->timer.data = daily;
	set_next(daily, clock_wall());
	arm(daily);
	return daily;
}

void daily_free(struct daily *daily)
{
	if (!daily)
		return;
	ev_timer_stop(daily->loop, &daily->timer);
	for (size_t i = 0; i < daily->n_marks; i++)
		free(daily->marks[i].name);
	free(daily->marks);
	free(daily);
}
