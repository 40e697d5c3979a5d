/* See reconcile.h. The times of a batch are beside its keys, 8 bytes each in this host's order; a
 * record that is marked has none any more. */
#include "store/reconcile.h"

#include <endian.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "store/events.h"
#include "store/store_internal.h"

struct list {
	struct reconcile_record *items;
	size_t n_items, capacity;
};

static int add_batch(struct store *store, sqlite3_stmt *statement, nsec_t start_time,
	nsec_t end_time, struct list *list, struct fault *reterr)
{
	const char *keys = sqlite3_column_blob(statement, 1);
	const char *times = sqlite3_column_blob(statement, 2);
	size_t n = (size_t)sqlite3_column_bytes(statement, 1) / sizeof(struct id);

	if ((size_t)sqlite3_column_bytes(statement, 2) != n * sizeof(nsec_t))
		return statement_damaged(store, reterr, "times of a batch are cut");
	for (size_t i = 0; i < n; i++) {
		struct reconcile_record record = {
			.number = sqlite3_column_int64(statement, 0), .index = i};

		memcpy(&record.time, times + i * sizeof(nsec_t), sizeof(nsec_t));
		record.time = (nsec_t)le64toh((uint64_t)record.time);
		if (record.time < start_time || record.time >= end_time)
			continue;
		memcpy(&record.key, keys + i * sizeof(struct id), sizeof(struct id));
		list->items =
			mem_grow(list->items, list->n_items, &list->capacity, sizeof(*list->items));
		list->items[list->n_items++] = record;
	}
	return 0;
}

int reconcile_list(struct store *store, const char *source, nsec_t start_time, nsec_t end_time,
	struct reconcile_record **ret, size_t *ret_n, struct fault *reterr)
{
	CLEANUP(statement_finalize) sqlite3_stmt *statement = NULL;
	struct list list = {0};
	bool row = true;
	int r = statement_prepare(store,
		"SELECT number, keys, times FROM batch_keys WHERE times IS NOT NULL"
		" AND source = (SELECT id FROM sources WHERE name = ?1) AND newest_time >= ?2",
		&statement, reterr);

	if (r)
		return r;
	statement_bind_text(statement, 1, source);
	sqlite3_bind_int64(statement, 2, start_time);
	while (!r && row) {
		r = statement_step(store, statement, &row, reterr);
		if (!r && row)
			r = add_batch(store, statement, start_time, end_time, &list, reterr);
	}
	if (r) {
		free(list.items);
		return r;
	}
	*ret = list.items;
	*ret_n = list.n_items;
	return 0;
}

int reconcile_get(struct store *store, const char *source, nsec_t delay_ns, nsec_t *ret_until,
	nsec_t *ret_late, struct fault *reterr)
{
	CLEANUP(statement_finalize) sqlite3_stmt *statement = NULL;
	bool row = false;
	int r = statement_prepare(store,
		"SELECT until_time, late FROM reconciled WHERE source = ?1 AND delay = ?2",
		&statement, reterr);

	if (r)
		return r;
	statement_bind_text(statement, 1, source);
	sqlite3_bind_int64(statement, 2, delay_ns);
	r = statement_step(store, statement, &row, reterr);
	*ret_until = !r && row ? sqlite3_column_int64(statement, 0) : NSEC_NONE;
	*ret_late = !r && row ? sqlite3_column_int64(statement, 1) : 0;
	return r;
}

/* Most sources have nothing here, and each start asks for all of them: a read is cheaper. */
static int is_known(struct store *store, const char *source, bool *ret, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	int r = statement_get(store, STATEMENT_RECONCILED_FIND, &statement, reterr);

	if (r)
		return r;
	statement_bind_text(statement, 1, source);
	return statement_step(store, statement, ret, reterr);
}

static int forget_others(struct store *store, const char *source, const char *shape,
	const nsec_t *delays_ns, size_t n, struct fault *reterr)
{
	CLEANUP(statement_finalize) sqlite3_stmt *statement = NULL;
	int r = statement_prepare(store,
		"DELETE FROM reconciled WHERE source = ?1"
		" AND (shape <> ?6 OR delay NOT IN (?2, ?3, ?4, ?5))",
		&statement, reterr);

	if (r)
		return r;
	statement_bind_text(statement, 1, source);
	for (size_t i = 0; i < 4; i++)
		sqlite3_bind_int64(statement, 2 + (int)i, i < n ? delays_ns[i] : -1);
	statement_bind_text(statement, 6, shape);
	return statement_finish(store, statement, reterr);
}

int reconcile_forget_others(struct store *store, const char *source, const char *shape,
	const nsec_t *delays_ns, size_t n, struct fault *reterr)
{
	bool known = false;
	int r = is_known(store, source, &known, reterr);

	if (r || !known)
		return r;
	r = transaction_begin(store, reterr);
	return r ? r
		 : transaction_end(store, forget_others(store, source, shape, delays_ns, n, reterr),
			   reterr);
}

static int put_result(
	struct store *store, const struct reconcile_result *result, struct fault *reterr)
{
	CLEANUP(statement_finalize) sqlite3_stmt *statement = NULL;
	int r = statement_prepare(store,
		"INSERT INTO reconciled(source, delay, until_time, shape, late)"
		" VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE"
		" SET until_time = excluded.until_time, late = max(coalesce(late, 0), excluded.late)",
		&statement, reterr);

	if (r)
		return r;
	statement_bind_text(statement, 1, result->source);
	sqlite3_bind_int64(statement, 2, result->delay_ns);
	sqlite3_bind_int64(statement, 3, result->until_time);
	statement_bind_text(statement, 4, result->shape);
	sqlite3_bind_int64(statement, 5, result->late_ns);
	return statement_finish(store, statement, reterr);
}

/* Takes away the time of RECORD. */
static int mark(struct store *store, const struct reconcile_record *record, struct fault *reterr)
{
	const nsec_t none = (nsec_t)htole64((uint64_t)NSEC_NONE);
	sqlite3_blob *blob = NULL;
	int code = sqlite3_blob_open(
		store->db, "main", "batch_keys", "times", record->number, 1, &blob);

	if (code == SQLITE_OK)
		code = sqlite3_blob_write(
			blob, &none, sizeof(none), (int)(record->index * sizeof(none)));
	sqlite3_blob_close(blob);
	/* the keys may have expired meanwhile */
	return code == SQLITE_OK || code == SQLITE_ERROR ? 0 : statement_fault(store, code, reterr);
}

static int write_all(
	struct store *store, const struct reconcile_result *result, struct fault *reterr)
{
	int r = put_result(store, result, reterr);

	for (size_t i = 0; i < result->n_records && !r; i++)
		r = mark(store, &result->records[i], reterr);
	return r;
}

int reconcile_settle(
	struct store *store, const struct reconcile_result *result, struct fault *reterr)
{
	const struct event vanished = {
		.kind = EVENT_VANISHED, .source = result->source, .text = result->vanished};
	const struct event overlap = {
		.kind = EVENT_OVERLAP, .source = result->source, .text = result->overlap};
	size_t first = store->collected.n_events;
	int r = transaction_begin(store, reterr);

	if (r)
		return r;
	if (result->vanished)
		events_add(store, &vanished);
	if (result->overlap)
		events_add(store, &overlap);
	return events_commit(store, first, write_all(store, result, reterr), reterr);
}
