/*
 * See trawld.h. The order of creation is store, committer, HTTP client, fan-out with its sinks,
 * pollers: each uses only what stands before it, so closing goes backwards and no callback can
 * reach what is gone.
 */
#include "trawld_internal.h"

#include <ev.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timer.h"
#include "base/timestamp.h"
#include "cluster.h"
#include "control_requests.h"
#include "control.h"
#include "countdown.h"
#include "net/permit.h"
#include "notify.h"
#include "once.h"
#include "progress.h"
#include "daily.h"
#include "keeper.h"
#include "refresh.h"
#include "reload_wait.h"
#include "signals.h"
#include "store/commit.h"
#include "store/events.h"
#include "web.h"

static const char *const state_texts[] = {
	[STORE_E_CORRUPT] = "exiting, because continuing could lose or repeat records",
	[STORE_E_FULL] =
		"polling waits; what has been read is kept in memory, and the write is retried",
	[STORE_E_LOST] = "exiting, because another process may have taken over",
};

void trawld_store_state(int outcome, const struct fault *fault, void *userdata)
{
	struct trawld *trawld = userdata;
	if (outcome == 0) {
		log_notice(NULL, "the state can be written again; polling resumes");
		trawld_poll_now(trawld);
		return;
	}
	trawld->state_fault = *fault;
	log_error(NULL, "%s; %s", fault->text, state_texts[outcome]);
	if (outcome != STORE_E_FULL || trawld->options.once) {
		trawld->exit_code = outcome == STORE_E_CORRUPT ? EX_CANTCREAT : EX_TEMPFAIL;
		ev_break(trawld->parts.loop, EVBREAK_ALL);
	}
}

const struct fault *trawld_damage(const struct trawld *trawld)
{
	return trawld->exit_code == EX_CANTCREAT ? &trawld->state_fault : NULL;
}

void trawld_fenced(const char *name, const struct fault *fault, void *userdata)
{
	struct trawld *trawld = userdata;
	const struct setup_sink *sink = setup_find_sink(trawld->parts.setup, name);
	const struct log_subject subject = {"sink", name, sink ? sink->location : NULL};
	log_error(&subject,
		"%s; exiting, because continuing could repeat records (let only one trawld run with this state)",
		fault->text);
	trawld->exit_code = EX_TEMPFAIL;
	ev_break(trawld->parts.loop, EVBREAK_ALL);
}

int trawld_add_sink(struct trawld *trawld, const struct setup_sink *sink, struct fault *reterr)
{
	struct sink_setup setup = {
		.name = sink->name,
		.location = sink->location,
		.options = sink->options,
		.loop = trawld->parts.loop,
		.client = trawld->parts.client,
		.node = trawld->parts.setup->config->cluster.node,
		.shard = trawld->shard,
	};
	const struct log_subject subject = {"sink", sink->name, sink->location};
	int r = fanout_add_sink(trawld->parts.fanout, sink->kind, &setup, &sink->common, reterr);
	if (r || !str_list_has(&trawld->pauses.sinks, sink->name))
		return r;
	fanout_pause_sink(trawld->parts.fanout, sink->name, true);
	log_notice(&subject, "paused; `trawlctl resume %s` continues", sink->name);
	return 0;
}

static void stop_timeout(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)timer;
	(void)events;
	log_warning(NULL,
		"shutdown_timeout is over: exiting; unsent records stay in the state and are delivered after the next start");
	ev_break(loop, EVBREAK_ALL);
}

/* What sinks and sources need at their worst moments is spread over the heap, and would stay. */
static void give_memory_back(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)events;
	mem_give_back();
	timer_start(loop, timer, NSEC_PER_MIN);
}

static int listen_at(struct trawld *trawld)
{
	const char *address = trawld->parts.setup->config->daemon.listen;
	struct fault fault = FAULT_NULL;
	if (trawld->web || web_open(&trawld->web, trawld, address, &fault) == 0)
		return 0;
	log_error(NULL,
		"cannot listen on %s: %s; exiting (set another address or `off` in [daemon], or stop the process that uses it)",
		address, fault.text);
	return EX_TEMPFAIL;
}

int trawld_open(struct trawld **ret, const struct trawld_options *options, struct setup *setup)
{
	struct trawld *trawld = *ret = MEM_NEW(struct trawld);
	trawld->options = *options;
	trawld->start_time = clock_wall();
	trawld->parts.setup = setup;
	trawld->parts.loop = ev_loop_new(EVFLAG_AUTO);
	trawld->stop_timer = MEM_NEW(struct ev_timer);
	ev_init(trawld->stop_timer, stop_timeout);
	trawld->memory_timer = MEM_NEW(struct ev_timer);
	ev_init(trawld->memory_timer, give_memory_back);
	timer_start(trawld->parts.loop, trawld->memory_timer, NSEC_PER_MIN);
	/* a standby says that it is one */
	int r = setup->config->daemon.state == STATE_POSTGRESQL && !options->once
			? listen_at(trawld)
			: 0;
	if (!r)
		r = start_state(trawld);
	if (r || !trawld->parts.store)
		return r;
	setup = trawld->parts.setup; /* another one, if the start had to wait */
	trawld->reload_wait = reload_wait_new(trawld);
	trawld->signals = signals_new(trawld);
	if (!options->once)
		r = listen_at(trawld);
	if (r)
		return r;
	if (options->once) {
		trawld->progress = progress_new(trawld->parts.loop, &trawld->parts.pollers, setup);
	} else {
		trawld->control = control_new(trawld);
		trawld->requests = control_requests_new(trawld);
		trawld->refresh = refresh_new(trawld);
		trawld->countdown = countdown_new(&trawld->parts);
		trawld->daily =
			daily_new(trawld->parts.loop, &trawld->parts.pollers, trawld->parts.fanout);
	}
	trawld->keeper = keeper_new(trawld->parts.loop, trawld->parts.store,
		trawld->parts.committer, setup->config->daemon.state_directory);
	trawld->notify = notify_new(&trawld->parts);
	log_info(NULL, "trawld " TRAWLD_VERSION ": %zu source%s, %zu sink%s, state in %s",
		setup->n_sources, str_plural(setup->n_sources), setup->n_sinks,
		str_plural(setup->n_sinks), setup->config->daemon.state_directory);
	return 0;
}

