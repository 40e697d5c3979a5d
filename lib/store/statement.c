/*
 * The prepared statements of the store and the border at which SQLite's codes become outcomes: what
 * may pass by itself (no space, read-only, I/O, lock) is STORE_E_FULL, everything else says that
 * the file is not what we wrote and is STORE_E_CORRUPT. The texts tell a person what can be done.
 */
#include "store/store_internal.h"

#include <assert.h>
#include <limits.h>

#include "base/cleanup.h"
#include "base/str.h"

#define IS_OPEN_GAP "acknowledged_time IS NULL AND refilled_time IS NULL AND state = 'gap'"

static const char *const statement_texts[N_STATEMENTS] = {
	[STATEMENT_READ] = "BEGIN",
	[STATEMENT_WRITE] = "BEGIN IMMEDIATE",
	[STATEMENT_COMMIT] = "COMMIT",
	[STATEMENT_COMMITS] = "SELECT number FROM commits",
	[STATEMENT_COMMITS_ADD] = "UPDATE commits SET number = number + 1 RETURNING number",
	[STATEMENT_ROLLBACK] = "ROLLBACK",
	[STATEMENT_SOURCE_PUT] =
		"INSERT INTO sources(name, cursor, updated_time) VALUES(?1, ?2, ?3)"
		" ON CONFLICT(name) DO UPDATE SET cursor = coalesce(excluded.cursor, cursor),"
		" updated_time = excluded.updated_time RETURNING id",
	[STATEMENT_BATCH_PUT] =
		"INSERT INTO batches(source, provider, accepted_time, n_records, size, keys, body)"
		" VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[STATEMENT_KEYS_PUT] = "INSERT INTO batch_keys(number, source, newest_time, n_keys,"
			       " keys, times) VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
	[STATEMENT_SINK_ACK] = "INSERT INTO sinks(name, acknowledged) VALUES(?1, ?2)"
			       " ON CONFLICT(name) DO UPDATE SET acknowledged ="
			       " excluded.acknowledged WHERE excluded.acknowledged >= acknowledged",
	/* it belongs to the number: not if a higher one is there */
	[STATEMENT_SINK_POSITION] =
		"INSERT INTO sink_positions(sink, node, position) SELECT id, ?4, ?3 FROM sinks"
		" WHERE name = ?1 AND acknowledged = ?2"
		" ON CONFLICT(sink, node) DO UPDATE SET position = excluded.position",
	[STATEMENT_SINK_ENTER] = "INSERT INTO sinks(name, acknowledged) VALUES(?1, ?2)"
				 " ON CONFLICT(name) DO NOTHING",
	[STATEMENT_RELEASE_SIZE] =
		"SELECT coalesce(sum(size), 0), coalesce(sum(n_records), 0) FROM batches"
		" WHERE source = ?1 AND number <= ?2 AND number > ?3",
	[STATEMENT_RELEASE] =
		"DELETE FROM batches WHERE source = ?1 AND number <= ?2 AND number > ?3",
	[STATEMENT_RELEASE_KEYS] =
		"DELETE FROM batch_keys WHERE source = -?1 AND number <= ?2 AND number > ?3",
	[STATEMENT_KEEP] = "UPDATE sources SET released = ?2 WHERE id = ?1",
	/* A batch that is still there takes its keys from batch_keys: those go with it. */
	[STATEMENT_EXPIRE_LATER] = "UPDATE batch_keys SET source = -source WHERE"
				   " source = ?1 AND newest_time < ?2 AND newest_time >= ?3"
				   " AND EXISTS (SELECT 1 FROM batches"
				   " WHERE batches.number = batch_keys.number)",
	[STATEMENT_EXPIRE] = "DELETE FROM batch_keys WHERE"
			     " source = ?1 AND newest_time < ?2 AND newest_time >= ?3",
	[STATEMENT_KEPT_DROP] = "DELETE FROM batches WHERE number = ?1",
	[STATEMENT_KEPT_DROP_KEYS] = "DELETE FROM batch_keys WHERE number = ?1 AND source < 0",
	[STATEMENT_KEPT_LIST] =
		"SELECT b.number, b.size, b.n_records, b.accepted_time, b.number <= s.released"
		" FROM batches b CROSS JOIN sources s ON s.id = b.source"
		" WHERE b.number >= ?1 ORDER BY b.number LIMIT ?2",
	[STATEMENT_KEPT_TOTALS] =
		"SELECT coalesce(sum(b.size), 0), coalesce(sum(b.n_records), 0), min(b.number)"
		" FROM sources s CROSS JOIN batches b ON b.source = s.id"
		" AND b.number <= s.released",
	[STATEMENT_CURSOR_GET] = "SELECT cursor FROM sources WHERE name = ?1",
	[STATEMENT_CURSOR_LIST] = "SELECT name, cursor, updated_time FROM sources"
				  " WHERE cursor IS NOT NULL ORDER BY name",
	[STATEMENT_SOURCE_LIST] = "SELECT id, name, (SELECT max(number) FROM batches"
				  " WHERE source = sources.id AND number > released) AS last,"
				  " released FROM sources ORDER BY last",
	[STATEMENT_BATCH_FIND] =
		"SELECT min(number) FROM batches WHERE source = ?1 AND number > ?2",
	[STATEMENT_BATCH_GET] =
		"SELECT b.source, b.provider, b.accepted_time, b.n_records,"
		" coalesce(b.keys, k.keys), b.body,"
		" (SELECT name FROM batch_names n WHERE n.number = b.number) FROM batches b"
		" LEFT JOIN batch_keys k ON k.number = b.number WHERE b.number = ?1",
	[STATEMENT_BATCH_COUNT] = "SELECT count(*), coalesce(sum(n_records), 0) FROM batches"
				  " WHERE source = ?1 AND number > ?2",
	[STATEMENT_BATCH_BYTES] = "SELECT coalesce(sum(size), 0) FROM batches",
	[STATEMENT_BATCH_LAST] =
		"SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'batches'",
	[STATEMENT_SINK_GET] = "SELECT acknowledged, (SELECT position FROM sink_positions"
			       " WHERE sink = id AND node = ?2) FROM sinks WHERE name = ?1",
	[STATEMENT_COVER_BOUNDS] =
		"SELECT min(start_time), max(end_time) FROM coverage WHERE source = ?1"
		" AND ?2 AND state = ?5 AND start_time <= ?4 AND end_time >= ?3",
	[STATEMENT_COVER_CUT] = "UPDATE coverage SET end_time = ?3"
				" WHERE source = ?1 AND state <> 'gap' AND end_time > ?3",
	[STATEMENT_COVER_DROP] = "DELETE FROM coverage"
				 " WHERE source = ?1 AND state <> 'gap' AND start_time >= end_time",
	/* an update of start_time writes its index, too, also if it stays: that is a statement of
	 * its own */
	[STATEMENT_COVER_EXTEND] =
		"UPDATE coverage SET found_time = ?2, end_time = max(end_time, ?4)"
		" WHERE source = ?1 AND state = ?5 AND start_time <= ?4 AND end_time >= ?3",
	[STATEMENT_COVER_EXTEND_BACK] =
		"UPDATE coverage SET start_time = ?3 WHERE source = ?1 AND state = ?5"
		" AND start_time > ?3 AND start_time <= ?4",
	[STATEMENT_COVER_LIST] = "SELECT source, start_time, end_time, state FROM coverage"
				 " WHERE state <> 'gap' AND (?1 IS NULL OR source = ?1)"
				 " ORDER BY source, start_time, number",
	[STATEMENT_COVER_PUT] =
		"INSERT INTO coverage(source, found_time, start_time, end_time, state,"
		" reason) SELECT ?1, ?2, ?3, ?4, ?5, ''",
	[STATEMENT_COVER_REMOVE] = "DELETE FROM coverage WHERE source = ?1 AND state = ?5"
				   " AND start_time <= ?4 AND end_time >= ?3",
	[STATEMENT_COVER_UNTIL] = "SELECT source, max(end_time) FROM coverage"
				  " WHERE state <> 'gap' GROUP BY source",
	[STATEMENT_EVENT_LAST] = "SELECT kind, text FROM events WHERE kind IN (?1, ?2)"
				 " ORDER BY number DESC LIMIT 1",
	[STATEMENT_EVENT_LIST] = "SELECT line FROM events WHERE time >= ?1 ORDER BY number",
	[STATEMENT_EVENT_PUT] = "INSERT INTO events(number, time, kind, text, line)"
				" VALUES(?1, ?2, ?3, ?4, ?5)",
	[STATEMENT_GAP_ACKNOWLEDGE] =
		"UPDATE coverage SET acknowledged_time = ?2,"
		" acknowledged_by = ?3 WHERE " IS_OPEN_GAP " AND (?1 IS NULL OR source = ?1)"
		" AND NOT (found_time > ?4 AND found_time <= ?2)",
	[STATEMENT_GAP_COUNT] =
		"SELECT source, count(*) FROM coverage WHERE " IS_OPEN_GAP " GROUP BY source",
	[STATEMENT_GAP_EXTEND] =
		"UPDATE coverage SET start_time = min(start_time, ?3), end_time = max(end_time, ?4)"
		" WHERE " IS_OPEN_GAP " AND source = ?1 AND reason = ?5"
		" AND start_time <= ?4 AND end_time >= ?3",
	[STATEMENT_GAP_LIST] = "SELECT number, source, start_time, end_time, reason, found_time,"
			       " acknowledged_time, acknowledged_by, refilled_time FROM coverage"
			       " WHERE state = 'gap' AND (?1 IS NULL OR source = ?1)"
			       " AND (?2 OR (" IS_OPEN_GAP "))"
			       " ORDER BY source, start_time, number",
	[STATEMENT_GAP_OLDEST] =
		"SELECT min(start_time) FROM coverage WHERE " IS_OPEN_GAP " AND source = ?1",
	[STATEMENT_GAP_PUT] =
		"INSERT INTO coverage(source, found_time, start_time, end_time, reason,"
		" state) VALUES(?1, ?2, ?3, ?4, ?5, 'gap')",
	/* what lies before ?3 or after ?4 stays open */
	[STATEMENT_GAP_CUT] =
		"INSERT INTO coverage(source, found_time, start_time, end_time, reason, state)"
		" SELECT source, found_time, start_time, ?3, reason, state FROM coverage WHERE"
		" " IS_OPEN_GAP " AND source = ?1 AND start_time < ?3 AND end_time > ?3 UNION ALL"
		" SELECT source, found_time, ?4, end_time, reason, state FROM coverage WHERE"
		" " IS_OPEN_GAP " AND source = ?1 AND start_time < ?4 AND end_time > ?4",
	[STATEMENT_GAP_REFILL] = "UPDATE coverage SET start_time = max(start_time, ?3), end_time = "
				 "min(end_time, ?4),"
				 " refilled_time = ?2 WHERE " IS_OPEN_GAP
				 " AND source = ?1 AND start_time < ?4 AND end_time > ?3",
	[STATEMENT_KEYS_COUNT] = "SELECT coalesce(sum(n_keys), 0) FROM batch_keys WHERE"
				 " source = (SELECT id FROM sources WHERE name = ?1)"
				 " AND newest_time >= ?2",
	[STATEMENT_KEYS_GUESS] =
		"SELECT coalesce(sum(n_keys), 0) FROM (SELECT n_keys FROM batch_keys WHERE"
		" source = (SELECT id FROM sources WHERE name = ?1) AND newest_time >= ?2"
		" LIMIT 50000)",
	[STATEMENT_KEYS_LIST] =
		"SELECT newest_time, n_keys, number, keys FROM batch_keys WHERE"
		" source = (SELECT id FROM sources WHERE name = ?1)"
		" AND (newest_time, n_keys, number) > (?2, ?3, ?4)"
		" AND newest_time <= ?5 AND number <= ?6 ORDER BY newest_time, n_keys, number",
	[STATEMENT_PAGE_COUNT] = "PRAGMA page_count",
	[STATEMENT_FREE_COUNT] = "PRAGMA freelist_count",
	[STATEMENT_REPLAY_GET] =
		"SELECT number, source, from_time, to_time, until, n_records, state, after, plan,"
		" n_delivered, n_rejected, n_filtered, text FROM replays WHERE sink = ?1",
	/* by the row: its source may have been given another name */
	[STATEMENT_REPLAY_NEXT] =
		"SELECT b.number FROM replays p JOIN sources s ON s.name = p.source"
		" JOIN batches b ON b.source = s.id WHERE p.sink = ?1 AND b.number > ?2"
		" AND b.number <= p.until AND b.accepted_time >= p.from_time"
		" AND b.accepted_time < p.to_time ORDER BY b.number LIMIT 1",
	[STATEMENT_REPLAY_PUT] =
		"UPDATE replays SET state = ?2, after = ?3, plan = ?4, n_delivered = ?5,"
		" n_rejected = ?6, n_filtered = ?7, text = ?8 WHERE sink = ?1",
	[STATEMENT_RECONCILED_FIND] = "SELECT 1 FROM reconciled WHERE source = ?1 LIMIT 1",
	[STATEMENT_SHRINK] = "PRAGMA incremental_vacuum(512)",
};

int statement_damaged(const struct store *store, struct fault *reterr, const char *why)
{
	fault_set(reterr, FAULT_STORE,
		"%s is damaged (%s): bring back a copy of the state directory, or move it away to begin again at every source's start",
		store->path, why);
	return STORE_E_CORRUPT;
}

static int statement_unreadable(const struct store *store, const char *why, struct fault *reterr)
{
	fault_set(reterr, FAULT_STORE,
		"cannot read or write %s (%s): look at the disk and its quota", store->path, why);
	return STORE_E_FULL;
}

/* The errno of a read of the file behind OPERATION that failed; 0: none did. It is forgotten then,
 * as by any read beyond the end. */
static int take_error(const struct store *store, int operation)
{
	const sqlite3_int64 beyond = (sqlite3_int64)1 << 40;
	sqlite3_file *file = NULL;
	int error = 0;
	char byte;

	if (!store->db || sqlite3_file_control(store->db, "main", operation, &file) != SQLITE_OK ||
		!file || !file->pMethods)
		return 0;
	file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &error);
	if (error)
		file->pMethods->xRead(file, &byte, 1, beyond);
	return error;
}

