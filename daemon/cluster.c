/* See cluster.h. While it stands by, the loop serves the status endpoint; signals end the wait. */
#include "cluster.h"
#include "cluster_metrics.h"

#include <ev.h>
#include <signal.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/names.h"
#include "base/random.h"
#include "base/str.h"
#include "base/timer.h"
#include "notify.h"
#include "signals.h"
#include "store/postgresql/postgresql.h"
#include "trawld_internal.h"

#define RETRY_AFTER (5 * NSEC_PER_SEC) /* a database that cannot be used */
#define LOOK_MOST                                                                                  \
	(15 * NSEC_PER_SEC) /* the watchdog of the service manager is served once per wait */

struct cluster {
	struct postgresql *postgresql; /* NULL: not connected */
	bool held;
	struct names elsewhere; /* sources that have a cursor in another shard */
	int64_t *shards; /* of these */
	char shard_text[24];
	int64_t shard;
};

/* --- waiting --- */

struct waiting {
	struct postgresql *postgresql;
	ev_io io;
	ev_timer timer;
	ev_signal signals[3];
	int signal; /* that came; 0: none */
	bool over;
};

static void on_notify(struct ev_loop *loop, ev_io *io, int events)
{
	struct waiting *waiting = io->data;
	(void)loop;
	(void)events;
	postgresql_heard(waiting->postgresql);
	waiting->over = true;
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct waiting *waiting = timer->data;
	(void)loop;
	(void)events;
	waiting->over = true;
}

static void on_signal(struct ev_loop *loop, ev_signal *watcher, int events)
{
	struct waiting *waiting = watcher->data;
	(void)loop;
	(void)events;
	waiting->signal = watcher->signum;
	waiting->over = true;
}

static void begin_waiting(struct trawld *trawld, struct waiting *waiting, nsec_t wait_ns)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
	ev_init(&waiting->io, on_notify);
	ev_init(&waiting->timer, on_timer);
	waiting->io.data = waiting->timer.data = waiting;
	if (waiting->postgresql) {
		ev_io_set(&waiting->io, postgresql_fd(waiting->postgresql), EV_READ);
		ev_io_start(trawld->parts.loop, &waiting->io);
	}
	timer_start(trawld->parts.loop, &waiting->timer, wait_ns);
	for (size_t i = 0; i < 3; i++) {
		ev_signal_init(&waiting->signals[i], on_signal, numbers[i]);
		waiting->signals[i].data = waiting;
		ev_signal_start(trawld->parts.loop, &waiting->signals[i]);
	}
	signals_unblock();
}

/* Until a lease may be free, or WAIT_NS is over. The signal that came, or 0. */
static int wait_some(struct trawld *trawld, nsec_t wait_ns)
{
	struct waiting waiting = {.postgresql = trawld->cluster->postgresql};
	begin_waiting(trawld, &waiting, wait_ns);
	notify_standby();
	while (!waiting.over)
		ev_run(trawld->parts.loop, EVRUN_ONCE);
	signals_block();
	ev_io_stop(trawld->parts.loop, &waiting.io);
	ev_timer_stop(trawld->parts.loop, &waiting.timer);
	for (size_t i = 0; i < 3; i++)
		ev_signal_stop(trawld->parts.loop, &waiting.signals[i]);
	return waiting.signal;
}

/* Not all at the same time. */
static nsec_t look_again_ns(const struct trawld *trawld)
{
	nsec_t fifth_ns = trawld->parts.setup->config->cluster.lease_ns / 5;
	if (fifth_ns > LOOK_MOST)
		fifth_ns = LOOK_MOST;
	return fifth_ns * 8 / 10 + (nsec_t)random_below((uint64_t)(fifth_ns * 4 / 10));
}

/* --- the lease --- */

static void forget_elsewhere(struct cluster *cluster)
{
	names_deinit(&cluster->elsewhere);
	free(cluster->shards);
	cluster->shards = NULL;
}

static void disconnect(struct cluster *cluster)
{
	forget_elsewhere(cluster);
	postgresql_close(cluster->postgresql);
	cluster->postgresql = NULL;
	cluster->held = false;
}

