/* See ctl/ctl_table.h. */
#include "ctl/ctl_table.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"

#define NAME_COLUMNS 16 /* are left to a name when there is little room */

void table_deinit(struct table *table)
{
	for (size_t i = 0; i < table->n_lines; i++)
		for (size_t j = 0; j < table->n_columns; j++)
			free(table->lines[i].cells[j]);
	free(table->lines);
}

void table_add(struct table *table, const char *colour, char *const *cells)
{
	table->lines =
		mem_grow(table->lines, table->n_lines, &table->capacity, sizeof(struct table_line));
	struct table_line *line = &table->lines[table->n_lines++];
	line->colour = colour;
	for (size_t i = 0; i < table->n_columns; i++)
		line->cells[i] = cells[i];
}

/* Names give way to the columns behind them. */
static void find_widths(const struct table *table, const struct terminal *terminal,
	size_t ret_widths[TABLE_COLUMNS_MAX])
{
	size_t rest = 0;
	memset(ret_widths, 0, TABLE_COLUMNS_MAX * sizeof(*ret_widths));
	for (size_t i = 0; i < table->n_lines; i++)
		for (size_t j = 0; j < table->n_columns; j++) {
			size_t width = terminal_columns(table->lines[i].cells[j]);
			ret_widths[j] = width > ret_widths[j] ? width : ret_widths[j];
		}
	for (size_t j = 1; j + 1 < table->n_columns; j++)
		rest += 2 + ret_widths[j];
	if (!terminal->columns || ret_widths[0] + rest <= terminal->columns)
		return;
	size_t room = terminal->columns > rest ? terminal->columns - rest : 0;
	room = room > NAME_COLUMNS ? room : NAME_COLUMNS;
	ret_widths[0] = ret_widths[0] < room ? ret_widths[0] : room;
}

/* How many of the columns before the last have room; *RET_USED: what they and the gaps take. */
static size_t columns_shown(const struct table *table, const size_t *widths,
	const struct terminal *terminal, size_t *ret_used)
{
	size_t n = 0;
	*ret_used = 0;
	while (n + 1 < table->n_columns &&
		(!terminal->columns || *ret_used + widths[n] <= terminal->columns))
		*ret_used += widths[n++] + 2;
	return n;
}

static void end_line(struct buf *out)
{
	while (out->size && out->data[out->size - 1] == ' ')
		out->data[--out->size] = '\0';
	buf_append_char(out, '\n');
}

static void print_line(const struct table *table, size_t at, const size_t *widths,
	const struct terminal *terminal, struct buf *out)
{
	const struct table_line *line = &table->lines[at];
	const char *last = line->cells[table->n_columns - 1];
	size_t used, n = columns_shown(table, widths, terminal, &used);
	for (size_t i = 0; i < n; i++) {
		const char *colour = i == 1 && terminal->colours ? line->colour : NULL;
		buf_append_text(out, colour ? colour : "");
		terminal_append_cell(out, line->cells[i], widths[i], table->right[i]);
		buf_append_text(out, colour ? "\033[0m" : "");
		if (i + 1 < n || !terminal->columns || used < terminal->columns)
			buf_append_text(out, "  ");
	}
	bool fits =
		!terminal->columns ||
		(n + 1 == table->n_columns && used + terminal_columns(last) <= terminal->columns);
	if (fits)
		terminal_append(out, last, 0);
	end_line(out);
	if (!fits && at > 0 && *last)
		terminal_append_lines(out, last, terminal->columns, 4);
}

size_t table_count_lines(const struct buf *text)
{
	size_t n = 0;
	for (size_t i = 0; i < text->size; i++)
		n += text->data[i] == '\n';
	return n;
}

void table_print(
	const struct table *table, const struct terminal *terminal, size_t limit, struct buf *out)
{
	size_t widths[TABLE_COLUMNS_MAX], n_used = 0;
	find_widths(table, terminal, widths);
	for (size_t i = 0; i < table->n_lines; i++) {
		struct buf line CLEANUP(buf_deinit) = BUF_NULL;
		bool ends = i + 1 == table->n_lines;
		print_line(table, i, widths, terminal, &line);
		n_used += table_count_lines(&line);
		if (n_used + !ends > limit) {
			buf_printf(out, "and %zu more\n", table->n_lines - i);
			return;
		}
		buf_append_slice(out, buf_slice(&line));
	}
}
