/*
 * The state at the start: opened, and adopted by the configuration. If the disk is full, trawld
 * waits here as it does at work, and takes everything apart before each try: between two tries the
 * state is nobody's. Where nothing has to be written (the configuration is as before) a full disk
 * does not keep it from starting, and sinks get what waits for them.
 */
#include <signal.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "keeper.h"
#include "cluster.h"
#include "net/permit.h"
#include "notify.h"
#include "signals.h"
#include "store/events.h"
#include "store/owner.h"
#include "store/replay_copy.h"
#include "trawld_internal.h"
#include "web.h"

#define WAIT_SECONDS 5

/* --- one try --- */

static void tell_opened(const struct trawld *trawld, const char *former)
{
	const struct config *config = trawld->parts.setup->config;
	const char *directory = config->daemon.state_directory;
	long long n = store_lost_commits(trawld->parts.store);
	if (former)
		log_notice(NULL,
			"the state in %s belonged to the configuration %s, which no longer exists; it belongs to %s now",
			directory, former, config->location);
	if (n > 0)
		log_notice(NULL,
			"the state in %s is older than the one last used there, by %lld commit%s: a backup was put back, or trawld.db lost its log trawld.db-wal; sources continue at the older cursors, so records may be delivered again (see BACKUP in trawld(8))",
			directory, n, str_plural((unsigned long long)n));
}

/* For the first commit: where nothing else has to be written, a full disk does not keep trawld from
 * starting. A run of --once, of which there may be one a minute, is noted only if it changes
 * something. */
static void note_events(struct trawld *trawld, bool broke_off)
{
	long long n = store_lost_commits(trawld->parts.store);
	if (!trawld->options.once)
		events_add(trawld->parts.store,
			&(struct event){.kind = EVENT_START,
				.text = broke_off ? "trawld " TRAWLD_VERSION
						    ", after a process that ended without a stop"
						  : "trawld " TRAWLD_VERSION});
	if (n > 0) {
		char *text CLEANUP_FREE =
			mem_printf("the state is older than the one last used, by %lld commit%s", n,
				str_plural((unsigned long long)n));
		events_add(
			trawld->parts.store, &(struct event){.kind = EVENT_RESTORE, .text = text});
	}
	committer_touch(trawld->parts.committer);
}

static int adopt(struct trawld *trawld, struct fault *reterr)
{
	struct findings findings CLEANUP(findings_deinit) = FINDINGS_NULL;
	bool broke_off = false;
	int r = events_broke_off(trawld->parts.store, &broke_off, reterr);
	if (!r)
		r = trawld_adopt(trawld, trawld->parts.setup, NULL, NULL, &findings, reterr);
	if (!r)
		r = trawld_load_pauses(trawld, reterr);
	if (!r)
		note_events(trawld, broke_off);
	findings_log(&findings);
	if (r == STORE_E_STRANDED)
		fault_set(reterr, FAULT_STORE, "nothing was started, and nothing has changed");
	return r;
}

static bool may_send(void *userdata)
{
	return store_may_deliver(userdata);
}

static void make_pipeline(struct trawld *trawld)
{
	const struct daemon_options *options = &trawld->parts.setup->config->daemon;
	permit_set(may_send, trawld->parts.store);
	trawld->parts.committer =
		committer_new(trawld->parts.loop, trawld->parts.store, trawld_store_state, trawld);
	committer_hurry(trawld->parts.committer, trawld_hurries(trawld));
	trawld->parts.client = http_client_new(trawld->parts.loop, "trawld/" TRAWLD_VERSION);
	trawld->parts.fanout = fanout_new(trawld->parts.loop, trawld->parts.store,
		trawld->parts.committer, options->state_directory);
	keeper_configure(trawld->parts.store, options);
	replay_copy_clean(trawld->parts.store, options->state_directory);
	fanout_set_dead_letter_limit(trawld->parts.fanout, options->dead_letter_limit);
	fanout_on_progress(trawld->parts.fanout, trawld_progress, trawld);
	fanout_on_fenced(trawld->parts.fanout, trawld_fenced, trawld);
	committer_on_settled(trawld->parts.committer, trawld_progress, trawld);
}

/* *RETERR, as it is said of a sink or source. R. */
static int failed_of(
	const char *what, const char *name, const char *location, int r, struct fault *reterr)
{
	struct fault fault = *reterr;
	fault_set(reterr, fault.class, "%s %s (%s): %s", what, name, location, fault.text);
	return r;
}

