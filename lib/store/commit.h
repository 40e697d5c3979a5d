/*
 * The one transaction: pages (batch, keys, cursor), acknowledgements and releases that came
 * together are committed together (group commit). Nothing else in the tree moves a cursor or an
 * acknowledgement.
 *
 * commit_add_* only collect (cheap, no I/O). commit_run writes all of it or nothing: on an outcome
 * everything collected stays, in order, for the next commit_run.
 */
#ifndef TRAWLD_STORE_COMMIT_H
#define TRAWLD_STORE_COMMIT_H

#include "store/batch.h"
#include "store/database.h"

/* Called after the transaction is durable, in the order of the adds; batch->number is set. Not
 * called for a failed run. */
typedef void (*commit_done_fn)(struct batch *batch, void *userdata);

/* BATCH may be NULL (an empty page that moves the cursor); it is referenced until committed and
 * must not change any more. CURSOR NULL: the cursor stays. With batch->keep_ids false the keys
 * serve no dedupe and go with the body. DONE may be NULL; it is called with BATCH (also when that
 * is NULL) and may call commit_add_* again. */
void commit_add_page(struct store *store, const char *source, struct batch *batch,
	const char *cursor, commit_done_fn done, void *userdata);

/* SINK has everything up to and including NUMBER. POSITION: the sink's own state that belongs to it
 * (the file sink's offsets), NULL: unchanged. */
void commit_add_ack(struct store *store, const char *sink, int64_t number, const char *position);

/* All sinks of SOURCE have everything up to NUMBER, which is committed: those bodies go, or are
 * kept (kept.h). */
void commit_add_release(struct store *store, const char *source, int64_t number);

/* Keys of SOURCE whose batch's newest time (or, without one, acceptance) is before TIME are no
 * longer needed. Those of a batch whose body is there stay with it. */
void commit_add_expiry(struct store *store, const char *source, nsec_t time);
/* The same, but keys before FROM_TIME stay. */
void commit_add_expiry_from(struct store *store, const char *source, nsec_t from_time, nsec_t time);

/* Replace a source's cursor from outside (rewind). */
void commit_add_cursor(struct store *store, const char *source, const char *cursor);

/* Copies what the log (trawld.db-wal) holds to trawld.db, so that the file alone is all of the
 * state. 0, or STORE_E_*: the log stays, and grows, until a later call succeeds. */
int commit_checkpoint(struct store *store, struct fault *reterr);

bool commit_pending(const struct store *store);
/* Memory that the collected pages hold, plain and encoded: what bounds the size of a commit. */
size_t commit_pending_bytes(const struct store *store);

/* 0, STORE_E_FULL (kept; try again later) or STORE_E_CORRUPT. With a backend also STORE_E_WAIT:
 * some of it was sent and is not answered yet; run it again when the backend has something to say
 * (backend.h), and what is collected meanwhile goes into the next commit. STORE_E_LOST: the end. */
int commit_run(struct store *store, struct fault *reterr);

#endif
