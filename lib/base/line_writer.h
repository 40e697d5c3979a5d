/*
 * Lines to a descriptor that somebody may not read: a pipe, a terminal, a socket. A line for which
 * there is no room within a moment is dropped and counted; as soon as there is room again, a line
 * that says how many were lost comes first. The descriptor stays as it is: it may belong to other
 * processes, too.
 */
#ifndef TRAWLD_BASE_LINE_WRITER_H
#define TRAWLD_BASE_LINE_WRITER_H

#include <stdbool.h>

#include "base/slice.h"

#define LINE_WRITER_PATIENCE_MS 50 /* for a reader that is only slow; not while lines are lost */

struct line_writer {
	int fd;
	unsigned long n_lost; /* since the last line that was written */
	bool no_socket; /* the descriptor is another kind of file */
	bool cut; /* the last line was written in part */
};

/* LINE with its newline. PREFIX is what a line that says how many were lost begins with. False: it
 * was dropped. An error other than a lack of room counts as written, since nobody is there. */
bool line_writer_put(struct line_writer *writer, const char *prefix, struct slice line);

#endif
