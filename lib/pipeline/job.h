/*
 * A sink_job from batches: which records the sink is to have, the job's name, and the two walks
 * over it that sinks need: record by record, and as the text of a file.
 */
#ifndef TRAWLD_PIPELINE_JOB_H
#define TRAWLD_PIPELINE_JOB_H

#include "pipeline/sink.h"

struct json_remove;
struct selection;

/* A job ends before the batch that would pass one of these; one batch is always taken. */
#define JOB_MAX_BATCHES 64
#define JOB_MAX_BYTES ((size_t)8 << 20)

/* What a sink takes. */
struct job_terms {
	enum record_format format;
	unsigned capabilities; /* SINK_WHOLE_BATCH: records need not be listed when the job is whole
				  and raw; SINK_UTF8: records that are not valid UTF-8 are set
				  apart, as they always are with an envelope, which is JSON */
	size_t max_record; /* bytes; longer records are set apart; 0: no limit */
	const struct json_remove *remove; /* what is cut out of each record, after it was selected;
					     NULL: nothing */
	struct sink_requests requests;
};

/* Takes over the N references in BATCHES (the array itself is copied). */
struct sink_job *job_new(const char *sink, struct batch *const *batches, size_t n,
	struct selection *selection, const struct job_terms *terms);
void job_free(struct sink_job *job); /* NULL allowed */

/* How a job was first sent, or was to be. It comes again like that, whatever the configuration says
 * by then: its receiver may know it by its ID and its requests. */
struct job_plan {
	char *sink; /* its name then, which is in the ID; NULL: not known */
	struct sink_requests requests; /* zeros: not known */
	struct splits splits; /* of these */
};

#define JOB_PLAN_NULL ((struct job_plan){0})

void job_plan_deinit(struct job_plan *plan);
/* PLAN becomes that of JOB. */
void job_plan_take(struct job_plan *plan, const struct sink_job *job);
/* Appends PLAN with SEPARATOR before each number (the third is by_source, and twice coding); and
 * reads that. False: it is something else. */
void job_plan_print(const struct job_plan *plan, char separator, struct buf *out);
bool job_plan_read(struct slice text, char separator, struct job_plan *ret);

/* JOB was sent, or was to be, before this process or this sink began, as PLAN says. */
void job_resume(struct sink_job *job, const struct job_plan *plan);

/* The job's ID: a digest of the sink's name, the first and last number, and the text of the records
 * as job_text gives it. The same for every retry, also after a restart when the job has the same
 * bounds; never the same for other bytes, also where a restored state uses a number again. Costs a
 * digest of the text at the first call. */
const char *job_id(struct sink_job *job);
/* Why a record was set apart, appended. */
void job_unfit_reason(
	const struct sink_job *job, const struct sink_record *record, struct buf *out);
int64_t job_first(const struct sink_job *job);
int64_t job_last(const struct sink_job *job);

/* Walks the records in order, listed or not: zero a cursor, call until false. */
struct job_cursor {
	size_t index; /* of the record just returned + 1 */
	size_t batch;
	struct batch_cursor inner;
};

bool job_next(const struct sink_job *job, struct job_cursor *cursor, struct sink_record *ret);

/* The job's records, each with a line feed, in pieces: bodies as they are where the job allows,
 * else printed into a buffer of bounded size (about JOB_TEXT_PIECE, or one record). */
#define JOB_TEXT_PIECE ((size_t)64 << 10)

struct job_text {
	const struct sink_job *job;
	size_t batch; /* next batch to give */
	size_t record; /* next listed record to give */
	struct buf piece;
};

void job_text_init(struct job_text *text, const struct sink_job *job);
/* The next piece of the batches with an index below END; false when those are used up. *RET is
 * valid until the next call. */
bool job_text_next(struct job_text *text, size_t end, struct slice *ret);
void job_text_deinit(struct job_text *text);

#endif
