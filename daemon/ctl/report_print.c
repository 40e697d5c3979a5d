/* See report.h: the model as a text for people, in the order in which an auditor asks. */
#include "ctl/report.h"

#include <inttypes.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "ctl/report_form.h"

struct printer {
	const struct report *report;
	const struct report_form *form;
	struct buf *out;
};

/* --- values as text; the caller frees --- */

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text ? text : "";
}

static char *number_of(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);
	return json_is_integer(value)
		       ? mem_printf("%" JSON_INTEGER_FORMAT, json_integer_value(value))
		       : mem_strdup("not known");
}

static char *span_of(const json_t *object, const char *name)
{
	struct buf text = BUF_NULL;
	double seconds = json_number_value(json_object_get(object, name));
	timestamp_print_duration((nsec_t)(seconds * 1e3) * NSEC_PER_MSEC, &text);
	return buf_take(&text);
}

static char *percent_of(const json_t *coverage)
{
	double percent = json_number_value(json_object_get(coverage, "percent"));
	return percent >= 100 ? mem_strdup("100 %") : mem_printf("%.4f %%", percent);
}

static void fact(const struct printer *printer, const char *term, const char *text)
{
	if (*text)
		printer->form->fact(printer->out, term, text);
}

static void fact_number(
	const struct printer *printer, const char *term, const json_t *object, const char *name)
{
	char *text CLEANUP_FREE = number_of(object, name);
	fact(printer, term, text);
}

/* --- the whole --- */

static void print_head(const struct printer *printer)
{
	const json_t *model = printer->report->model;
	char *period CLEANUP_FREE =
		mem_printf("%s to %s", text_of(model, "from"), text_of(model, "to"));
	char *made CLEANUP_FREE = mem_printf("%s on %s by trawlctl %s", text_of(model, "made"),
		text_of(model, "node"), text_of(model, "version"));
	char *title CLEANUP_FREE = mem_printf(
		"trawld report: %.10s to %.10s", text_of(model, "from"), text_of(model, "to"));
	printer->form->begin(printer->out, title);
	printer->form->facts_begin(printer->out);
	fact(printer, "Period", period);
	fact(printer, "Sources",
		printer->report->source ? text_of(model, "source") : "all, see below");
	fact(printer, "Made", made);
	fact(printer, "Configuration", text_of(model, "configuration"));
	fact(printer, "Counted since",
		*text_of(model, "counted_since") ? text_of(model, "counted_since")
						 : "not known: no running trawld answered");
	printer->form->facts_end(printer->out);
}

static void print_overview(const struct printer *printer)
{
	static const char *const heads[] = {"Source", "Read", "In gaps", "Nothing known", "Gaps"};
	const json_t *source;
	size_t i;
	printer->form->heading(printer->out, 2, "Coverage");
	printer->form->paragraph(printer->out,
		"How much of the period was requested and answered to the end, without the gaps.");
	printer->form->table_begin(printer->out, heads, 5);
	json_array_foreach(json_object_get(printer->report->model, "sources"), i, source)
	{
		const json_t *coverage = json_object_get(source, "coverage");
		char *percent CLEANUP_FREE = percent_of(coverage);
		char *gaps CLEANUP_FREE = span_of(coverage, "gap_seconds");
		char *unknown CLEANUP_FREE = span_of(coverage, "unknown_seconds");
		char *n CLEANUP_FREE =
			mem_printf("%zu", json_array_size(json_object_get(coverage, "gaps")));
		const char *cells[] = {text_of(source, "name"), percent, gaps, unknown, n};
		printer->form->row(printer->out, cells, 5);
	}
	printer->form->table_end(printer->out);
}

/* --- one source --- */

static void print_gaps(const struct printer *printer, const json_t *gaps, const char *title)
{
	static const char *const heads[] = {
		"Start", "End", "Of the period", "Reason", "Found", "Acknowledged", "Refilled"};
	const json_t *gap;
	size_t i;
	if (json_array_size(gaps) == 0)
		return;
	printer->form->paragraph(printer->out, title);
	printer->form->table_begin(printer->out, heads, 7);
	json_array_foreach(gaps, i, gap)
	{
		char *span CLEANUP_FREE = span_of(gap, "seconds");
		const char *by = text_of(gap, "acknowledged_by");
		char *seen CLEANUP_FREE = mem_printf("%s%s%s",
			*text_of(gap, "acknowledged") ? text_of(gap, "acknowledged") : "no",
			*by ? " by " : "", by);
		const char *cells[] = {text_of(gap, "start"), text_of(gap, "end"), span,
			text_of(gap, "reason"),
			*text_of(gap, "found") ? text_of(gap, "found") : "-", seen,
			*text_of(gap, "refilled") ? text_of(gap, "refilled") : "no"};
		printer->form->row(printer->out, cells, 7);
	}
	printer->form->table_end(printer->out);
}

