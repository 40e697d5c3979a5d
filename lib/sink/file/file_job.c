/* See file_job.h. */
#include "sink/file/file_job.h"

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

int file_job_write(const struct sink_job *job, struct job_text *text, size_t first, size_t end,
	struct file_target *target, struct fault *reterr)
{
	struct slice piece;
	int r = 0;

	if (file_job_has_bodies(job))
		return file_job_write_bodies(target, job, first, end, reterr);
	while (r == 0 && job_text_next(text, end, &piece)) {
		struct iovec iov = {(void *)piece.data, piece.size};

		r = file_target_append(target, &iov, 1, reterr);
	}
	return r;
}
