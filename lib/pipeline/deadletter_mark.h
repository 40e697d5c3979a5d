/*
 * Which job a dead letter is of, and which of its dead letters it is: the member `job` of a line,
 * "FIRST LAST TIME NTH/COUNT", with the numbers of the job's batches and the time at which the last
 * of them was accepted (a restored state uses numbers again).
 *
 * A job is acknowledged after its dead letters are complete. So a crash between leaves a file that
 * ends with all of them, and the job is done although the state does not say so; or it ends with
 * some, which count for nothing: the job comes again.
 */
#ifndef TRAWLD_PIPELINE_DEADLETTER_MARK_H
#define TRAWLD_PIPELINE_DEADLETTER_MARK_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fault.h"

struct sink_job;

struct deadletter_mark {
	int64_t first, last;
	nsec_t time;
	uint64_t nth, count; /* 0: it is of no job */
};

#define DEADLETTER_MARK_NULL ((struct deadletter_mark){0})

/* Of the first of COUNT dead letters of JOB. */
struct deadletter_mark deadletter_mark_of(const struct sink_job *job, uint64_t count);
/* They are of one job. */
bool deadletter_mark_is_same(const struct deadletter_mark *a, const struct deadletter_mark *b);
void deadletter_mark_print(const struct deadletter_mark *mark, struct buf *out);

/* The mark of the last whole line of FD, if those of its job that are to be before it are; the
 * first of them begins at *RET_FROM. Else none. 0 or -errno. */
int deadletter_mark_read(int fd, struct deadletter_mark *ret, off_t *ret_from);
/* Cuts the dead letters of JOB off, if a crash has left some of them at the end. JOB has come
 * again: of one that is acknowledged, no line is ever removed. 0 or -errno. */
int deadletter_mark_cut(int fd, const struct deadletter_mark *job);

/* deadletter_mark_read() for those of SINK: complete (nth is count) or not. 0, or FAULT_STORE. */
int deadletter_mark_find(const char *state_directory, const char *sink, struct deadletter_mark *ret,
	struct fault *reterr);
/* deadletter_mark_cut() for those of SINK. 0, or FAULT_STORE. */
int deadletter_mark_forget(const char *state_directory, const char *sink,
	const struct deadletter_mark *job, struct fault *reterr);

#endif
