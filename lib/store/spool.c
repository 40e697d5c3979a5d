/*
 * Reads what the commits left: waiting batches and the places of the sinks. Sources are few and
 * batches many, so the next batch is found with one index look-up a wanted source, never by walking
 * over those that are not wanted.
 */
#include "store/spool.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "store/store_internal.h"

int64_t spool_last(const struct store *store)
{
	return store->last_number;
}

uint64_t spool_bytes(const struct store *store)
{
	return store->committed_bytes + store->pages_encoded;
}

size_t spool_memory(const struct store *store)
{
	return store->pool.bytes;
}

/* What to do with the waiting batches above AFTER of a wanted source. */
typedef int (*wanted_source_fn)(
	struct store *store, int64_t source_id, int64_t after, void *out, struct fault *reterr);

static int each_wanted(struct store *store, int64_t after,
	bool (*wanted)(const char *source, void *userdata), void *userdata, wanted_source_fn each,
	void *out, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *sources = NULL;
	const char *name;
	bool row = false;
	int r = statement_get(store, STATEMENT_SOURCE_LIST, &sources, reterr);

	while (!r) {
		r = statement_step(store, sources, &row, reterr);
		if (r || !row)
			break;
		name = (const char *)sqlite3_column_text(sources, 1);
		if (!name)
			return statement_damaged(store, reterr, "a source has no name");
		if (wanted(name, userdata))
			r = each(store, sqlite3_column_int64(sources, 0), after, out, reterr);
	}
	return r;
}

/* The lowest number so far into *OUT; 0: none. */
static int find_lowest(
	struct store *store, int64_t source_id, int64_t after, void *out, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	int64_t *lowest = out, number;
	bool row = false;
	int r = statement_get(store, STATEMENT_BATCH_FIND, &statement, reterr);

	if (r)
		return r;
	sqlite3_bind_int64(statement, 1, source_id);
	sqlite3_bind_int64(statement, 2, after);
	r = statement_step(store, statement, &row, reterr);
	if (r || !row || sqlite3_column_type(statement, 0) == SQLITE_NULL)
		return r;
	number = sqlite3_column_int64(statement, 0);
	if (*lowest == 0 || number < *lowest)
		*lowest = number;
	return 0;
}

static struct slice column_blob(sqlite3_stmt *statement, int column)
{
	const void *data = sqlite3_column_blob(statement, column);

	return (struct slice){data ? data : "", (size_t)sqlite3_column_bytes(statement, column)};
}

static int damaged(struct store *store, int64_t number, const char *why, struct fault *reterr)
{
	CLEANUP_FREE char *text = mem_printf("batch %lld: %s", (long long)number, why);

	return statement_damaged(store, reterr, text);
}

static int read_batch(struct store *store, int64_t number, struct batch **ret, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	struct fault fault = FAULT_NULL;
	const char *source, *provider;
	struct batch *batch;
	bool row = false;
	int r;

	*ret = batch_pool_find(&store->pool, number);
	if (*ret)
		return 0;
	r = statement_get(store, STATEMENT_BATCH_GET, &statement, reterr);
	if (r)
		return r;
	sqlite3_bind_int64(statement, 1, number);
	r = statement_step(store, statement, &row, reterr);
	if (r)
		return r;
	source = row ? (const char *)sqlite3_column_text(statement, 0) : NULL;
	provider = row ? (const char *)sqlite3_column_text(statement, 1) : NULL;
	if (!source || !provider)
		return damaged(
			store, number, "the index names it, the table has no such row", reterr);
	batch = batch_new(source, provider, sqlite3_column_int64(statement, 2));
	if (batch_decode(batch, column_blob(statement, 5), column_blob(statement, 4), &fault) != 0)
		r = damaged(store, number, fault.text, reterr);
	else if (sqlite3_column_int64(statement, 3) != (int64_t)batch->n_records)
		r = damaged(store, number, "its row names another number of records", reterr);
	if (r) {
		batch_unref(batch);
		return r;
	}
	batch->number = number;
	batch_pool_add(&store->pool, batch);
	*ret = batch;
	return 0;
}

/* Ends a read transaction; there is nothing in it that could be lost. */
static void end_read(struct store *store)
{
	if (!sqlite3_get_autocommit(store->db))
		statement_run(store, STATEMENT_COMMIT, NULL);
}

