/* See pause.h. Each is a transaction of its own: a command waits for nothing else. */
#include "store/pause.h"

#include "base/cleanup.h"
#include "store/events.h"
#include "store/store_internal.h"

static const char *const set_sql[] = {
	[PAUSE_SOURCE] = "UPDATE sources SET paused_time = CASE WHEN ?2 IS NULL THEN NULL"
			 " ELSE coalesce(paused_time, ?2) END WHERE name = ?1",
	[PAUSE_SINK] = "UPDATE sinks SET paused_time = CASE WHEN ?2 IS NULL THEN NULL"
		       " ELSE coalesce(paused_time, ?2) END WHERE name = ?1",
};

static int set(struct store *store, enum pause_kind kind, const char *name, bool paused,
	struct fault *reterr)
{
	CLEANUP(statement_finalize) sqlite3_stmt *statement = NULL;
	int r = statement_prepare(store, set_sql[kind], &statement, reterr);

	if (r)
		return r;
	statement_bind_text(statement, 1, name);
	if (paused)
		sqlite3_bind_int64(statement, 2, clock_wall());
	r = statement_finish(store, statement, reterr);
	if (r || sqlite3_changes(store->db) > 0)
		return r;
	fault_set(reterr, FAULT_CONFIG, "the state has no %s `%s`",
		kind == PAUSE_SOURCE ? "source" : "sink", name);
	return STORE_E_UNKNOWN;
}

int pause_set(struct store *store, enum pause_kind kind, const char *name, bool paused,
	const char *by, struct fault *reterr)
{
	size_t first = store->collected.n_events;
	int r = transaction_begin(store, reterr);

	if (r)
		return r;
	events_add(store, &(struct event){.kind = paused ? EVENT_PAUSE : EVENT_RESUME,
				  .source = kind == PAUSE_SOURCE ? name : NULL,
				  .sink = kind == PAUSE_SINK ? name : NULL,
				  .by = by});
	r = set(store, kind, name, paused, reterr);
	return events_commit(store, first, r, reterr);
}

int pause_each(struct store *store,
	void (*each)(enum pause_kind kind, const char *name, nsec_t since_time, void *userdata),
	void *userdata, struct fault *reterr)
{
	CLEANUP(statement_finalize) sqlite3_stmt *statement = NULL;
	bool row = false;
	int r = statement_prepare(store,
		"SELECT 0, name, paused_time FROM sources WHERE paused_time IS NOT NULL UNION ALL"
		" SELECT 1, name, paused_time FROM sinks WHERE paused_time IS NOT NULL",
		&statement, reterr);

	while (!r) {
		r = statement_step(store, statement, &row, reterr);
		if (r || !row)
			break;
		each(sqlite3_column_int(statement, 0) == 0 ? PAUSE_SOURCE : PAUSE_SINK,
			(const char *)sqlite3_column_text(statement, 1),
			sqlite3_column_int64(statement, 2), userdata);
	}
	return r;
}
