/* See reload_wait.h. Which sinks change is known from the configuration as it is now; the reload
 * reads it again. */
#include "reload_wait.h"

#include <ev.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/timer.h"
#include "conf/findings.h"
#include "trawld_internal.h"

#define PATIENCE (5 * NSEC_PER_SEC)

struct reload_wait {
	struct trawld *trawld;
	struct str_list held; /* names of sinks; none: nothing is waited for */
	nsec_t until_at;
	ev_timer timer;
	ev_prepare asked; /* runs once reload_wait_ask was called */
};

static void hold(const struct reload_wait *wait, bool held)
{
	for (size_t i = 0; i < wait->held.n_items; i++)
		fanout_hold_sink(wait->trawld->parts.fanout, wait->held.items[i], held);
}

static bool any_is_under_way(const struct reload_wait *wait)
{
	for (size_t i = 0; i < wait->held.n_items; i++)
		if (fanout_sink_is_under_way(wait->trawld->parts.fanout, wait->held.items[i]))
			return true;
	return false;
}

/* Those of the sinks in use that are none of NEW; NULL: all of them. */
static void list_sinks(struct reload_wait *wait, const struct setup *new)
{
	const struct setup *setup = wait->trawld->parts.setup;
	str_list_deinit(&wait->held);
	for (size_t i = 0; i < setup->n_sinks; i++)
		if (!new || !setup_has_sink(new, setup->sinks[i]))
			str_list_add(&wait->held, setup->sinks[i]->name);
}

/* Is there something to wait for? A configuration with errors changes nothing. */
static bool begin(struct reload_wait *wait)
{
	struct findings findings CLEANUP(findings_deinit) = FINDINGS_NULL;
	struct setup *new = NULL;
	if (wait->trawld->stopping)
		return false;
	list_sinks(wait, NULL);
	if (any_is_under_way(wait))
		new = setup_load(wait->trawld->options.path, &findings);
	if (new)
		list_sinks(wait, new);
	setup_free(new);
	if (!new || !any_is_under_way(wait)) {
		str_list_deinit(&wait->held);
		return false;
	}
	hold(wait, true);
	wait->until_at = clock_monotonic() + PATIENCE;
	timer_start(wait->trawld->parts.loop, &wait->timer, PATIENCE);
	log_debug(
		NULL, "reload: waiting for the answers to what was sent by sinks that it changes");
	return true;
}

bool reload_wait_is_over(struct reload_wait *wait, bool again)
{
	if (wait->held.n_items == 0)
		return !begin(wait);
	return again && (!any_is_under_way(wait) || clock_monotonic() >= wait->until_at);
}

void reload_wait_ask(struct reload_wait *wait)
{
	ev_prepare_start(wait->trawld->parts.loop, &wait->asked);
}

void reload_wait_end(struct reload_wait *wait)
{
	if (!wait)
		return;
	hold(wait, false);
	str_list_deinit(&wait->held);
	ev_timer_stop(wait->trawld->parts.loop, &wait->timer);
	ev_prepare_stop(wait->trawld->parts.loop, &wait->asked);
}

static void look(struct ev_loop *loop, ev_prepare *asked, int events)
{
	struct reload_wait *wait = asked->data;
	(void)loop;
	(void)events;
	if (reload_wait_is_over(wait, true))
		trawld_read_now(wait->trawld);
}

/* The loop wakes up, and whoever waits asks again; if nobody does, nobody waits any more. */
static void out_of_patience(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct reload_wait *wait = timer->data;
	(void)events;
	if (clock_monotonic() < wait->until_at + NSEC_PER_SEC)
		timer_start(loop, timer, NSEC_PER_SEC);
	else
		reload_wait_end(wait);
}

struct reload_wait *reload_wait_new(struct trawld *trawld)
{
	struct reload_wait *wait = MEM_NEW(struct reload_wait);
	wait->trawld = trawld;
	ev_init(&wait->timer, out_of_patience);
	ev_prepare_init(&wait->asked, look);
	ev_set_priority(&wait->asked, EV_MINPRI); /* after the commands of people */
	wait->timer.data = wait->asked.data = wait;
	return wait;
}

void reload_wait_free(struct reload_wait *wait)
{
	if (!wait)
		return;
	ev_timer_stop(wait->trawld->parts.loop, &wait->timer);
	ev_prepare_stop(wait->trawld->parts.loop, &wait->asked);
	str_list_deinit(&wait->held);
	free(wait);
}