static void print_reasons(const struct printer *printer, const char *term, const json_t *letters)
{
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	const json_t *reasons = json_object_get(letters, "reasons");
	const char *reason;
	json_t *count;
	buf_printf(&text, "%" JSON_INTEGER_FORMAT " of the period",
		json_integer_value(json_object_get(letters, "records")));
	json_object_foreach((json_t *)(uintptr_t)reasons, reason, count) buf_printf(
		&text, "; %" JSON_INTEGER_FORMAT ": %s", json_integer_value(count), reason);
	fact(printer, term, buf_text(&text));
}

static void print_source_facts(const struct printer *printer, const json_t *source)
{
	static const char *const terms[][2] = {{"New records", "records"},
		{"Duplicates", "duplicates"}, {"Reused IDs", "reused_ids"},
		{"Late records", "late"}, {"Vanished records", "vanished"},
		{"Dropped by include and exclude", "excluded"},
		{"Records without a time", "untimed"}, {"Requests", "requests"},
		{"Errors", "errors"}};
	const json_t *counters = json_object_get(source, "counters");
	const json_t *skew = json_object_get(source, "clock_skew");
	char *skew_text CLEANUP_FREE =
		json_is_number(skew) ? mem_printf("%.3f s (0: not known, or at most two seconds)",
					       json_number_value(skew))
				     : mem_strdup("not known");
	printer->form->facts_begin(printer->out);
	fact(printer, "Provider", text_of(source, "provider"));
	fact(printer, "Configured",
		json_is_true(json_object_get(source, "configured")) ? "yes" : "no longer");
	fact(printer, "Paused since", text_of(source, "paused"));
	fact(printer, "include", text_of(source, "include"));
	fact(printer, "exclude", text_of(source, "exclude"));
	for (size_t i = 0; i < sizeof(terms) / sizeof(terms[0]); i++)
		fact_number(printer, terms[i][0], counters, terms[i][1]);
	print_reasons(printer, "Quarantined elements", json_object_get(source, "quarantined"));
	fact(printer, "Provider's clock minus this host's", skew_text);
	printer->form->facts_end(printer->out);
}

static void print_source(const struct printer *printer, const json_t *source)
{
	const struct report *report = printer->report;
	const json_t *coverage = json_object_get(source, "coverage");
	const char *name = text_of(source, "name");
	size_t n = json_array_size(json_object_get(coverage, "gaps"));
	char *percent CLEANUP_FREE = percent_of(coverage);
	char *unknown CLEANUP_FREE = span_of(coverage, "unknown_seconds");
	char *words CLEANUP_FREE =
		mem_printf("%s of the period was read, %zu gap%s; nothing is known about %s",
			percent, n, str_plural(n), unknown);
	printer->form->heading(printer->out, 3, name);
	printer->form->strip(printer->out, timelines_find(&report->timelines, name),
		report->from_time, report->to_time, words);
	print_gaps(printer, json_object_get(coverage, "gaps"), "Gaps:");
	print_gaps(printer, json_object_get(coverage, "refilled"),
		"Former gaps, which were read later:");
	print_source_facts(printer, source);
}

static void print_counted(const struct printer *printer, const char *numbers)
{
	bool known = *text_of(printer->report->model, "counted_since");
	char *text CLEANUP_FREE = mem_printf(
		known ? "%s count from the start of trawld, or from the reload that last changed the source or sink, not for the period (see \"Not proven\")."
		      : "%s are not known: no running trawld answered.",
		numbers);
	printer->form->paragraph(printer->out, text);
}

static void print_sources(const struct printer *printer)
{
	const json_t *sources = json_object_get(printer->report->model, "sources"), *source;
	size_t i;
	printer->form->heading(printer->out, 2, "Sources");
	print_counted(printer, "Numbers of records, requests and errors");
	json_array_foreach(sources, i, source) print_source(printer, source);
}

/* --- sinks --- */

static void print_sink(const struct printer *printer, const json_t *sink)
{
	const json_t *model = printer->report->model;
	const json_t *counters = json_object_get(sink, "counters");
	const json_t *age = json_object_get(counters, "oldest_pending_age");
	char *number CLEANUP_FREE = number_of(sink, "acknowledged");
	char *last CLEANUP_FREE = number_of(model, "last_batch");
	char *position CLEANUP_FREE =
		mem_printf("batch %s; the last one accepted is %s", number, last);
	char *delay CLEANUP_FREE =
		json_is_number(age)
			? span_of(counters, "oldest_pending_age")
			: mem_strdup(counters && !json_is_null(counters) ? "nothing waits"
									 : "not known");
	printer->form->heading(printer->out, 3, text_of(sink, "name"));
	printer->form->facts_begin(printer->out);
	fact(printer, "Configured",
		json_is_true(json_object_get(sink, "configured")) ? "yes" : "no longer");
	fact(printer, "Type", text_of(sink, "type"));
	fact(printer, "Paused since", text_of(sink, "paused"));
	fact(printer, "Acknowledged up to", position);
	fact(printer, "Delay (age of the oldest unsent record)", delay);
	fact_number(printer, "Unsent records", counters, "pending_records");
	fact(printer, "Last success", text_of(counters, "last_success"));
	fact_number(printer, "Delivered", counters, "delivered");
	fact_number(printer, "Dropped by include and exclude", counters, "filtered");
	fact(printer, "include", text_of(sink, "include"));
	fact(printer, "exclude", text_of(sink, "exclude"));
	fact_number(printer, "Rejected by the receiver", counters, "refused");
	print_reasons(printer, "Dead letters", json_object_get(sink, "dead_letters"));
	printer->form->facts_end(printer->out);
}

