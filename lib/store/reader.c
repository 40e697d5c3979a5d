/*
 * See reader.h. The heap holds each wanted source's next batch. It is filled from the catalog's
 * list of sources, newest batch first, and only as far as that list reaches after what was filled
 * before: a source that has nothing new costs nothing. What is committed meanwhile lies above UNTIL
 * and is filled in when the heap is used up.
 */
#include "store/reader.h"

#include <assert.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "store/store_internal.h"

void spool_reader_init(struct spool_reader *reader, struct store *store, spool_wanted_fn wanted,
	void *userdata, int64_t after)
{
	assert(store->mode == STORE_OWN);
	*reader = (struct spool_reader){
		.store = store,
		.wanted = wanted,
		.userdata = userdata,
		.after = after,
		.until = after,
	};
}

void spool_reader_deinit(struct spool_reader *reader)
{
	free(reader->heads);
	*reader = (struct spool_reader){0};
}

void spool_reader_seek(struct spool_reader *reader, int64_t after)
{
	reader->after = reader->until = after;
	reader->n_heads = 0;
}

/* --- the heap --- */

static void sink_head(struct spool_reader *reader, size_t at)
{
	struct spool_head moving = reader->heads[at];
	size_t child;

	while ((child = 2 * at + 1) < reader->n_heads) {
		if (child + 1 < reader->n_heads &&
			reader->heads[child + 1].number < reader->heads[child].number)
			child++;
		if (moving.number <= reader->heads[child].number)
			break;
		reader->heads[at] = reader->heads[child];
		at = child;
	}
	reader->heads[at] = moving;
}

static void push_head(
	struct spool_reader *reader, int64_t number, const struct store_source *source)
{
	size_t at = reader->n_heads;

	reader->heads = mem_grow(reader->heads, at, &reader->capacity, sizeof(reader->heads[0]));
	reader->n_heads++;
	for (; at > 0 && number < reader->heads[(at - 1) / 2].number; at = (at - 1) / 2)
		reader->heads[at] = reader->heads[(at - 1) / 2];
	reader->heads[at] = (struct spool_head){number, source};
}

static int damaged(struct store *store, int64_t number, const char *why, struct fault *reterr)
{
	CLEANUP_FREE char *text = mem_printf("batch %lld: %s", (long long)number, why);

	return statement_damaged(store, reterr, text);
}

/* The first batch of SOURCE after the number AFTER; 0: none. */
static int find_next(struct store *store, const struct store_source *source, int64_t after,
	int64_t *ret, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	bool row = false;
	int r;

	*ret = 0;
	if (source->last <= after)
		return 0;
	r = statement_get(store, STATEMENT_BATCH_FIND, &statement, reterr);
	if (r)
		return r;
	sqlite3_bind_int64(statement, 1, source->id);
	sqlite3_bind_int64(statement, 2, after > source->released ? after : source->released);
	r = statement_step(store, statement, &row, reterr);
	if (r)
		return r;
	if (row)
		*ret = sqlite3_column_int64(statement, 0);
	if (*ret == 0 && source->last > source->released)
		return damaged(store, source->last, "its row is missing", reterr);
	return 0;
}

static int fill(struct spool_reader *reader, struct fault *reterr)
{
	const struct store *store = reader->store;
	int64_t from, number;

	for (const struct store_source *source = store->catalog.newest;
		source && source->last > reader->until; source = source->older) {
		from = reader->wanted(source->name, reader->userdata);
		if (from < reader->until)
			from = reader->until;
		int r = find_next(reader->store, source, from, &number, reterr);

		if (r) {
			reader->n_heads = 0;
			return r;
		}
		if (number > 0)
			push_head(reader, number, source);
	}
	reader->until = store->last_number;
	return 0;
}

/* The first head leaves the heap, or becomes its source's next one, NUMBER. */
static void shift_head(struct spool_reader *reader, int64_t number)
{
	/* What is above UNTIL may come after other sources' batches that are not in the heap. */
	if (number > 0 && number <= reader->until)
		reader->heads[0].number = number;
	else
		reader->heads[0] = reader->heads[--reader->n_heads];
	if (reader->n_heads > 0)
		sink_head(reader, 0);
}

/* --- batches --- */

/* Whatever fails here is met again by what is read or committed next. */
bool spool_read_begin(struct store *store)
{
	return sqlite3_get_autocommit(store->db) && statement_run(store, STATEMENT_READ, NULL) == 0;
}

void spool_read_end(struct store *store, bool began)
{
	if (!began)
		return;
	if (statement_run(store, STATEMENT_COMMIT, NULL) != 0 && !sqlite3_get_autocommit(store->db))
		statement_run(store, STATEMENT_ROLLBACK, NULL);
}

static struct slice column_blob(sqlite3_stmt *statement, int column)
{
	const void *data = sqlite3_column_blob(statement, column);

	return (struct slice){data ? data : "", (size_t)sqlite3_column_bytes(statement, column)};
}

static int read_batch(struct store *store, const struct spool_head *head, struct batch **ret,
	struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	struct fault fault = FAULT_NULL;
	int64_t number = head->number;
	const char *provider, *name;
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
	provider = row ? (const char *)sqlite3_column_text(statement, 1) : NULL;
	if (!provider || sqlite3_column_int64(statement, 0) != head->source->id)
		return damaged(
			store, number, "the index names it, the table has no such row", reterr);
	name = (const char *)sqlite3_column_text(statement, 6);
	batch = batch_new(
		name ? name : head->source->name, provider, sqlite3_column_int64(statement, 2));
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

int spool_reader_next(struct spool_reader *reader, struct batch **ret, struct fault *reterr)
{
	struct batch *batch = NULL;
	struct spool_head head;
	int64_t next;
	int r = 0;

	*ret = NULL;
	if (reader->n_heads == 0)
		r = fill(reader, reterr);
	if (r || reader->n_heads == 0)
		return r;
	head = reader->heads[0];
	r = read_batch(reader->store, &head, &batch, reterr);
	if (!r)
		r = find_next(reader->store, head.source, head.number, &next, reterr);
	if (r) {
		batch_unref(batch);
		return r;
	}
	shift_head(reader, next);
	reader->after = head.number;
	*ret = batch;
	return 0;
}
