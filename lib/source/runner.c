/*
 * One source at work: request, wait, hand on. Every way a request can end (runner_request.c) comes
 * to runner_page_came() or runner_failed(); every wait is the one timer.
 */
#include "source/runner_internal.h"

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/timer.h"
#include "net/auth/auth.h"
#include "source/request.h"
#include "source/newest.h"
#include "source/source_auth.h"

#define GATHER_LIMIT (64u << 20)
#define GATHER_BATCH 1000 /* records of one batch of a sorted window */
#define GIVE_UP_ATTEMPTS 3 /* --once: retries of a passing fault */
#define BLOCKED_WAIT (10 * NSEC_PER_SEC) /* nobody has to think of waking it */

static const char *const state_names[] = {
	[RUNNER_WAITING] = "waiting",
	[RUNNER_UP_TO_DATE] = "up to date",
	[RUNNER_WAITING_BUDGET] = "waiting for budget",
	[RUNNER_WAITING_CREDENTIAL] = "waiting for credential",
	[RUNNER_REQUESTING] = "requesting",
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
	const struct poll *poll = &runner->poll;
	for (size_t i = 0; i < poll->n_gaps; i++)
		runner->callbacks->gap(poll->gaps[i].span.start_time, poll->gaps[i].span.end_time,
			poll->gaps[i].reason, runner->userdata);
	runner->poll.n_gaps = 0;
}

static void stop_with(struct runner *runner, const struct fault *fault)
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
		stop_with(runner, NULL);
		return;
	}
	struct id spread = digest_id(slice_of(runner->source->name));
	uint32_t fraction;
	memcpy(&fraction, spread.bytes, sizeof(fraction));
	nsec_t phase = (nsec_t)((double)interval * fraction / 4294967296.0);
	nsec_t earliest = clock_wall() + interval / 2;
	nsec_t slot = span_ceil(earliest - phase, interval) + phase;
	runner_arm(runner, slot - clock_wall());
	runner->callbacks->rested(NULL, runner->userdata);
}

static bool is_passing(enum fault_class class)
{
	return class == FAULT_NETWORK || class == FAULT_TIMEOUT || class == FAULT_THROTTLED ||
	       class == FAULT_SERVER || class == FAULT_BODY || class == FAULT_INCOMPLETE ||
	       class == FAULT_LOST;
}

/* Said once when it begins and whenever it changes; not at each attempt. */
static void tell_fault(struct runner *runner, const struct fault *fault, nsec_t wait_ns)
{
	struct buf wait CLEANUP(buf_deinit) = BUF_NULL;
	bool changed = !runner->status.failing || runner->status.fault.class != fault->class ||
		       runner->status.fault.status != fault->status;
	timestamp_print_duration(
		wait_ns < NSEC_PER_SEC ? wait_ns : span_ceil(wait_ns, NSEC_PER_SEC), &wait);
	log_write(changed ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG, &runner->source->subject,
		"%s; position unchanged, %s%s", fault->text,
		wait_ns < 0 ? "giving up for this run" : "retrying in ",
		wait_ns < 0 ? "" : buf_text(&wait));
	if (!runner->status.failing) {
		log_recent(&runner->source->subject, &runner->recent_told_at);
		runner->status.failing_time = clock_wall();
	}
	runner->status.failing = true;
	runner->status.fault = *fault;
}

void runner_wait_after(struct runner *runner, const struct fault *fault, nsec_t wait_ns)
{
	rate_turn_end(runner->rate, &runner->turn, false);
	runner->n_attempts++;
	runner->n_vain++;
	runner->status.n_pauses++;
	if (runner->give_up && (!is_passing(fault->class) || wait_ns > RUNNER_GIVE_UP_WAIT ||
				       runner->n_vain > GIVE_UP_ATTEMPTS)) {
		tell_fault(runner, fault, -1);
		stop_with(runner, fault);
		return;
	}
	tell_fault(runner, fault, wait_ns);
	runner_arm(runner, wait_ns);
}

/* Was a refused credential perhaps only old, or made by a wrong clock? Then once more, at once; by
 * the server's clock the whole poll is another one. */
