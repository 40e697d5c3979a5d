/*
 * The tail of a file: bytes after the size that the stored position knows. A crash or a failed
 * write leaves one, and then it is a beginning of what is written there next. So does a state that
 * is older than the file (a backup that was restored), and then it is records that were delivered.
 * Which of the two it is, only a comparison can tell; nothing is cut in either case.
 *
 * While the text of the batches that come next equals the tail, those bytes count as written, and
 * the text continues after them. With the first batch that differs the rest of the tail is kept:
 * the batch is written after it.
 */
#ifndef TRAWLD_SINK_FILE_TAIL_H
#define TRAWLD_SINK_FILE_TAIL_H

#include "pipeline/job.h"
#include "sink/file/file_target.h"

/* More than a job can hold: no crash leaves so much. */
#define FILE_TAIL_MAX ((int64_t)(JOB_MAX_BYTES + BATCH_SIZE_MAX))

/* A batch's text compared with a tail. */
struct file_tail_match {
	int64_t size; /* of the text */
	int64_t counted; /* so many of its first bytes are the next of the tail; 0: they differ */
	int64_t line_end; /* the first end of a line in the text at or after COUNTED */
};

/* Compares batch INDEX of JOB, whose first listed record is RECORD, with what TARGET's tail has
 * after its matched bytes. NUL bytes in the tail are what a power failure left in place of text
 * that was not yet on the disk: they equal everything, and are filled in if the rest is equal.
 * DURABLE: compare with what the disk has, not with what it was told to write. 0 or FAULT_STORE. */
int file_tail_match(struct file_target *target, const struct sink_job *job, size_t index,
	size_t record, bool durable, struct file_tail_match *ret, struct fault *reterr);

/* The same for a file whose next bytes are TEXT: whether the whole tail begins it. 0 or
 * FAULT_STORE. */
int file_tail_match_text(
	struct file_target *target, struct slice text, bool *ret_matches, struct fault *reterr);

/* At recovery, TARGET has a tail: says so. One that no crash can have left is kept at once.
 * 0 or FAULT_STORE. */
int file_tail_recover(
	struct file_target *target, const struct log_subject *subject, struct fault *reterr);
/* The tail is not what is written next: warns, and what follows is written after it. RECOGNISED:
 * records in it that come again are left out (file_kept.h). 0 or FAULT_STORE. */
int file_tail_keep(struct file_target *target, bool recognised, const struct log_subject *subject,
	struct fault *reterr);
/* No record waits for the sink, so no crash has left the tail: warns, once. It is still compared
 * with what comes. */
void file_tail_report(struct file_target *target, const struct log_subject *subject);

/* After a part: says so if all of the tail was what had to be written. */
void file_tail_settle(struct file_target *target, const struct log_subject *subject);

#endif
