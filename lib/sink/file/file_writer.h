/*
 * Jobs into files: which file each batch goes to, the parts that a job is written in, and which
 * files are closed after it.
 *
 * A part is written whole and made durable, or none of it counts. A job is one part unless a file
 * is full in its middle: then the part ends before the batch that does not fit, and the next begins
 * with the rotation. What the position says of the files is true between parts.
 *
 * A batch that a file's tail (file_tail.h) begins with counts as written there, whatever path it
 * would go to now: a file that was renamed, or whose period is over, gets the rest of the line that
 * was torn, and the rest of the batch goes where it goes now.
 */
#ifndef TRAWLD_SINK_FILE_WRITER_H
#define TRAWLD_SINK_FILE_WRITER_H

#include "pipeline/job.h"
#include "sink/file/file_position.h"

/* Where a batch of a part goes. */
struct file_aim {
	size_t record; /* its first listed record */
	struct file_target *tail; /* the file that has its beginning already; NULL: none */
	int64_t counted; /* so many bytes of it */
	int64_t tail_end; /* the bytes from COUNTED to here are still to be written to TAIL */
	struct file_target *target; /* what is after them is written here; NULL: nothing is */
};

struct file_writer {
	struct log_subject subject;
	const char *pattern; /* the path */
	bool timed; /* the path changes with time */
	bool by_source; /* and with the source */
	struct file_modes modes;
	int64_t max_size; /* 0: no bound */
	struct file_position position;
	struct file_closer closer; /* its store() makes the position durable */
	const struct sink_job
		*job; /* NULL: none. What is to be written of GIVEN: it, or FILTERED */
	const struct sink_job *given;
	struct sink_job *filtered; /* without what a file has already (file_kept.h); or NULL */
	bool stale; /* FILTERED is to be made again */
	size_t first; /* batch of the job that the next part begins with, */
	size_t record; /* and its first listed record */
	struct file_aim aims[JOB_MAX_BATCHES];
};

void file_writer_deinit(struct file_writer *writer);

/* The next part of writer->job. 0, or FAULT_STORE: nothing of the part counts, but of parts before
 * it does. The job is done when writer->first is past its last batch. */
int file_writer_part(struct file_writer *writer, struct fault *reterr);
/* Takes JOB in hand; what the files have of it already is skipped. */
void file_writer_begin(struct file_writer *writer, const struct sink_job *job);
/* Lets go of the job. */
void file_writer_end(struct file_writer *writer);

/* Closes files of past periods, and any that the part before did not touch when too many are open.
 * QUIET: there was none. */
void file_writer_tidy(struct file_writer *writer, bool quiet);
/* Has a file bytes of unknown origin that the log does not tell of yet? */
bool file_writer_has_tail(const struct file_writer *writer);
/* No record waits for the sink. */
void file_writer_idle(struct file_writer *writer);
/* Closes all files, so that each is opened anew. One with a tail stays. */
void file_writer_reopen(struct file_writer *writer);

#endif
