/*
 * Fanout: which sinks a source has, and when a body is no longer needed.
 *
 * A body is released when every sink that its source names has acknowledged it. A sink that is
 * named but not there (it was taken out at a reload and is about to come back with new options)
 * counts as one that has acknowledged nothing new, so nothing it waits for goes meanwhile.
 *
 * Releases and progress reports are worked out at the next turn of the loop: a hundred
 * acknowledgements of one turn cost one look, and no caller sees callbacks inside its own call.
 */
#include "pipeline/fanout.h"

#include <ev.h>
#include <inttypes.h>
#include <stddef.h>

#include "base/log.h"
#include "base/mem.h"
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
	const struct ini_entry *entry = ini_section_find(section, key);

	for (size_t i = 0; i < list->n_items; i++) {
		struct condition condition = CONDITION_NULL;

		if (condition_parse(&condition, slice_of(list->items[i])) != 0)
			findings_add(findings, entry ? entry->file : section->file,
				entry ? entry->line : section->line,
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
	char *source;
	struct str_list sinks;
	int64_t last; /* no batch of the source is after this one */
	int64_t released;
};

/* Where a sink that was taken out stands: the store may not know its last acknowledgement yet. */
struct place {
	char *sink;
	int64_t acknowledged;
	char *position;
};

struct fanout {
	struct ev_loop *loop;
	struct store *store;
	struct committer *committer;
	char *state_directory;
	struct delivery **sinks;
	size_t n_sinks;
	size_t sinks_capacity;
	struct route *routes;
	size_t n_routes;
	size_t routes_capacity;
	struct place *places;
	size_t n_places;
	size_t places_capacity;
	ev_timer sweep;
	void (*progress)(void *userdata);
	void *progress_userdata;
};

/* --- finding --- */

static struct delivery *fanout_find(const struct fanout *fanout, const char *name)
{
	for (size_t i = 0; i < fanout->n_sinks; i++) {
		if (strcmp(delivery_name(fanout->sinks[i]), name) == 0)
			return fanout->sinks[i];
	}
	return NULL;
}

static struct route *fanout_find_route(const struct fanout *fanout, const char *source)
{
	for (size_t i = 0; i < fanout->n_routes; i++) {
		if (strcmp(fanout->routes[i].source, source) == 0)
			return &fanout->routes[i];
	}
	return NULL;
}

static bool fanout_wanted(const char *source, struct delivery *delivery, void *userdata)
{
	const struct route *route = fanout_find_route(userdata, source);

	return route && str_list_has(&route->sinks, delivery_name(delivery));
}

/* --- the sweep --- */

static void fanout_schedule(struct fanout *fanout)
{
	if (ev_is_active(&fanout->sweep))
		return;
	ev_timer_set(&fanout->sweep, 0., 0.);
	ev_timer_start(fanout->loop, &fanout->sweep);
}

static void fanout_changed(struct delivery *delivery, void *userdata)
{
	(void)delivery;
	fanout_schedule(userdata);
}

static void route_release(struct fanout *fanout, struct route *route)
{
	int64_t number = route->last;

	if (route->released >= route->last)
		return;
	for (size_t i = 0; i < route->sinks.n_items; i++) {
		const struct delivery *delivery = fanout_find(fanout, route->sinks.items[i]);

		if (!delivery)
			return;
		if (delivery_acknowledged(delivery) < number)
			number = delivery_acknowledged(delivery);
	}
	if (number <= route->released)
		return;
	route->released = number;
	commit_add_release(fanout->store, route->source, number);
	committer_touch(fanout->committer);
}

static void fanout_sweep(struct ev_loop *loop, ev_timer *watcher, int events)
{
	struct fanout *fanout = watcher->data;

	(void)loop;
	(void)events;
	for (size_t i = 0; i < fanout->n_routes; i++)
		route_release(fanout, &fanout->routes[i]);
	if (fanout->progress)
		fanout->progress(fanout->progress_userdata);
}

/* --- places of sinks that were taken out --- */

static void fanout_keep_place(
	struct fanout *fanout, const char *sink, int64_t acknowledged, const char *position)
{
	fanout->places = mem_grow(fanout->places, fanout->n_places, &fanout->places_capacity,
		sizeof(*fanout->places));
	fanout->places[fanout->n_places++] = (struct place){
		.sink = mem_strdup(sink),
		.acknowledged = acknowledged,
		.position = mem_strdup(position),
	};
}

static void fanout_drop_place(struct fanout *fanout, size_t index)
{
	struct place *place = &fanout->places[index];

	free(place->sink);
	free(place->position);
	*place = fanout->places[--fanout->n_places];
}

/* The place of NAME: kept here, else from the store. The caller frees *RET_POSITION. */
static int fanout_take_place(struct fanout *fanout, const char *name, int64_t *ret_acknowledged,
	char **ret_position, struct fault *reterr)
{
	for (size_t i = 0; i < fanout->n_places; i++) {
		struct place *place = &fanout->places[i];

		if (strcmp(place->sink, name) != 0)
			continue;
		*ret_acknowledged = place->acknowledged;
		*ret_position = place->position;
		place->position = NULL;
		fanout_drop_place(fanout, i);
		return 0;
	}
	return spool_sink_get(fanout->store, name, ret_acknowledged, ret_position, NULL, reterr);
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
		.changed = fanout_changed,
		.userdata = fanout,
	};
	struct delivery *delivery;
	char *position = NULL;
	struct sink *sink;
	int r = kind->create(&sink, setup, reterr);

	if (r != 0)
		return r;
	r = fanout_take_place(fanout, setup->name, &delivery_setup.acknowledged, &position, reterr);
	if (r == 0) {
		delivery_setup.position = position;
		r = delivery_new(&delivery, &delivery_setup, sink, reterr);
		if (r != 0)
			fanout_keep_place(
				fanout, setup->name, delivery_setup.acknowledged, position);
	}
	free(position);
	if (r != 0) {
		kind->destroy(sink);
		return r;
	}
	fanout->sinks = mem_grow(
		fanout->sinks, fanout->n_sinks, &fanout->sinks_capacity, sizeof(*fanout->sinks));
	fanout->sinks[fanout->n_sinks++] = delivery;
	committer_touch(fanout->committer); /* a sink first seen is entered by the next commit */
	return 0;
}

