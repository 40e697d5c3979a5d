/*
 * Reads the cursors of the sources; but for a rewind, commit.c writes them. What is collected but
 * not committed does not show here.
 */
#include "store/cursors.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "store/events.h"
#include "store/store_internal.h"

/* The one column of the row of SOURCE, NULL where there is none. */
static int read_text(struct store *store, sqlite3_stmt *statement, const char *source, char **ret,
	struct fault *reterr)
{
	bool row = false;
	int r;

	statement_bind_text(statement, 1, source);
	r = statement_step(store, statement, &row, reterr);
	if (r)
		return r;
	*ret = row ? mem_strdup((const char *)sqlite3_column_text(statement, 0)) : NULL;
	return 0;
}

int cursors_get(struct store *store, const char *source, char **ret, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	int r = statement_get(store, STATEMENT_CURSOR_GET, &statement, reterr);

	if (r)
		return r;
	return read_text(store, statement, source, ret, reterr);
}

int cursors_list(struct store *store,
	void (*each)(const char *source, const char *cursor, nsec_t updated_time, void *userdata),
	void *userdata, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	const char *source, *cursor;
	bool row = false;
	int r = statement_get(store, STATEMENT_CURSOR_LIST, &statement, reterr);

	while (!r) {
		r = statement_step(store, statement, &row, reterr);
		if (r || !row)
			break;
		source = (const char *)sqlite3_column_text(statement, 0);
		cursor = (const char *)sqlite3_column_text(statement, 1);
		if (!source || !cursor)
			return statement_damaged(store, reterr, "a source has no name");
		each(source, cursor, sqlite3_column_int64(statement, 2), userdata);
	}
	return r;
}

int cursors_previous(struct store *store, const char *source, char **ret, struct fault *reterr)
{
	CLEANUP(statement_finalize) sqlite3_stmt *statement = NULL;
	int r = statement_prepare(
		store, "SELECT previous FROM sources WHERE name = ?1", &statement, reterr);

	if (r)
		return r;
	return read_text(store, statement, source, ret, reterr);
}

static int put(struct store *store, const struct cursors_rewind *rewind, struct fault *reterr)
{
	CLEANUP(statement_finalize) sqlite3_stmt *statement = NULL;
	int r = statement_prepare(store,
		"INSERT INTO sources(name, cursor, updated_time) VALUES(?1, ?2, ?3)"
		" ON CONFLICT(name) DO UPDATE SET previous = cursor, cursor = excluded.cursor,"
		" updated_time = excluded.updated_time",
		&statement, reterr);

	if (r)
		return r;
	statement_bind_text(statement, 1, rewind->source);
	statement_bind_text(statement, 2, rewind->cursor);
	sqlite3_bind_int64(statement, 3, clock_wall());
	return statement_finish(store, statement, reterr);
}

static int drop_with(struct store *store, const char *sql, const struct cursors_rewind *rewind,
	struct fault *reterr)
{
	CLEANUP(statement_finalize) sqlite3_stmt *statement = NULL;
	int r = statement_prepare(store, sql, &statement, reterr);

	if (r)
		return r;
	statement_bind_text(statement, 1, rewind->source);
	sqlite3_bind_int64(statement, 2, rewind->horizon_time);
	sqlite3_bind_int64(statement, 3, rewind->from_time);
	return statement_finish(store, statement, reterr);
}

/* Those of bodies that wait stay: those records are on their way. Those of bodies that are kept
 * serve no dedupe any more and go with them (as STATEMENT_EXPIRE_LATER). */
static int drop_keys(struct store *store, const struct cursors_rewind *rewind, struct fault *reterr)
{
	int r = drop_with(store,
		"UPDATE batch_keys SET source = -source WHERE"
		" source = (SELECT id FROM sources WHERE name = ?1)"
		" AND newest_time < ?2 AND newest_time >= ?3"
		" AND number <= (SELECT released FROM sources WHERE name = ?1)"
		" AND EXISTS (SELECT 1 FROM batches WHERE batches.number = batch_keys.number)",
		rewind, reterr);

	if (!r)
		r = drop_with(store,
			"DELETE FROM batch_keys WHERE source = (SELECT id FROM sources WHERE name = ?1)"
			" AND newest_time < ?2 AND newest_time >= ?3 AND NOT EXISTS"
			" (SELECT 1 FROM batches WHERE batches.number = batch_keys.number)",
			rewind, reterr);
	return r;
}

int cursors_rewind(struct store *store, const struct cursors_rewind *rewind, struct fault *reterr)
{
	size_t first = store->collected.n_events;
	int r = transaction_begin(store, reterr);

	if (r)
		return r;
	events_add(store, &(struct event){.kind = EVENT_REWIND,
				  .source = rewind->source,
				  .by = rewind->by,
				  .text = rewind->text});
	r = put(store, rewind, reterr);
	if (!r && rewind->horizon_time != NSEC_NONE)
		r = drop_keys(store, rewind, reterr);
	return events_commit(store, first, r, reterr);
}

int cursors_count_keys(
	struct store *store, const char *source, nsec_t time, int64_t *ret, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	bool row = false;
	int r = statement_get(store, STATEMENT_KEYS_COUNT, &statement, reterr);

	if (r)
		return r;
	statement_bind_text(statement, 1, source);
	sqlite3_bind_int64(statement, 2, time);
	r = statement_step(store, statement, &row, reterr);
	if (!r)
		*ret = row ? sqlite3_column_int64(statement, 0) : 0;
	return r;
}
