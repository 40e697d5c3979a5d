/* trawlctl status: what the running trawld says of itself, as a table or as it is. */
#include <stdio.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/timestamp.h"
#include "ctl.h"
#include "ctl_control.h"
#include "terminal.h"

#define N_COLUMNS 6
#define WATCH_SECONDS 2
#define PATIENCE_SECONDS 10

/* One line of a table: the last cell takes what is left of the terminal. */
struct line {
	char *cells[N_COLUMNS];
	const char *colour; /* of the second cell; NULL: none */
};

struct table {
	struct line *lines; /* the first is the heading */
	size_t n_lines, capacity;
	bool right[N_COLUMNS];
};

static void table_deinit(struct table *table)
{
	for (size_t i = 0; i < table->n_lines; i++)
		for (size_t j = 0; j < N_COLUMNS; j++)
			free(table->lines[i].cells[j]);
	free(table->lines);
}

/* CELLS are taken over. */
static void table_add(struct table *table, const char *colour, char *const cells[N_COLUMNS])
{
	table->lines =
		mem_grow(table->lines, table->n_lines, &table->capacity, sizeof(struct line));
	struct line *line = &table->lines[table->n_lines++];
	line->colour = colour;
	for (size_t i = 0; i < N_COLUMNS; i++)
		line->cells[i] = cells[i];
}

static void print_cells(const struct line *line, const struct table *table, const size_t *widths,
	const struct terminal *terminal, struct buf *out)
{
	size_t column = 0;
	for (size_t i = 0; i + 1 < N_COLUMNS; i++) {
		const char *colour = i == 1 && terminal->colours ? line->colour : NULL;
		if (terminal->columns && column + widths[i] + 2 > terminal->columns)
			return;
		buf_append_text(out, colour ? colour : "");
		terminal_append_cell(out, line->cells[i], widths[i], table->right[i]);
		buf_append_text(out, colour ? "\033[0m" : "");
		buf_append_text(out, "  ");
		column += widths[i] + 2;
	}
	if (terminal->columns == 0 || column + 8 < terminal->columns)
		terminal_append(out, line->cells[N_COLUMNS - 1],
			terminal->columns ? terminal->columns - column : 0);
}

static void table_print(const struct table *table, const struct terminal *terminal, struct buf *out)
{
	size_t widths[N_COLUMNS] = {0};
	for (size_t i = 0; i < table->n_lines; i++)
		for (size_t j = 0; j < N_COLUMNS; j++) {
			size_t width = terminal_columns(table->lines[i].cells[j]);
			widths[j] = width > widths[j] ? width : widths[j];
		}
	for (size_t i = 0; i < table->n_lines; i++) {
		print_cells(&table->lines[i], table, widths, terminal, out);
		while (out->size && out->data[out->size - 1] == ' ')
			out->data[--out->size] = '\0';
		buf_append_char(out, '\n');
	}
}

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text ? text : "";
}

static char *count_of(const json_t *object, const char *name)
{
	return mem_printf("%lld", (long long)json_integer_value(json_object_get(object, name)));
}

/* The two largest units: nobody wants the seconds of three days. */
static char *span_text(nsec_t span, const char *suffix)
{
	struct buf text = BUF_NULL;
	nsec_t unit = span >= NSEC_PER_DAY    ? NSEC_PER_HOUR
		      : span >= NSEC_PER_HOUR ? NSEC_PER_MIN
					      : NSEC_PER_SEC;
	timestamp_print_duration(span > 0 ? span - span % unit : 0, &text);
	buf_append_text(&text, suffix);
	return buf_take(&text);
}

static char *lag_text(const json_t *source)
{
	const json_t *lag = json_object_get(source, "lag_seconds");
	if (!json_is_number(lag))
		return mem_strdup("-");
	return span_text((nsec_t)json_number_value(lag) * NSEC_PER_SEC, "");
}

static char *since_text(const json_t *object, const char *name, const char *suffix)
{
	nsec_t time;
	if (timestamp_parse_rfc3339(slice_of(text_of(object, name)), &time))
		return mem_strdup("-");
	return span_text(clock_wall() - time, suffix);
}

static const char *colour_of(const json_t *object)
{
	const char *state = text_of(object, "state");
	if (*text_of(object, "last_error"))
		return "\033[31m";
	return strcmp(state, "pressure") == 0 ? "\033[33m" : "\033[32m";
}

static void add_heading(struct table *table, const char *const *names)
{
	char *cells[N_COLUMNS];
	for (size_t i = 0; i < N_COLUMNS; i++)
		cells[i] = mem_strdup(names[i]);
	table_add(table, NULL, cells);
}

