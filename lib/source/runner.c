/*
 * The states of a source (runner.h), its one timer and its one step(). A request and what may come
 * before it are in runner_request.c; every way it can end leads to runner_page_came()
 * (runner_page.c), runner_fetch_answer(), runner_watch_answer() or runner_failed()
 * (runner_failure.c).
 */
#include "source/runner_internal.h"

#include <endian.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/timer.h"
#include "net/auth/auth.h"
#include "source/request.h"
#include "source/source_auth.h"

#define GATHER_LIMIT (64u << 20)
#define BLOCKED_WAIT (10 * NSEC_PER_SEC) /* nobody has to think of waking it */

static const char *const state_names[] = {
	[RUNNER_WAITING] = "waiting",
	[RUNNER_UP_TO_DATE] = "up to date",
	[RUNNER_WAITING_BUDGET] = "waiting for budget",
	[RUNNER_WAITING_CREDENTIAL] = "waiting for credential",
	[RUNNER_REQUESTING] = "requesting",
	[RUNNER_COLLECTING] = "collecting",
	[RUNNER_FETCHING] = "fetching documents",
	[RUNNER_BACKING_OFF] = "backing off",
	[RUNNER_ACCESS_DENIED] = "access denied",
	[RUNNER_BLOCKED] = "blocked",
	[RUNNER_PAUSED] = "paused",
	[RUNNER_STOPPED] = "stopped",
};

const char *runner_state_to_string(enum runner_state state)
{
	return state_names[state];
}

bool runner_state_is_busy(enum runner_state state)
{
	return state == RUNNER_REQUESTING || state == RUNNER_COLLECTING || state == RUNNER_FETCHING;
}

void runner_enter(struct runner *runner, enum runner_state state)
{
	if (runner->status.state == state)
		return;
	log_debug(&runner->source->subject, "%s, was %s", runner_state_to_string(state),
		runner_state_to_string(runner->status.state));
	runner->status.state_time = clock_wall();
	runner->status.state = state;
}

/* Nothing may be requested. */
static bool is_halted(const struct runner *runner)
{
	return runner->status.state == RUNNER_STOPPED || runner->status.state == RUNNER_PAUSED;
}

/* A response will come, or the credential will be ready for the request. */
static bool has_request(const struct runner *runner)
{
	return runner->request || runner->waiter;
}

void runner_arm(struct runner *runner, nsec_t wait_ns)
{
	ev_timer_stop(runner->loop, &runner->timer);
	if (is_halted(runner))
		return;
	timer_start(runner->loop, &runner->timer, wait_ns);
	runner->timer_at = clock_monotonic() + wait_ns;
}

void runner_report_gaps(struct runner *runner)
{
	size_t n;
	const struct poll_gap *gaps = poll_gaps(runner->poll, &n);
	for (size_t i = 0; i < n; i++)
		runner->callbacks->gap(gaps[i].span.start_time, gaps[i].span.end_time,
			gaps[i].reason, runner->userdata);
	poll_clear_gaps(runner->poll);
}

void runner_finish(struct runner *runner, const struct fault *fault)
{
	runner_enter(runner, RUNNER_STOPPED);
	ev_timer_stop(runner->loop, &runner->timer);
	runner->callbacks->rested(fault, runner->userdata);
}

/* The next poll: one interval on, at this source's own place inside the interval, so that many
 * sources stay spread. */
static void rest(struct runner *runner)
{
	nsec_t interval = runner->source->options.interval_ns;
	runner_enter(runner, RUNNER_UP_TO_DATE);
	runner->status.total = -1;
	runner->status.n_elements = 0;
	if (runner->give_up) {
		runner_finish(runner, NULL);
		return;
	}
	struct id spread = digest_id(slice_of(runner->source->name));
	uint32_t fraction;
	memcpy(&fraction, spread.bytes, sizeof(fraction));
	nsec_t phase = (nsec_t)((double)interval * le32toh(fraction) / 4294967296.0);
	nsec_t earliest = clock_wall() + interval / 2;
	nsec_t slot = span_ceil(earliest - phase, interval) + phase;
	runner_arm(runner, slot - clock_wall());
	runner->callbacks->rested(NULL, runner->userdata);
}

void runner_continue(struct runner *runner, enum poll_verdict verdict)
{
	bool ended = verdict == POLL_CAUGHT_UP;
	if (is_halted(runner))
		return;
	bool watches = ended && !runner->errand && runner_watch_is_due(runner);
	runner->task = watches ? RUNNER_TASK_WATCH : RUNNER_TASK_PAGE;
	if (ended && runner->task == RUNNER_TASK_PAGE) {
		rest(runner);
		return;
	}
	runner_enter(runner, RUNNER_COLLECTING);
	runner_arm(runner, 0);
}

