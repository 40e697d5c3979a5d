/*
 * Fanout: which sinks a source has, and when a body is no longer needed.
 *
 * A body is released when every sink that it was accepted for has acknowledged it: which these are
 * is said by the routes of the state (store/routes.h), not by the configuration. A sink that has a
 * route and is not there (it is about to come back with new options, or could not be made) has
 * acknowledged nothing, so nothing that waits for it goes meanwhile.
 *
 * Releases and progress reports are worked out at the next turn of the loop, for the sources of
 * which a batch was acknowledged: a hundred acknowledgements of one turn cost one look, and no
 * caller sees callbacks inside its own call.
 */
#include "pipeline/fanout.h"

#include <ev.h>
#include <inttypes.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/names.h"
#include "base/timer.h"
#include "pipeline/attestation.h"
#include "pipeline/deadletter.h"
#include "pipeline/delivery.h"
#include "store/commit.h"
#include "store/kept.h"
#include "store/replays.h"
#include "store/spool.h"

/* A sink of a source: it gets the batches above the number AFTER. */
struct branch {
	size_t sink; /* handle */
	int64_t after;
};

/* The sinks of one source. */
struct route {
	bool looked_at; /* by the next sweep */
	struct branch *branches;
	size_t n_branches;
	size_t branches_capacity;
	int64_t last; /* no batch of the source is after this one */
	int64_t released;
};

struct fanout {
	struct ev_loop *loop;
	struct store *store;
	struct committer *committer;
	char *state_directory;
	struct names sink_names;
	struct delivery **sinks; /* by handle; NULL: named, and not there now */
	size_t sinks_capacity;
	struct names source_names;
	struct route *routes; /* by handle */
	size_t routes_capacity;
	size_t *looked_at; /* handles of routes */
	size_t n_looked_at;
	size_t looked_at_capacity;
	ev_timer sweep;
	uint64_t dead_letter_limit;
	void (*seen)(const struct batch *batch, void *userdata); /* NULL: nobody looks */
	void *seen_userdata;
	void (*progress)(void *userdata);
	void *progress_userdata;
	void (*fenced)(const char *name, const struct fault *fault, void *userdata);
	void *fenced_userdata;
};

/* --- finding --- */

static size_t fanout_sink(struct fanout *fanout, const char *name)
{
	size_t n = fanout->sink_names.n_items;
	size_t handle = names_add(&fanout->sink_names, name);

	if (handle == n) {
		fanout->sinks =
			mem_grow(fanout->sinks, n, &fanout->sinks_capacity, sizeof(*fanout->sinks));
		fanout->sinks[handle] = NULL;
	}
	return handle;
}

static void fanout_each(const struct fanout *fanout, void (*each)(struct delivery *delivery))
{
	for (size_t i = 0; i < fanout->sink_names.n_items; i++) {
		if (fanout->sinks[i])
			each(fanout->sinks[i]);
	}
}

static struct route *fanout_find_route(const struct fanout *fanout, const char *source)
{
	size_t handle;

	return names_find(&fanout->source_names, source, &handle) ? &fanout->routes[handle] : NULL;
}

/* The route of SOURCE, made if need be. */
static struct route *fanout_get_route(struct fanout *fanout, const char *source)
{
	size_t n = fanout->source_names.n_items;
	size_t handle = names_add(&fanout->source_names, source);

	if (handle == n) {
		fanout->routes = mem_grow(
			fanout->routes, n, &fanout->routes_capacity, sizeof(*fanout->routes));
		fanout->routes[handle] = (struct route){0};
	}
	return &fanout->routes[handle];
}

static bool route_has(
	const struct fanout *fanout, const struct route *route, const struct delivery *delivery)
{
	for (size_t i = 0; i < route->n_branches; i++) {
		if (fanout->sinks[route->branches[i].sink] == delivery)
			return true;
	}
	return false;
}

static void fanout_attest(
	const struct delivery *delivery, const char *source, struct buf *out, void *userdata)
{
	const struct fanout *fanout = userdata;
	struct attestation attestation;

	attestation_init(&attestation, fanout->store);
	for (size_t i = 0; i < fanout->source_names.n_items; i++) {
		const char *name = fanout->source_names.items[i];

		if (route_has(fanout, &fanout->routes[i], delivery) &&
			(!source || strcmp(source, name) == 0))
			attestation_add(&attestation, name);
	}
	attestation_print(&attestation, out);
}

static int64_t fanout_wanted(const char *source, struct delivery *delivery, void *userdata)
{
	const struct fanout *fanout = userdata;
	const struct route *route = fanout_find_route(fanout, source);

	for (size_t i = 0; route && i < route->n_branches; i++) {
		if (fanout->sinks[route->branches[i].sink] == delivery)
			return route->branches[i].after;
	}
	return SPOOL_NONE;
}

