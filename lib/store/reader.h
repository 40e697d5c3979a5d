/*
 * Reads the waiting batches of some sources in the order of their numbers, as a sink's queue needs
 * them. A batch costs one look at its source's next one, however many sources there are and
 * whatever waits for others.
 */
#ifndef TRAWLD_STORE_READER_H
#define TRAWLD_STORE_READER_H

#include "store/spool.h"

struct store_source;

struct spool_head {
	int64_t number;
	const struct store_source *source;
};

struct spool_reader {
	struct store *store;
	spool_wanted_fn wanted;
	void *userdata;
	int64_t after; /* of the batch that was read last, or as set by spool_reader_seek */
	int64_t until; /* HEADS leaves out no batch from AFTER up to this number */
	struct spool_head *heads; /* a heap: the next batch of each wanted source that has one */
	size_t n_heads;
	size_t capacity;
};

/* STORE is STORE_OWN. Begins after the number AFTER. */
void spool_reader_init(struct spool_reader *reader, struct store *store, spool_wanted_fn wanted,
	void *userdata, int64_t after);
void spool_reader_deinit(struct spool_reader *reader);

/* Continues after the number AFTER; also to be called when what is wanted has changed. */
void spool_reader_seek(struct spool_reader *reader, int64_t after);

/* Reads the next committed batch of a wanted source. *RET is a new reference, to the batch that is
 * in memory when there is one, or NULL when none waits. A row that cannot be decoded is
 * STORE_E_CORRUPT. After a failure the same batch is the next one. */
int spool_reader_next(struct spool_reader *reader, struct batch **ret, struct fault *reterr);

#endif
