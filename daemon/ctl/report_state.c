/* See report.h: coverage with its gaps, events, and how far each sink is, from the state. */
#include "ctl/report.h"

#include "base/cleanup.h"
#include "base/json_value.h"
#include "base/mem.h"
#include "base/timestamp.h"
#include "store/events.h"
#include "store/pause.h"
#include "store/spool.h"

/* --- coverage --- */

static json_t *gap_json(const struct report *report, const struct stretch *gap)
{
	struct stretch part = *gap;
	bool inside = stretch_crop(&part, report->from_time, report->to_time);
	json_t *one = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "start",
		json_value_time(gap->start_time), "end", json_value_time(gap->end_time), "seconds",
		json_value_seconds(inside ? part.end_time - part.start_time : 0), "reason",
		json_value_text(gap->reason), "found", json_value_time(gap->found_time),
		"acknowledged", json_value_time(gap->acknowledged_time), "acknowledged_by",
		json_value_text(gap->acknowledged_by));
	json_object_set_new(one, "refilled", json_value_time(gap->refilled_time));
	return one;
}

static json_t *gaps_json(const struct report *report, const struct stretches *list)
{
	json_t *gaps = json_array();
	for (size_t i = 0; i < list->n_items; i++) {
		struct stretch part = list->items[i];
		if (stretch_is_gap(&part) &&
			stretch_crop(&part, report->from_time, report->to_time))
			json_array_append_new(gaps, gap_json(report, &list->items[i]));
	}
	return gaps;
}

/* How much of the time of the report is in gaps, each moment once. */
static nsec_t gap_ns(const struct report *report, const struct timeline *timeline)
{
	nsec_t sum = 0, end = report->from_time;
	for (size_t i = 0; i < timeline->all.n_items; i++) {
		struct stretch part = timeline->all.items[i];
		if (!stretch_is_gap(&part) || !stretch_crop(&part, end, report->to_time))
			continue;
		sum += part.end_time - part.start_time;
		end = part.end_time;
	}
	return sum;
}

/* Not rounded up: 100 is all of it. */
static json_t *percent_json(nsec_t part_ns, nsec_t whole_ns)
{
	if (part_ns >= whole_ns)
		return json_real(100);
	int64_t n = (int64_t)((double)part_ns * 1e6 / (double)whole_ns);
	return json_real((double)(n < 999999 ? n : 999999) / 1e4);
}

static json_t *stretches_json(const struct report *report, const struct timeline *timeline)
{
	json_t *list = json_array();
	for (size_t i = 0; i < timeline->all.n_items; i++) {
		struct stretch part = timeline->all.items[i];
		if (!stretch_crop(&part, report->from_time, report->to_time))
			continue;
		json_t *one =
			json_pack("{s:o, s:o, s:s}", "start", json_value_time(part.start_time),
				"end", json_value_time(part.end_time), "state", part.state);
		if (part.reason)
			json_object_set_new(one, "reason", json_value_text(part.reason));
		json_array_append_new(list, one);
	}
	return list;
}

static json_t *coverage_json(const struct report *report, const struct timeline *timeline)
{
	nsec_t whole_ns = report->to_time - report->from_time;
	nsec_t read_ns = timeline_read_ns(timeline, report->from_time, report->to_time);
	nsec_t missing_ns = gap_ns(report, timeline);
	json_t *coverage = json_pack("{s:o, s:o, s:o, s:o}", "percent",
		percent_json(read_ns, whole_ns), "read_seconds", json_value_seconds(read_ns),
		"gap_seconds", json_value_seconds(missing_ns), "unknown_seconds",
		json_value_seconds(whole_ns - read_ns - missing_ns));
	json_object_set_new(coverage, "stretches", stretches_json(report, timeline));
	json_object_set_new(coverage, "gaps", gaps_json(report, &timeline->all));
	json_object_set_new(coverage, "refilled", gaps_json(report, &timeline->refilled));
	return coverage;
}

/* --- sources --- */

/* The conditions of SECTION, or null. */
static json_t *conditions_json(const struct ini_section *section, const char *key)
{
	const struct ini_entry *entry = section ? ini_section_find(section, key) : NULL;
	return entry ? json_value_text(entry->secret ? "***" : entry->value) : json_null();
}

/* The same of the records of a source: its own, or else those of its definition. */
static json_t *filter_json(
	const struct report *report, const struct ini_section *section, const char *key)
{
	char *own CLEANUP_FREE = mem_printf("records.%s", key);
	const struct definition *definition =
		section ? ctl_secrets_definition(&report->secrets, report->config, section->name)
			: NULL;
	if (!definition || ini_section_find(section, own))
		return conditions_json(section, own);
	for (size_t i = 0; i < definition->ini.n_sections; i++)
		if (strcmp(definition->ini.sections[i].kind, "records") == 0)
			return conditions_json(&definition->ini.sections[i], key);
	return json_null();
}