/* --- the sweep --- */

static void fanout_schedule(struct fanout *fanout)
{
	if (ev_is_active(&fanout->sweep))
		return;
	timer_start(fanout->loop, &fanout->sweep, 0);
}

/* Something of ROUTE may be released. */
static void fanout_look_at(struct fanout *fanout, struct route *route)
{
	fanout_schedule(fanout);
	if (route->looked_at)
		return;
	route->looked_at = true;
	fanout->looked_at = mem_grow(fanout->looked_at, fanout->n_looked_at,
		&fanout->looked_at_capacity, sizeof(*fanout->looked_at));
	fanout->looked_at[fanout->n_looked_at++] = (size_t)(route - fanout->routes);
}

static void fanout_look_at_all(struct fanout *fanout)
{
	for (size_t i = 0; i < fanout->source_names.n_items; i++)
		fanout_look_at(fanout, &fanout->routes[i]);
}

static void fanout_acknowledged(const char *source, void *userdata)
{
	struct route *route = fanout_find_route(userdata, source);

	if (route && route->n_branches > 0)
		fanout_look_at(userdata, route);
	else /* its source was given another name since it was read */
		fanout_look_at_all(userdata);
}

static void fanout_changed(struct delivery *delivery, void *userdata)
{
	(void)delivery;
	fanout_schedule(userdata);
}

static void route_release(struct fanout *fanout, const char *source, struct route *route)
{
	int64_t number = route->last;

	if (route->released >= route->last)
		return;
	for (size_t i = 0; i < route->n_branches; i++) {
		const struct branch *branch = &route->branches[i];
		const struct delivery *delivery = fanout->sinks[branch->sink];
		int64_t has = delivery ? delivery_acknowledged(delivery) : 0;

		if (has < branch->after)
			has = branch->after;
		if (has < number)
			number = has;
	}
	if (number <= route->released)
		return;
	route->released = number;
	commit_add_release(fanout->store, source, number);
	committer_touch_later(fanout->committer);
}

/* What a replay still has to read is not to go before. */
static void fanout_hold(struct fanout *fanout)
{
	int64_t after = INT64_MAX;

	for (size_t i = 0; i < fanout->sink_names.n_items; i++) {
		const struct replay *replay =
			fanout->sinks[i] ? delivery_replay_status(fanout->sinks[i]) : NULL;

		if (replay && replay->source && replay->progress.state == REPLAY_RUNNING &&
			replay->progress.after < after)
			after = replay->progress.after;
	}
	kept_hold(fanout->store, after);
}

static void fanout_sweep(struct ev_loop *loop, ev_timer *watcher, int events)
{
	struct fanout *fanout = watcher->data;

	(void)loop;
	(void)events;
	for (size_t i = 0; i < fanout->n_looked_at; i++) {
		size_t handle = fanout->looked_at[i];

		fanout->routes[handle].looked_at = false;
		route_release(fanout, fanout->source_names.items[handle], &fanout->routes[handle]);
	}
	fanout->n_looked_at = 0;
	fanout_hold(fanout);
	if (fanout->progress)
		fanout->progress(fanout->progress_userdata);
}

/* --- sinks --- */

static void fanout_fenced(struct delivery *delivery, const struct fault *fault, void *userdata)
{
	struct fanout *fanout = userdata;

	if (fanout->fenced)
		fanout->fenced(delivery_name(delivery), fault, fanout->fenced_userdata);
}

void fanout_on_fenced(struct fanout *fanout,
	void (*fenced)(const char *name, const struct fault *fault, void *userdata), void *userdata)
{
	fanout->fenced = fenced;
	fanout->fenced_userdata = userdata;
}

static void fanout_offer(struct batch *batch, void *userdata)
{
	struct fanout *fanout = userdata;
	struct route *route;

	if (!batch)
		return;
	route = fanout_get_route(fanout, batch->source);
	route->last = batch->number;
	for (size_t i = 0; i < route->n_branches; i++) {
		struct delivery *delivery = fanout->sinks[route->branches[i].sink];

		if (delivery)
			delivery_offer(delivery, batch);
	}
	/* also with sinks: one that read the batch from the spool may have acknowledged it before
	 */
	fanout_look_at(fanout, route);
}

