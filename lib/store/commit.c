/*
 * Collects what belongs into the next transaction and writes it. Pages come first, in their order;
 * acknowledgements, releases and expiries after them, several for one sink or source as one (in the
 * catalog), so that what is collected stays small while the disk is full.
 *
 * Bodies are encoded when they are collected: spool_bytes is exact at any time, and a commit that
 * is tried again does not compress again.
 */
#include "store/commit.h"

#include <assert.h>
#include <limits.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "store/store_internal.h"

/* An encoding buffer that grew past this is given back. */
#define SCRATCH_KEPT ((size_t)1 << 20)

/* The file gives pages back to the file system, some with each commit, while more than these and
 * more than half of it are free: below that they serve the next burst. */
#define FREE_BYTES_KEPT ((int64_t)16 << 20)

static size_t page_memory(const struct pending_page *page)
{
	return page->batch ? batch_memory(page->batch) + page->encoded_size : 0;
}

static void encode_page(struct store *store, struct pending_page *page)
{
	buf_clear(&store->scratch);
	batch_encode(page->batch, &store->scratch);
	page->encoded = mem_dup(store->scratch.data, store->scratch.size);
	page->encoded_size = store->scratch.size;
	if (store->scratch.capacity > SCRATCH_KEPT)
		buf_deinit(&store->scratch);
}

static void page_deinit(struct pending_page *page)
{
	batch_unref(page->batch);
	free(page->encoded);
	free(page->cursor);
}

void commit_add_page(struct store *store, const char *source, struct batch *batch,
	const char *cursor, commit_done_fn done, void *userdata)
{
	struct pending_page *page;

	assert(store->mode == STORE_OWN);
	store->pages = mem_grow(
		store->pages, store->n_pages, &store->pages_capacity, sizeof(store->pages[0]));
	page = &store->pages[store->n_pages++];
	*page = (struct pending_page){
		.source = catalog_source(store, source),
		.batch = batch ? batch_ref(batch) : NULL,
		.cursor = mem_strdup(cursor),
		.done = done,
		.userdata = userdata,
	};
	if (batch)
		encode_page(store, page);
	store->pages_encoded += page->encoded_size;
	store->pages_memory += page_memory(page);
}

void commit_add_cursor(struct store *store, const char *source, const char *cursor)
{
	commit_add_page(store, source, NULL, cursor, NULL, NULL);
}

void commit_add_ack(struct store *store, const char *name, int64_t number, const char *position)
{
	struct store_sink *sink = catalog_sink(store, name);

	assert(store->mode == STORE_OWN);
	if (sink->acknowledged && number < sink->number)
		return;
	catalog_mark_sink(store, sink);
	sink->acknowledged = true;
	sink->number = number;
	if (position) {
		free(sink->position);
		sink->position = mem_strdup(position);
	}
}

void commit_add_release(struct store *store, const char *name, int64_t number)
{
	struct store_source *source = catalog_source(store, name);

	assert(store->mode == STORE_OWN);
	/* No sink can have what is not committed: such a number must not reach the pages that this
	 * transaction brings. */
	if (number > store->last_number)
		number = store->last_number;
	if (number <= source->release || source->last <= source->released)
		return;
	catalog_mark_source(store, source);
	source->release = number;
}

void commit_add_expiry(struct store *store, const char *name, nsec_t time)
{
	struct store_source *source = catalog_source(store, name);

	assert(store->mode == STORE_OWN);
	/* Keys that come with this commit stay in any case: their bodies wait. */
	if (source->id == 0 || (source->expiry != NSEC_NONE && time <= source->expiry))
		return;
	catalog_mark_source(store, source);
	source->expiry = time;
	source->expiry_from = NSEC_NONE;
}

void commit_add_expiry_from(struct store *store, const char *name, nsec_t from_time, nsec_t time)
{
	commit_add_expiry(store, name, time);
	catalog_source(store, name)->expiry_from = from_time;
}

void commit_add_sink_entry(struct store *store, const char *name, int64_t number)
{
	struct store_sink *sink = catalog_sink(store, name);

	if (sink->entered || sink->acknowledged)
		return;
	catalog_mark_sink(store, sink);
	sink->entered = true;
	sink->entry = number;
}

bool commit_pending(const struct store *store)
{
	return store->n_pages > 0 || store->notes.n_items > 0 || store->events.n_items > 0 ||
	       store->catalog.n_marked_sources > 0 || store->catalog.n_marked_sinks > 0;
}

size_t commit_pending_bytes(const struct store *store)
{
	return store->pages_memory;
}

/* --- the transaction --- */

