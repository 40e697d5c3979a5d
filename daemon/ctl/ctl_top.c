/* trawlctl top: the running trawld's sources, live and in place, sorted as a key says. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "ctl/ctl.h"
#include "ctl/ctl_control.h"
#include "ctl/ctl_status.h"
#include "ctl/ctl_table.h"

#define EVERY_MS 2000
#define PATIENCE_SECONDS 10
#define KEY_END 'q'

static const char *const headings[] = {
	"SOURCE", "STATE", "BEHIND", "/MIN", "LAST HOUR", "ERRORS", "NEXT", "LAST ERROR"};
#define N_COLUMNS (sizeof(headings) / sizeof(headings[0]))

struct row {
	const json_t *source;
	double value; /* rows are sorted by it, greatest first, then by name */
};

static json_int_t whole(const json_t *source, const char *name)
{
	return json_integer_value(json_object_get(source, name));
}

static double real(const json_t *source, const char *name)
{
	const json_t *value = json_object_get(source, name);
	return json_is_number(value) ? json_number_value(value) : -1.;
}

/* The minute under way does not count: it is not over. */
static double last_minute(const json_t *source)
{
	const json_t *rate = json_object_get(source, "rate");
	size_t n = json_array_size(rate);
	return n < 2 ? 0. : (double)json_integer_value(json_array_get(rate, n - 2));
}

static double last_hour(const json_t *source)
{
	double sum = 0.;
	size_t i;
	json_t *minute;
	json_array_foreach(json_object_get(source, "rate"), i, minute) sum +=
		(double)json_integer_value(minute);
	return sum;
}

static double by_trouble(const json_t *source)
{
	return status_is_failing(source)             ? 3.
	       : whole(source, "gaps")               ? 2.
	       : real(source, "behind_seconds") > 0. ? 1.
						     : 0.;
}

static double by_behind(const json_t *source)
{
	return real(source, "behind_seconds");
}

static double by_errors(const json_t *source)
{
	return (double)whole(source, "errors");
}

static double by_name(const json_t *source)
{
	(void)source;
	return 0.;
}

/* The names are those of --sort; the first letter is the key. */
static const struct order {
	const char *name;
	double (*value)(const json_t *source);
} orders[] = {
	{"failing", by_trouble},
	{"name", by_name},
	{"late", by_behind},
	{"rate", last_minute},
	{"hour", last_hour},
	{"errors", by_errors},
};

#define N_ORDERS (sizeof(orders) / sizeof(orders[0]))

static const struct order *find_order(const char *name)
{
	for (size_t i = 0; i < N_ORDERS; i++)
		if (strcmp(orders[i].name, name) == 0)
			return &orders[i];
	return NULL;
}

static int compare(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	if (x->value != y->value)
		return x->value < y->value ? 1 : -1;
	return strcmp(status_text(x->source, "name"), status_text(y->source, "name"));
}

static char *span_of(double seconds)
{
	return seconds < 0. ? mem_strdup("-") : status_span((nsec_t)seconds * NSEC_PER_SEC, "");
}

static void add_row(struct table *table, const json_t *source)
{
	double behind = real(source, "behind_seconds"), next = real(source, "next_poll_in");
	bool now = strcmp(status_text(source, "state"), "requesting") == 0;
	char *cells[N_COLUMNS] = {
		mem_strdup(status_text(source, "name")),
		mem_strdup(status_text(source, "state")),
		behind == 0. ? mem_strdup("no") : span_of(behind),
		mem_printf("%.0f", last_minute(source)),
		mem_printf("%.0f", last_hour(source)),
		mem_printf("%lld", (long long)whole(source, "errors")),
		now ? mem_strdup("now") : span_of(next),
		mem_strdup(status_text(source, "last_error")),
	};
	table_add(table, status_colour(source), cells);
}

static void print_sources(const json_t *list, const struct order *order,
	const struct terminal *terminal, size_t limit, struct buf *out)
{
	struct table table CLEANUP(table_deinit) = {.n_columns = N_COLUMNS};
	size_t n = json_array_size(list);
	struct row *rows CLEANUP_FREE = mem_array(n, sizeof(struct row));
	char *cells[N_COLUMNS];
	for (size_t i = 0; i < N_COLUMNS; i++) {
		cells[i] = mem_strdup(headings[i]);
		table.right[i] = i >= 2 && i + 1 < N_COLUMNS;
	}
	table_add(&table, NULL, cells);
	for (size_t i = 0; i < n; i++) {
		rows[i].source = json_array_get(list, i);
		rows[i].value = order->value(rows[i].source);
	}
	if (n)
		qsort(rows, n, sizeof(struct row), compare);
	for (size_t i = 0; i < n; i++)
		add_row(&table, rows[i].source);
	table_print(&table, terminal, limit, out);
}

