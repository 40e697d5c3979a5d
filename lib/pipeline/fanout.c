/*
 * Fanout: which sinks a source has, and when a body is no longer needed.
 *
 * A body is released when every sink that its source names has acknowledged it. A sink that is
 * named but not there (it was taken out at a reload and is about to come back with new options)
 * counts as one that has acknowledged nothing new, so nothing it waits for goes meanwhile.
 *
 * Releases and progress reports are worked out at the next turn of the loop, for the sources of
 * which a batch was acknowledged: a hundred acknowledgements of one turn cost one look, and no
 * caller sees callbacks inside its own call.
 */
#include "pipeline/fanout.h"

#include <ev.h>
#include <inttypes.h>
#include <stddef.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/names.h"
#include "base/timer.h"
#include "pipeline/delivery.h"
#include "store/commit.h"
#include "store/spool.h"

static const char *const record_format_names[] = {"raw", "envelope", NULL};

#define COMMON(member) offsetof(struct sink_common_options, member)

const struct option sink_common_option_rows[] = {
	{
		.name = "format",
		.type = OPTION_CHOICE,
		.offset = COMMON(format),
		.default_text = "raw",
		.choices = record_format_names,
		.help = "raw: the record's own text; envelope: with source, provider, id and time",
	},
	{
		.name = "include",
		.type = OPTION_LINES,
		.offset = COMMON(include),
		.help = "conditions, one a line: only records that fulfil one of them",
	},
	{
		.name = "exclude",
		.type = OPTION_LINES,
		.offset = COMMON(exclude),
		.help = "conditions, one a line: no record that fulfils one of them",
	},
	{
		.name = "retry_max",
		.type = OPTION_DURATION,
		.offset = COMMON(retry_max_ns),
		.default_text = "5m",
		.min = NSEC_PER_SEC,
		.max = NSEC_PER_DAY,
		.help = "the longest pause between two tries",
	},
};
const size_t n_sink_common_option_rows =
	sizeof(sink_common_option_rows) / sizeof(sink_common_option_rows[0]);

static void sink_check_conditions(const struct str_list *list, const char *key,
	const struct ini_section *section, struct findings *findings)
{
	for (size_t i = 0; i < list->n_items; i++) {
		struct condition condition = CONDITION_NULL;

		if (condition_parse(&condition, slice_of(list->items[i])) != 0)
			findings_add_at(findings, section, key,
				"%s: '%s' is no condition (wanted: " CONDITION_FORMS ")", key,
				list->items[i]);
		condition_deinit(&condition);
	}
}

void sink_common_check(const struct sink_common_options *common, const struct ini_section *section,
	struct findings *findings)
{
	sink_check_conditions(&common->include, "include", section, findings);
	sink_check_conditions(&common->exclude, "exclude", section, findings);
}

/* The sinks of one source. */
struct route {
	bool present; /* false: a source that is not configured any more */
	bool looked_at; /* by the next sweep */
	size_t *sinks; /* handles */
	size_t n_sinks;
	int64_t last; /* no batch of the source is after this one */
	int64_t released;
};

/* A sink, there or named. One that was taken out keeps its acknowledgement: the store may not know
 * the last one yet. */
struct member {
	struct delivery *delivery; /* NULL: not there now */
	bool kept;
	int64_t acknowledged;
	char *position;
};

struct fanout {
	struct ev_loop *loop;
	struct store *store;
	struct committer *committer;
	char *state_directory;
	struct names sink_names;
	struct member *sinks; /* by handle */
	size_t sinks_capacity;
	struct names source_names;
	struct route *routes; /* by handle */
	size_t routes_capacity;
	size_t *looked_at; /* handles of routes */
	size_t n_looked_at;
	size_t looked_at_capacity;
	ev_timer sweep;
	void (*progress)(void *userdata);
	void *progress_userdata;
};

/* --- finding --- */

static size_t fanout_sink(struct fanout *fanout, const char *name)
{
	size_t n = fanout->sink_names.n_items;
	size_t handle = names_add(&fanout->sink_names, name);

	if (handle == n) {
		fanout->sinks =
			mem_grow(fanout->sinks, n, &fanout->sinks_capacity, sizeof(*fanout->sinks));
		fanout->sinks[handle] = (struct member){0};
	}
	return handle;
}

static struct delivery *fanout_find(const struct fanout *fanout, const char *name)
{
	size_t handle;

	return names_find(&fanout->sink_names, name, &handle) ? fanout->sinks[handle].delivery
							      : NULL;
}

static void fanout_each(const struct fanout *fanout, void (*each)(struct delivery *delivery))
{
	for (size_t i = 0; i < fanout->sink_names.n_items; i++) {
		if (fanout->sinks[i].delivery)
			each(fanout->sinks[i].delivery);
	}
}

static struct route *fanout_find_route(const struct fanout *fanout, const char *source)
{
	size_t handle;

