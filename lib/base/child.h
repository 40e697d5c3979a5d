/*
 * A child process with pipes on its standard input, output and error, watched by the loop: lines
 * that it prints come as callbacks, and so does its end. It leads a process group of its own, which
 * is killed with it.
 *
 * The end is seen through a pidfd: ev_child works in libev's default loop only.
 */
#ifndef TRAWLD_BASE_CHILD_H
#define TRAWLD_BASE_CHILD_H

#include "base/buf.h"
#include "base/fault.h"
#include "base/str.h"

#include <ev.h>
#include <sys/types.h>

#define CHILD_LINE_MAX 4096 /* bytes of a line; what is beyond is left out */

/* One of its outputs: cut into lines. */
struct child_stream {
	struct child *child;
	ev_io io;
	struct buf line; /* begun */
	bool cut;
};

struct child {
	struct ev_loop *loop;
	/* A line of standard output or error, without its line feed. CUT: it was longer. */
	void (*printed)(struct slice line, bool cut, void *userdata);
	void (*complained)(struct slice line, bool cut, void *userdata);
	/* There is room in the pipe to its standard input. */
	void (*room)(void *userdata);
	/* It has ended and all that it printed has come. TEXT says how: "ended with code 3". Not
	 * after child_stop. May start it anew. */
	void (*ended)(const char *text, void *userdata);
	void *userdata;
	size_t line_max; /* 0: CHILD_LINE_MAX */
	bool secret; /* what it prints is wiped once it has been passed on, and its last line may
			lack the line feed */

	pid_t pid; /* 0: none */
	bool succeeded; /* set before ended(): it exited with code 0 */
	bool killed; /* nothing it prints on standard output counts any more */
	int in;
	ev_io io_in, io_end;
	struct child_stream out, error;
};

/* Splits a command line at white space; '...' and "..." hold white space. RET is a vector for
 * child_start. False: a quote does not end. */
bool child_split(const char *text, struct str_list *ret);
/* LOOP to SECRET are set by the caller. */
void child_init(struct child *child);
/* Runs ARGV[0] (a path). The environment is trawld's, reduced to what programs expect, and EXTRA
 * (NAME=value, ...). No descriptor of trawld is inherited. 0 or a fault: nothing runs. */
int child_start(
	struct child *child, char *const *argv, const struct str_list *extra, struct fault *reterr);
/* As write(2) without blocking: EAGAIN arms room(). */
ssize_t child_write(struct child *child, struct slice data);
/* Bytes that were written and that it has not read. */
size_t child_unread(const struct child *child);
void child_kill(struct child *child); /* the group, at once; ended() follows */
/* Its end without a callback. GENTLY: it sees the end of its input and has half a second. */
void child_stop(struct child *child, bool gently);

#endif
