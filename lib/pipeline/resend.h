/*
 * Dead letters that go through their sink again. The file keeps them until they are acknowledged:
 * a note beside it, STATE/dead-letters/SINK.resend, holds how far that is, so that a restart
 * continues there. When all of what the command found is dealt with, the file is rewritten
 * without it. What is rejected again was added to the file's end by then, as a new dead letter.
 */
#ifndef TRAWLD_PIPELINE_RESEND_H
#define TRAWLD_PIPELINE_RESEND_H

#include "pipeline/job.h"

struct resend {
	bool active;
	bool behind; /* the note is: OFFSET is further */
	bool unread; /* the note could not be read: nothing is to be sent before it is */
	char *letters; /* the file of dead letters */
	char *note;
	uint64_t inode; /* of the file that the offsets count in */
	uint64_t offset; /* all before it is acknowledged */
	uint64_t end; /* all from here on came after the command */
	uint64_t next; /* where the job in hand ends */
	uint64_t plan_end; /* where the job at OFFSET ends that was sent before; 0: none was */
	struct job_plan plan; /* of that */
	bool noted; /* the note has this plan */
	struct buf stay; /* lines of the job that are not dead letters: they stay in the file */
};

#define RESEND_NULL ((struct resend){0})

/* Notes that the dead letters of SINK are to be sent, those of a note that is there already
 * included. *RET_N: how many lines they are; 0: there is nothing to do. 0, or FAULT_STORE. */
int resend_request(
	const char *state_directory, const char *sink, uint64_t *ret_n, struct fault *reterr);

/* How many lines are dead letters, without those that were acknowledged since. 0, or FAULT_STORE.
 */
int resend_count(
	const char *state_directory, const char *sink, uint64_t *ret_n, struct fault *reterr);

/* Reads the note, over what RESEND had. A note of another file, of which a person has moved the
 * dead letters away, is removed. 0, or FAULT_STORE: it cannot be read, and RESEND is not active. */
int resend_load(
	struct resend *resend, const char *state_directory, const char *sink, struct fault *reterr);
/* The same for another process: changes no file. */
int resend_peek(
	struct resend *resend, const char *state_directory, const char *sink, struct fault *reterr);
void resend_deinit(struct resend *resend);

/* The next job, the same at each call until resend_done: same records, numbers and ID, in another
 * process too. *RET is NULL where no line is a dead letter. The numbers are below zero and never
 * the same for other records. 0, or FAULT_STORE. */
int resend_job(struct resend *resend, const char *sink, const struct job_terms *terms,
	struct sink_job **ret, struct fault *reterr);
/* Before JOB is sent, and when its splits have changed: notes what it is made of, so that it is the
 * same after a reload or a restart, whatever else is queued by then. 0, or FAULT_STORE. */
int resend_plan(struct resend *resend, const struct sink_job *job, struct fault *reterr);
/* The job is acknowledged, and what was rejected of it is a new dead letter. After the last one the
 * file is rewritten without them. On FAULT_STORE the note says less than was acknowledged: a crash
 * would repeat records, and resend_note is to be called before the next job. */
int resend_done(struct resend *resend, struct fault *reterr);
int resend_note(struct resend *resend, struct fault *reterr);
/* Ends it: what is acknowledged leaves the file, the rest stays. 0, or FAULT_STORE: both stay. */
int resend_stop(struct resend *resend, struct fault *reterr);

#endif
