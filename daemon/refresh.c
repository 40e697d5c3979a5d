/* See refresh.h. */
#include "refresh.h"

#include <ev.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "trawld.h"

#define INTERVAL 5. /* seconds */

struct refresh {
	struct trawld *trawld;
	ev_timer timer;
};

static void look_at_sink(const struct sink_status *status, void *userdata)
{
	bool *denied = userdata;
	*denied |= status->failing && status->fault.class == FAULT_AUTH;
}

static bool anyone_is_denied(const struct trawld *trawld)
{
	bool denied = false;
	for (size_t i = 0; i < trawld->n_pollers && !denied; i++) {
		struct runner_status status;
		runner_status(trawld->pollers[i]->runner, &status);
		denied = status.failing && status.fault.class == FAULT_AUTH;
	}
	if (!denied)
		fanout_each_sink(trawld->fanout, look_at_sink, &denied);
	return denied;
}

static void look(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct refresh *refresh = timer->data;
	struct trawld *trawld = refresh->trawld;
	struct findings findings CLEANUP(findings_deinit) = FINDINGS_NULL;
	struct fault fault; /* it is logged */
	(void)loop;
	(void)events;
	if (trawld->stopping || !anyone_is_denied(trawld) ||
		!file_watch_look_at_all(&trawld->setup->config->ini.expanded))
		return;
	log_notice(NULL, "access is denied, and a file with a credential has changed: reloading");
	trawld_reload(trawld, NULL, &findings, &fault);
}

struct refresh *refresh_new(struct trawld *trawld)
{
	struct refresh *refresh = MEM_NEW(struct refresh);
	refresh->trawld = trawld;
	ev_timer_init(&refresh->timer, look, INTERVAL, INTERVAL);
	refresh->timer.data = refresh;
	ev_timer_start(trawld->loop, &refresh->timer);
	return refresh;
}

void refresh_free(struct refresh *refresh)
{
	if (!refresh)
		return;
	ev_timer_stop(refresh->trawld->loop, &refresh->timer);
	free(refresh);
}