/* Of the file or its log. SQLite says of a page that the disk could not read that it is damaged. */
static int take_read_error(const struct store *store)
{
	int error = take_error(store, SQLITE_FCNTL_FILE_POINTER);
	int of_log = take_error(store, SQLITE_FCNTL_JOURNAL_POINTER);

	return error ? error : of_log;
}

int statement_judge(const struct store *store, int r, struct fault *reterr)
{
	int error = r == STORE_E_CORRUPT ? take_read_error(store) : 0;

	return error ? statement_unreadable(store, strerror(error), reterr) : r;
}

int statement_fault(const struct store *store, int code, struct fault *reterr)
{
	int read_error = take_read_error(store);
	int error = read_error ? read_error : store->db ? sqlite3_system_errno(store->db) : 0;
	const char *why = error ? strerror(error) : sqlite3_errstr(code);

	switch (code & 0xff) {
	case SQLITE_FULL:
		fault_set(
			reterr, FAULT_STORE, "no space left for %s: free some space", store->path);
		return STORE_E_FULL;
	case SQLITE_READONLY:
	case SQLITE_PERM:
		fault_set(reterr, FAULT_STORE,
			"%s cannot be written (%s): check that the state directory is mounted and who owns it",
			store->path, sqlite3_errstr(code));
		return STORE_E_FULL;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:
		fault_set(reterr, FAULT_STORE,
			"%s is locked by another program: end what has it open (a database shell, a backup)",
			store->path);
		return STORE_E_FULL;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
	case SQLITE_NOMEM:
	case SQLITE_INTERRUPT:
		return statement_unreadable(store, why, reterr);
	default: /* foreign codes: an open set */
		if (read_error)
			return statement_unreadable(store, why, reterr);
		return statement_damaged(store, reterr,
			store->db && sqlite3_extended_errcode(store->db) == code
				? sqlite3_errmsg(store->db)
				: sqlite3_errstr(code));
	}
}

