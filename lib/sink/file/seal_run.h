/*
 * The lines of one file that no seal covers yet: their Merkle tree, fed with what is written and
 * with what a crash had already written. What a part of a job adds counts once the part does.
 *
 * A run outlives the open file: the file is closed or renamed, and its last lines are sealed then.
 */
#ifndef TRAWLD_SINK_SEAL_RUN_H
#define TRAWLD_SINK_SEAL_RUN_H

#include "base/clock.h"
#include "base/merkle.h"

#include <sys/types.h>

struct seal_chain;

struct seal_run {
	struct seal_chain *chain;
	char *path; /* of the file when it was written */
	ino_t inode;
	bool open; /* a file_target writes to it */
	int64_t start; /* offset of the first byte that is not sealed */
	int64_t end; /* and of the first that is not written */
	int64_t first; /* the number of the line at START, from 1; 0: not counted */
	struct merkle tree; /* of the lines from START to END */
	/* with what the part in hand adds */
	struct merkle next;
	int64_t next_end;
	struct buf rest; /* a line that has not ended */
};

struct seal_run *seal_run_new(
	struct seal_chain *chain, const char *path, ino_t inode, int64_t start, int64_t first);
void seal_run_free(struct seal_run *run); /* NULL allowed */

/* TEXT, which follows what was fed before, is in the file with the part in hand. RUN may be NULL in
 * these: the file is not sealed. */
void seal_run_feed(struct seal_run *run, struct slice text);
void seal_run_accept(struct seal_run *run); /* the part counts */
void seal_run_undo(struct seal_run *run);
void seal_run_release(struct seal_run *run); /* the file is closed */

/* Everything in the run is sealed: it continues after that. */
void seal_run_restart(struct seal_run *run);

#endif
