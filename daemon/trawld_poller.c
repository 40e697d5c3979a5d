/* The sources at work: how they are made, and what they ask of trawld. Sources wait while the spool
 * is full or the state cannot be written. */
#include "trawld_internal.h"

#include "base/digest.h"
#include "base/mem.h"
#include "control_requests.h"
#include "control.h"
#include "store/spool.h"

#define FIRST_POLL_SPREAD (250 * NSEC_PER_MSEC) /* per source, up to one interval */

/* --- back-pressure --- */

static bool may_poll(void *userdata)
{
	struct trawld *trawld = userdata;
	uint64_t limit = trawld->parts.setup->config->daemon.spool_limit;
	if (trawld->stopping || committer_failing(trawld->parts.committer) ||
		!store_may_deliver(trawld->parts.store))
		return false;
	if (spool_bytes(trawld->parts.store) >= limit && !trawld->spool_full)
		committer_flush(trawld->parts.committer); /* what has been delivered may go */
	if (spool_bytes(trawld->parts.store) < limit)
		return true;
	if (!trawld->spool_full) {
		trawld->spool_full = true;
		committer_hurry(trawld->parts.committer, true);
		log_warning(NULL,
			"the spool is full (spool_limit = %llu bytes): polling waits until the sinks have taken some records; nothing is dropped (if the disk has room, raise spool_limit and reload)",
			(unsigned long long)limit);
	}
	return false;
}

/* Room again: some distance below the limit, so that this is not logged at every batch. */
void trawld_look_at_spool(struct trawld *trawld)
{
	uint64_t limit = trawld->parts.setup->config->daemon.spool_limit;
	if (!trawld->spool_full || spool_bytes(trawld->parts.store) >= limit - limit / 10)
		return;
	trawld->spool_full = false;
	committer_hurry(trawld->parts.committer, trawld_hurries(trawld));
	log_notice(NULL, "the spool has room again; polling resumes");
	for (size_t i = 0; i < trawld->parts.pollers.n_items; i++)
		runner_wake(trawld->parts.pollers.items[i]->runner);
}

static bool has_room(void *userdata)
{
	const struct trawld *trawld = userdata;
	return spool_bytes(trawld->parts.store) <
	       trawld->parts.setup->config->daemon.spool_limit / 2;
}

static void unreadable(const struct fault *fault, void *userdata)
{
	trawld_store_state(STORE_E_FULL, fault, userdata);
}

static const struct poller_callbacks callbacks = {
	.may_poll = may_poll,
	.has_room = has_room,
	.unreadable = unreadable,
	.rested = trawld_progress,
};

/* --- life --- */

/* As the one with index AT. */
static int make(struct trawld *trawld, size_t at, const struct source *source,
	nsec_t first_delay_ns, struct fault *reterr)
{
	struct parts *parts = &trawld->parts;
	struct poller *poller;
	int r = poller_new(&poller,
		&(struct poller_setup){
			.loop = parts->loop,
			.client = parts->client,
			.store = parts->store,
			.committer = parts->committer,
			.fanout = parts->fanout,
			.source = source,
			.state_directory = parts->setup->config->daemon.state_directory,
			.paused = str_list_has(&trawld->pauses.sources, source->name),
			.once = trawld->options.once,
			.first_delay_ns = first_delay_ns,
			.callbacks = &callbacks,
			.userdata = trawld,
		},
		reterr);
	if (!r)
		pollers_insert(&parts->pollers, at, poller);
	return r;
}

int trawld_add_poller(struct trawld *trawld, const struct source *source, struct fault *reterr)
{
	nsec_t spread = (nsec_t)trawld->parts.setup->n_sources * FIRST_POLL_SPREAD;
	if (spread > source->options.interval_ns)
		spread = source->options.interval_ns;
	struct id id = digest_id(slice_of(source->name));
	nsec_t delay = trawld->options.once ? 0 : spread / 256 * id.bytes[0];
	return make(trawld, trawld->parts.pollers.n_items, source, delay, reterr);
}

size_t trawld_remove_poller(struct trawld *trawld, struct poller *poller)
{
	control_forget(trawld->control, poller);
	control_requests_forget(trawld->requests, poller);
	return pollers_remove(&trawld->parts.pollers, poller);
}

/* The old one goes first: two would share one budget. */
int trawld_renew_poller(struct trawld *trawld, struct poller *poller, struct fault *reterr)
{
	const struct source *source = poller->source;
	size_t at = trawld_remove_poller(trawld, poller);
	return make(trawld, at, source, 0, reterr);
}