static int put_source(struct store *store, struct pending_page *page, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	bool row = false;
	int r = statement_get(store, STATEMENT_SOURCE_PUT, &statement, reterr);

	if (r)
		return r;
	statement_bind_text(statement, 1, page->source->name);
	statement_bind_text(statement, 2, page->cursor);
	sqlite3_bind_int64(statement, 3, clock_wall());
	r = statement_step(store, statement, &row, reterr);
	if (r)
		return r;
	if (!row)
		return statement_damaged(store, reterr, "a source cannot be written");
	page->source_id = sqlite3_column_int64(statement, 0);
	return statement_finish(store, statement, reterr);
}

static void bind_keys(sqlite3_stmt *statement, int index, const struct batch *batch)
{
	sqlite3_bind_blob64(statement, index, batch->ids ? (const void *)batch->ids : "",
		batch->n_records * sizeof(batch->ids[0]), SQLITE_STATIC);
}

static int put_body(struct store *store, struct pending_page *page, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	int r = statement_get(store, STATEMENT_BATCH_PUT, &statement, reterr);

	if (r)
		return r;
	sqlite3_bind_int64(statement, 1, page->source_id);
	statement_bind_text(statement, 2, page->batch->provider);
	sqlite3_bind_int64(statement, 3, page->batch->accepted_time);
	sqlite3_bind_int64(statement, 4, (int64_t)page->batch->n_records);
	sqlite3_bind_int64(statement, 5, (int64_t)page->encoded_size);
	if (!page->batch->keep_ids)
		bind_keys(statement, 6, page->batch);
	sqlite3_bind_blob64(statement, 7, page->encoded, page->encoded_size, SQLITE_STATIC);
	r = statement_finish(store, statement, reterr);
	if (!r)
		page->number = sqlite3_last_insert_rowid(store->db);
	return r;
}

static int put_keys(struct store *store, const struct pending_page *page, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	const struct batch *batch = page->batch;
	int r = statement_get(store, STATEMENT_KEYS_PUT, &statement, reterr);

	if (r)
		return r;
	sqlite3_bind_int64(statement, 1, page->number);
	sqlite3_bind_int64(statement, 2, page->source_id);
	sqlite3_bind_int64(statement, 3,
		batch->newest_time == NSEC_NONE ? batch->accepted_time : batch->newest_time);
	sqlite3_bind_int64(statement, 4, (int64_t)batch->n_records);
	bind_keys(statement, 5, batch);
	nsec_t *times CLEANUP_FREE = NULL;
	if (batch->keep_times) {
		times = mem_array(batch->n_records, sizeof(*times));
		for (size_t i = 0; i < batch->n_records; i++)
			times[i] = batch->records[i].time;
		sqlite3_bind_blob64(
			statement, 6, times, batch->n_records * sizeof(*times), SQLITE_TRANSIENT);
	}
	return statement_finish(store, statement, reterr);
}

static int write_page(struct store *store, struct pending_page *page, struct fault *reterr)
{
	int r = put_source(store, page, reterr);

	if (!r && page->batch) {
		r = put_body(store, page, reterr);
		if (!r && page->batch->keep_ids)
			r = put_keys(store, page, reterr);
	}
	return r;
}

/* Runs WHICH for the sink NAME at NUMBER. */
static int put_sink(struct store *store, enum statement which, const struct store_sink *sink,
	int64_t number, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	int r = statement_get(store, which, &statement, reterr);

	if (r)
		return r;
	statement_bind_text(statement, 1, sink->name);
	sqlite3_bind_int64(statement, 2, number);
	if (which == STATEMENT_SINK_ACK)
		statement_bind_text(statement, 3, sink->position);
	return statement_finish(store, statement, reterr);
}

static int write_sink(struct store *store, const struct store_sink *sink, struct fault *reterr)
{
	int r = 0;

	if (sink->entered)
		r = put_sink(store, STATEMENT_SINK_ENTER, sink, sink->entry, reterr);
	if (!r && sink->acknowledged)
		r = put_sink(store, STATEMENT_SINK_ACK, sink, sink->number, reterr);
	return r;
}

static int expire(struct store *store, enum statement which, const struct store_source *source,
	struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	int r = statement_get(store, which, &statement, reterr);

	if (r)
		return r;
	sqlite3_bind_int64(statement, 1, source->id);
	sqlite3_bind_int64(statement, 2, source->expiry);
	sqlite3_bind_int64(statement, 3, source->expiry_from);
	return statement_finish(store, statement, reterr);
}

static int write_source(struct store *store, const struct store_source *source,
	struct released *released, struct fault *reterr)
{
	int r = 0;

