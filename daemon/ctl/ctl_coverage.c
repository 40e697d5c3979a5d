/*
 * trawlctl coverage: of which time the records of a source were read, and of which not. Reads the
 * state beside a running daemon.
 *
 * What the state says was read is shown without the gaps in it. Time between two spans that is
 * neither was never requested (a cursor was moved), which is a gap, too.
 */
#include "ctl/ctl.h"

#include <stdio.h>
#include <sysexits.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/timestamp.h"
#include "store/coverage.h"

#define NOT_REQUESTED "not requested"

struct stretch {
	nsec_t start_time, end_time;
	const char *state; /* full, chain, gap */
	char *reason; /* of a gap */
};

struct stretches {
	struct stretch *items;
	size_t n_items;
	size_t capacity;
};

/* What is known of one source, then the report. */
struct source_coverage {
	char *name;
	struct stretches spans, gaps, all;
};

struct coverage_report {
	struct source_coverage *sources;
	size_t n_sources;
	size_t capacity;
	const char *source; /* NULL: all */
	nsec_t since_time; /* NSEC_NONE: all */
	size_t n_gaps;
	struct buf out;
};

static void add(struct stretches *list, nsec_t start_time, nsec_t end_time, const char *state,
	const char *reason)
{
	list->items = mem_grow(list->items, list->n_items, &list->capacity, sizeof(*list->items));
	list->items[list->n_items++] =
		(struct stretch){start_time, end_time, state, mem_strdup(reason)};
}

static void stretches_deinit(struct stretches *list)
{
	for (size_t i = 0; i < list->n_items; i++)
		free(list->items[i].reason);
	free(list->items);
}

static struct source_coverage *find_source(struct coverage_report *report, const char *name)
{
	for (size_t i = 0; i < report->n_sources; i++)
		if (strcmp(report->sources[i].name, name) == 0)
			return &report->sources[i];
	report->sources = mem_grow(
		report->sources, report->n_sources, &report->capacity, sizeof(*report->sources));
	report->sources[report->n_sources] = (struct source_coverage){.name = mem_strdup(name)};
	return &report->sources[report->n_sources++];
}

static void add_span(const struct coverage_span *span, void *userdata)
{
	add(&find_source(userdata, span->source)->spans, span->start_time, span->end_time,
		span->chain ? "chain" : "full", NULL);
}

static void add_gap(const struct coverage_gap *gap, void *userdata)
{
	if (gap->refilled_time == NSEC_NONE)
		add(&find_source(userdata, gap->source)->gaps, gap->start_time, gap->end_time,
			"gap", gap->reason);
}

/* --- the report --- */

static int compare(const void *a, const void *b)
{
	const struct stretch *x = a, *y = b;
	int order = (x->start_time > y->start_time) - (x->start_time < y->start_time);
	return order ? order : (x->end_time > y->end_time) - (x->end_time < y->end_time);
}

static void sort(struct stretches *list)
{
	if (list->n_items > 0)
		qsort(list->items, list->n_items, sizeof(*list->items), compare);
}

/* Adds what is left of the time from START_TIME to END_TIME without the gaps in it. */
static void add_without_gaps(struct source_coverage *source, nsec_t start_time, nsec_t end_time,
	const char *state, const char *reason)
{
	for (size_t i = 0; i < source->gaps.n_items && start_time < end_time; i++) {
		const struct stretch *gap = &source->gaps.items[i];
		if (gap->end_time < start_time || gap->start_time >= end_time)
			continue;
		if (gap->start_time > start_time)
			add(&source->all, start_time, gap->start_time, state, reason);
		if (gap->end_time > start_time)
			start_time = gap->end_time;
	}
	if (start_time < end_time)
		add(&source->all, start_time, end_time, state, reason);
}

static void combine(struct source_coverage *source)
{
	nsec_t end = NSEC_NONE;
	sort(&source->gaps);
	sort(&source->spans);
	for (size_t i = 0; i < source->spans.n_items; i++) {
		const struct stretch *span = &source->spans.items[i];
		if (end != NSEC_NONE && span->start_time > end)
			add_without_gaps(source, end, span->start_time, "gap", NOT_REQUESTED);
		/* where an API's word and a proof overlap, what comes first is shown */
		nsec_t start = span->start_time > end ? span->start_time : end;
		add_without_gaps(source, start, span->end_time, span->state, NULL);
		end = span->end_time > end ? span->end_time : end;
	}
	for (size_t i = 0; i < source->gaps.n_items; i++) {
		const struct stretch *gap = &source->gaps.items[i];
		add(&source->all, gap->start_time, gap->end_time, gap->state, gap->reason);
	}
	sort(&source->all);
}

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

static void print_source(
	struct coverage_report *report, const struct source_coverage *source, bool json)
{
	for (size_t i = 0; i < source->all.n_items; i++) {
		struct stretch stretch = source->all.items[i];
		if (stretch.end_time < report->since_time)
			continue;
		if (stretch.start_time < report->since_time)
			stretch.start_time = report->since_time;
		report->n_gaps += stretch.state[0] == 'g';
		if (json)
			print_json(source->name, &stretch, &report->out);
		else
			print_text(source->name, &stretch, &report->out);
	}
}

/* --- the command --- */

static int collect(struct store *store, void *userdata, struct fault *reterr)
{
	const struct coverage_report *report = userdata;
	int r = coverage_each_span(store, report->source, add_span, userdata, reterr);
	return r ? r : coverage_each_gap(store, report->source, true, add_gap, userdata, reterr);
}

static void report_deinit(struct coverage_report *report)
{
	for (size_t i = 0; i < report->n_sources; i++) {
		stretches_deinit(&report->sources[i].spans);
		stretches_deinit(&report->sources[i].gaps);
		stretches_deinit(&report->sources[i].all);
		free(report->sources[i].name);
	}
	free(report->sources);
	buf_deinit(&report->out);
}

static int run(const struct config *config, const struct ctl_arguments *arguments, nsec_t since)
{
	struct coverage_report report CLEANUP(report_deinit) = {
		.source = arguments->name, .since_time = since};
	int code = ctl_read_state(config, collect, &report);
	if (code)
		return code;
	if (arguments->name && report.n_sources == 0 && !ctl_find_source(config, arguments->name))
		return ctl_unknown_source(arguments->name, config, NULL, 0);
	for (size_t i = 0; i < report.n_sources; i++) {
		combine(&report.sources[i]);
		print_source(&report, &report.sources[i], arguments->json);
	}
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
