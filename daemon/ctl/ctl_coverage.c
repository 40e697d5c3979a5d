/*
 * trawlctl coverage: for which times the records of a source were read, and for which not (see
 * store/timeline.h). Reads the state beside a running daemon.
 */
#include "ctl/ctl.h"

#include <stdio.h>
#include <sysexits.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/timestamp.h"
#include "store/timeline.h"

struct coverage_report {
	struct timelines timelines;
	const char *source; /* NULL: all */
	nsec_t since_time; /* NSEC_NONE: all */
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

static void print_source(struct coverage_report *report, const struct timeline *timeline, bool json)
{
	for (size_t i = 0; i < timeline->all.n_items; i++) {
		struct stretch stretch = timeline->all.items[i];
		if (stretch.end_time < report->since_time)
			continue;
		if (stretch.start_time < report->since_time)
			stretch.start_time = report->since_time;
		report->n_gaps += stretch_is_gap(&stretch);
		if (json)
			print_json(timeline->source, &stretch, &report->out);
		else
			print_text(timeline->source, &stretch, &report->out);
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
	struct coverage_report report CLEANUP(report_deinit) = {
		.source = arguments->name, .since_time = since};
	int code = ctl_read_state(config, collect, &report);
	if (code)
		return code;
	if (arguments->name && report.timelines.n_items == 0 &&
		!ctl_find_source(config, arguments->name))
		return ctl_unknown_source(arguments->name, config, NULL, 0);
	for (size_t i = 0; i < report.timelines.n_items; i++)
		print_source(&report, &report.timelines.items[i], arguments->json);
	fputs(buf_text(&report.out), stdout);
	if (report.out.size == 0 && !arguments->json)
		puts("nothing is known to have been read");
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