static void print_help(const struct order *order, const struct terminal *terminal, struct buf *out)
{
	struct buf line CLEANUP(buf_deinit) = BUF_NULL;
	buf_printf(&line, "sorted by %s; keys:", order->name);
	for (size_t i = 0; i < N_ORDERS; i++)
		buf_printf(&line, " %c %s,", orders[i].name[0], orders[i].name);
	buf_printf(&line, " %c quit", KEY_END);
	terminal_append(out, buf_text(&line), terminal->columns > 1 ? terminal->columns - 1 : 0);
}

/* 0, or an exit code after the reason was printed. */
static int print_once(
	const char *path, const struct order *order, const struct terminal *terminal, bool live)
{
	struct buf out CLEANUP(buf_deinit) = BUF_NULL;
	json_t *answer = NULL;
	int code = ctl_control_ask(
		path, json_pack("{s:s}", "command", "status"), PATIENCE_SECONDS, &answer);
	const json_t *status = json_object_get(answer, "status");
	if (code == 0) {
		status_print_head(status, terminal, &out);
		size_t used = table_count_lines(&out) + 1;
		size_t limit = !live ? SIZE_MAX : terminal->rows > used ? terminal->rows - used : 1;
		print_sources(json_object_get(status, "sources"), order, terminal, limit, &out);
		if (live)
			print_help(order, terminal, &out);
		if (live)
			status_redraw(&out);
		else
			fwrite(buf_text(&out), 1, out.size, stdout);
	}
	json_decref(answer);
	return code;
}

/* --- the terminal, which is as it was when top ends, however it ends --- */

static struct termios before;
static volatile sig_atomic_t over;

static void end(int number)
{
	(void)number;
	over = 1;
}

static void resized(int number)
{
	(void)number; /* the wait for a key ends */
}

static void leave(void)
{
	tcsetattr(STDIN_FILENO, TCSANOW, &before);
	fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
}

static bool enter(void)
{
	struct sigaction action = {.sa_handler = end};
	struct termios raw;
	if (tcgetattr(STDIN_FILENO, &before))
		return false;
	raw = before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	sigaction(SIGWINCH, &(struct sigaction){.sa_handler = resized}, NULL);
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	fputs("\033[?1049h\033[?25l", stdout);
	return true;
}

/* A key that was pressed within the time between two drawings; 0: none. */
static char read_key(void)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	char key = 0;
	if (poll(&input, 1, EVERY_MS) <= 0)
		return 0;
	return read(STDIN_FILENO, &key, 1) == 1 ? key : KEY_END;
}

static int live(const char *path, const struct order *order)
{
	int code = 0;
	if (!enter())
		return EX_TEMPFAIL;
	while (!over) {
		struct terminal terminal = terminal_of(STDOUT_FILENO);
		code = print_once(path, order, &terminal, true);
		if (code && code != EX_TEMPFAIL)
			break;
		if (fflush(stdout) || ferror(stdout))
			break;
		char key = read_key();
		if (key == KEY_END)
			break;
		for (size_t i = 0; i < N_ORDERS; i++)
			if (orders[i].name[0] == key)
				order = &orders[i];
	}
	leave();
	return code;
}

int ctl_top(const struct ctl_arguments *arguments)
{
	const struct order *order = find_order(arguments->sort ? arguments->sort : "failing");
	if (!order) {
		const char *names[N_ORDERS];
		for (size_t i = 0; i < N_ORDERS; i++)
			names[i] = orders[i].name;
		char *hint CLEANUP_FREE = str_hint(arguments->sort, names, N_ORDERS);
		fprintf(stderr,
			"trawlctl: top: cannot sort by `%s`%s (failing, name, late, rate, hour, errors)\n",
			arguments->sort, hint);
		return EX_USAGE;
	}
	char *path CLEANUP_FREE = ctl_control_path(arguments);
	if (!path)
		return EX_CONFIG;
	struct terminal terminal = terminal_of(STDOUT_FILENO);
	return terminal.moves && isatty(STDIN_FILENO) ? live(path, order)
						      : print_once(path, order, &terminal, false);
}
