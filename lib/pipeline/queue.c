/*
 * The queue of one sink. It never holds more than JOB_MAX_BATCHES batches or, but for the last one,
 * JOB_MAX_BYTES, however large the spool grows; less where the queues of all sinks together have
 * come to their bound. A batch that several queues hold is in memory once.
 */
#include "pipeline/queue.h"

#include <stdint.h>

#include "store/spool.h"

void queue_init(struct queue *queue, struct store *store, spool_wanted_fn wanted, void *userdata,
	int64_t taken)
{
	*queue = (struct queue){.store = store, .taken = taken, .behind = true};
	spool_reader_init(&queue->reader, store, wanted, userdata, taken);
}

void queue_deinit(struct queue *queue)
{
	queue_restart(queue, 0);
	spool_reader_deinit(&queue->reader);
}

void queue_restart(struct queue *queue, int64_t taken)
{
	for (size_t i = 0; i < queue->n_items; i++)
		batch_unref(queue->items[i]);
	queue->n_items = 0;
	queue->bytes = 0;
	queue->taken = taken;
	queue->behind = true;
	spool_reader_seek(&queue->reader, taken);
}

static void queue_push(struct queue *queue, struct batch *batch)
{
	queue->items[queue->n_items++] = batch;
	queue->bytes += batch->body.size;
	queue->taken = batch->number;
}

static bool has_room(const struct queue *queue, size_t max_bytes)
{
	if (max_bytes > QUEUE_LEAST_BYTES && spool_memory(queue->store) >= QUEUES_MEMORY_BYTES)
		max_bytes = QUEUE_LEAST_BYTES;
	return queue->n_items < JOB_MAX_BATCHES && queue->bytes < max_bytes;
}

void queue_offer(struct queue *queue, struct batch *batch)
{
	if (batch->number <= queue->taken)
		return;
	if (!has_room(queue, QUEUE_MEMORY_BYTES))
		queue->behind = true;
	if (!queue->behind)
		queue_push(queue, batch_ref(batch));
}

static size_t bound(size_t wanted, size_t ceiling)
{
	return wanted > 0 && wanted < ceiling ? wanted : ceiling;
}

int queue_refill(
	struct queue *queue, int64_t until, const struct sink_gather *gather, struct fault *reterr)
{
	size_t max_bytes = bound(gather->bytes, JOB_MAX_BYTES);
	int r = 0;

	if (!queue->behind)
		return 0;
	if (queue->reader.after != queue->taken) /* others were offered */
		spool_reader_seek(&queue->reader, queue->taken);
	bool began = spool_read_begin(queue->store);
	while (!r && queue->behind &&
		(has_room(queue, max_bytes) ||
			(queue->taken < until && queue->n_items < JOB_MAX_BATCHES))) {
		struct batch *batch = NULL;

		r = spool_reader_next(&queue->reader, &batch, reterr);
		if (batch)
			queue_push(queue, batch);
		else
			queue->behind = r;
	}
	spool_read_end(queue->store, began);
	return r;
}

size_t queue_measure(const struct queue *queue, int64_t until, const struct sink_gather *gather)
{
	bool bounded = queue->n_items == 0 || queue->items[0]->number > until;
	size_t max_bytes = bound(gather->bytes, JOB_MAX_BYTES);
	size_t max_records = bound(gather->n_records, SIZE_MAX);
	size_t bytes = 0;
	size_t n_records = 0;
	size_t n;

	for (n = 0; n < queue->n_items; n++) {
		const struct batch *batch = queue->items[n];

		bytes += batch->body.size;
		n_records += batch->n_records;
		if (bounded ? n > 0 && (bytes > max_bytes || n_records > max_records)
			    : batch->number > until)
			break;
	}
	return n;
}

bool queue_has_job(const struct queue *queue, const struct sink_gather *gather)
{
	size_t n_records = 0;

	for (size_t i = 0; i < queue->n_items; i++)
		n_records += queue->items[i]->n_records;
	return queue->behind || queue->n_items == JOB_MAX_BATCHES ||
	       queue->bytes >= bound(gather->bytes, JOB_MAX_BYTES) ||
	       n_records >= bound(gather->n_records, SIZE_MAX);
}

void queue_shift(struct queue *queue, size_t n)
{
	for (size_t i = 0; i < n; i++)
		queue->bytes -= queue->items[i]->body.size;
	queue->n_items -= n;
	memmove(queue->items, queue->items + n, queue->n_items * sizeof(queue->items[0]));
}
