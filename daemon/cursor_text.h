/* A source's cursor for people: the same lines from `cursor` (where it stands) and `probe` (where
 * it would stand). Links and cursors are masked. */
#ifndef TRAWLD_DAEMON_CURSOR_TEXT_H
#define TRAWLD_DAEMON_CURSOR_TEXT_H

#include "base/buf.h"
#include "source/cursor.h"

/* Appends one line for each thing the cursor says, each after INDENT blanks. */
void cursor_describe(const struct cursor *cursor, int indent, struct buf *out);

/* Appends the cursor as JSON, as cursor_print writes it. */
void cursor_describe_json(const struct cursor *cursor, struct buf *out);

/* Appends TIME to the second, or to the nanosecond when it is not a whole one; NSEC_NONE: in words.
 */
void cursor_describe_time(nsec_t time, struct buf *out);

#endif