static bool retry_auth(struct runner *runner)
{
	if (runner->auth_retried)
		return false;
	bool renewed = auth_reject(runner->auth);
	if (runner->skew_moved && !runner->fetching) {
		poll_stop(&runner->poll);
		gather_clear(&runner->gather);
	}
	runner->auth_retried = renewed || runner->skew_moved;
	if (runner->auth_retried)
		runner_arm(runner, 0);
	return runner->auth_retried;
}

void runner_failed(struct runner *runner, struct fault *fault)
{
	const struct definition *definition = runner->source->definition;
	if (runner->watching) {
		log_debug(&runner->source->subject, "[watch]: %s", fault->text);
		runner_watch_end(runner);
		return;
	}
	runner_enter(runner, RUNNER_BACKING_OFF);
	runner->status.n_faults++;
	request_classify(&runner->poll, runner->fetching ? false : runner->poll.stored, fault);
	if (runner_leave_future(runner, fault))
		return;
	if (runner->callbacks->failed)
		runner->callbacks->failed(fault, runner->userdata);
	nsec_t wait = runner_granted_wait(runner, fault->wait_ns);
	switch (fault->class) {
	case FAULT_LOST:
		runner_recover_lost(runner, fault);
		return;
	case FAULT_AUTH:
		if (retry_auth(runner))
			return;
		runner_enter(runner, RUNNER_ACCESS_DENIED);
		wait = wait > definition->errors.auth_pause_ns ? wait
							       : definition->errors.auth_pause_ns;
		/* all that call with this credential wait: a few more failures may lock it */
		if (fault->status == 401)
			rate_refused(runner->rate, clock_monotonic() + wait);
		break;
	case FAULT_CONFIG:
	case FAULT_LOOP:
	case FAULT_ORIGIN:
		if (runner->fetching)
			runner_fetch_abandon(runner);
		poll_stop(&runner->poll);
		gather_clear(&runner->gather);
		wait = wait > runner->backoff.max_ns ? wait : runner->backoff.max_ns;
		break;
	default:
		if (wait > 0)
			rate_hold(runner->rate, clock_monotonic() + wait);
		nsec_t next = backoff_next(&runner->backoff);
		wait = wait > next ? wait : next;
	}
	runner_wait_after(runner, fault, wait);
}

void runner_succeeded(struct runner *runner)
{
	if (runner->status.failing)
		log_notice(&runner->source->subject, "works again after %u failed attempt%s",
			runner->n_attempts, runner->n_attempts == 1 ? "" : "s");
	runner->status.failing = false;
	runner->n_attempts = runner->n_vain = 0;
	runner->auth_retried = false;
	backoff_reset(&runner->backoff);
	runner->status.last_success_time = clock_wall();
}

static void deliver_gathered(struct runner *runner, enum record_scope scope, const char *cursor)
{
	struct records all = gather_sorted(&runner->gather);
	size_t n_excluded = gather_n_excluded(&runner->gather);
	for (size_t at = 0;; at += GATHER_BATCH) {
		size_t n = all.n_items - at < GATHER_BATCH ? all.n_items - at : GATHER_BATCH;
		bool last = at + n >= all.n_items;
		runner_deliver(runner, (struct record_batch){
					       .records = {all.items + at, n},
					       .scope = scope,
					       .new_chain = at == 0,
					       .cursor = last ? cursor : NULL,
					       .n_excluded = last ? n_excluded : 0,
				       });
		if (last)
			break;
	}
	free(all.items);
	gather_clear(&runner->gather);
}

static bool make_room(struct runner *runner, const struct page *page)
{
	if (!runner->gathers || gather_fits(&runner->gather, page->body.size))
		return true;
	if (poll_halve(&runner->poll)) {
		gather_clear(&runner->gather);
		return false;
	}
	if (runner->source->definition->fetches)
		return true; /* a list of documents is handed on whole or not at all */
	log_notice(&runner->source->subject,
		"%zu records of one window are more than can be sorted in memory: they are handed "
		"on in the order of their pages",
		runner->gather.n_records);
	deliver_gathered(runner, poll_scope(&runner->poll), NULL);
	return true;
}

