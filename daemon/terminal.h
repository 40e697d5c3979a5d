/* What a terminal can show, and texts fitted to it. A column is a character; control characters
 * never reach the terminal. */
#ifndef TRAWLD_DAEMON_TERMINAL_H
#define TRAWLD_DAEMON_TERMINAL_H

#include "base/buf.h"

struct terminal {
	bool moves; /* lines can be drawn anew in place */
	bool colours; /* NO_COLOR is not set */
	size_t columns, rows; /* 0: no terminal, no bound */
};

/* As FD is now: sizes change while a program runs. */
struct terminal terminal_of(int fd);

/* Appends the first COLUMNS characters of TEXT (0: all). Returns how many were appended. */
size_t terminal_append(struct buf *out, const char *text, size_t columns);
/* Appends JSON, with its control characters as escapes (\u009b), which mean the same. */
void terminal_append_json(struct buf *out, struct slice text);
/* Writes lines to standard output, the last one with a line feed: as they are, or to a terminal
 * with their control characters as such escapes. Empty: nothing. */
void terminal_write(struct slice text);
/* As terminal_append, filled up with blanks to COLUMNS: behind TEXT, or before it (RIGHT). What is
 * cut ends with "..". */
void terminal_append_cell(struct buf *out, const char *text, size_t columns, bool right);
size_t terminal_columns(const char *text);
/* Appends all of TEXT as whole lines of at most COLUMNS characters (0: one line), INDENT blanks
 * before each, broken at blanks where there are any. */
void terminal_append_lines(struct buf *out, const char *text, size_t columns, size_t indent);

#endif
