/*
 * The producer of a sink, and the protocol that keeps its promise. Every call may block, for the
 * time that a transaction may take and some seconds more; all belong to one helper thread, and use
 * nothing of trawld that another thread uses: no log, no struct fault, no secrets.
 *
 *   open    init_transactions (ends the transaction of whoever held this transactional.id before,
 *           and fences it off); then the position is read: only now can it not change any more
 *   send    begin, the records, the position, commit
 *
 * An error that does not only end the transaction closes the producer. What the brokers made of a
 * commit without an answer is then in the position that the next open reads.
 */
#ifndef TRAWLD_SINK_KAFKA_PRODUCER_H
#define TRAWLD_SINK_KAFKA_PRODUCER_H

#include "sink/kafka/kafka_answer.h"
#include "sink/kafka/kafka_job.h"

struct kafka_producer;

struct kafka_producer_setup {
	const struct kafka_options *options; /* copied */
	const char *state; /* the ID of the state */
	const char *sink; /* its name */
	/* A line of librdkafka's log, on the thread that calls. May be NULL. */
	void (*told)(const char *text, void *userdata);
	void *userdata;
};

/* 0, or FAULT_CONFIG. Only this call is made on the thread of the loop. */
int kafka_producer_new(struct kafka_producer **ret, const struct kafka_producer_setup *setup,
	struct fault *reterr);
/* Ends an open transaction no further: whoever opens next aborts it. NULL allowed. */
void kafka_producer_free(struct kafka_producer *producer);

/* KAFKA_DELIVERED: it is open; or KAFKA_RETRY. */
enum kafka_outcome kafka_producer_open(struct kafka_producer *producer, struct kafka_answer *ret);
/* Opens first if needed. Marks the records of JOB that are refused. */
void kafka_producer_send(
	struct kafka_producer *producer, struct kafka_job *job, struct kafka_answer *ret);
/* Lets librdkafka report what happens while nothing is sent. */
void kafka_producer_serve(struct kafka_producer *producer);

/* Checks what `trawlctl test` checks: appends lines about it to OUT. TOPICS are those of the
 * records. Sends a record to each in a transaction that it aborts. */
enum kafka_outcome kafka_producer_test(struct kafka_producer *producer,
	const struct str_list *topics, struct buf *out, struct kafka_answer *ret);

#endif
