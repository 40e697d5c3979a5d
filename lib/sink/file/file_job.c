/* See file_job.h. */
#include "sink/file/file_job.h"

#include "sink/file/seal_run.h"

/* An envelope without names, ID and record; none of these is escaped as a rule. */
#define FILE_JOB_ENVELOPE 90

static bool file_job_has_bodies(const struct sink_job *job)
{
	return job->whole && job->format == RECORD_RAW;
}

static int64_t file_job_record_size(const struct sink_job *job, const struct sink_record *record)
{
	const struct batch *batch = record->batch;
	int64_t size = (int64_t)record->view.text.size + 1;

	if (job->format == RECORD_RAW)
		return size;
	return size + FILE_JOB_ENVELOPE + (int64_t)strlen(batch->source) +
	       (int64_t)strlen(batch->provider) +
	       (record->view.id.data ? (int64_t)record->view.id.size : 32);
}

int64_t file_job_measure(const struct sink_job *job, size_t index, size_t *record)
{
	const struct batch *batch = job->batches[index];
	int64_t size = 0;

	if (!job->records)
		return (int64_t)batch->body.size;
	while (*record < job->n_records && job->records[*record].batch == batch)
		size += file_job_record_size(job, &job->records[(*record)++]);
	return size;
}

/* The whole bodies, without a copy. */
static int file_job_write_bodies(struct file_target *target, const struct sink_job *job,
	size_t first, size_t end, struct fault *reterr)
{
	struct iovec iov[JOB_MAX_BATCHES];
	size_t n = 0;

	for (size_t i = first; i < end; i++) {
		struct slice body = buf_slice(&job->batches[i]->body);

		if (body.size > 0)
			iov[n++] = (struct iovec){(void *)body.data, body.size};
	}
	return file_target_append(target, iov, n, reterr);
}

/* Appends the text of batches FIRST to END - 1, but only what is in it from FROM to UNTIL - 1. */
static int file_job_write_text(const struct sink_job *job, size_t first, size_t end, size_t record,
	int64_t from, int64_t until, struct file_target *target, struct fault *reterr)
{
	struct job_text text = {.job = job, .batch = first, .record = record};
	struct slice piece;
	int64_t offset = 0;
	int r = 0;

	while (!r && offset < until && job_text_next(&text, end, &piece)) {
		int64_t size = (int64_t)piece.size;
		int64_t a = from > offset ? from - offset : 0;
		int64_t b = until - offset < size ? until - offset : size;
		struct iovec iov = {(char *)piece.data + a, (size_t)(b - a)};

		if (a < b)
			r = file_target_append(target, &iov, 1, reterr);
		offset += size;
	}
	job_text_deinit(&text);
	return r;
}

int file_job_write(const struct sink_job *job, size_t first, size_t end, size_t record,
	struct file_target *target, struct fault *reterr)
{
	if (file_job_has_bodies(job))
		return file_job_write_bodies(target, job, first, end, reterr);
	return file_job_write_text(job, first, end, record, 0, INT64_MAX, target, reterr);
}

int file_job_write_part(const struct sink_job *job, size_t index, size_t record, int64_t from,
	int64_t until, struct file_target *target, struct fault *reterr)
{
	return file_job_write_text(job, index, index + 1, record, from, until, target, reterr);
}

void file_job_feed(const struct sink_job *job, size_t index, size_t record, int64_t until,
	struct file_target *target)
{
	struct job_text text = {.job = job, .batch = index, .record = record};
	struct slice piece;

	while (target->seal && until > 0 && job_text_next(&text, index + 1, &piece)) {
		size_t n = until < (int64_t)piece.size ? (size_t)until : piece.size;

		seal_run_feed(target->seal, (struct slice){piece.data, n});
		until -= (int64_t)n;
	}
	job_text_deinit(&text);
}