int fanout_add_sink(struct fanout *fanout, const struct sink_kind *kind,
	const struct sink_setup *setup, const struct sink_common_options *common,
	struct fault *reterr)
{
	struct delivery_setup delivery_setup = {
		.loop = fanout->loop,
		.store = fanout->store,
		.committer = fanout->committer,
		.state_directory = fanout->state_directory,
		.location = setup->location,
		.dead_letter_limit = &fanout->dead_letter_limit,
		.common = common,
		.wanted = fanout_wanted,
		.acknowledged_source = fanout_acknowledged,
		.published = fanout_offer,
		.attest = fanout_attest,
		.changed = fanout_changed,
		.fenced = fanout_fenced,
		.userdata = fanout,
	};
	struct sink_setup own = *setup;
	size_t handle = fanout_sink(fanout, setup->name);
	char *position = NULL;
	struct sink *sink;
	int r;

	own.state_id = store_id(fanout->store);
	r = kind->create(&sink, &own, reterr);

	if (r)
		return r;
	if (kind->capabilities & SINK_EXACTLY_ONCE)
		spool_sink_of_host(fanout->store, setup->name);
	r = spool_sink_get(
		fanout->store, setup->name, &delivery_setup.acknowledged, &position, NULL, reterr);
	delivery_setup.position = position;
	if (!r)
		r = delivery_new(&fanout->sinks[handle], &delivery_setup, sink, reterr);
	free(position);
	if (r) {
		kind->destroy(sink);
		return r;
	}
	committer_touch(fanout->committer); /* a sink first seen is entered by the next commit */
	return 0;
}

bool fanout_has_sink(const struct fanout *fanout, const char *name)
{
	size_t handle;

	return names_find(&fanout->sink_names, name, &handle) && fanout->sinks[handle];
}

void fanout_remove_sink(struct fanout *fanout, const char *name)
{
	size_t handle;

	if (!names_find(&fanout->sink_names, name, &handle))
		return;
	delivery_free(fanout->sinks[handle]);
	fanout->sinks[handle] = NULL;
	fanout_schedule(fanout);
}

static struct delivery *fanout_find_sink(const struct fanout *fanout, const char *name)
{
	size_t handle;

	return names_find(&fanout->sink_names, name, &handle) ? fanout->sinks[handle] : NULL;
}

void fanout_pause_sink(struct fanout *fanout, const char *name, bool paused)
{
	struct delivery *delivery = fanout_find_sink(fanout, name);

	if (delivery)
		delivery_pause(delivery, paused);
}

void fanout_hold_sink(struct fanout *fanout, const char *name, bool held)
{
	struct delivery *delivery = fanout_find_sink(fanout, name);

	if (delivery)
		delivery_hold(delivery, held);
}

bool fanout_sink_is_under_way(const struct fanout *fanout, const char *name)
{
	const struct delivery *delivery = fanout_find_sink(fanout, name);

	return delivery && delivery_is_under_way(delivery);
}

/* --- routes --- */

void fanout_clear_routes(struct fanout *fanout)
{
	for (size_t i = 0; i < fanout->source_names.n_items; i++)
		fanout->routes[i].n_branches = 0;
}

void fanout_route(struct fanout *fanout, const char *source, const char *sink, int64_t after)
{
	struct route *route = fanout_get_route(fanout, source);

	route->branches = mem_grow(route->branches, route->n_branches, &route->branches_capacity,
		sizeof(*route->branches));
	route->branches[route->n_branches++] = (struct branch){fanout_sink(fanout, sink), after};
}

/* --- start --- */

/* Batches from before this process: route_release looks at them, also where no sink is left. */
static void fanout_note_waiting(const char *source, void *userdata)
{
	struct fanout *fanout = userdata;

	fanout_get_route(fanout, source)->last = spool_last(fanout->store);
}

void fanout_start(struct fanout *fanout)
{
	spool_source_list(fanout->store, fanout_note_waiting, fanout);
	fanout_look_at_all(fanout);
	fanout_each(fanout, delivery_start);
	fanout_schedule(fanout);
}

/* --- running --- */

void fanout_committed(struct batch *batch, void *userdata)
{
	struct fanout *fanout = userdata;
	fanout_offer(batch, fanout);
	if (batch && fanout->seen)
		fanout->seen(batch, fanout->seen_userdata);
}

void fanout_on_committed(struct fanout *fanout,
	void (*seen)(const struct batch *batch, void *userdata), void *userdata)
{
	fanout->seen = seen;
	fanout->seen_userdata = userdata;
}

void fanout_reopen(struct fanout *fanout)
{
	fanout_each(fanout, delivery_reopen);
}

void fanout_retry_now(struct fanout *fanout)
{
	fanout_each(fanout, delivery_retry_now);
}