int statement_exec(struct store *store, const char *sql, struct fault *reterr)
{
	int code = sqlite3_exec(store->db, sql, NULL, NULL, NULL);

	return code == SQLITE_OK ? 0 : statement_fault(store, code, reterr);
}

int statement_prepare(
	struct store *store, const char *sql, sqlite3_stmt **ret, struct fault *reterr)
{
	int code = sqlite3_prepare_v2(store->db, sql, -1, ret, NULL);

	return code == SQLITE_OK ? 0 : statement_fault(store, code, reterr);
}

int statement_number(struct store *store, const char *sql, int64_t *ret, struct fault *reterr)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);
	int r = 0;

	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		*ret = sqlite3_column_int64(statement, 0);
	else if (code == SQLITE_DONE)
		r = statement_damaged(store, reterr, "a value is missing");
	else
		r = statement_fault(store, code, reterr);
	sqlite3_finalize(statement);
	return r;
}

int statement_get(
	struct store *store, enum statement which, sqlite3_stmt **ret, struct fault *reterr)
{
	sqlite3_stmt **kept = &store->statements[which];
	int code;

	if (!*kept) {
		code = sqlite3_prepare_v3(store->db, statement_texts[which], -1,
			SQLITE_PREPARE_PERSISTENT, kept, NULL);
		if (code != SQLITE_OK)
			return statement_fault(store, code, reterr);
	}
	assert(!sqlite3_stmt_busy(*kept));
	*ret = *kept;
	return 0;
}