/* May a request be made whose records need room? Else it looks again. */
static bool has_room(struct runner *runner)
{
	const struct definition *definition = runner->source->definition;
	nsec_t wait = runner->source->options.retry_max_ns;
	bool needs_window = definition->n_records_id > 0 || definition->fetches ||
			    poll_scope(runner->poll) != RECORD_SCOPE_EXACT;
	enum runner_leave leave = runner->callbacks->may_poll(needs_window, runner->userdata);
	if (leave == RUNNER_LEAVE)
		return true;
	if (leave == RUNNER_LEAVE_LATER)
		runner_enter(runner, RUNNER_BLOCKED);
	runner_arm(runner, wait < BLOCKED_WAIT ? wait : BLOCKED_WAIT);
	return false;
}

/* Begins a poll, or continues the open one. */
static void request_page(struct runner *runner)
{
	runner_share_clock(runner);
	/* a gap is told when a response has told the server's clock */
	struct clocks now = runner_clocks(runner);
	bool begun = poll_begin(runner->poll, &now);
	runner_tell_notices(runner);
	if (begun)
		runner_request(runner);
	else
		rest(runner);
}

static void do_task(struct runner *runner)
{
	switch (runner->task) {
	case RUNNER_TASK_PAGE:
		if (has_room(runner))
			request_page(runner);
		return;
	case RUNNER_TASK_DOCUMENT:
		if (has_room(runner))
			runner_fetch_step(runner);
		return;
	case RUNNER_TASK_WATCH:
		runner_request(runner);
		return;
	}
}

/* Time has passed, or what the state waits for may have come. */
static void step(struct runner *runner)
{
	switch (runner->status.state) {
	case RUNNER_WAITING:
	case RUNNER_UP_TO_DATE:
	case RUNNER_COLLECTING:
	case RUNNER_BLOCKED: /* looks again whether there is room */
	case RUNNER_WAITING_BUDGET:
	case RUNNER_WAITING_CREDENTIAL: /* these two find out whether they still have to wait */
	case RUNNER_BACKING_OFF:
	case RUNNER_ACCESS_DENIED:
		do_task(runner);
		return;
	case RUNNER_REQUESTING:
	case RUNNER_FETCHING:
		if (!has_request(runner)) /* else its response is the next step */
			do_task(runner);
		return;
	case RUNNER_PAUSED:
	case RUNNER_STOPPED:
		return;
	}
}

static void turn_came(void *userdata)
{
	runner_wake(userdata);
}

/* A limit is gone, or a person wants a refused credential tried. */
static void wait_may_end(void *userdata)
{
	struct runner *runner = userdata;
	if (runner->status.state == RUNNER_WAITING_BUDGET ||
		runner->status.state == RUNNER_WAITING_CREDENTIAL)
		runner_wake(runner);
}

static void timer_fired(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	step(timer->data);
}

/* Gives it its cursor: TEXT from the store, or (NULL) where it starts, which is kept at once. */
static int set_cursor(struct runner *runner, const char *text, struct fault *reterr)
{
	int r = request_cursor(runner->poll, text, reterr);
	if (r)
		return r;
	runner->start = text ? RUNNER_START_PASSED : RUNNER_START_SET;
	if (text)
		return 0;
	char *initial CLEANUP_FREE = cursor_print(poll_cursor(runner->poll));
	runner_deliver(
		runner, (struct record_batch){.scope = RECORD_SCOPE_EXACT, .cursor = initial});
	return 0;
}

int runner_new(struct runner **ret, const struct runner_setup *setup, struct fault *reterr)
{
	struct runner *runner = MEM_NEW(struct runner);
	const struct definition *definition = setup->source->definition;
	runner->loop = setup->loop;
	runner->client = setup->client;
	runner->source = setup->source;
	runner->callbacks = setup->callbacks;
	runner->userdata = setup->userdata;
	runner->give_up = setup->give_up;
	runner->backoff = BACKOFF_DEFAULT;
	runner->backoff.max_ns = setup->source->options.retry_max_ns;
	if (runner->backoff.min_ns > runner->backoff.max_ns)
		runner->backoff.min_ns = runner->backoff.max_ns;
	runner->status.last_success_time = NSEC_NONE;
	runner->recent_told_at = NSEC_NONE;
	runner->status.state_time = clock_wall();
	runner->status.total = -1;
	runner->poll = poll_new(setup->source);
	runner->clock.server_time = NSEC_NONE;
	steady_init(&runner->clock.steady, clock_wall(), clock_monotonic());
	gather_init(&runner->gather, GATHER_LIMIT);
	ev_init(&runner->timer, timer_fired);
	runner->timer.data = runner;
	runner->turn = (struct rate_turn){.wake = turn_came, .userdata = runner};

	struct id credential;
	int r = source_auth_new(setup->source, setup->client, &runner->auth, &credential, reterr);
	if (!r && (setup->cursor || !setup->paused))
		r = set_cursor(runner, setup->cursor, reterr);
	if (r) {
		runner_free(runner);
		return r;
	}
	poll_set_overlap(runner->poll, setup->overlap_ns);
	runner->errand = setup->errand != NULL;
	if (setup->errand)
		poll_set_errand(runner->poll, setup->errand);
	runner->rate = rate_new(
		&(struct rate_setup){
			.credential = credential,
			.budget = definition->limits.shared == SHARED_ORIGIN
					  ? digest_id(slice_of(setup->source->origin))
					  : credential,
			.count = definition->limits.rate.count,
			.period_ns = definition->limits.rate.period_ns,
			.wake = wait_may_end,
			.userdata = runner,
		},
		clock_monotonic());
	if (setup->paused)
		runner_enter(runner, RUNNER_PAUSED);
	runner_arm(runner, setup->first_delay_ns);
	*ret = runner;
	return 0;
}

