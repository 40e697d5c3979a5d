/* See status_json.h: what /status leaves out, about one source or sink. */
#include <jansson.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "overview.h"
#include "status_json.h"
#include "store/coverage.h"
#include "store/cursor.h"

#define LINES_MAX 20

static void add_line(nsec_t time, struct slice text, void *userdata)
{
	json_t *lines = userdata;
	char *copy CLEANUP_FREE = mem_strndup(text.data, text.size);
	json_array_append_new(lines, json_pack("{s:o, s:o}", "time", status_json_time(time), "text",
					     status_json_text(copy)));
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
		gaps, json_pack("{s:o, s:o, s:s}", "start", status_json_time(gap->start_time),
			      "end", status_json_time(gap->end_time), "reason", gap->reason));
}

static json_t *source_sinks_json(const struct trawld *trawld, const struct source *source)
{
	json_t *names = json_array();
	struct str_list routes CLEANUP(str_list_deinit) = STR_LIST_NULL;
	setup_route(trawld->setup, source, &routes);
	for (size_t i = 0; i < routes.n_items; i++)
		json_array_append_new(names, status_json_text(routes.items[i]));
	return names;
}

/* What of the state cannot be read now is left out: null. */
static json_t *source_detail(const struct trawld *trawld, const struct source *source)
{
	const struct definition *definition = source->definition;
	json_t *detail = json_object(), *gaps = json_array();
	struct fault fault = FAULT_NULL;
	char *cursor CLEANUP_FREE = NULL;
	(void)cursor_get(trawld->store, source->name, &cursor, &fault);
	(void)coverage_each_gap(trawld->store, source->name, false, add_gap, gaps, &fault);
	json_object_set_new(detail, "title",
		definition->title ? status_json_text(definition->title) : json_null());
	json_object_set_new(detail, "definition",
		definition->file ? status_json_text(definition->file) : json_null());
	json_object_set_new(detail, "cursor", cursor ? status_json_text(cursor) : json_null());
	json_object_set_new(detail, "sinks", source_sinks_json(trawld, source));
	json_object_set_new(detail, "gaps", gaps);
	json_object_set_new(detail, "log", lines_json("source", source->name));
	return detail;
}

static json_t *sink_sources_json(const struct trawld *trawld, const char *sink)
{
	json_t *names = json_array();
	for (size_t i = 0; i < trawld->setup->n_sources; i++) {
		const struct source *source = trawld->setup->sources[i];
		struct str_list routes CLEANUP(str_list_deinit) = STR_LIST_NULL;
		setup_route(trawld->setup, source, &routes);
		if (str_list_has(&routes, sink))
			json_array_append_new(names, status_json_text(source->name));
	}
	return names;
}

static json_t *sink_detail(const struct trawld *trawld, const char *name)
{
	json_t *detail = json_object();
	json_object_set_new(detail, "sources", sink_sources_json(trawld, name));
	json_object_set_new(detail, "log", lines_json("sink", name));
	return detail;
}

/* The object of LIST called NAME, borrowed, or NULL. */
static json_t *find(const json_t *list, const char *name)
{
	size_t i;
	json_t *object;
	json_array_foreach(list, i, object)
	{
		const char *own = json_string_value(json_object_get(object, "name"));
		if (own && strcmp(own, name) == 0)
			return object;
	}
	return NULL;
}

/* Leaves in STATUS only OBJECT, if it is in the list KEY. */
static void keep_only(json_t *status, const char *key, json_t *object)
{
	json_t *list = json_array();
	if (object)
		json_array_append(list, object);
	json_object_set_new(status, key, list);
}

json_t *status_json_of(const struct overview *overview, const char *name)
{
	const struct trawld *trawld = overview->trawld;
	json_t *status = status_json(overview);
	json_t *source = find(json_object_get(status, "sources"), name);
	json_t *sink = find(json_object_get(status, "sinks"), name);
	const struct source *configured = setup_find_source(trawld->setup, name);
	if (!source && !sink) {
		json_decref(status);
		return NULL;
	}
	if (source && configured)
		json_object_set_new(source, "detail", source_detail(trawld, configured));
	if (sink)
		json_object_set_new(sink, "detail", sink_detail(trawld, name));
	json_incref(source);
	json_incref(sink);
	keep_only(status, "sources", source);
	keep_only(status, "sinks", sink);
	json_decref(source);
	json_decref(sink);
	return status;
}
