/*
 * Records that a sink's receiver will never take: STATE/dead-letters/SINK.ndjson, one JSON object a
 * line: {"time","sink","provider","key","record_time","source","id","reason","job","record"}. The
 * record is its own text, so that it can be sent again after the cause is fixed (resend.h).
 */
#ifndef TRAWLD_PIPELINE_DEADLETTER_H
#define TRAWLD_PIPELINE_DEADLETTER_H

#include <stddef.h>

#include "base/fault.h"
#include "base/idset.h"
#include "base/slice.h"

struct bad_element;
struct sink_answer;
struct sink_job;

/* The file of a source; the name of no sink has a colon. */
#define DEADLETTER_SOURCE_PREFIX "source:"
#define DEADLETTER_SOURCE DEADLETTER_SOURCE_PREFIX "%s"

/* Appends the records of JOB that ANSWER rejects, and those that were set apart, and makes them
 * durable: only then may the job be acknowledged. All or nothing: on FAULT_STORE the file is as
 * before. If all of them are there from before a crash, nothing is written again. */
int deadletter_write(const char *state_directory, const char *sink, const struct sink_job *job,
	const struct sink_answer *answer, struct fault *reterr);

/* How many records of JOB are rejected, without those that were set apart. */
uint64_t deadletter_count_rejected(const struct sink_job *job, const struct sink_answer *answer);

/* Calls EACH with the name of each sink, or of each source as DEADLETTER_SOURCE names it, that has
 * dead letters, in the order of the names, and with the PATH of their file. 0, or -errno: not all
 * of them are known. */
int deadletter_each(const char *state_directory,
	void (*each)(const char *name, const char *path, void *userdata), void *userdata);

/* Bytes of the dead letters of SINK; 0: there are none, or they cannot be looked at. */
uint64_t deadletter_size(const char *state_directory, const char *sink);

/* A line that a crash cut is closed, so that it spoils no other. 0 or -errno. */
int deadletter_close_line(int fd);

/* A dead letter as it was written. */
struct deadletter {
	nsec_t time; /* of the rejection */
	struct slice source, provider, reason;
	struct slice job; /* see deadletter_mark.h; empty in those of older versions */
	struct slice id; /* SLICE_NULL: the hex of the key */
	struct id key;
	nsec_t record_time; /* NSEC_NONE: none */
	struct slice record;
};

struct deadletter_reader;

struct deadletter_reader *deadletter_reader_new(void);
void deadletter_reader_free(struct deadletter_reader **reader);
/* False: LINE is not a dead letter. *RET is valid as long as LINE and until the next call. */
bool deadletter_read(struct deadletter_reader *reader, struct slice line, struct deadletter *ret);

/* Deletes the dead letters of SINK, and what was noted of them. *RET_N: how many lines they were,
 * without those that have been acknowledged since. 0, or FAULT_STORE. */
int deadletter_discard(
	const char *state_directory, const char *sink, uint64_t *ret_n, struct fault *reterr);

/* The same for N elements of SOURCE's pages that cannot be records. */
int deadletter_keep(const char *state_directory, const char *source, const struct bad_element *bad,
	size_t n, struct fault *reterr);

/* May a sink be called TO from now on? Not where another one has left dead letters under that name:
 * they would tell of its jobs. 0, STORE_E_REFUSED, or STORE_E_FULL: it is not known whether there
 * are some. */
int deadletter_check_name(const char *state_directory, const char *to, struct fault *reterr);
/* The sink NAME is called TO from now on: so are its dead letters, unless TO has some. 0 or
 * -errno. */
int deadletter_rename(const char *state_directory, const char *name, const char *to);

#endif