void runner_free(struct runner *runner)
{
	if (!runner)
		return;
	ev_timer_stop(runner->loop, &runner->timer);
	http_request_cancel(runner->request);
	auth_prepare_cancel(runner->waiter);
	auth_free(runner->auth);
	rate_turn_end(runner->rate, &runner->turn, false);
	rate_free(runner->rate);
	gather_clear(&runner->gather);
	fetch_deinit(&runner->fetch);
	fetch_document_deinit(&runner->failed);
	poll_free(runner->poll);
	free(runner->url);
	free(runner->label);
	free(runner);
}

void runner_poll_now(struct runner *runner)
{
	rate_refused(runner->rate, NSEC_NONE);
	runner_wake(runner);
}

void runner_wake(struct runner *runner)
{
	if (has_request(runner) || is_halted(runner))
		return;
	runner_arm(runner, 0);
}

void runner_cancel_request(struct runner *runner)
{
	http_request_cancel(runner->request);
	auth_prepare_cancel(runner->waiter);
	runner->request = NULL;
	runner->waiter = NULL;
	rate_turn_end(runner->rate, &runner->turn, false);
}

static void halt(struct runner *runner, enum runner_state state)
{
	runner_enter(runner, state);
	ev_timer_stop(runner->loop, &runner->timer);
	runner_cancel_request(runner);
}

void runner_pause(struct runner *runner)
{
	if (!is_halted(runner))
		halt(runner, RUNNER_PAUSED);
}

int runner_resume(struct runner *runner, struct fault *reterr)
{
	int r = 0;
	if (runner->status.state != RUNNER_PAUSED)
		return 0;
	if (runner->start == RUNNER_START_NONE)
		r = set_cursor(runner, NULL, reterr);
	if (r)
		return r;
	runner_enter(runner, RUNNER_WAITING);
	runner_arm(runner, 0);
	return 0;
}

void runner_stop(struct runner *runner)
{
	halt(runner, RUNNER_STOPPED);
}

void runner_set_overlap(struct runner *runner, nsec_t overlap_ns)
{
	poll_set_overlap(runner->poll, overlap_ns);
}

nsec_t runner_horizon(const struct runner *runner)
{
	return runner->source->definition->resume.window ? poll_horizon(runner->poll) : NSEC_NONE;
}

void runner_print_wait(const struct runner *runner, struct buf *out)
{
	nsec_t now_at = clock_monotonic();
	if (runner->status.state == RUNNER_WAITING_BUDGET)
		rate_print_wait(runner->rate, now_at, out);
	else if (runner->status.state == RUNNER_WAITING_CREDENTIAL)
		buf_append_text(out, rate_refusal_left(runner->rate, now_at) > 0
					     ? "the credential: it was refused to another source"
					     : "the credential: another source tries it");
}

void runner_status(const struct runner *runner, struct runner_status *ret)
{
	struct poll_status poll;
	poll_status(runner->poll, &poll);
	*ret = runner->status;
	ret->skew_ns = runner->clock.skew_ns;
	ret->n_attempts = runner->n_attempts;
	ret->newest_time = poll_cursor(runner->poll)->newest_time;
	ret->next_poll_ns = ev_is_active(&runner->timer) ? runner->timer_at - clock_monotonic() : 0;
	if (ret->state == RUNNER_BLOCKED && ret->next_poll_ns > 0)
		ret->next_poll_ns = 0; /* it only looks again then */
	ret->total = poll.total;
	ret->n_elements = poll.n_elements;
	ret->n_gathered = runner->gather.n_records;
	ret->n_gathered_pages = runner->gather.n_pages;
	ret->deadline_time = poll_deadline(runner->poll);
	if (ret->deadline_time != NSEC_NONE)
		ret->deadline_time -= ret->skew_ns;
	ret->position_time = poll.position_time;
	ret->target_time = poll.target_time;
}