int trawld_run(struct trawld *trawld)
{
	if (!trawld->parts.store) /* stopped before it could start */
		return trawld->exit_code;
	notify_ready(&trawld->parts);
	cluster_back(trawld);
	ev_run(trawld->parts.loop, 0);
	if (!trawld->stopping)
		notify_stopping(
			trawld->notify, trawld->parts.setup->config->daemon.shutdown_timeout_ns);
	progress_end(trawld->progress);
	if (trawld->options.once)
		once_report(trawld);
	return trawld->exit_code;
}

static void note_stop(struct trawld *trawld)
{
	char *text CLEANUP_FREE = mem_printf("exit status %d", trawld->exit_code);
	if (trawld->parts.store && !trawld->options.once)
		events_add(trawld->parts.store, &(struct event){.kind = EVENT_STOP, .text = text});
}

void trawld_close(struct trawld *trawld)
{
	notify_free(trawld->notify);
	keeper_free(trawld->keeper);
	signals_free(trawld->signals);
	daily_free(trawld->daily);
	refresh_free(trawld->refresh);
	countdown_free(trawld->countdown);
	control_free(trawld->control);
	control_requests_free(trawld->requests);
	reload_wait_free(trawld->reload_wait);
	progress_free(trawld->progress);
	trawld->control = NULL;
	trawld->requests = NULL;
	web_free(trawld->web);
	/* the commits below may tell that the disk has room again: to none */
	pollers_deinit(&trawld->parts.pollers);
	bool settled = false;
	if (trawld->parts.committer) {
		committer_on_settled(trawld->parts.committer, NULL, NULL);
		note_stop(trawld);
		settled = committer_finish(trawld->parts.committer);
	}
	fanout_free(trawld->parts.fanout);
	http_client_free(trawld->parts.client);
	if (settled) /* acknowledgements; pages would be handed to a fan-out that is gone */
		committer_finish(trawld->parts.committer);
	committer_free(trawld->parts.committer);
	permit_set(NULL, NULL);
	store_close(trawld->parts.store);
	cluster_close(trawld);
	if (trawld->parts.loop) {
		ev_timer_stop(trawld->parts.loop, trawld->stop_timer);
		ev_timer_stop(trawld->parts.loop, trawld->memory_timer);
		ev_loop_destroy(trawld->parts.loop);
	}
	free(trawld->stop_timer);
	free(trawld->memory_timer);
	buf_deinit(&trawld->missing);
	trawld_pauses_deinit(&trawld->pauses);
	setup_free(trawld->parts.setup);
	free(trawld);
}

const struct parts *trawld_parts(const struct trawld *trawld)
{
	return &trawld->parts;
}

bool trawld_is_stopping(const struct trawld *trawld)
{
	return trawld->stopping;
}

bool trawld_hurries(const struct trawld *trawld)
{
	return trawld->options.once || trawld->stopping ||
	       trawld->parts.setup->config->cluster.connect;
}

void trawld_poll_now(struct trawld *trawld)
{
	const struct pollers *pollers = &trawld->parts.pollers;
	for (size_t i = 0; i < pollers->n_items; i++)
		runner_poll_now(pollers->items[i]->runner);
}

void trawld_progress(void *userdata)
{
	struct trawld *trawld = userdata;
	size_t n_failing = 0;
	trawld_look_at_spool(trawld);
	if (trawld->stopping) {
		if (!commit_pending(trawld->parts.store) &&
			fanout_drained(trawld->parts.fanout, &n_failing))
			ev_break(trawld->parts.loop, EVBREAK_ALL);
		return;
	}
	if (trawld->options.once && once_is_over(trawld))
		ev_break(trawld->parts.loop, EVBREAK_ALL);
}

void trawld_stop(struct trawld *trawld)
{
	if (trawld->stopping) {
		log_notice(NULL,
			"second signal: exiting at once; no records are lost: the sinks get the rest after the next start");
		ev_break(trawld->parts.loop, EVBREAK_ALL);
		return;
	}
	trawld->stopping = true;
	reload_wait_end(trawld->reload_wait);
	if (trawld->options.once)
		trawld->exit_code = EX_TEMPFAIL; /* not finished */
	nsec_t timeout = trawld->parts.setup->config->daemon.shutdown_timeout_ns;
	struct buf limit CLEANUP(buf_deinit) = BUF_NULL;
	timestamp_print_duration(timeout, &limit);
	log_info(NULL, "stopping: delivering what has been read (at most %s)", buf_text(&limit));
	notify_stopping(trawld->notify, timeout);
	countdown_free(trawld->countdown); /* what polls no more needs no warning */
	trawld->countdown = NULL;
	/* before anything can end the loop: sinks say now what they have left to do */
	fanout_hurry(trawld->parts.fanout);
	for (size_t i = 0; i < trawld->parts.pollers.n_items; i++)
		poller_stop(trawld->parts.pollers.items[i]);
	committer_hurry(trawld->parts.committer, true);
	committer_flush(trawld->parts.committer);
	fanout_retry_now(trawld->parts.fanout);
	timer_start(trawld->parts.loop, trawld->stop_timer, timeout);
	trawld_progress(trawld);
}