static void str_list_remove(struct str_list *list, const char *text)
{
	size_t n = 0;

	for (size_t i = 0; i < list->n_items; i++) {
		if (strcmp(list->items[i], text) == 0)
			free(list->items[i]);
		else
			list->items[n++] = list->items[i];
	}
	list->n_items = n;
}

static void fanout_forget(struct fanout *fanout, const char *name)
{
	for (size_t i = 0; i < fanout->n_routes; i++)
		str_list_remove(&fanout->routes[i].sinks, name);
	commit_add_sink_removal(fanout->store, name);
	committer_touch(fanout->committer);
	fanout_schedule(fanout);
}

void fanout_remove_sink(struct fanout *fanout, const char *name, bool forget)
{
	for (size_t i = 0; i < fanout->n_sinks; i++) {
		struct delivery *delivery = fanout->sinks[i];

		if (strcmp(delivery_name(delivery), name) != 0)
			continue;
		if (forget)
			fanout_forget(fanout, delivery_name(delivery));
		else
			fanout_keep_place(fanout, delivery_name(delivery),
				delivery_acknowledged(delivery), delivery_position(delivery));
		fanout->sinks[i] = fanout->sinks[--fanout->n_sinks];
		delivery_free(delivery);
		fanout_schedule(fanout);
		return;
	}
}

/* --- routes --- */

void fanout_route(struct fanout *fanout, const char *source, const struct str_list *sinks)
{
	struct route *route = fanout_find_route(fanout, source);

	if (!route) {
		fanout->routes = mem_grow(fanout->routes, fanout->n_routes,
			&fanout->routes_capacity, sizeof(*fanout->routes));
		route = &fanout->routes[fanout->n_routes++];
		*route = (struct route){.source = mem_strdup(source)};
	}
	str_list_deinit(&route->sinks);
	for (size_t i = 0; i < sinks->n_items; i++) {
		if (!str_list_has(&route->sinks, sinks->items[i]))
			str_list_add(&route->sinks, sinks->items[i]);
	}
	route->last = spool_last(fanout->store);
}