void statement_release(sqlite3_stmt **statement)
{
	if (!*statement)
		return;
	sqlite3_reset(*statement);
	sqlite3_clear_bindings(*statement);
}

void statement_finalize(sqlite3_stmt **statement)
{
	sqlite3_finalize(*statement);
	*statement = NULL;
}

/* Whatever changes rows of the state does it between transaction_begin and _end. */
static bool is_covered(const struct store *store, sqlite3_stmt *statement)
{
	const char *sql = sqlite3_sql(statement);

	return !sqlite3_get_autocommit(store->db) || store->mode == STORE_READ ||
	       (!str_starts(sql, "INSERT") && !str_starts(sql, "UPDATE") &&
		       !str_starts(sql, "DELETE")) ||
	       strstr(sql, " temp.");
}

int statement_step(
	struct store *store, sqlite3_stmt *statement, bool *ret_row, struct fault *reterr)
{
	assert(is_covered(store, statement));
	int code = sqlite3_step(statement);

	if (code != SQLITE_ROW && code != SQLITE_DONE)
		return statement_fault(store, code, reterr);
	*ret_row = code == SQLITE_ROW;
	return 0;
}

int statement_finish(struct store *store, sqlite3_stmt *statement, struct fault *reterr)
{
	bool row = true;
	int r = 0;

	while (row && !r)
		r = statement_step(store, statement, &row, reterr);
	return r;
}

int statement_run(struct store *store, enum statement which, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	int r = statement_get(store, which, &statement, reterr);

	return r ? r : statement_finish(store, statement, reterr);
}

int statement_check(struct store *store, struct fault *reterr)
{
	sqlite3_stmt *statement;
	int r;

	for (int which = 0; which < N_STATEMENTS; which++) {
		r = statement_get(store, (enum statement)which, &statement, reterr);
		if (r)
			return r;
	}
	return 0;
}

void statement_bind_text(sqlite3_stmt *statement, int index, const char *text)
{
	int code;

	if (!text)
		return; /* a released statement's parameters are all NULL */
	code = sqlite3_bind_text64(
		statement, index, text, strlen(text), SQLITE_STATIC, SQLITE_UTF8);
	assert(code == SQLITE_OK);
}

void statement_deinit(struct store *store)
{
	for (int which = 0; which < N_STATEMENTS; which++) {
		sqlite3_finalize(store->statements[which]);
		store->statements[which] = NULL;
	}
}
