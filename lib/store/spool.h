/* Committed batches that some sink still has to acknowledge, and how far each sink is. */
#ifndef TRAWLD_STORE_SPOOL_H
#define TRAWLD_STORE_SPOOL_H

#include "store/batch.h"
#include "store/database.h"

/* The number of the last committed batch; 0: none ever. With STORE_READ as it was at open. */
int64_t spool_last(const struct store *store);

/* Bytes that the waiting bodies take (encoded), committed and collected for commit: what
 * spool_limit bounds. Kept in memory, exact after open. */
uint64_t spool_bytes(const struct store *store);

/* Bytes of memory that the committed batches hold of which there are references, each counted once.
 */
size_t spool_memory(const struct store *store);

/* The sources of which a committed batch waits. */
void spool_source_list(const struct store *store, void (*each)(const char *source, void *userdata),
	void *userdata);

/* Between these two, what is read is read in one transaction: each by itself costs locks. Nothing
 * can be committed meanwhile. BEGAN: what begin returned; false, each read is by itself, or part of
 * the transaction that is open already. */
bool spool_read_begin(struct store *store);
void spool_read_end(struct store *store, bool began);

/* The number above which the batches of SOURCE are wanted. */
typedef int64_t (*spool_wanted_fn)(const char *source, void *userdata);
#define SPOOL_ALL INT64_C(0)
#define SPOOL_NONE INT64_MAX

/* What waits above AFTER and is wanted; see reader.h for the batches. */
int spool_count(struct store *store, int64_t after, spool_wanted_fn wanted, void *userdata,
	uint64_t *ret_records, uint64_t *ret_batches, struct fault *reterr);

/* The positions of SINK are worth something on this host only, as those of files are. Said before
 * anything is asked of it or acknowledged. */
void spool_sink_of_host(struct store *store, const char *sink);

/* SINK's acknowledged number and position text (caller frees; NULL: none). A sink not known yet is
 * entered at the last committed batch at the next commit_run: it gets what is accepted from now on.
 * *RET_KNOWN says which (may be NULL). */
int spool_sink_get(struct store *store, const char *sink, int64_t *ret_number, char **ret_position,
	bool *ret_known, struct fault *reterr);

#endif
