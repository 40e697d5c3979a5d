/*
 * The copy of files that is replayed: STATE/replays/NUMBER, batches as the spool has them, one
 * after the other. trawlctl makes it under a name of its own; the daemon gives it the number of its
 * replay when that begins (a sink may be renamed meanwhile), and deletes it when it is over. What
 * is in it cannot change or go meanwhile, and each batch is found by its offset.
 */
#ifndef TRAWLD_STORE_REPLAY_COPY_H
#define TRAWLD_STORE_REPLAY_COPY_H

#include "store/batch.h"
#include "store/database.h"

struct replay_copy;

/* Begins a copy for SINK in STATE_DIRECTORY. 0, or FAULT_STORE. */
int replay_copy_new(struct replay_copy **ret, const char *state_directory, const char *sink,
	struct fault *reterr);
/* 0, or FAULT_STORE. */
int replay_copy_add(struct replay_copy *copy, const struct batch *batch, struct fault *reterr);
/* All is added: makes it durable. *RET_NAME: what the daemon is to be told (caller frees);
 * *RET_SIZE: bytes. 0, or FAULT_STORE. */
int replay_copy_end(
	struct replay_copy *copy, char **ret_name, int64_t *ret_size, struct fault *reterr);
/* NULL allowed. KEEP: what is there stays, it is the daemon's now. */
void replay_copy_free(struct replay_copy *copy, bool keep);

/* The copy NAME becomes that of replay NUMBER. 0, or FAULT_STORE. */
int replay_copy_take(
	const char *state_directory, int64_t number, const char *name, struct fault *reterr);
/* Deletes what processes that are gone have begun, and copies of replays that no longer run. */
void replay_copy_clean(struct store *store, const char *state_directory);
/* The replay is over: its copy goes. */
void replay_copy_remove(const char *state_directory, int64_t number);

/* Reads the batch at OFFSET of the copy of replay NUMBER, which has SIZE bytes; *RET_END is where
 * it ends. 0; STORE_E_FULL: this may pass; STORE_E_CORRUPT: it is damaged or gone, or is that of
 * another replay, as a restored state and the shards of a cluster can have the same numbers. */
int replay_copy_read(const char *state_directory, int64_t number, int64_t size, int64_t offset,
	struct batch **ret, int64_t *ret_end, struct fault *reterr);

#endif