static int add_all(struct trawld *trawld, struct fault *reterr)
{
	struct setup *setup = trawld->parts.setup;
	for (size_t i = 0; i < setup->n_sinks; i++) {
		const struct setup_sink *sink = setup->sinks[i];
		int r = trawld_add_sink(trawld, sink, reterr);
		if (r)
			return failed_of("sink", sink->name, sink->location, r, reterr);
	}
	fanout_start(trawld->parts.fanout);
	for (size_t i = 0; i < setup->n_sources; i++) {
		const struct source *source = setup->sources[i];
		int r = cluster_polls(trawld, setup, source)
				? trawld_add_poller(trawld, source, reterr)
				: 0;
		if (r)
			return failed_of(
				"source", source->name, source->subject.location, r, reterr);
	}
	return 0;
}

static void take_apart(struct trawld *trawld)
{
	pollers_deinit(&trawld->parts.pollers);
	if (trawld->parts.fanout)
		fanout_free(trawld->parts.fanout);
	if (trawld->parts.client)
		http_client_free(trawld->parts.client);
	committer_free(trawld->parts.committer);
	permit_set(NULL, NULL);
	store_close(trawld->parts.store);
	trawld_pauses_deinit(&trawld->pauses);
	trawld->parts.fanout = NULL;
	trawld->parts.client = NULL;
	trawld->parts.committer = NULL;
	trawld->parts.store = NULL;
	cluster_close(trawld);
}

static int open_store(struct trawld *trawld, bool *ret_stopped, struct fault *reterr)
{
	const struct daemon_options *options = &trawld->parts.setup->config->daemon;
	return options->state == STATE_POSTGRESQL
		       ? cluster_open_store(trawld, ret_stopped, reterr)
		       : store_open(
				 &trawld->parts.store, options->state_directory, STORE_OWN, reterr);
}

/* 0 or STORE_E_*; all of it, or nothing. */
static int try_state(struct trawld *trawld, bool *ret_stopped, struct fault *reterr)
{
	const struct config *config = trawld->parts.setup->config;
	const char *directory = config->daemon.state_directory;
	char *former CLEANUP_FREE = NULL;
	int r = owner_check(directory, config->location, &former, reterr);
	if (!r)
		r = open_store(trawld, ret_stopped, reterr);
	if (r || *ret_stopped)
		return r;
	config = trawld->parts.setup->config; /* another one, if it had to stand by */
	directory = config->daemon.state_directory;
	make_pipeline(trawld);
	r = adopt(trawld, reterr);
	if (!r)
		r = add_all(trawld, reterr);
	if (r) {
		take_apart(trawld);
		return r;
	}
	owner_claim(directory, config->location);
	tell_opened(trawld, former);
	return 0;
}

/* --- waiting --- */

/* What a person wrote meanwhile, such as another state_directory. */
void start_read_again(struct trawld *trawld)
{
	struct findings findings CLEANUP(findings_deinit) = FINDINGS_NULL;
	struct setup *setup = setup_load(trawld->options.path, &findings);
	findings_log(&findings);
	if (!setup)
		return;
	struct setup *old = trawld->parts.setup;
	trawld->parts.setup = setup;
	/* only a standby listens already */
	if (old->config->daemon.state == STATE_POSTGRESQL && !trawld->options.once)
		web_change(&trawld->web, trawld, &old->config->daemon.listen, &findings);
	setup_free(old);
	log_info(NULL, "the configuration was read again");
}

/* False: a signal says that it is over. */
static bool wait_some(struct trawld *trawld)
{
	struct timespec patience = {.tv_sec = WAIT_SECONDS};
	notify_waiting();
	switch (signals_wait(&patience)) {
	case SIGTERM:
	case SIGINT:
		return false;
	case SIGHUP:
		start_read_again(trawld);
		return true;
	default:
		return true;
	}
}

/* What may pass, such as a full disk, is worth another start; the rest needs a person. */
static int exit_code_of(int r, const struct fault *fault)
{
	if (fault->class == FAULT_CONFIG)
		return EX_CONFIG;
	switch (r) {
	case STORE_E_STRANDED:
		return EX_CONFIG;
	case STORE_E_FULL:
	case STORE_E_LOST:
		return EX_TEMPFAIL;
	default:
		return EX_CANTCREAT;
	}
}

int start_state(struct trawld *trawld)
{
	struct fault told = FAULT_NULL, fault = FAULT_NULL;
	bool stopped = false;
	int r;
	while ((r = try_state(trawld, &stopped, &fault)) == STORE_E_FULL && !trawld->options.once) {
		if (strcmp(fault.text, told.text) != 0)
			log_error(NULL,
				"%s; trawld waits, and starts as soon as the state can be used",
				fault.text);
		told = fault;
		if (!wait_some(trawld))
			return 0;
	}
	if (r)
		log_error(NULL, "%s", fault.text);
	else if (told.class != FAULT_NONE)
		log_notice(NULL, "the state can be used again; starting");
	return r ? exit_code_of(r, &fault) : 0;
}
