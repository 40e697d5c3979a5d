/* What the parts of sink_file.c share. */
#ifndef TRAWLD_SINK_SINK_FILE_INTERNAL_H
#define TRAWLD_SINK_SINK_FILE_INTERNAL_H

#include <ev.h>

#include "pipeline/sink.h"
#include "sink/file/file_options.h"
#include "sink/file/file_worker.h"
#include "sink/file/file_writer.h"
#include "sink/file/seal_stamps.h"

/* What is to be done with the files, by the thread (file_worker.h), one at a time. */
enum {
	SINK_FILE_RECOVER = 1 << 0,
	SINK_FILE_REOPEN = 1 << 1,
	SINK_FILE_PART = 1 << 2, /* of the job */
	SINK_FILE_CLOSE = 1 << 3, /* a slice of what the closer has to do */
	SINK_FILE_IDLE = 1 << 4,
	SINK_FILE_SEAL = 1 << 5,
	SINK_FILE_LOOK = 1 << 6, /* for periods that are over */
	SINK_FILE_STAMP = 1 << 7, /* of seals */
};
/* Only between jobs. */
#define SINK_FILE_BETWEEN (SINK_FILE_IDLE | SINK_FILE_SEAL | SINK_FILE_LOOK)

struct sink_file {
	struct sink base;
	struct ev_loop *loop;
	char *location;
	char *pattern; /* the path, with node and shard put in */
	struct file_writer writer; /* not while there is a task */
	struct file_worker *worker;
	unsigned due; /* tasks */
	unsigned task; /* under way; 0: none */
	unsigned last_task;
	struct sink_job *job; /* in hand */
	struct sink_job *dropped; /* was in hand, and the task still uses it */
	struct sink_answer answer; /* what the task makes of the job */
	bool answered;
	char *stored_position; /* to recover from */
	struct fault recover_fault;
	bool ends; /* nothing is stored any more */
	ev_timer look; /* periods end also while nothing comes */
	ev_timer turn; /* the next task */
	ev_timer stall; /* a task takes long */
	bool stalled; /* it is told */
	ev_timer seal; /* what was written since the last time is sealed */
	bool seal_due; /* it was time while a job was in hand */
	ev_timer seal_retry; /* at the end: the last seals could not be written */
	int n_seal_retries;
	char *seal_source; /* the name that seals have as records; NULL: they are not sent */
	struct seal_stamps *stamps; /* NULL: no timestamp_url */
};

/* TASK is to be done. */
void sink_file_due(struct sink_file *file, unsigned task);
/* Makes the position as it is now durable; false: not now. */
bool sink_file_store(void *userdata);

/* --- sink_file_seals.c --- */

/* In a task: seals what is not sealed. */
void sink_file_seal(struct sink_file *file);
/* 0, or FAULT_CONFIG. */
int sink_file_init_seals(
	struct sink_file *file, const struct sink_setup *setup, struct fault *reterr);

#endif
