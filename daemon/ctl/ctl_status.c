/* trawlctl status: what the running trawld says of itself, as a table or as it is. */
#include <stdio.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "ctl/ctl.h"
#include "ctl/ctl_control.h"
#include "ctl/ctl_status.h"
#include "ctl/ctl_table.h"
#include "terminal.h"

#define N_COLUMNS 6
#define WATCH_SECONDS 2
#define PATIENCE_SECONDS 10
#define CHECK_UNKNOWN 2 /* --check: it cannot be told */
#define NO_LIMIT SIZE_MAX

const char *status_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text ? text : "";
}

static char *count_of(const json_t *object, const char *name)
{
	return mem_printf("%lld", (long long)json_integer_value(json_object_get(object, name)));
}

/* The two largest units: nobody wants the seconds of three days. */
char *status_span(nsec_t span, const char *suffix)
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
	return status_span((nsec_t)json_number_value(lag) * NSEC_PER_SEC, "");
}

char *status_since(const json_t *object, const char *name, const char *suffix)
{
	nsec_t time;
	if (timestamp_parse_rfc3339(slice_of(status_text(object, name)), &time))
		return mem_strdup("-");
	return status_span(clock_wall() - time, suffix);
}

const char *status_colour(const json_t *object)
{
	const char *state = status_text(object, "state");
	if (*status_text(object, "last_error"))
		return "\033[31m";
	return strcmp(state, "blocked") == 0 || strcmp(state, "paused") == 0 ||
			       strcmp(state, "waiting for credential") == 0
		       ? "\033[33m"
		       : "\033[32m";
}

/* A source that waits for another is told with how long it has. */
static char *state_text(const json_t *source)
{
	const char *state = status_text(source, "state");
	if (!str_starts(state, "waiting"))
		return mem_strdup(state);
	char *since CLEANUP_FREE = status_since(source, "state_since", "");
	return mem_printf("%s %s", state, since);
}

/* What is wrong, else what it waits for. */
static char *remark_text(const json_t *source)
{
	const char *error = status_text(source, "last_error");
	const char *waits_for = status_text(source, "waits_for");
	return *error || !*waits_for ? mem_strdup(error) : mem_printf("waits for %s", waits_for);
}

static void source_cells(const json_t *source, char *ret_cells[N_COLUMNS])
{
	ret_cells[0] = mem_strdup(status_text(source, "name"));
	ret_cells[1] = state_text(source);
	ret_cells[2] = lag_text(source);
	ret_cells[3] = count_of(source, "records");
	ret_cells[4] = status_since(source, "last_success", " ago");
	ret_cells[5] = remark_text(source);
}

bool status_replays(const json_t *sink)
{
	return strcmp(status_text(json_object_get(sink, "replay"), "state"), "running") == 0;
}

static void sink_cells(const json_t *sink, char *ret_cells[N_COLUMNS])
{
	ret_cells[0] = mem_strdup(status_text(sink, "name"));
	ret_cells[1] = mem_printf(
		"%s%s", status_text(sink, "state"), status_replays(sink) ? " (replay)" : "");
	ret_cells[2] = count_of(sink, "pending_records");
	ret_cells[3] = count_of(sink, "delivered");
	ret_cells[4] = status_since(sink, "last_success", " ago");
	ret_cells[5] = mem_strdup(status_text(sink, "last_error"));
}

struct list {
	const char *key, *word, *headings[N_COLUMNS];
	void (*cells)(const json_t *object, char *ret_cells[N_COLUMNS]);
};

static const struct list sources = {
	.key = "sources",
	.word = "source",
	.headings = {"SOURCE", "STATE", "LAG", "SINCE START", "LAST SUCCESS", "LAST ERROR"},
	.cells = source_cells,
};

static const struct list sinks = {
	.key = "sinks",
	.word = "sink",
	.headings = {"SINK", "STATE", "UNSENT", "SINCE START", "LAST SUCCESS", "LAST ERROR"},
	.cells = sink_cells,
};

bool status_is_failing(const json_t *object)
{
	return *status_text(object, "last_error") != '\0';
}

/* Those that fail first. */
static void print_list(const json_t *status, const struct list *list,
	const struct terminal *terminal, size_t limit, struct buf *out)
{
	struct table table CLEANUP(table_deinit) = {
		.n_columns = N_COLUMNS, .right = {[2] = true, [3] = true, [4] = true}};
	char *cells[N_COLUMNS];
	size_t i;
	json_t *object;
	for (size_t j = 0; j < N_COLUMNS; j++)
		cells[j] = mem_strdup(list->headings[j]);
	table_add(&table, NULL, cells);
	for (int failing = 1; failing >= 0; failing--)
		json_array_foreach(json_object_get(status, list->key), i, object)
		{
			if (status_is_failing(object) != failing)
				continue;
			list->cells(object, cells);
			table_add(&table, status_colour(object), cells);
		}
	table_print(&table, terminal, limit, out);
}

