/*
 * Collects what belongs into the next transaction and writes it. Pages come first, in their order;
 * acknowledgements, releases and expiries after them (uncommitted.c).
 *
 * Bodies are encoded when they are collected: spool_bytes is exact at any time, and a commit that
 * is tried again does not compress again.
 */
#include "store/commit.h"

#include <assert.h>
#include <endian.h>
#include <limits.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/spare.h"
#include "store/store_internal.h"

/* The file gives pages back to the file system, some with each commit, while more than these and
 * more than half of it are free: below that they serve the next burst. */
#define FREE_BYTES_KEPT ((int64_t)16 << 20)

static size_t page_memory(const struct pending_page *page)
{
	return page->batch ? batch_memory(page->batch) + page->encoded.capacity : 0;
}

/* One buffer serves all small bodies; a large one keeps the block into which it was encoded. */
static void encode_page(struct store *store, struct pending_page *page)
{
	struct buf *scratch = &store->scratch;

	buf_clear(scratch);
	batch_encode(page->batch, scratch);
	if (scratch->size < SPARE_SIZE_MIN) {
		buf_append_slice(&page->encoded, buf_slice(scratch));
	} else {
		page->encoded = *scratch;
		*scratch = BUF_NULL;
	}
	buf_trim(&page->encoded);
}

void commit_add_page(struct store *store, const char *source, struct batch *batch,
	const char *cursor, commit_done_fn done, void *userdata)
{
	struct uncommitted *set = &store->collected;
	struct pending_page *page;

	assert(store->mode == STORE_OWN);
	set->pages =
		mem_grow(set->pages, set->n_pages, &set->pages_capacity, sizeof(set->pages[0]));
	page = &set->pages[set->n_pages++];
	*page = (struct pending_page){
		.source = catalog_source(store, source),
		.batch = batch ? batch_ref(batch) : NULL,
		.cursor = mem_strdup(cursor),
		.done = done,
		.userdata = userdata,
	};
	if (batch)
		encode_page(store, page);
	set->pages_encoded += page->encoded.size;
	set->pages_memory += page_memory(page);
}

void commit_add_cursor(struct store *store, const char *source, const char *cursor)
{
	commit_add_page(store, source, NULL, cursor, NULL, NULL);
}

void commit_add_ack(struct store *store, const char *name, int64_t number, const char *position)
{
	struct sink_mark *mark = uncommitted_sink(store, catalog_sink(store, name));

	assert(store->mode == STORE_OWN);
	if (mark->acknowledged && number < mark->number)
		return;
	mark->acknowledged = true;
	mark->number = number;
	if (position) {
		free(mark->position);
		mark->position = mem_strdup(position);
	}
}

void commit_add_release(struct store *store, const char *name, int64_t number)
{
	struct store_source *source = catalog_source(store, name);
	struct source_mark *mark;

	assert(store->mode == STORE_OWN);
	/* No sink can have what is not committed: such a number must not reach the pages that this
	 * transaction brings. */
	if (number > store->last_number)
		number = store->last_number;
	if (number <= 0 || source->last <= source->released)
		return;
	mark = uncommitted_source(store, source);
	if (number > mark->release)
		mark->release = number;
}

void commit_add_expiry_from(struct store *store, const char *name, nsec_t from_time, nsec_t time)
{
	struct store_source *source = catalog_source(store, name);
	struct source_mark *mark;

	assert(store->mode == STORE_OWN);
	/* Keys that come with this commit stay in any case: their bodies wait. */
	if (source->id == 0)
		return;
	mark = uncommitted_source(store, source);
	if (mark->expiry == NSEC_NONE || time > mark->expiry)
		mark->expiry = time;
	mark->expiry_from = from_time;
}

void commit_add_expiry(struct store *store, const char *name, nsec_t time)
{
	const struct store_source *source = catalog_source(store, name);

	if (source->mark > 0 && store->collected.sources[source->mark - 1].expiry >= time)
		return;
	commit_add_expiry_from(store, name, NSEC_NONE, time);
}

void commit_add_sink_entry(struct store *store, const char *name, int64_t number)
{
	struct sink_mark *mark = uncommitted_sink(store, catalog_sink(store, name));

	if (mark->entered || mark->acknowledged)
		return;
	mark->entered = true;
	mark->entry = number;
}

bool commit_pending(const struct store *store)
{
	return !uncommitted_is_empty(&store->collected) || !uncommitted_is_empty(&store->under_way);
}