void fanout_set_dead_letter_limit(struct fanout *fanout, uint64_t bytes)
{
	if (fanout->dead_letter_limit == bytes)
		return;
	fanout->dead_letter_limit = bytes;
	fanout_each(fanout, delivery_retry_now); /* one may have waited for it */
}

static int fanout_unknown_sink(const char *name, struct fault *reterr)
{
	return fault_set(reterr, FAULT_CONFIG, "the running trawld has no sink `%s`", name);
}

int fanout_resend(struct fanout *fanout, const char *name, uint64_t *ret_n, struct fault *reterr)
{
	struct delivery *delivery = fanout_find_sink(fanout, name);

	return delivery ? delivery_resend(delivery, ret_n, reterr)
			: fanout_unknown_sink(name, reterr);
}

int fanout_discard(struct fanout *fanout, const char *name, uint64_t *ret_n, struct fault *reterr)
{
	struct delivery *delivery = fanout_find_sink(fanout, name);

	return delivery ? delivery_discard(delivery, ret_n, reterr)
			: deadletter_discard(fanout->state_directory, name, ret_n, reterr);
}

int fanout_replay(struct fanout *fanout, struct replay *replay, const char *by, const char *text,
	struct fault *reterr)
{
	struct delivery *delivery = fanout_find_sink(fanout, replay->sink);
	int r;

	if (delivery)
		return delivery_replay(delivery, replay, by, text, reterr);
	r = fanout_unknown_sink(replay->sink, reterr);
	replay_free(replay);
	return r;
}

int fanout_replay_stop(
	struct fanout *fanout, const char *name, const char *by, struct fault *reterr)
{
	struct delivery *delivery = fanout_find_sink(fanout, name);

	return delivery ? delivery_replay_stop(delivery, by, reterr)
			: fanout_unknown_sink(name, reterr);
}

void fanout_hurry(struct fanout *fanout)
{
	fanout_each(fanout, delivery_hurry);
}

bool fanout_drained(const struct fanout *fanout, size_t *ret_failing)
{
	size_t n_failing = 0;
	bool drained = true;

	for (size_t i = 0; i < fanout->sink_names.n_items; i++) {
		const struct delivery *delivery = fanout->sinks[i];

		if (delivery && delivery_is_paused(delivery))
			n_failing += delivery_has_pending(delivery);
		else if (delivery && delivery_is_failing(delivery))
			n_failing++;
		else if (delivery && !delivery_is_idle(delivery))
			drained = false;
		else if (delivery)
			n_failing += delivery_undone(delivery) != NULL;
	}
	if (drained && ret_failing)
		*ret_failing = n_failing;
	return drained;
}

bool fanout_is_retrying(const struct fanout *fanout)
{
	for (size_t i = 0; i < fanout->sink_names.n_items; i++) {
		const struct delivery *delivery = fanout->sinks[i];

		if (delivery && !delivery_is_paused(delivery) && delivery_is_retrying(delivery))
			return true;
	}
	return false;
}

void fanout_on_progress(struct fanout *fanout, void (*progress)(void *userdata), void *userdata)
{
	fanout->progress = progress;
	fanout->progress_userdata = userdata;
}

void fanout_each_sink(const struct fanout *fanout,
	void (*each)(const struct sink_status *status, void *userdata), void *userdata)
{
	for (size_t i = 0; i < fanout->sink_names.n_items; i++) {
		struct sink_status status;

		if (!fanout->sinks[i])
			continue;
		delivery_status(fanout->sinks[i], &status);
		each(&status, userdata);
	}
}

/* --- life --- */

struct fanout *fanout_new(struct ev_loop *loop, struct store *store, struct committer *committer,
	const char *state_directory)
{
	struct fanout *fanout = MEM_NEW(struct fanout);

	fanout->loop = loop;
	fanout->store = store;
	fanout->committer = committer;
	fanout->state_directory = mem_strdup(state_directory);
	ev_timer_init(&fanout->sweep, fanout_sweep, 0., 0.);
	fanout->sweep.data = fanout;
	return fanout;
}

void fanout_free(struct fanout *fanout)
{
	if (!fanout)
		return;
	ev_timer_stop(fanout->loop, &fanout->sweep);
	for (size_t i = 0; i < fanout->sink_names.n_items; i++)
		delivery_free(fanout->sinks[i]);
	for (size_t i = 0; i < fanout->source_names.n_items; i++)
		free(fanout->routes[i].branches);
	names_deinit(&fanout->sink_names);
	names_deinit(&fanout->source_names);
	free(fanout->sinks);
	free(fanout->routes);
	free(fanout->looked_at);
	free(fanout->state_directory);
	free(fanout);
}