static void print_sinks(const struct printer *printer)
{
	const json_t *sink;
	size_t i;
	printer->form->heading(printer->out, 2, "Sinks");
	print_counted(printer, "Numbers of delivered, dropped and rejected records");
	json_array_foreach(json_object_get(printer->report->model, "sinks"), i, sink)
		print_sink(printer, sink);
}

/* --- archives --- */

static void print_list(const struct printer *printer, const char *title, const json_t *list)
{
	const json_t *one;
	size_t i;
	if (json_array_size(list) == 0)
		return;
	printer->form->paragraph(printer->out, title);
	printer->form->list_begin(printer->out);
	json_array_foreach(list, i, one) printer->form->item(
		printer->out, json_string_value(one) ? json_string_value(one) : "");
	printer->form->list_end(printer->out);
}

static void print_chains(const struct printer *printer, const json_t *chains)
{
	static const char *const heads[] = {"Chain of seals", "First", "Last", "Time of the last"};
	const json_t *chain;
	size_t i;
	if (json_array_size(chains) == 0)
		return;
	printer->form->table_begin(printer->out, heads, 4);
	json_array_foreach(chains, i, chain)
	{
		char *first CLEANUP_FREE = number_of(chain, "first");
		char *last CLEANUP_FREE = number_of(chain, "last");
		const char *cells[] = {
			text_of(chain, "chain"), first, last, text_of(chain, "time")};
		printer->form->row(printer->out, cells, 4);
	}
	printer->form->table_end(printer->out);
}

static void print_archives(const struct printer *printer)
{
	const json_t *archives = json_object_get(printer->report->model, "archives");
	printer->form->heading(printer->out, 2, "Archives and seals");
	if (!json_is_object(archives)) {
		printer->form->paragraph(printer->out, "No archive was named.");
		return;
	}
	char *sealed CLEANUP_FREE = number_of(archives, "sealed");
	char *records CLEANUP_FREE = number_of(archives, "records");
	char *text CLEANUP_FREE = mem_printf("%s of %s records are as sealed", sealed, records);
	printer->form->facts_begin(printer->out);
	fact(printer, "Result", text_of(archives, "result"));
	fact(printer, "Records", text);
	printer->form->facts_end(printer->out);
	print_list(printer, "Changed:", json_object_get(archives, "problems"));
	print_chains(printer, json_object_get(archives, "chains"));
	print_list(printer, "Files:", json_object_get(archives, "files"));
	print_list(printer, "Notes:", json_object_get(archives, "notes"));
}

/* --- events --- */

/* MANUAL: those that a person caused; else the others. */
static void print_events(const struct printer *printer, const char *title, bool manual)
{
	static const char *const heads[] = {"Time", "Kind", "Of", "By", "What"};
	const json_t *event;
	size_t i, n = 0;
	printer->form->heading(printer->out, 2, title);
	json_array_foreach(json_object_get(printer->report->model, "events"), i, event)
	{
		const char *source = text_of(event, "source"), *sink = text_of(event, "sink");
		if ((json_object_get(event, "by") != NULL) != manual)
			continue;
		if (n++ == 0)
			printer->form->table_begin(printer->out, heads, 5);
		const char *cells[] = {text_of(event, "time"), text_of(event, "kind"),
			*source ? source
			: *sink ? sink
				: "-",
			text_of(event, "by"), text_of(event, "text")};
		if (!*cells[3])
			cells[3] = "-";
		printer->form->row(printer->out, cells, 5);
	}
	if (n > 0)
		printer->form->table_end(printer->out);
	else
		printer->form->paragraph(printer->out, "None in the period.");
}

void report_print(const struct report *report, const char *form, struct buf *out)
{
	const struct printer printer = {
		report, strcmp(form, report_html.name) == 0 ? &report_html : &report_markdown, out};
	print_head(&printer);
	print_overview(&printer);
	print_sources(&printer);
	print_sinks(&printer);
	print_archives(&printer);
	print_events(&printer, "Manual acts", true);
	print_events(
		&printer, "Starts, stops, configurations, vanished records, reused IDs", false);
	printer.form->heading(out, 2, "Not proven");
	print_list(&printer, "This report does not show:", report->unproven);
	printer.form->end(out);
}