static void print_sources(const json_t *status, const struct terminal *terminal, struct buf *out)
{
	static const char *const names[] = {
		"SOURCE", "STATE", "LAG", "RECORDS", "LAST SUCCESS", "LAST ERROR"};
	struct table table CLEANUP(table_deinit) = {.right = {[2] = true, [3] = true, [4] = true}};
	size_t i;
	json_t *source;
	add_heading(&table, names);
	json_array_foreach(json_object_get(status, "sources"), i, source) table_add(&table,
		colour_of(source),
		(char *[]){mem_strdup(text_of(source, "name")),
			mem_strdup(text_of(source, "state")), lag_text(source),
			count_of(source, "records"), since_text(source, "last_success", " ago"),
			mem_strdup(text_of(source, "last_error"))});
	table_print(&table, terminal, out);
}

static void print_sinks(const json_t *status, const struct terminal *terminal, struct buf *out)
{
	static const char *const names[] = {
		"SINK", "STATE", "WAITING", "RECORDS", "LAST SUCCESS", "LAST ERROR"};
	struct table table CLEANUP(table_deinit) = {.right = {[2] = true, [3] = true, [4] = true}};
	size_t i;
	json_t *sink;
	add_heading(&table, names);
	json_array_foreach(json_object_get(status, "sinks"), i, sink) table_add(&table,
		colour_of(sink),
		(char *[]){mem_strdup(text_of(sink, "name")), mem_strdup(text_of(sink, "state")),
			count_of(sink, "pending_records"), count_of(sink, "delivered"),
			since_text(sink, "last_success", " ago"),
			mem_strdup(text_of(sink, "last_error"))});
	table_print(&table, terminal, out);
}

static char *size_text(const json_t *object, const char *name)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double size = (double)json_integer_value(json_object_get(object, name));
	size_t unit = 0;
	while (size >= 1024. && unit < 4) {
		size /= 1024.;
		unit++;
	}
	return mem_printf("%.*f %s", unit ? 1 : 0, size, units[unit]);
}

static void print_table(const json_t *status, const struct terminal *terminal, struct buf *out)
{
	struct buf head CLEANUP(buf_deinit) = BUF_NULL;
	const json_t *spool = json_object_get(status, "spool");
	char *since CLEANUP_FREE = since_text(status, "since", "");
	char *bytes CLEANUP_FREE = size_text(spool, "bytes");
	char *limit CLEANUP_FREE = size_text(spool, "limit");
	buf_printf(&head, "trawld %s, up %s, spool %s of %s", text_of(status, "version"), since,
		bytes, limit);
	terminal_append(out, buf_text(&head), terminal->columns);
	buf_append_text(out, "\n\n");
	print_sources(status, terminal, out);
	buf_append_char(out, '\n');
	print_sinks(status, terminal, out);
}

static int show(const char *path, const struct ctl_arguments *arguments, bool redraws)
{
	struct buf out CLEANUP(buf_deinit) = BUF_NULL;
	struct terminal terminal = terminal_of(STDOUT_FILENO);
	json_t *answer;
	int code = ctl_control_ask(
		path, json_pack("{s:s}", "command", "status"), PATIENCE_SECONDS, &answer);
	const json_t *status = json_object_get(answer, "status");
	char *text CLEANUP_FREE =
		code == 0 && arguments->json ? json_dumps(status, JSON_COMPACT) : NULL;
	if (text)
		buf_printf(&out, "%s\n", text);
	else if (code == 0)
		print_table(status, &terminal, &out);
	if (redraws && code == 0)
		fputs("\033[H\033[J", stdout);
	fwrite(buf_text(&out), 1, out.size, stdout);
	json_decref(answer);
	return code;
}

/* Goes on while trawld restarts; ends when nobody reads. */
static int watch(const char *path, const struct ctl_arguments *arguments)
{
	for (;;) {
		bool redraws = terminal_of(STDOUT_FILENO).moves && !arguments->json;
		int code = show(path, arguments, redraws);
		if (code && code != EX_TEMPFAIL)
			return code;
		if (!redraws && !arguments->json && code == 0)
			putchar('\n');
		if (fflush(stdout) || ferror(stdout))
			return EX_TEMPFAIL;
		nanosleep(&(struct timespec){.tv_sec = WATCH_SECONDS}, NULL);
	}
}

int ctl_status(const struct ctl_arguments *arguments)
{
	char *path CLEANUP_FREE = ctl_control_path(arguments);
	if (!path)
		return EX_CONFIG;
	return arguments->watch ? watch(path, arguments) : show(path, arguments, false);
}
