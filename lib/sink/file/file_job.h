/* A job seen as what it adds to files: the size of one batch of it, and the writing of a run of
 * batches, or of a part of one, that go to one file. */
#ifndef TRAWLD_SINK_FILE_JOB_H
#define TRAWLD_SINK_FILE_JOB_H

#include "pipeline/job.h"
#include "sink/file/file_target.h"

/* What batch INDEX of JOB adds. *RECORD is the first listed record that is not before the batch; it
 * is moved behind it. Returns bytes, 0 when the sink has nothing of the batch; an envelope's size
 * is an estimate. */
int64_t file_job_measure(const struct sink_job *job, size_t index, size_t *record);

/* Appends to TARGET what batches FIRST to END - 1 hold; RECORD is the first listed record of FIRST.
 * 0 or FAULT_STORE. */
int file_job_write(const struct sink_job *job, size_t first, size_t end, size_t record,
	struct file_target *target, struct fault *reterr);

/* Appends to TARGET the bytes FROM to UNTIL - 1 of the text of batch INDEX. 0 or FAULT_STORE. */
int file_job_write_part(const struct sink_job *job, size_t index, size_t record, int64_t from,
	int64_t until, struct file_target *target, struct fault *reterr);

/* The bytes before UNTIL of the text of batch INDEX are in the file already: TARGET's seal takes
 * them. */
void file_job_feed(const struct sink_job *job, size_t index, size_t record, int64_t until,
	struct file_target *target);

#endif
