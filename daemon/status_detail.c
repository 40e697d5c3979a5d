/* See status_detail.h. */
#include "status_detail.h"

#include "base/cleanup.h"
#include "base/json_value.h"
#include "base/log.h"
#include "base/mem.h"
#include "reconciler.h"
#include "store/coverage.h"
#include "store/cursors.h"
#include "store/timeline.h"

#define LINES_MAX 20
#define COVERAGE_NS (30 * NSEC_PER_DAY)

static void add_line(nsec_t time, struct slice text, void *userdata)
{
	json_t *lines = userdata;
	char *copy CLEANUP_FREE = mem_strndup(text.data, text.size);
	json_array_append_new(lines, json_pack("{s:o, s:o}", "time", json_value_time(time), "text",
					     json_value_text(copy)));
}

/* The last log lines of source or sink NAME. */
static json_t *lines_json(const char *kind, const char *name)
{
	json_t *lines = json_array();
	log_each_recent(
		&(struct log_subject){.kind = kind, .name = name}, LINES_MAX, add_line, lines);
	return lines;
}

static void add_gap(const struct coverage_gap *gap, void *userdata)
{
	json_t *gaps = userdata;
	json_array_append_new(
		gaps, json_pack("{s:o, s:o, s:s}", "start", json_value_time(gap->start_time), "end",
			      json_value_time(gap->end_time), "reason", gap->reason));
}

static json_t *source_sinks_json(const struct setup *setup, const struct source *source)
{
	json_t *names = json_array();
	struct str_list routes CLEANUP(str_list_deinit) = STR_LIST_NULL;
	setup_route(setup, source, &routes);
	for (size_t i = 0; i < routes.n_items; i++)
		json_array_append_new(names, json_value_text(routes.items[i]));
	return names;
}

/* What of the last 30 days was read, and what was not. The beginning is a full hour, so that the
 * answer does not change with each request. */
static json_t *coverage_json(const struct timelines *timelines, nsec_t now_time)
{
	json_t *coverage = json_array();
	nsec_t start = now_time - now_time % NSEC_PER_HOUR - COVERAGE_NS;
	const struct stretches *all = timelines->n_items > 0 ? &timelines->items[0].all : NULL;
	for (size_t i = 0; all && i < all->n_items; i++) {
		struct stretch stretch = all->items[i];
		if (!stretch_crop(&stretch, start, INT64_MAX))
			continue;
		json_t *one =
			json_pack("{s:o, s:o, s:s}", "start", json_value_time(stretch.start_time),
				"end", json_value_time(stretch.end_time), "state", stretch.state);
		if (stretch_is_gap(&stretch)) {
			json_object_set_new(one, "reason", json_string(stretch.reason));
			json_object_set_new(
				one, "acknowledged", json_value_time(stretch.acknowledged_time));
		}
		json_array_append_new(coverage, one);
	}
	return coverage;
}

/* What is in the state: cursor, gaps and coverage, or why they cannot be read. */
static void set_state(json_t *detail, const struct overview *overview, const char *source)
{
	struct store *store = overview->parts->store;
	struct timelines timelines CLEANUP(timelines_deinit) = TIMELINES_NULL;
	json_t *gaps = json_array();
	struct fault fault = FAULT_NULL;
	char *cursor CLEANUP_FREE = NULL;
	int r = cursors_get(store, source, &cursor, &fault);
	if (!r)
		r = coverage_each_gap(store, source, false, add_gap, gaps, &fault);
	if (!r)
		r = timelines_read(&timelines, store, source, &fault);
	json_object_set_new(detail, "cursor", r ? json_null() : json_value_text(cursor));
	json_object_set_new(detail, "gaps", r ? json_null() : json_incref(gaps));
	json_object_set_new(detail, "coverage",
		r ? json_null() : coverage_json(&timelines, overview->now_time));
	json_object_set_new(detail, "state_error", r ? json_value_text(fault.text) : json_null());
	json_decref(gaps);
}

/* How far back polls reach, and how late the latest record came that was found later. */
static void set_overlap(json_t *detail, const struct poller *poller)
{
	const struct definition *definition = poller->source->definition;
	nsec_t overlap = reconciler_overlap(poller->reconciler);
	if (overlap == 0)
		overlap = definition->resume.overlap_ns;
	json_object_set_new(detail, "overlap_seconds", json_real((double)overlap / NSEC_PER_SEC));
	json_object_set_new(detail, "overlap_auto", json_boolean(definition->overlap_auto));
	json_object_set_new(detail, "late_seconds",
		json_real((double)reconciler_late(poller->reconciler) / NSEC_PER_SEC));
}

json_t *status_detail_source(const struct overview *overview, const struct overview_source *from)
{
	const struct source *source = from->poller->source;
	const struct definition *definition = source->definition;
	json_t *detail = json_object();
	json_object_set_new(detail, "title", json_value_text(definition->title));
	json_object_set_new(detail, "definition", json_value_text(definition->file));
	set_state(detail, overview, source->name);
	set_overlap(detail, from->poller);
	json_object_set_new(detail, "sinks", source_sinks_json(overview->parts->setup, source));
	json_object_set_new(detail, "log", lines_json("source", source->name));
	return detail;
}

static json_t *sink_sources_json(const struct setup *setup, const char *sink)
{
	json_t *names = json_array();
	for (size_t i = 0; i < setup->n_sources; i++) {
		const struct source *source = setup->sources[i];
		struct str_list routes CLEANUP(str_list_deinit) = STR_LIST_NULL;
		setup_route(setup, source, &routes);
		if (str_list_has(&routes, sink))
			json_array_append_new(names, json_value_text(source->name));
	}
	return names;
}

json_t *status_detail_sink(const struct overview *overview, const char *name)
{
	json_t *detail = json_object();
	json_object_set_new(detail, "sources", sink_sources_json(overview->parts->setup, name));
	json_object_set_new(detail, "log", lines_json("sink", name));
	return detail;
}

void status_detail_hide(json_t *status)
{
	static const char *const members[] = {"resume", "page", "document", "page_shape"};
	size_t i;
	json_t *source;

	json_array_foreach(json_object_get(status, "sources"), i, source)
	{
		json_t *detail = json_object_get(source, "detail");
		const char *text = json_string_value(json_object_get(detail, "cursor"));
		json_t *cursor = text ? json_loads(text, 0, NULL) : NULL;
		for (size_t j = 0; cursor && j < sizeof(members) / sizeof(members[0]); j++) {
			json_t *member = json_object_get(cursor, members[j]);
			if (member)
				json_object_set_new(cursor, members[j],
					json_integer((json_int_t)json_string_length(member)));
		}
		if (detail)
			json_object_set_new(detail, "cursor", cursor ? cursor : json_null());
	}
}
