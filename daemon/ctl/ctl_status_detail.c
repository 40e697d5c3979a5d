/* See ctl/ctl_status.h: one source or sink in full, and one line for monitoring. */
#include "ctl/ctl_status.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "cursor_text.h"
#include "terminal.h"

#define INDENT 2
#define WIDTH 15

static void begin_line(const char *name, struct buf *out)
{
	buf_printf(out, "%*s%-*s  ", INDENT, "", WIDTH, name);
}

/* Nothing for an empty TEXT. */
static void text_line(const char *name, const char *text, struct buf *out)
{
	if (!*text)
		return;
	begin_line(name, out);
	terminal_append(out, text, 0);
	buf_append_char(out, '\n');
}

/* "2026-11-28T10:00:00.000Z (2m5s ago)" */
static void time_line(const char *name, const json_t *object, const char *member, struct buf *out)
{
	const char *time = status_text(object, member);
	char *since CLEANUP_FREE = status_since(object, member, " ago");
	if (!*time)
		return;
	begin_line(name, out);
	buf_printf(out, "%s (%s)\n", time, since);
}

static void append_count(
	const json_t *object, const char *member, const char *word, bool counted, struct buf *out)
{
	long long n = (long long)json_integer_value(json_object_get(object, member));
	buf_printf(out, "%lld %s%s", n, word, counted ? str_plural((uint64_t)n) : "");
}

/* "acme (trawld.conf:7): failing for 3h12m, 41 attempts, next in 49s" */
static void head_line(const char *kind, const json_t *object, const char *next, struct buf *out)
{
	const char *location = status_text(object, "location");
	const json_t *wait = json_object_get(object, next);
	buf_printf(out, "%s %s", kind, status_text(object, "name"));
	if (*location)
		buf_printf(out, " (%s)", location);
	buf_append_text(out, ": ");
	if (!status_is_failing(object)) {
		buf_printf(out, "%s\n", status_text(object, "state"));
		return;
	}
	char *since CLEANUP_FREE = status_since(object, "failing_since", "");
	buf_printf(out, "failing for %s, ", since);
	append_count(object, "attempts", "attempt", true, out);
	if (json_is_number(wait)) {
		char *in CLEANUP_FREE =
			status_span((nsec_t)(json_number_value(wait) * NSEC_PER_SEC), "");
		buf_printf(out, ", next in %s", in);
	}
	buf_append_char(out, '\n');
}

static void names_line(const char *name, const json_t *names, struct buf *out)
{
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	size_t i;
	json_t *item;
	json_array_foreach(names, i, item)
		buf_printf(&text, "%s%s", i ? ", " : "", json_string_value(item));
	text_line(name, text.size ? buf_text(&text) : "none", out);
}

static void print_log(const json_t *lines, struct buf *out)
{
	size_t i;
	json_t *line;
	json_array_foreach(lines, i, line)
	{
		if (i == 0)
			buf_printf(out, "%*slast log lines\n", INDENT, "");
		buf_printf(out, "%*s%s  ", 2 * INDENT, "", status_text(line, "time"));
		terminal_append(out, status_text(line, "text"), 0);
		buf_append_char(out, '\n');
	}
}

static void print_cursor(const json_t *detail, struct buf *out)
{
	const char *text = status_text(detail, "cursor");
	struct cursor cursor CLEANUP(cursor_deinit) = CURSOR_NULL;
	if (!*text || cursor_parse(&cursor, text) != 0)
		text_line("cursor", *text ? "unreadable" : "none yet", out);
	else
		cursor_describe(&cursor, INDENT, out);
}

static void print_gaps(const json_t *gaps, struct buf *out)
{
	size_t i;
	json_t *gap;
	json_array_foreach(gaps, i, gap)
	{
		begin_line(i ? "" : "open gaps", out);
		buf_printf(out, "%s to %s: %s\n", status_text(gap, "start"),
			status_text(gap, "end"), status_text(gap, "reason"));
	}
	if (json_array_size(gaps) == 0)
		text_line("open gaps", "none", out);
}

/* When what is unread is lost, of a source that is not read. */
static void print_deadline(const json_t *source, struct buf *out)
{
	const char *state = status_text(source, "state");
	bool stands = status_is_failing(source) || strcmp(state, "paused") == 0 ||
		      strcmp(state, "blocked") == 0;
	if (*status_text(source, "loss_warning"))
		text_line("deadline", status_text(source, "loss_warning"), out);
	else if (stands && !*status_text(source, "loss_deadline"))
		text_line("deadline",
			"unknown: the definition does not say how long the API keeps records", out);
}

static char *duration_of(const json_t *detail, const char *name)
{
	struct buf text = BUF_NULL;
	double seconds = json_number_value(json_object_get(detail, name));
	timestamp_print_duration((nsec_t)(seconds * NSEC_PER_SEC), &text);
	return buf_take(&text);
}

/* Where reconciliation has found late records. */
static void print_overlap(const json_t *detail, struct buf *out)
{
	bool automatic = json_is_true(json_object_get(detail, "overlap_auto"));
	double late = json_number_value(json_object_get(detail, "late_seconds"));
	if (!automatic && late <= 0)
		return;
	char *overlap CLEANUP_FREE = duration_of(detail, "overlap_seconds");
	char *latest CLEANUP_FREE = duration_of(detail, "late_seconds");
	begin_line("overlap", out);
	buf_printf(out, "%s%s", overlap, automatic ? " (auto)" : "");
	if (late > 0)
		buf_printf(out, "; the latest record came up to %s late", latest);
	buf_append_char(out, '\n');
}

