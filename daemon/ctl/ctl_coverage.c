/*
 * trawlctl coverage: for which times the records of a source were read, and for which not (see
 * store/timeline.h). Reads the state beside a running daemon.
 */
#include "ctl/ctl.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/timestamp.h"
#include "store/timeline.h"

struct coverage_report {
	struct timelines timelines;
	const char *source; /* NULL: all */
	nsec_t since_time; /* NSEC_NONE: all */
	bool one_shard; /* others have sources that are not known here */
	size_t n_gaps;
	struct buf out;
};

static void print_times(const struct stretch *stretch, const char *between, struct buf *out)
{
	timestamp_print_rfc3339(stretch->start_time, 3, out);
	buf_append_text(out, between);
	timestamp_print_rfc3339(stretch->end_time, 3, out);
}

static void print_json(const char *name, const struct stretch *stretch, struct buf *out)
{
	buf_append_text(out, "{\"source\":");
	json_encode(slice_of(name), out);
	buf_append_text(out, ",\"start\":\"");
	print_times(stretch, "\",\"end\":\"", out);
	buf_printf(out, "\",\"state\":\"%s\"", stretch->state);
	if (stretch->reason) {
		buf_append_text(out, ",\"reason\":");
		json_encode(slice_of(stretch->reason), out);
	}
	buf_append_text(out, "}\n");
}

static void print_text(const char *name, const struct stretch *stretch, struct buf *out)
{
	buf_printf(out, "source %s: ", name);
	print_times(stretch, " to ", out);
	buf_printf(out, ", %s%s%s\n", stretch->state, stretch->reason ? ": " : "",
		stretch->reason ? stretch->reason : "");
}

static void print_source(struct coverage_report *report, const char *name,
	const struct timeline *timeline, bool json)
{
	size_t before = report->out.size;
	for (size_t i = 0; timeline && i < timeline->all.n_items; i++) {
		struct stretch stretch = timeline->all.items[i];
		if (stretch.end_time < report->since_time)
			continue;
		if (stretch.start_time < report->since_time)
			stretch.start_time = report->since_time;
		report->n_gaps += stretch_is_gap(&stretch);
		if (json)
			print_json(name, &stretch, &report->out);
		else
			print_text(name, &stretch, &report->out);
	}
	if (report->out.size == before && !json && !report->one_shard)
		buf_printf(&report->out, "source %s: nothing is known to have been read%s\n", name,
			report->since_time != NSEC_NONE ? " since then" : "");
}

/* Configured sources, also those of which nothing is known, and others that the state knows. */
static void print_sources(struct coverage_report *report, const struct config *config, bool json)
{
	const struct timelines *timelines = &report->timelines;
	for (size_t i = 0; i < config->n_sources; i++) {
		const char *name = config->sources[i]->name;
		if (!report->source || strcmp(report->source, name) == 0)
			print_source(report, name, timelines_find(timelines, name), json);
	}
	for (size_t i = 0; i < timelines->n_items; i++) {
		const struct timeline *timeline = &timelines->items[i];
		if (!ctl_find_source(config, timeline->source))
			print_source(report, timeline->source, timeline, json);
	}
}

/* --- the command --- */

static int collect(struct store *store, void *userdata, struct fault *reterr)
{
	struct coverage_report *report = userdata;
	return timelines_read(&report->timelines, store, report->source, reterr);
}

static void report_deinit(struct coverage_report *report)
{
	timelines_deinit(&report->timelines);
	buf_deinit(&report->out);
}

static int run(const struct config *config, const struct ctl_arguments *arguments, nsec_t since)
{
	struct coverage_report report CLEANUP(report_deinit) = {.source = arguments->name,
		.since_time = since,
		.one_shard = ctl_has_one_shard(config)};
	int code = ctl_read_state(config, collect, &report);
	if (code)
		return code;
	if (arguments->name && report.timelines.n_items == 0 &&
		!ctl_find_source(config, arguments->name))
		return ctl_unknown_source(arguments->name, config, NULL, 0);
	print_sources(&report, config, arguments->json);
	fputs(buf_text(&report.out), stdout);
	ctl_tell_shard(config);
	return report.n_gaps > 0 ? 1 : 0;
}

int ctl_coverage(const struct ctl_arguments *arguments)
{
	nsec_t since = NSEC_NONE;
	if (arguments->since && ctl_read_time("--since", arguments->since, &since))
		return EX_USAGE;
	struct config *config = ctl_config(arguments);
	if (!config)
		return EX_CONFIG;
	int code = run(config, arguments, since);
	config_free(config);
	return code;
}