static int connect_to(struct trawld *trawld, struct fault *reterr)
{
	if (trawld->cluster->postgresql)
		return 0;
	return postgresql_open(
		&trawld->cluster->postgresql, &trawld->parts.setup->config->cluster, reterr);
}

void cluster_say(struct trawld *trawld)
{
	if (!trawld->cluster || !trawld->cluster->postgresql)
		return;
	char *summary CLEANUP_FREE = cluster_metrics_summary(trawld);
	postgresql_say(trawld->cluster->postgresql, summary);
}

static int acquire(struct trawld *trawld, struct store_backend **ret, struct fault *reterr)
{
	struct cluster *cluster = trawld->cluster;
	int r = connect_to(trawld, reterr);
	*ret = NULL;
	cluster_say(trawld);
	if (!r)
		r = postgresql_acquire(cluster->postgresql, ret, &cluster->shard, reterr);
	if (r)
		disconnect(cluster);
	cluster->held = !r && *ret;
	return r;
}

/* False: the end. */
static bool stay(struct trawld *trawld, nsec_t wait_ns)
{
	switch (wait_some(trawld, wait_ns)) {
	case SIGTERM:
	case SIGINT:
		return false;
	case SIGHUP:
		disconnect(trawld->cluster); /* for what a person wrote */
		start_read_again(trawld);
		if (trawld->parts.setup->config->daemon.state == STATE_POSTGRESQL)
			return true;
		log_notice(NULL,
			"the configuration no longer has `state = postgresql`; exiting (start trawld again to use the new state)");
		return false;
	default:
		return true;
	}
}

static void tell_trouble(const struct fault *fault, struct fault *told)
{
	if (strcmp(fault->text, told->text) != 0)
		log_error(NULL, "%s; trawld waits, and retries every 5 s", fault->text);
	*told = *fault;
}

/* Until there is a lease. */
static int stand_by(
	struct trawld *trawld, struct store_backend **ret, bool *ret_stopped, struct fault *reterr)
{
	struct fault told = FAULT_NULL;
	bool said = false;
	for (;;) {
		int r = acquire(trawld, ret, reterr);
		if (*ret || (r && r != STORE_E_FULL) || (r && trawld->options.once))
			return r;
		if (!r && trawld->options.once) {
			fault_set(reterr, FAULT_STORE,
				"another process holds the state of the cluster %s",
				trawld->parts.setup->config->cluster.name);
			return STORE_E_FULL;
		}
		if (r)
			tell_trouble(reterr, &told);
		else if (!said || told.class != FAULT_NONE)
			log_notice(NULL,
				"standing by: other processes hold every shard of the cluster %s",
				trawld->parts.setup->config->cluster.name);
		if (!r) {
			said = true;
			told = FAULT_NULL;
		}
		*ret_stopped = !stay(trawld, r ? RETRY_AFTER : look_again_ns(trawld));
		if (*ret_stopped)
			return 0;
	}
}

static void note_elsewhere(const char *source, int64_t shard, void *userdata)
{
	struct cluster *cluster = userdata;
	size_t n = names_add(&cluster->elsewhere, source);
	cluster->shards = mem_resize(cluster->shards, cluster->elsewhere.n_items * sizeof(int64_t));
	cluster->shards[n] = shard;
}

bool cluster_is_elsewhere(
	const struct trawld *trawld, const struct source *source, struct fault *reterr)
{
	const struct cluster *cluster = trawld->cluster;
	size_t at;
	if (!cluster || !names_find(&cluster->elsewhere, source->name, &at))
		return false;
	fault_set(reterr, FAULT_CONFIG,
		"its state is in shard %lld, and the configuration gives it to shard %s; set `shard = %lld`, or run `trawlctl cluster reshard %lld` while no trawld runs",
		(long long)cluster->shards[at], cluster->shard_text, (long long)cluster->shards[at],
		(long long)trawld->parts.setup->config->cluster.n_shards);
	return true;
}

int cluster_look_elsewhere(struct trawld *trawld, struct fault *reterr)
{
	struct cluster *cluster = trawld->cluster, found = {0};
	if (!cluster || !cluster->held)
		return 0;
	int r = postgresql_each_elsewhere(cluster->postgresql, note_elsewhere, &found, reterr);
	if (r) {
		forget_elsewhere(&found);
		return r;
	}
	forget_elsewhere(cluster);
	cluster->elsewhere = found.elsewhere;
	cluster->shards = found.shards;
	return 0;
}