/* "3 sources, 1 failing" */
static size_t append_counts(const json_t *status, const struct list *list, struct buf *out)
{
	size_t i, n_failing = 0, n = json_array_size(json_object_get(status, list->key));
	json_t *object;
	json_array_foreach(json_object_get(status, list->key), i, object) n_failing +=
		status_is_failing(object);
	buf_printf(out, "%zu %s%s", n, list->word, str_plural(n));
	if (n_failing)
		buf_printf(out, ", %zu failing", n_failing);
	return n_failing;
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

/* Nothing where nothing is kept. */
static void append_kept(const json_t *kept, struct buf *out)
{
	if (json_integer_value(json_object_get(kept, "bytes")) == 0)
		return;
	char *bytes CLEANUP_FREE = size_text(kept, "bytes");
	char *limit CLEANUP_FREE = size_text(kept, "limit");
	char *since CLEANUP_FREE = status_since(kept, "oldest", "");
	buf_printf(out, ", kept %s of %s", bytes, limit);
	if (*since)
		buf_printf(out, " (%s back)", since);
}

void status_print_head(const json_t *status, const struct terminal *terminal, struct buf *out)
{
	struct buf head CLEANUP(buf_deinit) = BUF_NULL;
	struct buf counts CLEANUP(buf_deinit) = BUF_NULL;
	const json_t *spool = json_object_get(status, "spool");
	char *since CLEANUP_FREE = status_since(status, "since", "");
	char *bytes CLEANUP_FREE = size_text(spool, "bytes");
	char *limit CLEANUP_FREE = size_text(spool, "limit");
	buf_printf(&head, "trawld %s, up %s, spool %s of %s", status_text(status, "version"), since,
		bytes, limit);
	append_kept(json_object_get(status, "kept"), &head);
	terminal_append_lines(out, buf_text(&head), terminal->columns, 0);
	size_t n_failing = append_counts(status, &sources, &counts);
	buf_append_text(&counts, "; ");
	n_failing += append_counts(status, &sinks, &counts);
	const char *colour = n_failing ? "\033[31m" : "\033[32m";
	buf_append_text(out, terminal->colours ? colour : "");
	terminal_append_lines(out, buf_text(&counts), terminal->columns, 0);
	buf_append_text(out, terminal->colours ? "\033[0m\n" : "\n");
}

/* In how long the spool is full, and the source that loses records first. */
static void print_countdown(const json_t *status, const struct terminal *terminal, struct buf *out)
{
	struct buf line CLEANUP(buf_deinit) = BUF_NULL;
	const json_t *full_in = json_object_get(json_object_get(status, "spool"), "full_in");
	const json_t *first = NULL;
	size_t i;
	json_t *source;
	if (json_is_number(full_in)) {
		char *span CLEANUP_FREE =
			status_span((nsec_t)(json_number_value(full_in) * NSEC_PER_SEC), "");
		buf_printf(&line, "the spool is full in about %s at the present rate", span);
		terminal_append_lines(out, buf_text(&line), terminal->columns, 0);
		buf_append_char(out, '\n');
		buf_clear(&line);
	}
	json_array_foreach(json_object_get(status, "sources"), i, source)
	{
		if (*status_text(source, "loss_warning") &&
			(!first || json_number_value(json_object_get(source, "loss_in")) <
					   json_number_value(json_object_get(first, "loss_in"))))
			first = source;
	}
	if (!first)
		return;
	buf_printf(&line, "source %s: %s", status_text(first, "name"),
		status_text(first, "loss_warning"));
	terminal_append_lines(out, buf_text(&line), terminal->columns, 0);
	buf_append_char(out, '\n');
}

/* WHOLE, or so much of it that the terminal shows it at once. */
static void print_gaps(const json_t *status, struct buf *out)
{
	static const char *const lists[] = {"sources", "former_sources"};
	json_int_t n_gaps = 0;
	size_t i;
	json_t *source;
	for (size_t list = 0; list < 2; list++)
		json_array_foreach(json_object_get(status, lists[list]), i, source) n_gaps +=
			json_integer_value(json_object_get(source, "gaps"));
	if (n_gaps)
		buf_printf(out, "%lld open gap%s, records may be missing: see `trawlctl gaps`\n",
			(long long)n_gaps, str_plural((unsigned long long)n_gaps));
}

/* This process, then who holds the other shards. */
static void print_cluster(const json_t *cluster, const struct terminal *terminal, struct buf *out)
{
	struct buf line CLEANUP(buf_deinit) = BUF_NULL;
	json_int_t own = json_integer_value(json_object_get(cluster, "shard"));
	size_t i;
	json_t *holder;
	if (!json_is_object(cluster))
		return;
	char *since CLEANUP_FREE = status_since(cluster, "since", "");
	buf_printf(&line,
		"cluster %s: node %s holds shard %lld since %s, lease %.0fs, database %.1fms",
		status_text(cluster, "name"), status_text(cluster, "node"), (long long)own, since,
		json_number_value(json_object_get(cluster, "lease_seconds")),
		json_number_value(json_object_get(cluster, "latency_seconds")) * 1000.);
	json_array_foreach(json_object_get(cluster, "holders"), i, holder)
	{
		json_int_t shard = json_integer_value(json_object_get(holder, "shard"));
		const char *node = status_text(holder, "node");
		if (shard != own)
			buf_printf(&line, "; shard %lld: %s", (long long)shard,
				*node ? node : "nobody");
	}
	terminal_append_lines(out, buf_text(&line), terminal->columns, 0);
	buf_append_char(out, '\n');
}

static void print_table(
	const json_t *status, const struct terminal *terminal, bool whole, struct buf *out)
{
	struct buf below CLEANUP(buf_deinit) = BUF_NULL;
	size_t rows = terminal->rows > 12 ? terminal->rows : 12;
	status_print_head(status, terminal, out);
	print_cluster(json_object_get(status, "cluster"), terminal, out);
	print_gaps(status, out);
	print_countdown(status, terminal, out);
	print_list(status, &sinks, terminal, whole ? NO_LIMIT : rows / 2 - 2, &below);
	/* but the line between the lists, and the one where the cursor stands */
	size_t used = table_count_lines(out) + table_count_lines(&below) + 2;
	print_list(status, &sources, terminal, whole ? NO_LIMIT : rows - used, out);
	buf_append_char(out, '\n');
	buf_append_slice(out, buf_slice(&below));
}

void status_redraw(const struct buf *text)
{
	fputs("\033[H", stdout);
	for (size_t i = 0; i < text->size; i++) {
		if (text->data[i] == '\n')
			fputs("\033[K", stdout);
		putchar(text->data[i]);
	}
	fputs("\033[J", stdout);
}

/* Leaves in both lists of STATUS only what fails. */
static void keep_failing(json_t *status)
{
	static const char *const keys[] = {"sources", "sinks"};
	for (size_t i = 0; i < 2; i++) {
		json_t *list = json_object_get(status, keys[i]);
		for (size_t j = json_array_size(list); j-- > 0;)
			if (!status_is_failing(json_array_get(list, j)))
				json_array_remove(list, j);
	}
}

static json_t *request_of(const struct ctl_arguments *arguments)
{
	json_t *request = json_pack("{s:s}", "command", "status");
	if (arguments->name)
		json_object_set_new(request, "name", json_string(arguments->name));
	return request;
}

static void print_status(
	json_t *status, const struct ctl_arguments *arguments, bool redraws, struct buf *out)
{
	struct terminal terminal = terminal_of(STDOUT_FILENO);
	if (arguments->json) {
		char *text CLEANUP_FREE = json_dumps(status, JSON_COMPACT);
		buf_printf(out, "%s\n", text);
	} else if (arguments->name) {
		status_print_detail(status, out);
	} else {
		print_table(status, &terminal, !redraws, out);
	}
}

static int show(const char *path, const struct ctl_arguments *arguments, bool redraws)
{
	struct buf out CLEANUP(buf_deinit) = BUF_NULL;
	json_t *answer;
	int code = ctl_control_ask(path, request_of(arguments), PATIENCE_SECONDS, &answer);
	json_t *status = json_object_get(answer, "status");
	if (code == 0 && arguments->check) {
		code = status_print_check(status, &out);
		if (arguments->json) {
			buf_clear(&out);
			print_status(status, arguments, redraws, &out);
		}
	} else if (code == 0) {
		if (arguments->failing)
			keep_failing(status);
		print_status(status, arguments, redraws, &out);
	} else if (arguments->check) {
		code = CHECK_UNKNOWN;
	}
	if (redraws && code == 0)
		status_redraw(&out);
	else
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

/* No process of this host holds a shard, or this host has none. */
static bool is_elsewhere(const struct ctl_arguments *arguments, const char *path)
{
	struct findings findings CLEANUP(findings_deinit) = FINDINGS_NULL;
	struct config *config;
	if (arguments->name || arguments->json || arguments->check || arguments->watch ||
		ctl_control_answers(path))
		return false;
	config_load(&config, arguments->path, &findings);
	bool cluster = config->daemon.state == STATE_POSTGRESQL && config->cluster.connect;
	config_free(config);
	return cluster;
}

int ctl_status(const struct ctl_arguments *arguments)
{
	char *path CLEANUP_FREE = ctl_control_path(arguments);
	if (!path)
		return arguments->check ? CHECK_UNKNOWN : EX_CONFIG;
	if (is_elsewhere(arguments, path))
		return ctl_cluster_status(arguments);
	return arguments->watch ? watch(path, arguments) : show(path, arguments, false);
}
