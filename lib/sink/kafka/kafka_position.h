/*
 * The position of a sink: which jobs were the last that it committed to Kafka. It is written in the
 * same transaction as their records. A job that comes again after a crash is recognised by its ID,
 * which is a digest of its records: so also a state that was put back from a backup, and uses the
 * numbers of batches again for other records, loses none.
 *
 * One normal job is enough: the bounds of the next one become durable after the acknowledgement of
 * the last (SINK_STABLE_JOB). Dead letters that are sent again come between, and have their own.
 */
#ifndef TRAWLD_SINK_KAFKA_POSITION_H
#define TRAWLD_SINK_KAFKA_POSITION_H

#include "sink/kafka/kafka_job.h"

struct kafka_done {
	char id[33]; /* "": none */
	size_t *refused; /* indices of its records that became dead letters, ascending */
	size_t n_refused;
};

struct kafka_position {
	int64_t through; /* the last batch; 0: none */
	struct kafka_done last, resent;
};

#define KAFKA_POSITION_NULL ((struct kafka_position){0})

void kafka_position_deinit(struct kafka_position *position);
/* JOB was committed. */
void kafka_position_set(struct kafka_position *position, const struct kafka_job *job);
/* Was JOB committed? Then its refused records are marked. */
bool kafka_position_has(const struct kafka_position *position, struct kafka_job *job);

/* Appends the text of what PLACE will be once JOB is committed, of the state STATE. */
void kafka_position_print(const struct kafka_position *position, const struct kafka_job *job,
	const char *state, struct buf *out);
/* False: TEXT is not a position, and *RET as it was. */
bool kafka_position_parse(struct kafka_position *ret, struct slice text);

#endif