/* A source that began anew here would read again what another shard has delivered. */
static int check_elsewhere(struct trawld *trawld, struct fault *reterr)
{
	const struct setup *setup = trawld->parts.setup;
	struct fault fault;
	int r = cluster_look_elsewhere(trawld, reterr);
	for (size_t i = 0; i < setup->n_sources && !r; i++) {
		if (!cluster_polls(trawld, setup, setup->sources[i]) ||
			!cluster_is_elsewhere(trawld, setup->sources[i], &fault))
			continue;
		log_error(&setup->sources[i]->subject, "%s", fault.text);
		fault_set(reterr, FAULT_CONFIG, "nothing was started, and nothing has changed");
		return STORE_E_STRANDED;
	}
	return r;
}

int cluster_open_store(struct trawld *trawld, bool *ret_stopped, struct fault *reterr)
{
	struct store_backend *backend = NULL;
	struct cluster *cluster;
	if (!trawld->cluster)
		trawld->cluster = MEM_NEW(struct cluster);
	cluster = trawld->cluster;
	int r = stand_by(trawld, &backend, ret_stopped, reterr);
	if (r || *ret_stopped)
		return r;
	/* another one, if it was read again */
	const struct config *config = trawld->parts.setup->config;
	snprintf(cluster->shard_text, sizeof(cluster->shard_text), "%lld",
		(long long)cluster->shard);
	trawld->shard = cluster->shard_text;
	r = check_elsewhere(trawld, reterr);
	if (r) {
		disconnect(cluster);
		return r;
	}
	char *file CLEANUP_FREE = mem_printf("shard-%s.db", cluster->shard_text);
	r = store_open_copy(&trawld->parts.store, config->daemon.state_directory, file,
		config->cluster.node, backend, reterr);
	if (r) {
		disconnect(cluster);
		return r;
	}
	log_notice(NULL, "holding shard %s of the cluster %s", cluster->shard_text,
		config->cluster.name);
	return 0;
}

void cluster_close(struct trawld *trawld)
{
	if (!trawld->cluster)
		return;
	disconnect(trawld->cluster);
	free(trawld->cluster);
	trawld->cluster = NULL;
	trawld->shard = NULL;
}

/* The number of shards is not changed by a reload. */
bool cluster_polls(
	const struct trawld *trawld, const struct setup *setup, const struct source *source)
{
	int64_t n_shards = trawld->parts.setup->config->cluster.n_shards;
	return !trawld->cluster || !trawld->cluster->held ||
	       setup_shard_of(setup, source, n_shards) == trawld->cluster->shard;
}

void cluster_away(struct trawld *trawld)
{
	if (trawld->cluster && trawld->cluster->held)
		postgresql_away_begin(trawld->cluster->postgresql);
}

void cluster_back(struct trawld *trawld)
{
	if (trawld->cluster && trawld->cluster->held)
		postgresql_away_end(trawld->cluster->postgresql);
}

struct postgresql *cluster_database(const struct trawld *trawld)
{
	return trawld->cluster && trawld->cluster->held ? trawld->cluster->postgresql : NULL;
}

bool cluster_status(const struct trawld *trawld, struct cluster_status *ret)
{
	struct postgresql_status status = {.shard = -1, .n_standbys = -1};
	if (!trawld->cluster)
		return false;
	if (trawld->cluster->held)
		postgresql_status(trawld->cluster->postgresql, &status);
	*ret = (struct cluster_status){
		.held = trawld->cluster->held,
		.shard = status.shard,
		.epoch = status.epoch,
		.lease_seconds = (double)status.lease_left_ns / (double)NSEC_PER_SEC,
		.n_in_doubt = status.n_in_doubt,
		.n_commits = status.n_commits,
		.commit_seconds = (double)status.total_latency_ns / (double)NSEC_PER_SEC,
		.n_standbys = trawld->parts.setup->config->cluster.require_synchronous
				      ? status.n_standbys
				      : -1,
	};
	return true;
}
