/* See kafka_job.h. */
#include "sink/kafka/kafka_job.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/timestamp.h"
#include "pipeline/job.h"

#define KAFKA_TIME_MAX 40 /* of a time as text */
#define KAFKA_ENVELOPE_MAX 256 /* an estimate: of an envelope without its texts */

/* Where a piece of the text is while the text still grows. */
struct kafka_piece {
	size_t at, size;
};

static struct kafka_piece kafka_piece_end(const struct buf *text, size_t at)
{
	return (struct kafka_piece){at, text->size - at};
}

static struct slice kafka_piece_slice(const struct buf *text, struct kafka_piece piece)
{
	return (struct slice){buf_slice(text).data + piece.at, piece.size};
}

/* The names of a batch's source are the last two of JOB; those before them may serve, too. */
static void kafka_job_name(struct kafka_job *job, const char *pattern, const char *source)
{
	struct buf topic = BUF_NULL;

	if (job->names.n_items > 0 && strcmp(job->names.items[job->names.n_items - 1], source) == 0)
		return;
	kafka_topic_print(pattern, source, &topic);
	str_list_add(&job->names, buf_text(&topic));
	str_list_add(&job->names, source);
	buf_deinit(&topic);
}

static void kafka_job_add(struct kafka_job *job, const struct sink_record *from,
	enum record_format format, struct kafka_piece pieces[3])
{
	struct buf *text = &job->text;
	char scratch[33];
	size_t at = text->size;

	sink_record_print(from, format, text);
	pieces[0] = kafka_piece_end(text, at);
	at = text->size;
	buf_append_slice(text, batch_id_text(&from->view, scratch));
	pieces[1] = kafka_piece_end(text, at);
	at = text->size;
	if (from->view.time != NSEC_NONE)
		timestamp_print_rfc3339(from->view.time, 9, text);
	pieces[2] = kafka_piece_end(text, at);
}

struct kafka_job *kafka_job_new(struct sink_job *from, const char *topic, enum kafka_key key)
{
	struct kafka_job *job = MEM_NEW(struct kafka_job);
	struct kafka_piece(*pieces)[3] = mem_array(from->n_records, sizeof(*pieces));
	size_t size = 0;

	memcpy(job->id, job_id(from), sizeof(job->id));
	job->first = job_first(from);
	job->through = job_last(from);
	job->resent = job->first < 0;
	job->n_records = from->n_records;
	job->records = mem_array(job->n_records, sizeof(*job->records));
	for (size_t i = 0; i < from->n_records; i++)
		size += from->records[i].view.text.size + from->records[i].view.id.size +
			KAFKA_TIME_MAX + (from->format == RECORD_ENVELOPE ? KAFKA_ENVELOPE_MAX : 0);
	buf_reserve(&job->text, size);
	for (size_t i = 0; i < from->n_records; i++) {
		const struct batch *batch = from->records[i].batch;

		kafka_job_name(job, topic, batch->source);
		job->records[i].topic = job->names.items[job->names.n_items - 2];
		job->records[i].source = job->names.items[job->names.n_items - 1];
		job->records[i].number = batch->number;
		kafka_job_add(job, &from->records[i], from->format, pieces[i]);
	}
	for (size_t i = 0; i < job->n_records; i++) {
		struct kafka_record *record = &job->records[i];

		record->value = kafka_piece_slice(&job->text, pieces[i][0]);
		record->id = kafka_piece_slice(&job->text, pieces[i][1]);
		if (pieces[i][2].size > 0)
			record->time = kafka_piece_slice(&job->text, pieces[i][2]);
		if (key == KAFKA_KEY_SOURCE)
			record->key = slice_of(record->source);
		else if (key == KAFKA_KEY_ID)
			record->key = record->id;
	}
	free(pieces);
	return job;
}

void kafka_job_free(struct kafka_job *job)
{
	if (!job)
		return;
	free(job->records);
	buf_deinit(&job->text);
	str_list_deinit(&job->names);
	free(job);
}
