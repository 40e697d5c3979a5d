/*
 * What waits for one sink: batches in memory up to a bound, the rest in the spool. A batch that is
 * offered while there is room and nothing waits in the spool stays in memory; else it is read back
 * when its turn comes.
 */
#ifndef TRAWLD_PIPELINE_QUEUE_H
#define TRAWLD_PIPELINE_QUEUE_H

#include "pipeline/job.h"
#include "store/reader.h"

#define QUEUE_MEMORY_BYTES ((size_t)4 << 20) /* what offers may fill */
/* All queues and jobs share this: while the batches in memory take more, a queue gets no more than
 * QUEUE_LEAST_BYTES (or one batch, or what UNTIL asks for). */
#define QUEUES_MEMORY_BYTES ((size_t)10 << 20)
#define QUEUE_LEAST_BYTES ((size_t)1 << 20)

struct queue {
	struct store *store;
	struct spool_reader reader;
	struct batch *items[JOB_MAX_BATCHES]; /* owned, ascending */
	size_t n_items;
	size_t bytes;
	int64_t taken; /* the last number that is, or was, in memory */
	bool behind; /* the spool may hold more after TAKEN */
};

/* The spool is looked at first: a new queue is behind. */
void queue_init(struct queue *queue, struct store *store, spool_wanted_fn wanted, void *userdata,
	int64_t taken);
void queue_deinit(struct queue *queue);

/* Lets go of what is in memory and begins anew after TAKEN. */
void queue_restart(struct queue *queue, int64_t taken);
/* A new batch, the last of the spool. References it when it is kept. */
void queue_offer(struct queue *queue, struct batch *batch);
/* Reads from the spool what the next job takes, everything up to UNTIL too; 0 or STORE_E_*. */
int queue_refill(
	struct queue *queue, int64_t until, const struct sink_gather *gather, struct fault *reterr);
/* How many items the next job takes: all up to UNTIL when the first is not after it, else what the
 * bounds of a job and of GATHER allow. */
size_t queue_measure(const struct queue *queue, int64_t until, const struct sink_gather *gather);
/* Waiting would not make the next job larger: what is in memory reaches one of its bounds. */
bool queue_has_job(const struct queue *queue, const struct sink_gather *gather);
/* The first N items now belong to someone else. */
void queue_shift(struct queue *queue, size_t n);

static inline bool queue_is_empty(const struct queue *queue)
{
	return queue->n_items == 0 && !queue->behind;
}

#endif