static void print_source(const json_t *source, struct buf *out)
{
	const json_t *detail = json_object_get(source, "detail");
	const char *definition = status_text(detail, "definition");
	char *state CLEANUP_FREE = status_since(source, "state_since", "");
	head_line("source", source, "next_poll_in", out);
	begin_line("provider", out);
	buf_printf(out, "%s (%s)\n", status_text(source, "provider"),
		*definition ? definition : "defined in the configuration");
	begin_line("state", out);
	buf_printf(out, "%s for %s\n", status_text(source, "state"), state);
	if (*status_text(source, "waits_for"))
		text_line("waits for", status_text(source, "waits_for"), out);
	text_line("last error", status_text(source, "last_error"), out);
	time_line("last success", source, "last_success", out);
	time_line("covered until", source, "covered_until", out);
	print_deadline(source, out);
	print_overlap(detail, out);
	begin_line("since start", out);
	append_count(source, "records", "new record", true, out);
	buf_append_text(out, ", ");
	append_count(source, "duplicates", "duplicate", true, out);
	buf_append_text(out, ", ");
	append_count(source, "excluded", "excluded", false, out);
	if (json_integer_value(json_object_get(source, "untimed")) > 0) {
		buf_append_text(out, ", ");
		append_count(source, "untimed", "without a time", false, out);
	}
	buf_append_text(out, "; ");
	append_count(source, "requests", "request", true, out);
	buf_append_text(out, ", ");
	append_count(source, "errors", "error", true, out);
	buf_append_char(out, '\n');
	const char *state_error = status_text(detail, "state_error");
	text_line("stored state", state_error, out);
	if (!*state_error) {
		print_cursor(detail, out);
		print_gaps(json_object_get(detail, "gaps"), out);
	}
	names_line("sinks", json_object_get(detail, "sinks"), out);
	print_log(json_object_get(detail, "log"), out);
}

/* While it runs: how it ended is in the log and an event. */
static void print_replay(const json_t *sink, struct buf *out)
{
	const json_t *replay = json_object_get(sink, "replay");
	if (!status_replays(sink))
		return;
	begin_line("replay", out);
	append_count(replay, "delivered", "delivered", false, out);
	buf_append_text(out, " of ");
	append_count(replay, "records", "record", true, out);
	buf_append_char(out, '\n');
}

static void print_sink(const json_t *sink, struct buf *out)
{
	const json_t *detail = json_object_get(sink, "detail");
	head_line("sink", sink, "next_try_in", out);
	text_line("type", status_text(sink, "type"), out);
	text_line("last error", status_text(sink, "last_error"), out);
	time_line("last success", sink, "last_success", out);
	begin_line("unsent", out);
	append_count(sink, "pending_records", "record", true, out);
	const json_t *oldest = json_object_get(sink, "oldest_pending_age");
	if (json_number_value(oldest) > 0) {
		char *age CLEANUP_FREE =
			status_span((nsec_t)(json_number_value(oldest) * NSEC_PER_SEC), "");
		buf_printf(out, ", the oldest for %s", age);
	}
	buf_append_char(out, '\n');
	begin_line("since start", out);
	append_count(sink, "delivered", "delivered", false, out);
	buf_append_text(out, ", ");
	append_count(sink, "filtered", "dropped by filter", false, out);
	buf_append_text(out, ", ");
	append_count(sink, "refused", "rejected", false, out);
	buf_append_text(out, ", ");
	append_count(sink, "retries", "failed attempt", true, out);
	buf_append_char(out, '\n');
	print_replay(sink, out);
	names_line("sources", json_object_get(detail, "sources"), out);
	print_log(json_object_get(detail, "log"), out);
}

void status_print_detail(const json_t *status, struct buf *out)
{
	size_t i;
	json_t *object;
	json_array_foreach(json_object_get(status, "sources"), i, object) print_source(object, out);
	json_array_foreach(json_object_get(status, "sinks"), i, object) print_sink(object, out);
}

/* --- one line for monitoring --- */

/* What is wrong in the list KEY; the number of such things. */
static size_t append_wrong(
	const json_t *status, const char *key, const char *word, size_t n, struct buf *out)
{
	size_t i;
	json_t *object;
	json_array_foreach(json_object_get(status, key), i, object)
	{
		json_int_t gaps = json_integer_value(json_object_get(object, "gaps"));
		const char *name = status_text(object, "name");
		if (!status_is_failing(object) && gaps == 0)
			continue;
		buf_printf(out, "%s%s %s: ", n++ ? "; " : "", word, name);
		terminal_append(out, status_text(object, "last_error"), 0);
		if (gaps > 0)
			buf_printf(out, "%s%lld open gap%s", status_is_failing(object) ? ", " : "",
				(long long)gaps, str_plural((uint64_t)gaps));
	}
	return n;
}

int status_print_check(const json_t *status, struct buf *out)
{
	struct buf wrong CLEANUP(buf_deinit) = BUF_NULL;
	struct slice reasons = slice_of(status_text(status, "not_ready")), line;
	size_t n = append_wrong(status, "sources", "source", 0, &wrong);
	n = append_wrong(status, "former_sources", "former source", n, &wrong);
	n = append_wrong(status, "sinks", "sink", n, &wrong);
	while (n == 0 && str_next_part(&reasons, '\n', &line))
		buf_printf(&wrong, "%s%.*s", wrong.size ? "; " : "", (int)line.size, line.data);
	size_t n_sources = json_array_size(json_object_get(status, "sources"));
	size_t n_sinks = json_array_size(json_object_get(status, "sinks"));
	if (wrong.size)
		buf_printf(out, "failing: %s\n", buf_text(&wrong));
	else
		buf_printf(out, "ok: %zu source%s, %zu sink%s\n", n_sources, str_plural(n_sources),
			n_sinks, str_plural(n_sinks));
	return wrong.size > 0;
}