static void route_deinit(struct route *route)
{
	free(route->source);
	str_list_deinit(&route->sinks);
}

void fanout_unroute(struct fanout *fanout, const char *source)
{
	struct route *route = fanout_find_route(fanout, source);

	if (!route)
		return;
	route_deinit(route);
	*route = fanout->routes[--fanout->n_routes];
}

/* --- start --- */

static bool fanout_is_orphan(const char *source, void *userdata)
{
	return !fanout_find_route(userdata, source);
}

/* Bodies of sources that are no longer configured wait for nobody: say so, let them go. */
static void fanout_release_orphans(struct fanout *fanout)
{
	struct str_list seen = STR_LIST_NULL;
	int64_t after = 0;
	struct fault fault;
	struct batch *batch;

	while (spool_next(fanout->store, after, fanout_is_orphan, fanout, &batch, &fault) == 0 &&
		batch) {
		struct log_subject subject = {"source", batch->source, NULL};

		after = batch->number;
		if (!str_list_has(&seen, batch->source)) {
			str_list_add(&seen, batch->source);
			log_warning(&subject, "is not configured any more; what waited in the "
					      "spool for its sinks is dropped");
			commit_add_release(fanout->store, batch->source, spool_last(fanout->store));
			committer_touch(fanout->committer);
		}
		batch_unref(batch);
	}
	str_list_deinit(&seen);
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

	while (fanout->n_places > 0) {
		if (!fanout_find(fanout, fanout->places[0].sink))
			str_list_add(&gone.names, fanout->places[0].sink);
		fanout_drop_place(fanout, 0);
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
	fanout_release_orphans(fanout);
	for (size_t i = 0; i < fanout->n_sinks; i++)
		delivery_start(fanout->sinks[i]);
	fanout_schedule(fanout);
}

/* --- running --- */

void fanout_committed(struct batch *batch, void *userdata)
{
	struct fanout *fanout = userdata;
	struct route *route;

	if (!batch)
		return;
	route = fanout_find_route(fanout, batch->source);
	if (!route) {
		/* a source that was just removed: nobody waits */
		struct str_list none = STR_LIST_NULL;

		fanout_route(fanout, batch->source, &none);
		route = fanout_find_route(fanout, batch->source);
	}
	route->last = batch->number;
	for (size_t i = 0; i < route->sinks.n_items; i++) {
		struct delivery *delivery = fanout_find(fanout, route->sinks.items[i]);

		if (delivery)
			delivery_offer(delivery, batch);
	}
	fanout_schedule(fanout);
}

void fanout_reopen(struct fanout *fanout)
{
	for (size_t i = 0; i < fanout->n_sinks; i++)
		delivery_reopen(fanout->sinks[i]);
}

void fanout_retry_now(struct fanout *fanout)
{
	for (size_t i = 0; i < fanout->n_sinks; i++)
		delivery_retry_now(fanout->sinks[i]);
}

void fanout_hurry(struct fanout *fanout)
{
	for (size_t i = 0; i < fanout->n_sinks; i++)
		delivery_hurry(fanout->sinks[i]);
}

bool fanout_drained(const struct fanout *fanout, size_t *ret_failing)
{
	size_t n_failing = 0;
	bool drained = true;

	for (size_t i = 0; i < fanout->n_sinks; i++) {
		if (delivery_is_failing(fanout->sinks[i]))
			n_failing++;
		else if (!delivery_is_idle(fanout->sinks[i]))
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
	for (size_t i = 0; i < fanout->n_sinks; i++) {
		struct sink_status status;

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
	for (size_t i = 0; i < fanout->n_sinks; i++)
		delivery_free(fanout->sinks[i]);
	for (size_t i = 0; i < fanout->n_routes; i++)
		route_deinit(&fanout->routes[i]);
	while (fanout->n_places > 0)
		fanout_drop_place(fanout, fanout->n_places - 1);
	free(fanout->sinks);
	free(fanout->routes);
	free(fanout->places);
	free(fanout->state_directory);
	free(fanout);
}
