/*
 * The helper thread of a Kafka sink: it owns the producer, whose calls block. A job goes to it
 * through a queue for one job, its answer comes back through an ev_async; nothing else is shared.
 * The thread takes no signals.
 */
#ifndef TRAWLD_SINK_KAFKA_WORKER_H
#define TRAWLD_SINK_KAFKA_WORKER_H

#include "sink/kafka/kafka_producer.h"

struct ev_loop;
struct kafka_worker;

struct kafka_worker_setup {
	struct ev_loop *loop;
	/* The outcome of kafka_worker_open, on the thread of the loop. */
	void (*opened)(const struct kafka_answer *answer, void *userdata);
	/* What became of JOB, which the callee frees; on the thread of the loop, once for each job
	 * that is not cancelled. */
	void (*answered)(struct kafka_job *job, const struct kafka_answer *answer, void *userdata);
	/* A line of librdkafka's log; likewise. */
	void (*told)(const char *text, void *userdata);
	void *userdata;
};

/* Starts the thread. 0, or -1: as kafka_producer_new, or FAULT_INTERNAL. */
int kafka_worker_new(struct kafka_worker **ret, const struct kafka_worker_setup *setup,
	const struct kafka_producer_setup *producer, struct fault *reterr);
/* Waits some seconds for the thread to end; one that does not frees itself later. NULL allowed. */
void kafka_worker_free(struct kafka_worker *worker);

/* Opens the producer before there is a job. Not while one is in hand. */
void kafka_worker_open(struct kafka_worker *worker);
/* Takes over JOB. */
void kafka_worker_send(struct kafka_worker *worker, struct kafka_job *job);
/* No answer to the job in hand any more; the next one waits until it is over. */
void kafka_worker_cancel(struct kafka_worker *worker);

#endif