static void hand_on(struct runner *runner, struct page *page, enum poll_verdict verdict,
	enum record_scope scope, bool new_chain)
{
	char *cursor CLEANUP_FREE = cursor_print(&runner->poll.cursor);
	if (runner->poll.n_repeated)
		page_drop_records(page, runner->poll.n_repeated);
	if (!runner->gathers) {
		runner_deliver(runner, (struct record_batch){
					       .records = {page->records, page->n_records},
					       .scope = scope,
					       .new_chain = new_chain,
					       .more = verdict == POLL_MORE,
					       .cursor = cursor,
					       .n_excluded = page->n_excluded,
				       });
		return;
	}
	gather_add(&runner->gather, page);
	if (verdict != POLL_MORE && !runner->source->definition->fetches)
		deliver_gathered(runner, scope, cursor);
}

void runner_go_on(struct runner *runner, enum poll_verdict verdict)
{
	if (is_halted(runner))
		return;
	runner->watching = verdict == POLL_CAUGHT_UP && runner_watch_is_due(runner);
	if (verdict == POLL_CAUGHT_UP && !runner->watching)
		rest(runner);
	else
		runner_arm(runner, 0);
}

/* What cannot be a record is durable before the poll moves on. */
static int set_apart(struct runner *runner, const struct page *page, struct fault *reterr)
{
	struct bad_elements bad = {.items = page->bad,
		.n_items = page->n_bad,
		.scope = poll_scope(&runner->poll),
		.new_chain = runner->poll.n_pages == 0};
	if (page->n_bad == 0 || !runner->callbacks->set_apart)
		return 0;
	return runner->callbacks->set_apart(&bad, runner->userdata, reterr);
}

/* Judges PAGE by all that can still refuse it, then lets the poll move on. */
static int judge(struct runner *runner, struct page *page, enum poll_verdict *ret_verdict,
	struct fault *reterr)
{
	const struct definition *definition = runner->source->definition;
	if (definition->resume.newest)
		newest_drop_known(&runner->poll, page, runner->callbacks->known, runner->userdata);
	*ret_verdict = POLL_AGAIN;
	int r = definition->fetches ? fetch_check(runner->source, page, reterr) : 0;
	if (r == 0)
		r = set_apart(runner, page, reterr);
	if (r || !make_room(runner, page))
		return r;
	struct clocks now = runner_clocks(runner);
	poll_drop_repeated(&runner->poll, page);
	r = poll_page(&runner->poll, page, runner->url, &now, ret_verdict, reterr);
	runner_tell_notices(runner);
	if (r)
		gather_clear(&runner->gather); /* the chain begins anew */
	return r;
}

void runner_page_came(struct runner *runner, struct page *page)
{
	struct fault fault = FAULT_NULL;
	struct cursor before CLEANUP(cursor_deinit) = CURSOR_NULL;
	enum record_scope scope = poll_scope(&runner->poll);
	bool new_chain = runner->poll.n_pages == 0;
	enum poll_verdict verdict;
	if (runner->source->definition->fetches)
		poll_cursor_before(&runner->poll, &before);
	if (judge(runner, page, &verdict, &fault)) {
		runner_failed(runner, &fault);
		return;
	}
	if (verdict == POLL_LAST || verdict == POLL_CAUGHT_UP)
		runner->n_lost = 0;
	if (runner->n_lost < 2)
		/* a list that moved before has to be read whole: a page of it tells nothing yet */
		if (verdict != POLL_AGAIN && (verdict != POLL_MORE || runner->poll.n_restarts == 0))
			runner_succeeded(runner);
	runner->status.n_pages++;
	runner->fresh = false;
	runner->status.n_excluded += page->n_excluded;
	runner_note_times(runner, page->n_elements - page->n_excluded - page->n_bad,
		page->n_without_time, page->bad_time);
	runner_report_gaps(runner); /* before the cursor that passes it */
	if (verdict == POLL_AGAIN)
		gather_clear(&runner->gather);
	else
		hand_on(runner, page, verdict, scope, new_chain);
	if (runner->source->definition->fetches &&
		(verdict == POLL_LAST || verdict == POLL_CAUGHT_UP))
		runner_fetch_begin(runner, &before, verdict);
	else
		runner_go_on(runner, verdict);
}

