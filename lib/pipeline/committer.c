/*
 * Group commit on the loop. Whatever pages and acknowledgements come together in one busy stretch
 * of the loop share one transaction, hence one fsync: an idle watcher commits as soon as nothing
 * else is ready, a timer bounds the wait while the loop never rests, and the size bounds the
 * memory. While a chain of pages is read the loop rests between any two of them: then the idle
 * watcher is left out, so that a sync is shared by the pages of 20 ms. An acknowledgement that a
 * crash does not undo (delivery.c) waits for the next page's transaction, for a second at most.
 *
 * Nothing is committed inside committer_touch, so that a caller never sees its own callbacks run.
 * committer_flush is the exception and says so in its name. A run that starts another (a callback
 * of a commit that flushes) is refused.
 */
#include "pipeline/committer.h"

#include <ev.h>

#include "base/backoff.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/timer.h"
#include "pipeline/backend_watch.h"
#include "store/backend.h"
#include "store/commit.h"
#include "store/spool.h"

#define COMMITTER_BYTES ((size_t)4 << 20)
#define COMMITTER_DELAY (50 * NSEC_PER_MSEC)
#define COMMITTER_MORE (20 * NSEC_PER_MSEC) /* that a next page may take */
#define COMMITTER_LATER NSEC_PER_SEC /* that an acknowledgement may wait for a page */
#define COMMITTER_PATIENCE (250 * NSEC_PER_MSEC) /* of a flush, with a backend */
#define COMMITTER_PATIENCE_END (10 * NSEC_PER_SEC)
#define COMMITTER_BACKOFF ((struct backoff){.min_ns = NSEC_PER_SEC, .max_ns = 30 * NSEC_PER_SEC})

struct committer {
	struct ev_loop *loop;
	struct store *store;
	committer_state_fn state;
	void *userdata;
	void (*settled)(void *userdata);
	void *settled_userdata;
	ev_idle idle; /* nothing else to do */
	ev_timer timer; /* the latest instant; while failing: the next try */
	struct backend_watch *watch; /* NULL: no backend */
	struct backoff backoff;
	bool later; /* what the timer waits for may wait for it */
	bool hurried; /* nothing may */
	bool running;
	bool waiting; /* for the backend's answer */
	bool failing;
	bool ended; /* it is corrupt or lost */
	struct fault fault; /* while it is failing: why */
	bool begun; /* something was committed */
	bool copy_fails; /* the last one */
	nsec_t copied_at; /* the log to the database */
	nsec_t more_until_at; /* more is expected up to then */
};

static void committer_disarm(struct committer *committer)
{
	ev_idle_stop(committer->loop, &committer->idle);
	ev_timer_stop(committer->loop, &committer->timer);
	committer->later = false;
}

static void committer_failed(struct committer *committer, int outcome, const struct fault *fault)
{
	bool news = !committer->failing;

	committer->failing = true;
	committer->fault = *fault;
	if (outcome == STORE_E_CORRUPT || outcome == STORE_E_LOST) {
		committer->ended = true;
	} else {
		nsec_t wait_ns = backoff_next(&committer->backoff);

		timer_start(committer->loop, &committer->timer, wait_ns);
	}
	if ((news || committer->ended) && committer->state)
		committer->state(outcome, fault, committer->userdata);
}

static void committer_recovered(struct committer *committer)
{
	backoff_reset(&committer->backoff);
	if (!committer->failing)
		return;
	committer->failing = false;
	if (committer->state)
		committer->state(0, NULL, committer->userdata);
}

/* Told when it begins to fail and when it no longer does: nothing is lost, but the log grows. */
static void committer_copy(struct committer *committer)
{
	struct fault fault = FAULT_NULL;
	int r = commit_checkpoint(committer->store, &fault);

	if (r == STORE_E_CORRUPT) {
		committer_damaged(committer, &fault);
		return;
	}
	if (r && !committer->copy_fails)
		log_warning(NULL, "trawld.db-wal grows, as it cannot be copied to trawld.db: %s",
			fault.text);
	if (!r && committer->copy_fails)
		log_notice(NULL, "trawld.db-wal can be copied to trawld.db again");
	committer->copy_fails = r;
}

/* Copies the log to the database now and then, best when all is delivered: then the file alone is
 * the state, and a copy of it is worth something. */
static void committer_rest(struct committer *committer)
{
	nsec_t now_at = clock_monotonic();
	nsec_t least_ns = spool_bytes(committer->store) == 0 ? NSEC_PER_SEC : NSEC_PER_MIN;

	if (!committer->begun) { /* what a start writes is not worth it */
		committer->begun = true;
		committer->copied_at = now_at - NSEC_PER_SEC;
		return;
	}
	if (commit_pending(committer->store) || now_at - committer->copied_at < least_ns)
		return;
	committer->copied_at = now_at;
	committer_copy(committer);
}