int spool_next(struct store *store, int64_t after,
	bool (*wanted)(const char *source, void *userdata), void *userdata, struct batch **ret,
	struct fault *reterr)
{
	struct batch *batch = NULL;
	int64_t number = 0;
	int r;

	/* One transaction: a daemon beside a reader may release the row between the two looks. */
	r = statement_run(store, STATEMENT_READ, reterr);
	if (r)
		return r;
	r = each_wanted(store, after, wanted, userdata, find_lowest, &number, reterr);
	if (!r && number > 0)
		r = read_batch(store, number, &batch, reterr);
	end_read(store);
	if (!r)
		*ret = batch;
	return r;
}

struct totals {
	uint64_t n_batches;
	uint64_t n_records;
};

static int add_totals(
	struct store *store, int64_t source_id, int64_t after, void *out, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	struct totals *totals = out;
	bool row = false;
	int r = statement_get(store, STATEMENT_BATCH_COUNT, &statement, reterr);

	if (r)
		return r;
	sqlite3_bind_int64(statement, 1, source_id);
	sqlite3_bind_int64(statement, 2, after);
	r = statement_step(store, statement, &row, reterr);
	if (r || !row)
		return r;
	totals->n_batches += (uint64_t)sqlite3_column_int64(statement, 0);
	totals->n_records += (uint64_t)sqlite3_column_int64(statement, 1);
	return 0;
}

int spool_count(struct store *store, int64_t after,
	bool (*wanted)(const char *source, void *userdata), void *userdata, uint64_t *ret_records,
	uint64_t *ret_batches, struct fault *reterr)
{
	struct totals totals = {0};
	int r = each_wanted(store, after, wanted, userdata, add_totals, &totals, reterr);

	if (r)
		return r;
	*ret_records = totals.n_records;
	*ret_batches = totals.n_batches;
	return 0;
}

/* The newest collected mark that decides whether SINK is in the table; NULL: the table does. */
static const struct mark *find_mark(const struct store *store, const char *sink)
{
	for (size_t i = store->n_marks; i-- > 0;) {
		const struct mark *mark = &store->marks[i];

		if ((mark->kind == MARK_SINK_ENTRY || mark->kind == MARK_SINK_REMOVAL) &&
			strcmp(mark->name, sink) == 0)
			return mark;
	}
	return NULL;
}

static void sink_enter(
	struct store *store, const char *sink, const struct mark *mark, int64_t *ret_number)
{
	bool entered = mark && mark->kind == MARK_SINK_ENTRY;

	*ret_number = entered ? mark->value : store->last_number;
	if (!entered && store->mode == STORE_OWN)
		commit_add_sink_entry(store, sink, store->last_number);
}

int spool_sink_get(struct store *store, const char *sink, int64_t *ret_number, char **ret_position,
	bool *ret_known, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	const struct mark *mark = find_mark(store, sink);
	bool row = false;
	int r;

	if (!mark) {
		r = statement_get(store, STATEMENT_SINK_GET, &statement, reterr);
		if (r)
			return r;
		statement_bind_text(statement, 1, sink);
		r = statement_step(store, statement, &row, reterr);
		if (r)
			return r;
	}
	if (row) {
		*ret_number = sqlite3_column_int64(statement, 0);
		*ret_position = mem_strdup((const char *)sqlite3_column_text(statement, 1));
	} else {
		sink_enter(store, sink, mark, ret_number);
		*ret_position = NULL;
	}
	if (ret_known)
		*ret_known = row;
	return 0;
}

int spool_sink_list(struct store *store,
	void (*each)(const char *sink, int64_t number, void *userdata), void *userdata,
	struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	const char *name;
	bool row = false;
	int r = statement_get(store, STATEMENT_SINK_LIST, &statement, reterr);

	while (!r) {
		r = statement_step(store, statement, &row, reterr);
		if (r || !row)
			break;
		name = (const char *)sqlite3_column_text(statement, 0);
		if (!name)
			return statement_damaged(store, reterr, "a sink has no name");
		each(name, sqlite3_column_int64(statement, 1), userdata);
	}
	return r;
}