static void step(struct runner *runner)
{
	const struct definition *definition = runner->source->definition;
	if (is_halted(runner) || runner->request || runner->waiter)
		return;
	if (runner->watching) {
		runner_request(runner);
		return;
	}
	bool needs_window = definition->n_records_id > 0 || definition->fetches ||
			    poll_scope(&runner->poll) != RECORD_SCOPE_EXACT;
	if (!runner->callbacks->may_poll(needs_window, runner->userdata)) {
		nsec_t wait = runner->source->options.retry_max_ns;
		runner_enter(runner, RUNNER_BLOCKED);
		runner_arm(runner, wait < BLOCKED_WAIT ? wait : BLOCKED_WAIT);
		return;
	}
	if (runner->fetching) {
		runner_fetch_step(runner);
		return;
	}
	runner_share_clock(runner);
	/* a gap is told when an answer has told the server's clock */
	struct clocks now = runner_clocks(runner);
	bool begun = poll_begin(&runner->poll, &now);
	runner_tell_notices(runner);
	if (begun)
		runner_request(runner);
	else
		rest(runner);
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

static int set_cursor(struct runner *runner, const char *text, struct fault *reterr)
{
	struct cursor *cursor = &runner->poll.cursor;
	int r = request_cursor(runner->source, text, cursor, reterr);
	if (r || text)
		return r;
	char *initial CLEANUP_FREE = cursor_print(cursor);
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
	runner->fresh = !setup->cursor;
	runner->gathers = request_gathers(setup->source);
	runner->backoff = BACKOFF_DEFAULT;
	runner->backoff.max_ns = setup->source->options.retry_max_ns;
	if (runner->backoff.min_ns > runner->backoff.max_ns)
		runner->backoff.min_ns = runner->backoff.max_ns;
	runner->status.last_success_time = NSEC_NONE;
	runner->recent_told_at = NSEC_NONE;
	runner->status.state_time = clock_wall();
	runner->status.total = -1;
	poll_init(&runner->poll, setup->source);
	steady_init(&runner->steady, clock_wall(), clock_monotonic());
	gather_init(&runner->gather, GATHER_LIMIT);
	ev_init(&runner->timer, timer_fired);
	runner->timer.data = runner;
	runner->turn = (struct rate_turn){.wake = turn_came, .userdata = runner};

	struct id credential;
	int r = source_auth_new(setup->source, setup->client, &runner->auth, &credential, reterr);
	runner->cursorless = setup->paused && !setup->cursor;
	if (r == 0 && !runner->cursorless)
		r = set_cursor(runner, setup->cursor, reterr);
	if (r) {
		runner_free(runner);
		return r;
	}
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
	poll_deinit(&runner->poll);
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
	if (runner->request || runner->waiter || is_halted(runner))
		return;
	runner_arm(runner, 0);
}

static void halt(struct runner *runner, enum runner_state state)
{
	runner_enter(runner, state);
	ev_timer_stop(runner->loop, &runner->timer);
	http_request_cancel(runner->request);
	auth_prepare_cancel(runner->waiter);
	runner->request = NULL;
	runner->waiter = NULL;
	rate_turn_end(runner->rate, &runner->turn, false);
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
	if (runner->cursorless)
		r = set_cursor(runner, NULL, reterr);
	if (r)
		return r;
	runner->cursorless = false;
	runner_enter(runner, RUNNER_WAITING);
	runner_arm(runner, 0);
	return 0;
}

void runner_stop(struct runner *runner)
{
	halt(runner, RUNNER_STOPPED);
}

void runner_status(const struct runner *runner, struct runner_status *ret)
{
	const struct poll *poll = &runner->poll;
	bool window = runner->source->definition->resume.window && poll->open;
	*ret = runner->status;
	ret->skew_ns = runner->skew_ns;
	ret->n_attempts = runner->n_attempts;
	ret->newest_time = poll->cursor.newest_time;
	ret->next_poll_ns = ev_is_active(&runner->timer) ? runner->timer_at - clock_monotonic() : 0;
	if (ret->state == RUNNER_BLOCKED && ret->next_poll_ns > 0)
		ret->next_poll_ns = 0; /* it only looks again then */
	ret->total = poll->open ? poll->total : -1;
	ret->n_elements = poll->open ? poll->n_elements : 0;
	ret->deadline_time = poll_deadline(poll);
	if (ret->deadline_time != NSEC_NONE)
		ret->deadline_time -= ret->skew_ns;
	ret->position_time = window ? poll->slice.start_time : NSEC_NONE;
	ret->target_time = window ? poll->span.end_time : NSEC_NONE;
}
