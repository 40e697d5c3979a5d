/* See terminal.h. */
#include "terminal.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/utf8.h"

struct terminal terminal_of(int fd)
{
	struct terminal terminal = {0};
	struct winsize size = {0};
	const char *type = getenv("TERM"), *no_color = getenv("NO_COLOR");
	if (!isatty(fd))
		return terminal;
	bool able = type && *type && strcmp(type, "dumb") != 0;
	bool known = ioctl(fd, TIOCGWINSZ, &size) == 0;
	terminal.moves = able;
	terminal.colours = able && !(no_color && *no_color);
	terminal.columns = known && size.ws_col ? size.ws_col : 80;
	terminal.rows = known && size.ws_row ? size.ws_row : 24;
	return terminal;
}

/* The bytes of the character at TEXT, which is not its end; 1 for what is not UTF-8. */
static size_t character(const char *text)
{
	return utf8_step(text, strnlen(text, 4));
}

size_t terminal_append(struct buf *out, const char *text, size_t columns)
{
	size_t n_done = 0;
	while (*text && (columns == 0 || n_done < columns)) {
		size_t n = character(text);
		if (utf8_is_control(text, n))
			buf_append_char(out, '?');
		else
			buf_append(out, text, n);
		text += n;
		n_done++;
	}
	return n_done;
}

void terminal_append_json(struct buf *out, struct slice text)
{
	char *copy CLEANUP_FREE = mem_strndup(text.data, text.size);
	for (const char *p = copy; *p;) {
		size_t n = character(p);
		if (utf8_is_control(p, n))
			buf_printf(out, "\\u%04x", utf8_decode(p, n));
		else
			buf_append(out, p, n);
		p += n;
	}
}

void terminal_write(struct slice text)
{
	bool is_terminal = isatty(STDOUT_FILENO) == 1;
	struct slice line;
	if (text.size == 0)
		return;
	if (text.data[text.size - 1] == '\n')
		text.size--;
	if (!is_terminal) {
		fwrite(text.data, 1, text.size, stdout);
		putchar('\n');
	}
	while (is_terminal && str_next_part(&text, '\n', &line)) {
		struct buf shown CLEANUP(buf_deinit) = BUF_NULL;
		terminal_append_json(&shown, line);
		puts(buf_text(&shown));
	}
}

size_t terminal_columns(const char *text)
{
	size_t n = 0;
	for (; *text; text += character(text))
		n++;
	return n;
}

void terminal_append_cell(struct buf *out, const char *text, size_t columns, bool right)
{
	size_t n = terminal_columns(text);
	for (size_t i = n; right && i < columns; i++)
		buf_append_char(out, ' ');
	bool cut = n > columns && columns > 2;
	terminal_append(out, text, cut ? columns - 2 : columns);
	buf_append_text(out, cut ? ".." : "");
	for (size_t i = n; !right && i < columns; i++)
		buf_append_char(out, ' ');
}

/* The bytes and characters of TEXT that make one line of at most COLUMNS: up to a blank, if any. */
static size_t line_size(const char *text, size_t columns, size_t *ret_columns)
{
	size_t size = 0, n = 0, blank_size = 0, blank_columns = 0;
	while (text[size] && n < columns) {
		if (text[size] == ' ' && n > 0) {
			blank_size = size;
			blank_columns = n;
		}
		size += character(text + size);
		n++;
	}
	bool whole = !text[size] || text[size] == ' ' || blank_size == 0;
	*ret_columns = whole ? n : blank_columns;
	return whole ? size : blank_size;
}

void terminal_append_lines(struct buf *out, const char *text, size_t columns, size_t indent)
{
	size_t room = columns > indent ? columns - indent : 1;
	if (columns == 0)
		room = SIZE_MAX;
	do {
		size_t n, size = line_size(text, room, &n);
		for (size_t i = 0; i < indent; i++)
			buf_append_char(out, ' ');
		for (size_t end = size; end > 1 && text[end - 1] == ' '; end--)
			n--;
		terminal_append(out, text, n);
		buf_append_char(out, '\n');
		text += size;
		while (*text == ' ')
			text++;
	} while (*text);
}