	if (source->release > 0)
		r = kept_release(store, source, released, reterr);
	if (!r && source->expiry != NSEC_NONE)
		r = expire(store, STATEMENT_EXPIRE_LATER, source, reterr);
	if (!r && source->expiry != NSEC_NONE)
		r = expire(store, STATEMENT_EXPIRE, source, reterr);
	return r;
}

static int count_commit(struct store *store, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	bool row = false;
	int r = statement_get(store, STATEMENT_COMMITS_ADD, &statement, reterr);

	if (!r)
		r = statement_step(store, statement, &row, reterr);
	if (!r && !row)
		r = statement_damaged(store, reterr, "the count of commits is missing");
	if (!r)
		store->n_commits = sqlite3_column_int64(statement, 0);
	return r ? r : statement_finish(store, statement, reterr);
}

static int write_all(struct store *store, struct released *released, struct fault *reterr)
{
	const struct catalog *catalog = &store->catalog;
	int r = count_commit(store, reterr);

	if (!r)
		r = coverage_write(store, reterr);
	if (!r)
		r = events_write(store, 0, reterr);
	for (size_t i = 0; i < store->n_pages && !r; i++)
		r = write_page(store, &store->pages[i], reterr);
	for (size_t i = 0; i < catalog->n_marked_sinks && !r; i++)
		r = write_sink(store, catalog->marked_sinks[i], reterr);
	for (size_t i = 0; i < catalog->n_marked_sources && !r; i++)
		r = write_source(store, catalog->marked_sources[i], released, reterr);
	return r;
}

/* All or nothing. */
static int transact(struct store *store, struct released *released, struct fault *reterr)
{
	int r = statement_run(store, STATEMENT_WRITE, reterr);

	if (r)
		return r;
	r = write_all(store, released, reterr);
	if (!r)
		r = statement_run(store, STATEMENT_COMMIT, reterr);
	/* After some errors SQLite has rolled back by itself. */
	if (r && !sqlite3_get_autocommit(store->db))
		statement_run(store, STATEMENT_ROLLBACK, NULL);
	return r;
}

static int64_t count_pages(struct store *store, enum statement which)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	bool row = false;

	if (statement_get(store, which, &statement, NULL) != 0 ||
		statement_step(store, statement, &row, NULL) != 0 || !row)
		return 0;
	return sqlite3_column_int64(statement, 0);
}

/* Its failure loses nothing and will be met again by the next commit. */
static void shrink(struct store *store)
{
	int64_t n_free = count_pages(store, STATEMENT_FREE_COUNT);

	if (n_free * STORE_PAGE_SIZE > FREE_BYTES_KEPT &&
		n_free > count_pages(store, STATEMENT_PAGE_COUNT) / 2)
		statement_run(store, STATEMENT_SHRINK, NULL);
}

/* The collected pages belong to the caller now; callbacks may collect new ones. */
static struct pending_page *take_pages(struct store *store, size_t *ret_n)
{
	struct pending_page *pages = store->pages;

	*ret_n = store->n_pages;
	store->pages = NULL;
	store->n_pages = store->pages_capacity = 0;
	store->pages_encoded = store->pages_memory = 0;
	return pages;
}

int commit_run(struct store *store, struct fault *reterr)
{
	struct pending_page *pages;
	struct released released = {0};
	size_t n_pages;
	int r;

	if (!commit_pending(store))
		return 0;
	r = database_check_place(store, reterr);
	if (!r)
		r = transact(store, &released, reterr);
	if (r)
		return r;
	witness_write(store);
	store->committed_bytes += store->pages_encoded;
	store->committed_bytes -= released.bytes;
	kept_settle(store, &released);
	catalog_settle(store);
	coverage_settle(store);
	events_settle(store, 0);
	pages = take_pages(store, &n_pages);
	for (size_t i = 0; i < n_pages; i++) {
		pages[i].source->id = pages[i].source_id;
		if (!pages[i].batch)
			continue;
		batch_pool_remove(pages[i].batch); /* collected twice */
		store->last_number = pages[i].batch->number = pages[i].number;
		catalog_touch(store, pages[i].source, pages[i].number);
		batch_pool_add(&store->pool, pages[i].batch);
	}
	shrink(store);
	for (size_t i = 0; i < n_pages; i++) {
		if (pages[i].done)
			pages[i].done(pages[i].batch, pages[i].userdata);
		page_deinit(&pages[i]);
	}
	free(pages);
	return 0;
}

void commit_checkpoint(struct store *store)
{
	(void)sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

void commit_drop(struct store *store)
{
	size_t n_pages;
	struct pending_page *pages = take_pages(store, &n_pages);

	for (size_t i = 0; i < n_pages; i++)
		page_deinit(&pages[i]);
	free(pages);
	coverage_drop(store);
	events_drop(store, 0);
	catalog_drop(store);
}
