/* See refresh.h. */
#include "refresh.h"

#include <ev.h>

#include "base/log.h"
#include "base/mem.h"
#include "cluster.h"
#include "trawld_internal.h"

#define INTERVAL 5. /* seconds */

struct refresh {
	struct trawld *trawld;
	ev_timer timer;
	const struct setup *setup; /* the one that was looked at: another has been read since */
	bool changed; /* a credential, since SETUP was read */
	bool edited; /* the configuration itself, likewise */
};

static void look_at_sink(const struct sink_status *status, void *userdata)
{
	bool *denied = userdata;
	*denied |= status->failing && status->fault.class == FAULT_AUTH;
}

static bool anyone_is_denied(const struct trawld *trawld)
{
	bool denied = false;
	const struct pollers *pollers = &trawld->parts.pollers;
	for (size_t i = 0; i < pollers->n_items && !denied; i++) {
		struct runner_status status;
		runner_status(pollers->items[i]->runner, &status);
		denied = status.failing && status.fault.class == FAULT_AUTH;
	}
	if (!denied)
		fanout_each_sink(trawld->parts.fanout, look_at_sink, &denied);
	return denied;
}

static bool credential_is_new(struct refresh *refresh)
{
	struct config *config = refresh->trawld->parts.setup->config;
	if (refresh->setup != refresh->trawld->parts.setup)
		refresh->changed = refresh->edited = false;
	refresh->setup = refresh->trawld->parts.setup;
	bool changing = file_watch_look_at_all(&config->ini.expanded);
	refresh->changed |= changing;
	refresh->edited |= file_watch_look_at_all(&config->written);
	if (!refresh->changed)
		return false;
	if (!anyone_is_denied(refresh->trawld) && (changing || refresh->edited))
		return false;
	refresh->changed = false;
	return true;
}

static void look(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct refresh *refresh = timer->data;
	struct trawld *trawld = refresh->trawld;
	(void)loop;
	(void)events;
	if (trawld->stopping)
		return;
	cluster_say(trawld);
	if (trawld->reload_due && !committer_failing(trawld->parts.committer))
		trawld_read_again(trawld);
	else if (credential_is_new(refresh)) {
		log_notice(NULL, "a file with a credential has changed: reloading");
		trawld_read_again(trawld);
	} else if (trawld->missing.size > 0) {
		trawld_add_missing(trawld);
	}
}

struct refresh *refresh_new(struct trawld *trawld)
{
	struct refresh *refresh = MEM_NEW(struct refresh);
	refresh->trawld = trawld;
	ev_timer_init(&refresh->timer, look, INTERVAL, INTERVAL);
	refresh->timer.data = refresh;
	ev_timer_start(trawld->parts.loop, &refresh->timer);
	return refresh;
}

void refresh_free(struct refresh *refresh)
{
	if (!refresh)
		return;
	ev_timer_stop(refresh->trawld->parts.loop, &refresh->timer);
	free(refresh);
}