static void committer_run(struct committer *committer)
{
	struct fault fault = FAULT_NULL;
	int r;

	committer_disarm(committer);
	if (committer->ended || !commit_pending(committer->store))
		return;
	nsec_t begun_at = clock_monotonic();
	committer->running = true;
	r = commit_run(committer->store, &fault);
	committer->running = false;
	committer->waiting = r == STORE_E_WAIT;
	if (committer->waiting) { /* also told by the watch, unless somebody else has looked */
		timer_start(committer->loop, &committer->timer, COMMITTER_DELAY);
		return;
	}
	if (r) {
		committer_failed(committer, r, &fault);
		return;
	}
	log_debug(NULL, "committed in %.1f ms",
		(double)(clock_monotonic() - begun_at) / (double)NSEC_PER_MSEC);
	committer_recovered(committer);
	/* callbacks of the commit may have collected more */
	committer_touch(committer);
	committer_rest(committer);
	if (!commit_pending(committer->store) && committer->settled)
		committer->settled(committer->settled_userdata);
}

static void committer_on_idle(struct ev_loop *loop, ev_idle *watcher, int events)
{
	(void)loop;
	(void)events;
	committer_run(watcher->data);
}

static void committer_on_timer(struct ev_loop *loop, ev_timer *watcher, int events)
{
	(void)loop;
	(void)events;
	committer_run(watcher->data);
}

/* The backend has done what it could. */
static void committer_on_backend(void *userdata)
{
	struct committer *committer = userdata;
	struct fault fault = FAULT_NULL;

	if (committer->ended)
		return;
	if (store_check_hold(committer->store, &fault) != 0) {
		committer_disarm(committer);
		committer_failed(committer, STORE_E_LOST, &fault);
	} else if (committer->waiting) {
		committer_run(committer);
	}
}

struct committer *committer_new(
	struct ev_loop *loop, struct store *store, committer_state_fn state, void *userdata)
{
	struct committer *committer = MEM_NEW(struct committer);

	committer->loop = loop;
	committer->store = store;
	committer->state = state;
	committer->userdata = userdata;
	committer->backoff = COMMITTER_BACKOFF;
	ev_idle_init(&committer->idle, committer_on_idle);
	committer->idle.data = committer;
	ev_timer_init(&committer->timer, committer_on_timer, 0., 0.);
	committer->timer.data = committer;
	if (store_backend(store))
		committer->watch = backend_watch_new(
			loop, store_backend(store), committer_on_backend, committer);
	return committer;
}

void committer_free(struct committer *committer)
{
	if (!committer)
		return;
	committer_disarm(committer);
	backend_watch_free(committer->watch);
	free(committer);
}

struct ev_loop *committer_loop(const struct committer *committer)
{
	return committer->loop;
}

void committer_on_settled(
	struct committer *committer, void (*settled)(void *userdata), void *userdata)
{
	committer->settled = settled;
	committer->settled_userdata = userdata;
}

static bool committer_has_work(const struct committer *committer)
{
	return !committer->failing && !committer->running && !committer->waiting &&
	       commit_pending(committer->store);
}

void committer_touch(struct committer *committer)
{
	if (!committer_has_work(committer))
		return;
	if (commit_pending_bytes(committer->store) >= COMMITTER_BYTES) {
		ev_feed_event(committer->loop, &committer->timer, EV_TIMER);
		return;
	}
	if (ev_is_active(&committer->timer) && !committer->later)
		return;
	committer->later = false;
	if (clock_monotonic() < committer->more_until_at) {
		timer_start(committer->loop, &committer->timer, COMMITTER_MORE);
		return;
	}
	timer_start(committer->loop, &committer->timer, COMMITTER_DELAY);
	ev_idle_start(committer->loop, &committer->idle);
}

void committer_touch_more(struct committer *committer)
{
	committer->more_until_at = clock_monotonic() + COMMITTER_MORE;
	committer_touch(committer);
}

void committer_touch_later(struct committer *committer)
{
	/* another host may take over, which knows nothing of this one's files */
	if (committer->hurried || committer->watch) {
		committer_touch(committer);
		return;
	}
	if (!committer_has_work(committer) || ev_is_active(&committer->timer))
		return;
	committer->later = true;
	timer_start(committer->loop, &committer->timer, COMMITTER_LATER);
}

void committer_hurry(struct committer *committer, bool hurried)
{
	committer->hurried = hurried;
	if (hurried)
		committer_touch(committer);
}

static bool committer_flush_within(struct committer *committer, nsec_t patience_ns)
{
	nsec_t until_at = clock_monotonic() + patience_ns, now_at;

	if (committer->running || committer->ended)
		return false;
	committer_run(committer);
	while (committer->waiting && (now_at = clock_monotonic()) < until_at) {
		struct fault fault = FAULT_NULL;

		backend_poll(store_backend(committer->store), until_at - now_at);
		committer_run(committer);
		if (!committer->ended && store_check_hold(committer->store, &fault) != 0)
			committer_failed(committer, STORE_E_LOST, &fault);
	}
	return !committer->failing && !committer->waiting;
}

bool committer_flush(struct committer *committer)
{
	return committer_flush_within(committer, COMMITTER_PATIENCE);
}

bool committer_finish(struct committer *committer)
{
	return committer_flush_within(committer, COMMITTER_PATIENCE_END);
}

void committer_damaged(struct committer *committer, const struct fault *fault)
{
	if (committer->ended)
		return;
	committer_disarm(committer);
	committer_failed(committer, STORE_E_CORRUPT, fault);
}

bool committer_failing(const struct committer *committer)
{
	return committer->failing;
}

const char *committer_why(const struct committer *committer)
{
	return committer->failing ? committer->fault.text : "the state cannot be written now";
}
