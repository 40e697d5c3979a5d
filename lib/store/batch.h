/*
 * A batch: the new records of one page, the unit of commit, delivery and acknowledgement. Reference
 * counted, immutable once committed.
 *
 * body holds the records as NDJSON: each record's own JSON text without insignificant white space,
 * then one line feed.
 */
#ifndef TRAWLD_STORE_BATCH_H
#define TRAWLD_STORE_BATCH_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/idset.h"

/* Ceiling of a batch in plain: its texts and 16 bytes a record. Whoever fills a batch stays below.
 */
#define BATCH_SIZE_MAX ((size_t)512 << 20)

struct batch_record {
	uint32_t size; /* of the record's text in body, without the line feed */
	uint32_t id_size; /* of its ID text in id_text; 0: the ID is the hex of its key */
	nsec_t time; /* the record's own time; NSEC_NONE: unknown */
};

struct batch_pool;

struct batch {
	unsigned n_refs;
	int64_t number; /* position in the spool, assigned by the commit; 0 before */
	char *source;
	char *provider;
	nsec_t accepted_time;
	nsec_t newest_time; /* newest record time; NSEC_NONE: none has one */
	bool keep_ids; /* the keys outlive the body, for dedupe; batch_new sets true */
	bool replayed; /* delivered once more; batch_new sets false */
	bool keep_times; /* beside the keys, for reconciliations; batch_new sets false */
	struct batch_record *records;
	struct id *ids; /* one key a record */
	size_t n_records;
	size_t capacity;
	struct buf body;
	struct buf id_text; /* ID texts without separators */
	struct batch_pool *pool; /* that it is in, once it is committed; see pool.h */
	struct batch *pool_next;
};

struct batch *batch_new(const char *source, const char *provider, nsec_t accepted_time);
struct batch *batch_ref(struct batch *batch);
void batch_unref(struct batch *batch); /* NULL allowed */

/* Room for N_RECORDS more with SIZE bytes of text, line feeds included: they are added without
 * growing. batch_trim gives back what was not used. */
void batch_reserve(struct batch *batch, size_t n_records, size_t size);
void batch_trim(struct batch *batch);
size_t batch_memory(const struct batch *batch); /* bytes */

/* Appends one record: TEXT is already on one line. ID_TEXT may be SLICE_NULL (hash as ID). */
void batch_add(struct batch *batch, struct slice text, const struct id *key, struct slice id_text,
	nsec_t time);

/* Walks the records: zero a cursor, call until false. */
struct batch_cursor {
	size_t index; /* of the record just returned + 1 */
	size_t body_offset;
	size_t id_offset;
};

struct batch_view {
	size_t index;
	struct slice text; /* without line feed */
	struct slice id; /* SLICE_NULL: use batch_id_text */
	const struct id *key;
	nsec_t time;
};

bool batch_next(const struct batch *batch, struct batch_cursor *cursor, struct batch_view *ret);

/* The record's ID for a sink: the provider's, or the key in hex written to SCRATCH. */
struct slice batch_id_text(const struct batch_view *view, char scratch[33]);

/* The batch as one self-contained, checksummed and compressed (zstd level 1) text for the spool,
 * without number, source, provider and accepted_time, which are columns, and without the keys,
 * which stand beside it (IDS, 16 bytes each). batch_encode appends. batch_decode fills a batch that
 * has no records yet; it answers FAULT_STORE, and leaves the batch empty, when the bytes are not
 * what batch_encode wrote. */
void batch_encode(const struct batch *batch, struct buf *out);
int batch_decode(struct batch *batch, struct slice encoded, struct slice ids, struct fault *reterr);

#endif
