/*
 * The committed batches that are in memory, each once: whoever reads a number from the spool that
 * another one holds gets the same batch, and what all of them take together is known.
 */
#ifndef TRAWLD_STORE_POOL_H
#define TRAWLD_STORE_POOL_H

#include "store/batch.h"

#define BATCH_POOL_BUCKETS 256

struct batch_pool {
	struct batch *buckets[BATCH_POOL_BUCKETS];
	size_t bytes; /* of memory that the batches hold */
};

/* BATCH has its number and grows no more. It leaves the pool with its last reference. */
void batch_pool_add(struct batch_pool *pool, struct batch *batch);
void batch_pool_remove(struct batch *batch); /* one that is in no pool is ignored */
/* A new reference, or NULL. */
struct batch *batch_pool_find(const struct batch_pool *pool, int64_t number);
/* Lets go of what is still in it. */
void batch_pool_deinit(struct batch_pool *pool);

#endif
