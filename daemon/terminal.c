/* See terminal.h. */
#include "terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

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

/* The bytes of the character at TEXT, which is not its end. */
static size_t character(const char *text)
{
	size_t n = 1;
	if (((unsigned char)text[0] & 0xc0) != 0xc0)
		return 1;
	while (n < 4 && ((unsigned char)text[n] & 0xc0) == 0x80)
		n++;
	return n;
}

static bool is_control(const char *text, size_t n)
{
	unsigned char first = (unsigned char)text[0];
	if (n == 2 && first == 0xc2)
		return (unsigned char)text[1] < 0xa0; /* U+0080 to U+009F */
	return first < 0x20 || first == 0x7f || (n == 1 && first >= 0x80);
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
	terminal_append(out, text, columns);
	for (size_t i = n; !right && i < columns; i++)
		buf_append_char(out, ' ');
}
