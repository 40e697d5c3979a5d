/* See terminal.h. */
#include "terminal.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
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
	size_t n = utf8_size(text, strnlen(text, 4));
	return n ? n : 1;
}

/* The code point of the N bytes at TEXT; what is no UTF-8 is its byte. */
static uint32_t code_point(const char *text, size_t n)
{
	static const unsigned char firsts[] = {0, 0xff, 0x1f, 0x0f, 0x07};
	uint32_t code = (unsigned char)text[0] & firsts[n];
	for (size_t i = 1; i < n; i++)
		code = code << 6 | ((unsigned char)text[i] & 0x3f);
	return code;
}

/* Characters that steer a terminal, or change the direction or the line in which others are shown.
 */
static bool is_control(const char *text, size_t n)
{
	uint32_t code = code_point(text, n);
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || (n == 1 && code >= 0x80) ||
	       code == 0x61c || code == 0x200e || code == 0x200f ||
	       (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

size_t terminal_append(struct buf *out, const char *text, size_t columns)
{
	size_t n_done = 0;
	while (*text && (columns == 0 || n_done < columns)) {
		size_t n = character(text);
		if (is_control(text, n))
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
		if (is_control(p, n))
			buf_printf(out, "\\u%04x", (unsigned)code_point(p, n));
		else
			buf_append(out, p, n);
		p += n;
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
