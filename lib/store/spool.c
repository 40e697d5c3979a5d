/* What waits in all, and the positions of the sinks; reader.c reads the batches. */
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
	return store->committed_bytes + store->collected.pages_encoded +
	       store->under_way.pages_encoded;
}

size_t spool_memory(const struct store *store)
{
	return store->pool.bytes;
}

void spool_source_list(
	const struct store *store, void (*each)(const char *source, void *userdata), void *userdata)
{
	for (const struct store_source *source = store->catalog.newest; source;
		source = source->older) {
		if (source->last > source->released)
			each(source->name, userdata);
	}
}

int spool_count(struct store *store, int64_t after, spool_wanted_fn wanted, void *userdata,
	uint64_t *ret_records, uint64_t *ret_batches, struct fault *reterr)
{
	uint64_t n_batches = 0, n_records = 0;
	int64_t from;
	int r = 0;

	for (const struct store_source *source = store->catalog.newest;
		source && source->last > after && !r; source = source->older) {
		CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
		bool row = false;

		from = wanted(source->name, userdata);
		if (source->last <= from)
			continue;
		r = statement_get(store, STATEMENT_BATCH_COUNT, &statement, reterr);
		if (r)
			break;
		sqlite3_bind_int64(statement, 1, source->id);
		from = from > after ? from : after;
		sqlite3_bind_int64(statement, 2, from > source->released ? from : source->released);
		r = statement_step(store, statement, &row, reterr);
		if (r || !row)
			continue;
		n_batches += (uint64_t)sqlite3_column_int64(statement, 0);
		n_records += (uint64_t)sqlite3_column_int64(statement, 1);
	}
	if (r)
		return r;
	*ret_records = n_records;
	*ret_batches = n_batches;
	return 0;
}

void spool_sink_of_host(struct store *store, const char *name)
{
	catalog_sink(store, name)->of_host = true;
}

int spool_sink_get(struct store *store, const char *name, int64_t *ret_number, char **ret_position,
	bool *ret_known, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	const struct store_sink *sink = catalog_sink(store, name);
	int64_t entry = store->last_number;
	bool row = false;
	int r;

	if (!uncommitted_entry(store, sink, &entry)) {
		r = statement_get(store, STATEMENT_SINK_GET, &statement, reterr);
		if (r)
			return r;
		statement_bind_text(statement, 1, name);
		statement_bind_text(statement, 2, sink->of_host ? store->node : "");
		r = statement_step(store, statement, &row, reterr);
		if (r)
			return r;
	}
	if (row) {
		*ret_number = sqlite3_column_int64(statement, 0);
		*ret_position = mem_strdup((const char *)sqlite3_column_text(statement, 1));
	} else {
		*ret_number = entry;
		*ret_position = NULL;
		if (store->mode == STORE_OWN)
			commit_add_sink_entry(store, name, *ret_number);
	}
	if (ret_known)
		*ret_known = row;
	return 0;
}