static void add_source(struct report *report, const char *name, const struct ini_section *section)
{
	static const struct timeline none = {0};
	const struct timeline *timeline = timelines_find(&report->timelines, name);
	json_t *source = json_pack("{s:o, s:b, s:o}", "name", json_value_text(name), "configured",
		section != NULL, "provider", conditions_json(section, "provider"));
	json_object_set_new(source, "coverage", coverage_json(report, timeline ? timeline : &none));
	json_object_set_new(source, "include", filter_json(report, section, "include"));
	json_object_set_new(source, "exclude", filter_json(report, section, "exclude"));
	json_object_set_new(source, "paused", json_null());
	json_object_set_new(source, "counters", json_null());
	json_object_set_new(source, "clock_skew", json_null());
	json_object_set_new(source, "quarantined", json_null());
	json_array_append_new(json_object_get(report->model, "sources"), source);
}

static void add_sources(struct report *report)
{
	const struct config *config = report->config;
	for (size_t i = 0; i < config->n_sources; i++)
		if (report_wants(report, config->sources[i]->name))
			add_source(report, config->sources[i]->name, config->sources[i]);
	for (size_t i = 0; i < report->timelines.n_items; i++) {
		const char *name = report->timelines.items[i].source;
		if (report_wants(report, name) && !ctl_find_source(config, name))
			add_source(report, name, NULL);
	}
}

/* --- sinks --- */

json_t *report_add_sink(struct report *report, const char *name, const struct ini_section *section)
{
	json_t *sink = json_pack("{s:o, s:b, s:o, s:o, s:o, s:n, s:n, s:n, s:n}", "name",
		json_value_text(name), "configured", section != NULL, "type",
		conditions_json(section, "type"), "include", conditions_json(section, "include"),
		"exclude", conditions_json(section, "exclude"), "paused", "acknowledged",
		"counters", "dead_letters");
	json_array_append_new(json_object_get(report->model, "sinks"), sink);
	return sink;
}

static int read_sinks(struct report *report, struct store *store, struct fault *reterr)
{
	json_t *sink;
	size_t i;
	int r = 0;
	json_array_foreach(json_object_get(report->model, "sinks"), i, sink)
	{
		char *position CLEANUP_FREE = NULL;
		int64_t number = 0;
		bool known = false;
		r = spool_sink_get(
			store, report->config->sinks[i]->name, &number, &position, &known, reterr);
		if (r)
			return r;
		if (known)
			json_object_set_new(sink, "acknowledged", json_integer(number));
	}
	json_object_set_new(report->model, "last_batch", json_integer(spool_last(store)));
	return 0;
}

static void note_pause(enum pause_kind kind, const char *name, nsec_t since_time, void *userdata)
{
	const struct report *report = userdata;
	json_t *one;
	size_t i;
	json_array_foreach(
		json_object_get(report->model, kind == PAUSE_SOURCE ? "sources" : "sinks"), i, one)
	{
		if (strcmp(json_string_value(json_object_get(one, "name")), name) == 0)
			json_object_set_new(one, "paused", json_value_time(since_time));
	}
}

/* --- events --- */

static void add_event(const char *line, void *userdata)
{
	struct report *report = userdata;
	json_t *event = json_loads(line, 0, NULL);
	const char *time = json_string_value(json_object_get(event, "time"));
	const char *source = json_string_value(json_object_get(event, "source"));
	nsec_t event_time;
	if (time && timestamp_parse_rfc3339(slice_of(time), &event_time) == 0 &&
		event_time < report->to_time && (!source || report_wants(report, source)))
		json_array_append(json_object_get(report->model, "events"), event);
	json_decref(event);
}

/* --- all of it --- */

static int read(struct store *store, void *userdata, struct fault *reterr)
{
	struct report *report = userdata;
	int r = timelines_read(&report->timelines, store, report->source, reterr);
	if (r)
		return r;
	add_sources(report);
	r = read_sinks(report, store, reterr);
	if (!r)
		r = pause_each(store, note_pause, report, reterr);
	if (!r)
		r = events_each(store, report->from_time, add_event, report, reterr);
	json_object_set_new(report->model, "state", json_true());
	return r;
}

int report_state(struct report *report)
{
	for (size_t i = 0; i < report->config->n_sinks; i++)
		report_add_sink(report, report->config->sinks[i]->name, report->config->sinks[i]);
	int code = ctl_read_state(report->config, read, report);
	if (!code && !json_is_true(json_object_get(report->model, "state")))
		add_sources(report);
	return code;
}
