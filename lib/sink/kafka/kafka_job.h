/*
 * A job of the pipeline as the messages that it becomes: a copy, so that a helper thread can own
 * it. What a message holds is decided here; nothing of it needs librdkafka.
 */
#ifndef TRAWLD_SINK_KAFKA_JOB_H
#define TRAWLD_SINK_KAFKA_JOB_H

#include "base/str.h"
#include "pipeline/sink.h"
#include "sink/kafka/kafka_options.h"

/* One record: the value of a message, its key, and what its headers say. */
struct kafka_record {
	const char *topic;
	const char *source; /* trawld.source */
	struct slice id; /* trawld.id */
	struct slice time; /* trawld.time; SLICE_NULL: the record has none */
	int64_t number; /* trawld.number: of the batch */
	struct slice key; /* SLICE_NULL: none */
	struct slice value;
	bool suspect; /* the brokers rejected a request with it because of its size */
	bool refused; /* it alone is too large for them */
};

struct kafka_job {
	char id[33]; /* job_id: the same for the same records only */
	bool resent; /* dead letters that a person sends again */
	int64_t first, through; /* batch numbers */
	struct kafka_record *records;
	size_t n_records;
	size_t n_refused;
	struct buf text; /* values, IDs and times */
	struct str_list names; /* topics and sources */
};

/* Copies all that is needed of JOB. */
struct kafka_job *kafka_job_new(struct sink_job *job, const char *topic, enum kafka_key key);
void kafka_job_free(struct kafka_job *job); /* NULL allowed */

#endif
