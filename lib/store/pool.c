/* See pool.h. The batches are linked from a few buckets by their number. */
#include "store/pool.h"

#include <assert.h>

static struct batch **bucket_of(struct batch_pool *pool, int64_t number)
{
	return &pool->buckets[(uint64_t)number % BATCH_POOL_BUCKETS];
}

void batch_pool_add(struct batch_pool *pool, struct batch *batch)
{
	struct batch **bucket = bucket_of(pool, batch->number);

	assert(!batch->pool && batch->number > 0);
	batch->pool = pool;
	batch->pool_next = *bucket;
	*bucket = batch;
	pool->bytes += batch_memory(batch);
}

void batch_pool_remove(struct batch *batch)
{
	struct batch **link;

	if (!batch->pool)
		return;
	link = bucket_of(batch->pool, batch->number);
	while (*link != batch)
		link = &(*link)->pool_next;
	*link = batch->pool_next;
	batch->pool->bytes -= batch_memory(batch);
	batch->pool = NULL;
	batch->pool_next = NULL;
}

struct batch *batch_pool_find(const struct batch_pool *pool, int64_t number)
{
	struct batch *batch = pool->buckets[(uint64_t)number % BATCH_POOL_BUCKETS];

	while (batch && batch->number != number)
		batch = batch->pool_next;
	return batch ? batch_ref(batch) : NULL;
}

void batch_pool_deinit(struct batch_pool *pool)
{
	for (size_t i = 0; i < BATCH_POOL_BUCKETS; i++) {
		while (pool->buckets[i])
			batch_pool_remove(pool->buckets[i]);
	}
}
