/* See report.h: what a reader could take for proven, and is not. */
#include "ctl/report.h"

#include "base/cleanup.h"
#include "base/json_value.h"
#include "base/str.h"

/* One sentence more that is not proven. */
__attribute__((format(printf, 2, 3))) static void report_leave_open(
	struct report *report, const char *format, ...)
{
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	va_list args;
	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	json_array_append_new(report->unproven, json_value_text(buf_text(&text)));
}

static bool has_chain(const json_t *source)
{
	const json_t *stretch;
	size_t i;
	json_array_foreach(
		json_object_get(json_object_get(source, "coverage"), "stretches"), i, stretch)
	{
		if (strcmp(json_string_value(json_object_get(stretch, "state")), "chain") == 0)
			return true;
	}
	return false;
}

static void tell_coverage(struct report *report)
{
	size_t i, n_chains = 0, n_unknown = 0, n;
	const json_t *sources = json_object_get(report->model, "sources"), *source;
	json_array_foreach(sources, i, source)
	{
		const json_t *coverage = json_object_get(source, "coverage");
		n_chains += has_chain(source);
		n_unknown += json_number_value(json_object_get(coverage, "unknown_seconds")) > 0;
	}
	n = json_array_size(sources);
	report_leave_open(report,
		"That the APIs returned all that happened. Coverage says what was requested and answered to the end; what a provider holds back, or shows later than the overlap of the source and after its reconciliations, is not noticed.");
	if (n_chains > 0)
		report_leave_open(report,
			"What was read by an API's own cursor (%zu of %zu source%s): that nothing is missing there rests on the API's word.",
			n_chains, n, str_plural(n));
	if (n_unknown > 0)
		report_leave_open(report,
			"Anything about the time of which nothing is known (%zu of %zu source%s): it is before the first poll, was not read yet, is still to come, or was read by a trawld that did not note coverage.",
			n_unknown, n, str_plural(n));
}

static void tell_counters(struct report *report)
{
	const char *since = json_string_value(json_object_get(report->model, "counted_since"));
	if (since)
		report_leave_open(report,
			"The numbers of records, duplicates, reused IDs, late and vanished records, requests, filtered and delivered records for this period: trawld keeps them in memory, so they count from its start (or the reload that changed the source or sink) at %s to the time of this report.",
			since);
	else
		report_leave_open(report,
			"The numbers of records, duplicates, reused IDs, late records, requests, filtered and delivered records: trawld keeps them in memory, and no running trawld answered.");
	report_leave_open(report,
		"How far the clocks differed in the period: only the difference that was seen last is known%s.",
		since ? "" : ", and only to a running trawld");
}

static void tell_archives(struct report *report)
{
	const json_t *archives = json_object_get(report->model, "archives"), *sentence;
	size_t i;
	if (json_is_null(archives))
		report_leave_open(report,
			"That delivered records are unchanged: no archive was named. `trawlctl report ... FILE` verifies the seals of files.");
	json_array_foreach(json_object_get(archives, "not_proven"), i, sentence)
		report_leave_open(report, "Of the archives: %s.", json_string_value(sentence));
	report_leave_open(report,
		"That receivers still have what they acknowledged: a sink's position says only that it was acknowledged.");
}

void report_unproven(struct report *report, bool is_signed)
{
	if (!json_is_true(json_object_get(report->model, "state")))
		report_leave_open(report,
			"Coverage, gaps, events and positions of sinks: there is no state in %s.",
			report->config->daemon.state_directory);
	if (ctl_has_one_shard(report->config))
		report_leave_open(report,
			"Anything about the sources of other shards: this is the report of one shard of %lld, which the host holds.",
			(long long)report->config->cluster.n_shards);
	tell_coverage(report);
	tell_counters(report);
	tell_archives(report);
	report_leave_open(report,
		"That dead letters are complete: those that were sent again or discarded are listed among the manual acts only%s.",
		report->config->daemon.state == STATE_POSTGRESQL
			? ", and those on the disks of other nodes of the cluster are not counted"
			: "");
	report_leave_open(report,
		"That the coverage and events in the state were not changed by someone who may write it. Seals have the root of all events: `trawlctl events --json` and `trawlctl verify --events` compare them.");
	report_leave_open(report,
		is_signed
			? "When this report was made: its signature shows who made it (the holder of the key), not the time."
			: "That this report is as it was made: it is not signed (--key).");
}