	if (!names_find(&fanout->source_names, source, &handle) || !fanout->routes[handle].present)
		return NULL;
	return &fanout->routes[handle];
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
	fanout->routes[handle].present = true;
	return &fanout->routes[handle];
}

static bool route_has(const struct route *route, size_t sink)
{
	for (size_t i = 0; i < route->n_sinks; i++) {
		if (route->sinks[i] == sink)
			return true;
	}
	return false;
}

static bool fanout_wanted(const char *source, struct delivery *delivery, void *userdata)
{
	const struct fanout *fanout = userdata;
	const struct route *route = fanout_find_route(fanout, source);

	for (size_t i = 0; route && i < route->n_sinks; i++) {
		if (fanout->sinks[route->sinks[i]].delivery == delivery)
			return true;
	}
	return false;
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

static void fanout_acknowledged(const struct batch *batch, void *userdata)
{
	struct route *route = fanout_find_route(userdata, batch->source);

	if (route)
		fanout_look_at(userdata, route);
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
	for (size_t i = 0; i < route->n_sinks; i++) {
		const struct delivery *delivery = fanout->sinks[route->sinks[i]].delivery;

		if (!delivery)
			return;
		if (delivery_acknowledged(delivery) < number)
			number = delivery_acknowledged(delivery);
	}
	if (number <= route->released)
		return;
	route->released = number;
	commit_add_release(fanout->store, source, number);
	committer_touch(fanout->committer);
}

static void fanout_sweep(struct ev_loop *loop, ev_timer *watcher, int events)
{
	struct fanout *fanout = watcher->data;

	(void)loop;
	(void)events;
	for (size_t i = 0; i < fanout->n_looked_at; i++) {
		size_t handle = fanout->looked_at[i];

		fanout->routes[handle].looked_at = false;
		if (fanout->routes[handle].present)
			route_release(fanout, fanout->source_names.items[handle],
				&fanout->routes[handle]);
	}
	fanout->n_looked_at = 0;
	if (fanout->progress)
		fanout->progress(fanout->progress_userdata);
}

/* --- acknowledgements of sinks that were taken out --- */

static void member_keep(struct member *member, int64_t acknowledged, const char *position)
{
	char *copy = mem_strdup(position);

	free(member->position);
	member->kept = true;
	member->acknowledged = acknowledged;
	member->position = copy;
}

static void member_drop(struct member *member)
{
	free(member->position);
	member->kept = false;
	member->position = NULL;
}

/* --- sinks --- */

int fanout_add_sink(struct fanout *fanout, const struct sink_kind *kind,
	const struct sink_setup *setup, const struct sink_common_options *common,
	struct fault *reterr)
{
	struct delivery_setup delivery_setup = {
		.loop = fanout->loop,
		.store = fanout->store,
		.committer = fanout->committer,
		.state_directory = fanout->state_directory,
		.place = setup->place,
		.common = common,
		.wanted = fanout_wanted,
		.acknowledged_batch = fanout_acknowledged,
		.changed = fanout_changed,
		.userdata = fanout,
	};
	size_t handle = fanout_sink(fanout, setup->name);
	struct member *member = &fanout->sinks[handle];
	char *position = NULL;
	struct sink *sink;
	int r = kind->create(&sink, setup, reterr);

	if (r != 0)
		return r;
	delivery_setup.acknowledged = member->acknowledged;
	delivery_setup.position = member->position;
	if (!member->kept) {
		r = spool_sink_get(fanout->store, setup->name, &delivery_setup.acknowledged,
			&position, NULL, reterr);
		delivery_setup.position = position;
	}
	if (r == 0)
		r = delivery_new(&member->delivery, &delivery_setup, sink, reterr);
	if (r == 0)
		member_drop(member);
	free(position);
	if (r != 0) {
		kind->destroy(sink);
		return r;
	}
	committer_touch(fanout->committer); /* a sink first seen is entered by the next commit */
	return 0;
}

static void route_remove(struct route *route, size_t sink)
{
	size_t n = 0;

	for (size_t i = 0; i < route->n_sinks; i++) {
		if (route->sinks[i] != sink)
			route->sinks[n++] = route->sinks[i];
	}
	route->n_sinks = n;
}

static void fanout_forget(struct fanout *fanout, const char *name)
{
	size_t handle = fanout_sink(fanout, name);

	for (size_t i = 0; i < fanout->source_names.n_items; i++) {
		if (!route_has(&fanout->routes[i], handle))
			continue;
		route_remove(&fanout->routes[i], handle);
		fanout_look_at(fanout, &fanout->routes[i]);
	}
	member_drop(&fanout->sinks[handle]);
	commit_add_sink_removal(fanout->store, name);
	committer_touch(fanout->committer);
	fanout_schedule(fanout);
}

void fanout_remove_sink(struct fanout *fanout, const char *name, bool forget)
{
	struct delivery *delivery = fanout_find(fanout, name);
	struct member *member;

	if (!delivery)
		return;
	member = &fanout->sinks[fanout_sink(fanout, name)];
	member->delivery = NULL;
	if (forget)
		fanout_forget(fanout, delivery_name(delivery));
	else
		member_keep(member, delivery_acknowledged(delivery), delivery_position(delivery));
	delivery_free(delivery);
	fanout_schedule(fanout);
}

/* --- routes --- */

void fanout_route(struct fanout *fanout, const char *source, const struct str_list *sinks)
{
	struct route *route = fanout_get_route(fanout, source);

	free(route->sinks);
	route->sinks = mem_array(sinks->n_items, sizeof(*route->sinks));
	route->n_sinks = 0;
	for (size_t i = 0; i < sinks->n_items; i++) {
		size_t sink = fanout_sink(fanout, sinks->items[i]);

		if (!route_has(route, sink))
			route->sinks[route->n_sinks++] = sink;
	}
	route->last = spool_last(fanout->store);
	fanout_look_at(fanout, route);
}

void fanout_unroute(struct fanout *fanout, const char *source)
{
	struct route *route = fanout_find_route(fanout, source);

	if (!route)
		return;
	free(route->sinks);
	*route = (struct route){.looked_at = route->looked_at};
}

/* --- start --- */

/* Bodies of sources that are no longer configured wait for nobody: say so, let them go. */
static void fanout_release_orphan(const char *source, void *userdata)
{
	struct fanout *fanout = userdata;
	struct log_subject subject = {"source", source, NULL};

	if (fanout_find_route(fanout, source))
		return;
	log_warning(&subject, "is not configured any more; what waited in the spool for its sinks "
			      "is dropped");
	commit_add_release(fanout->store, source, spool_last(fanout->store));
	committer_touch(fanout->committer);
}

struct fanout_gone {
	const struct fanout *fanout;
	struct str_list names;
};

static void fanout_note_gone(const char *sink, int64_t number, void *userdata)
{
	struct fanout_gone *gone = userdata;

	(void)number;
	if (!fanout_find(gone->fanout, sink))
		str_list_add(&gone->names, sink);
}

static void fanout_forget_gone(struct fanout *fanout)
{
	struct fanout_gone gone = {.fanout = fanout};
	struct fault fault;

	for (size_t i = 0; i < fanout->sink_names.n_items; i++) {
		if (fanout->sinks[i].kept)
			str_list_add(&gone.names, fanout->sink_names.items[i]);
		member_drop(&fanout->sinks[i]);
	}
	if (spool_sink_list(fanout->store, fanout_note_gone, &gone, &fault) == 0) {
		for (size_t i = 0; i < gone.names.n_items; i++)
			fanout_forget(fanout, gone.names.items[i]);
	}
	str_list_deinit(&gone.names);
}

void fanout_start(struct fanout *fanout)
{
	fanout_forget_gone(fanout);
	spool_source_list(fanout->store, fanout_release_orphan, fanout);
	for (size_t i = 0; i < fanout->source_names.n_items; i++)
		fanout_look_at(fanout, &fanout->routes[i]);
	fanout_each(fanout, delivery_start);
	fanout_schedule(fanout);
}

/* --- running --- */

void fanout_committed(struct batch *batch, void *userdata)
{
	struct fanout *fanout = userdata;
	struct route *route;

	if (!batch)
		return;
	route = fanout_get_route(fanout, batch->source); /* just removed: nobody waits */
	route->last = batch->number;
	for (size_t i = 0; i < route->n_sinks; i++) {
		struct delivery *delivery = fanout->sinks[route->sinks[i]].delivery;

		if (delivery)
			delivery_offer(delivery, batch);
	}
	if (route->n_sinks == 0)
		fanout_look_at(fanout, route);
	fanout_schedule(fanout);
}

void fanout_reopen(struct fanout *fanout)
{
	fanout_each(fanout, delivery_reopen);
}

void fanout_retry_now(struct fanout *fanout)
{
	fanout_each(fanout, delivery_retry_now);
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
		const struct delivery *delivery = fanout->sinks[i].delivery;

		if (delivery && delivery_is_failing(delivery))
			n_failing++;
		else if (delivery && !delivery_is_idle(delivery))
			drained = false;
	}
	if (drained && ret_failing)
		*ret_failing = n_failing;
	return drained;
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

		if (!fanout->sinks[i].delivery)
			continue;
		delivery_status(fanout->sinks[i].delivery, &status);
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
	for (size_t i = 0; i < fanout->sink_names.n_items; i++) {
		delivery_free(fanout->sinks[i].delivery);
		free(fanout->sinks[i].position);
	}
	for (size_t i = 0; i < fanout->source_names.n_items; i++)
		free(fanout->routes[i].sinks);
	names_deinit(&fanout->sink_names);
	names_deinit(&fanout->source_names);
	free(fanout->sinks);
	free(fanout->routes);
	free(fanout->looked_at);
	free(fanout->state_directory);
	free(fanout);
}