size_t commit_pending_bytes(const struct store *store)
{
	return store->collected.pages_memory + store->under_way.pages_memory;
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
	sqlite3_bind_int64(statement, 5, (int64_t)page->encoded.size);
	if (!page->batch->keep_ids)
		bind_keys(statement, 6, page->batch);
	sqlite3_bind_blob64(statement, 7, page->encoded.data, page->encoded.size, SQLITE_STATIC);
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
			times[i] = (nsec_t)htole64((uint64_t)batch->records[i].time);
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

/* Runs WHICH for the sink of MARK at NUMBER. */
static int put_sink(struct store *store, enum statement which, const struct sink_mark *mark,
	int64_t number, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	int r = statement_get(store, which, &statement, reterr);

	if (r)
		return r;
	statement_bind_text(statement, 1, mark->sink->name);
	sqlite3_bind_int64(statement, 2, number);
	if (which == STATEMENT_SINK_POSITION) {
		statement_bind_text(statement, 3, mark->position);
		statement_bind_text(statement, 4, mark->sink->of_host ? store->node : "");
	}
	return statement_finish(store, statement, reterr);
}

static int write_sink(struct store *store, const struct sink_mark *mark, struct fault *reterr)
{
	int r = 0;

	if (mark->entered)
		r = put_sink(store, STATEMENT_SINK_ENTER, mark, mark->entry, reterr);
	if (!r && mark->acknowledged)
		r = put_sink(store, STATEMENT_SINK_ACK, mark, mark->number, reterr);
	if (!r && mark->position)
		r = put_sink(store, STATEMENT_SINK_POSITION, mark, mark->number, reterr);
	return r || !mark->replay ? r : replays_write(store, mark, reterr);
}

static int expire(struct store *store, enum statement which, const struct source_mark *mark,
	struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	int r = statement_get(store, which, &statement, reterr);

	if (r)
		return r;
	sqlite3_bind_int64(statement, 1, mark->source->id);
	sqlite3_bind_int64(statement, 2, mark->expiry);
	sqlite3_bind_int64(statement, 3, mark->expiry_from);
	return statement_finish(store, statement, reterr);
}

static int write_source(struct store *store, const struct source_mark *mark, struct fault *reterr)
{
	int r = 0;

	if (mark->release > 0)
		r = kept_release(store, mark, &store->under_way.released, reterr);
	if (!r && mark->expiry != NSEC_NONE)
		r = expire(store, STATEMENT_EXPIRE_LATER, mark, reterr);
	if (!r && mark->expiry != NSEC_NONE)
		r = expire(store, STATEMENT_EXPIRE, mark, reterr);
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

static int write_all(struct store *store, struct fault *reterr)
{
	struct uncommitted *set = &store->under_way;
	int r = count_commit(store, reterr);

	set->released = (struct released){0};
	if (!r)
		r = coverage_write(store, reterr);
	if (!r)
		r = events_write(store, set, 0, reterr);
	for (size_t i = 0; i < set->n_pages && !r; i++)
		r = write_page(store, &set->pages[i], reterr);
	for (size_t i = 0; i < set->n_sinks && !r; i++)
		r = write_sink(store, &set->sinks[i], reterr);
	for (size_t i = 0; i < set->n_sources && !r; i++)
		r = write_source(store, &set->sources[i], reterr);
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

	if (n_free * store->page_size > FREE_BYTES_KEPT &&
		n_free > count_pages(store, STATEMENT_PAGE_COUNT) / 2)
		statement_run(store, STATEMENT_SHRINK, NULL);
}

/* What is under way is committed. */
static void settle(struct store *store)
{
	struct uncommitted *set = &store->under_way;

	store->progress = UNDER_WAY_SETTLED;
	witness_write(store);
	store->committed_bytes += set->pages_encoded;
	store->committed_bytes -= set->released.bytes;
	kept_settle(store);
	set->pages_encoded = 0;
	for (size_t i = 0; i < set->n_sources; i++)
		if (set->sources[i].release > set->sources[i].source->released)
			set->sources[i].source->released = set->sources[i].release;
	coverage_settle(store);
	events_settle(store, set, 0);
	for (size_t i = 0; i < set->n_pages; i++) {
		struct pending_page *page = &set->pages[i];

		page->source->id = page->source_id;
		if (!page->batch)
			continue;
		batch_pool_remove(page->batch); /* collected twice */
		store->last_number = page->batch->number = page->number;
		catalog_touch(store, page->source, page->number);
		batch_pool_add(&store->pool, page->batch);
	}
	shrink(store);
}

/* Tells those who wait for what is committed; they may collect more. */
static void hand_on(struct store *store)
{
	struct uncommitted set = store->under_way;

	store->under_way = (struct uncommitted){0};
	store->progress = UNDER_WAY_OPEN;
	for (size_t i = 0; i < set.n_pages; i++)
		if (set.pages[i].done)
			set.pages[i].done(set.pages[i].batch, set.pages[i].userdata);
	uncommitted_deinit(&set);
}

static int answered(struct store *store, int r)
{
	if (!r)
		settle(store);
	else if (r != STORE_E_WAIT)
		store->progress = UNDER_WAY_OPEN;
	return r;
}

int commit_await(struct store *store, nsec_t patience_ns, struct fault *reterr)
{
	int r = answered(store, transaction_answer(store, patience_ns, reterr));

	return r == STORE_E_FULL ? 0 : r;
}

/* Writes what is under way, all or nothing. */
static int transact(struct store *store, struct fault *reterr)
{
	int r = database_check_place(store, reterr);

	if (!r)
		r = transaction_begin(store, reterr);
	if (r)
		return r;
	store->progress = UNDER_WAY_SENT;
	return answered(store, transaction_send(store, write_all(store, reterr), reterr));
}

int commit_run(struct store *store, struct fault *reterr)
{
	int r = 0;

	if (store->progress == UNDER_WAY_SENT)
		r = answered(store, transaction_answer(store, 0, reterr));
	else if (store->progress == UNDER_WAY_OPEN && !uncommitted_is_empty(&store->under_way))
		r = transact(store, reterr);
	if (r)
		return r;
	hand_on(store);
	if (uncommitted_is_empty(&store->collected))
		return 0;
	uncommitted_take(store);
	r = transact(store, reterr);
	if (!r)
		hand_on(store);
	return r;
}

int commit_checkpoint(struct store *store, struct fault *reterr)
{
	int code =
		sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	/* a reader is in the way for a moment */
	return code == SQLITE_OK || code == SQLITE_BUSY || code == SQLITE_LOCKED
		       ? 0
		       : statement_fault(store, code, reterr);
}

void commit_drop(struct store *store)
{
	backend_change_free(store->change);
	store->change = NULL;
	uncommitted_deinit(&store->under_way);
	uncommitted_take(store);
	uncommitted_deinit(&store->under_way);
}
