/*
 * See routes.h. The configuration is put into temporary tables, and what it changes is asked of
 * SQLite: ten thousand sources cost a few index look-ups each, and all of it is one transaction.
 */
#include "store/routes.h"

#include "base/cleanup.h"
#include "store/events.h"
#include "store/store_internal.h"

#define CLEANUP_PREPARED CLEANUP(statement_finalize)

static const char wanted_tables[] =
	"CREATE TEMP TABLE wanted_sources(name TEXT PRIMARY KEY, start TEXT) WITHOUT ROWID;"
	"CREATE TEMP TABLE wanted_sinks(name TEXT PRIMARY KEY, kind TEXT) WITHOUT ROWID;"
	"CREATE TEMP TABLE wanted_routes(source TEXT, sink TEXT, PRIMARY KEY(source, sink))"
	" WITHOUT ROWID;";
static const char wanted_drop[] = "DROP TABLE IF EXISTS temp.wanted_sources;"
				  "DROP TABLE IF EXISTS temp.wanted_sinks;"
				  "DROP TABLE IF EXISTS temp.wanted_routes;"
				  "DROP TABLE IF EXISTS temp.accepted;";

/* A route that an older trawld left open counts only where nobody can tell any more: its source
 * lists its sinks, and a sink that is there gets what they say. */
static const char stranded_sql[] =
	"SELECT name, configured, sum(n), count(*), min(source) FROM"
	" (SELECT k.name AS name, w.name IS NOT NULL AS configured, s.name AS "
	"source, " ROUTES_WAITING
	" AS n FROM routes r JOIN sinks k ON k.id = r.sink JOIN sources s ON s.id = r.source"
	" LEFT JOIN temp.wanted_sinks w ON w.name = k.name WHERE w.name IS NULL OR"
	" (r.after IS NOT NULL AND s.name IN (SELECT name FROM temp.wanted_sources)"
	" AND NOT EXISTS (SELECT 1 FROM temp.wanted_routes q"
	" WHERE q.source = s.name AND q.sink = k.name)))"
	" WHERE n > 0 GROUP BY name ORDER BY name";

static const char *const news_sql[] = {
	[ROUTES_SINK_NEW] = "SELECT name, NULL, NULL, 0 FROM temp.wanted_sinks"
			    " WHERE name NOT IN (SELECT name FROM sinks) ORDER BY name",
	[ROUTES_SINK_LISTED] =
		"SELECT q.sink, q.source, NULL, 0 FROM temp.wanted_routes q"
		" JOIN sources s ON s.name = q.source JOIN sinks k ON k.name = q.sink"
		" WHERE s.cursor IS NOT NULL AND NOT EXISTS"
		" (SELECT 1 FROM routes r WHERE r.source = s.id AND r.sink = k.id)"
		" AND EXISTS (SELECT 1 FROM routes r WHERE r.source = s.id"
		" AND r.after IS NOT NULL) ORDER BY 1, 2",
	[ROUTES_SINK_KIND] = "SELECT k.name, k.kind, w.kind, coalesce((SELECT sum(" ROUTES_WAITING
			     ") FROM routes r WHERE r.sink = k.id), 0)"
			     " FROM sinks k JOIN temp.wanted_sinks w ON w.name = k.name"
			     " WHERE k.kind <> w.kind ORDER BY k.name",
	[ROUTES_SOURCE_GONE] = "SELECT name, NULL, NULL, 0 FROM sources WHERE cursor IS NOT NULL"
			       " AND name NOT IN (SELECT name FROM temp.wanted_sources)"
			       " ORDER BY name",
	[ROUTES_SOURCE_START] =
		"SELECT s.name, s.start, w.start, 0 FROM sources s JOIN temp.wanted_sources w"
		" ON w.name = s.name WHERE s.cursor IS NOT NULL AND s.start <> w.start"
		" ORDER BY s.name",
};

/* In this order; ?1 is the number of the last committed batch, ?2 the time. */
static const char *const adopt_sql[] = {
	"DELETE FROM batch_names WHERE number NOT IN (SELECT number FROM batches)",
	"INSERT INTO sources(name, updated_time) SELECT name, ?2 FROM temp.wanted_sources"
	" WHERE name NOT IN (SELECT name FROM sources)",
	"UPDATE sources SET start = w.start FROM temp.wanted_sources w"
	" WHERE w.name = sources.name AND sources.start IS NOT w.start",
	"INSERT INTO sinks(name, acknowledged) SELECT name, ?1 FROM temp.wanted_sinks"
	" WHERE name NOT IN (SELECT name FROM sinks)",
	"DELETE FROM sink_positions WHERE sink IN (SELECT k.id FROM sinks k"
	" JOIN temp.wanted_sinks w ON w.name = k.name WHERE k.kind <> w.kind)",
	"UPDATE sinks SET kind = w.kind FROM temp.wanted_sinks w"
	" WHERE w.name = sinks.name AND sinks.kind IS NOT w.kind",
	"DELETE FROM routes WHERE EXISTS (SELECT 1 FROM sources s JOIN temp.wanted_sources w"
	" ON w.name = s.name WHERE s.id = routes.source) AND NOT EXISTS"
	" (SELECT 1 FROM temp.wanted_routes q JOIN sources s ON s.name = q.source"
	" JOIN sinks k ON k.name = q.sink WHERE s.id = routes.source AND k.id = routes.sink)",
	"UPDATE routes SET after = 0 WHERE after IS NULL",
	"INSERT INTO routes(source, sink, after) SELECT s.id, k.id, ?1 FROM temp.wanted_routes q"
	" JOIN sources s ON s.name = q.source JOIN sinks k ON k.name = q.sink WHERE true"
	" ON CONFLICT DO NOTHING",
	"DELETE FROM routes WHERE sink IN (SELECT id FROM sinks"
	" WHERE name NOT IN (SELECT name FROM temp.wanted_sinks))",
	"DELETE FROM sinks WHERE name NOT IN (SELECT name FROM temp.wanted_sinks)",
	SINK_POSITIONS_FORGET,
	"DELETE FROM replays WHERE sink NOT IN (SELECT name FROM sinks)",
};

/* --- the configuration as tables --- */

static int put_row(struct store *store, sqlite3_stmt *statement, const char *one, const char *two,
	struct fault *reterr)
{
	int r;

	statement_bind_text(statement, 1, one);
	statement_bind_text(statement, 2, two);
	r = statement_finish(store, statement, reterr);
	statement_release(&statement);
	return r;
}

static int put_sinks(
	struct store *store, const struct routes_configuration *configuration, struct fault *reterr)
{
	CLEANUP_PREPARED sqlite3_stmt *statement = NULL;
	int r = statement_prepare(
		store, "INSERT INTO temp.wanted_sinks VALUES(?1, ?2)", &statement, reterr);

	for (size_t i = 0; i < configuration->n_sinks && !r; i++)
		r = put_row(store, statement, configuration->sinks[i].name,
			configuration->sinks[i].kind, reterr);
	return r;
}

static int put_routes(struct store *store, sqlite3_stmt *statement,
	const struct routes_configuration *configuration, const struct routes_source *source,
	struct fault *reterr)
{
	int r = 0;

	for (size_t i = 0; i < source->sinks->n_items && !r; i++)
		r = put_row(store, statement, source->name, source->sinks->items[i], reterr);
	for (size_t i = 0; source->sinks->n_items == 0 && i < configuration->n_sinks && !r; i++)
		r = put_row(store, statement, source->name, configuration->sinks[i].name, reterr);
	return r;
}

static int put_sources(
	struct store *store, const struct routes_configuration *configuration, struct fault *reterr)
{
	CLEANUP_PREPARED sqlite3_stmt *sources = NULL;
	CLEANUP_PREPARED sqlite3_stmt *routes = NULL;
	int r = statement_prepare(
		store, "INSERT INTO temp.wanted_sources VALUES(?1, ?2)", &sources, reterr);

	if (!r)
		r = statement_prepare(store,
			"INSERT OR IGNORE INTO temp.wanted_routes VALUES(?1, ?2)", &routes, reterr);
	for (size_t i = 0; i < configuration->n_sources && !r; i++) {
		const struct routes_source *source = &configuration->sources[i];

		r = put_row(store, sources, source->name, source->start, reterr);
		if (!r)
			r = put_routes(store, routes, configuration, source, reterr);
	}
	return r;
}

static int put_configuration(
	struct store *store, const struct routes_configuration *configuration, struct fault *reterr)
{
	int r = statement_exec(store, wanted_tables, reterr);

	if (!r)
		r = put_sinks(store, configuration, reterr);
	return r ? r : put_sources(store, configuration, reterr);
}

/* --- what it changes --- */

static const char *column_text(sqlite3_stmt *statement, int column)
{
	return (const char *)sqlite3_column_text(statement, column);
}

static int report_stranded(
	struct store *store, const struct routes_report *report, struct fault *reterr)
{
	CLEANUP_PREPARED sqlite3_stmt *statement = NULL;
	bool any = false, row = false;
	int r = statement_prepare(store, stranded_sql, &statement, reterr);

	while (!r) {
		r = statement_step(store, statement, &row, reterr);
		if (r || !row)
			break;
		struct routes_stranded stranded = {
			.sink = column_text(statement, 0),
			.configured = sqlite3_column_int(statement, 1) != 0,
			.n_records = (uint64_t)sqlite3_column_int64(statement, 2),
			.n_sources = (uint64_t)sqlite3_column_int64(statement, 3),
			.source = column_text(statement, 4),
		};
		report->stranded(&stranded, report->userdata);
		any = true;
	}
	if (!r && any) {
		fault_set(reterr, FAULT_CONFIG, "records that wait would lose their sink");
		r = STORE_E_STRANDED;
	}
	return r;
}

static int report_news(struct store *store, enum routes_news news,
	const struct routes_report *report, struct fault *reterr)
{
	CLEANUP_PREPARED sqlite3_stmt *statement = NULL;
	bool row = false;
	int r = statement_prepare(store, news_sql[news], &statement, reterr);

	while (!r) {
		r = statement_step(store, statement, &row, reterr);
		if (r || !row)
			break;
		report->news(news, column_text(statement, 0), column_text(statement, 1),
			column_text(statement, 2), (uint64_t)sqlite3_column_int64(statement, 3),
			report->userdata);
	}
	return r;
}

static int adopt(struct store *store, struct fault *reterr)
{
	int r = 0;

	for (size_t i = 0; i < sizeof(adopt_sql) / sizeof(adopt_sql[0]) && !r; i++) {
		CLEANUP_PREPARED sqlite3_stmt *statement = NULL;

		r = statement_prepare(store, adopt_sql[i], &statement, reterr);
		if (r)
			break;
		sqlite3_bind_int64(statement, 1, store->last_number);
		sqlite3_bind_int64(statement, 2, clock_wall());
		r = statement_finish(store, statement, reterr);
	}
	return r;
}

static int report_routes(
	struct store *store, const struct routes_report *report, struct fault *reterr)
{
	CLEANUP_PREPARED sqlite3_stmt *statement = NULL;
	bool row = false;
	int r = statement_prepare(store,
		"SELECT s.name, k.name, r.after FROM routes r"
		" JOIN sources s ON s.id = r.source JOIN sinks k ON k.id = r.sink"
		" ORDER BY r.source, r.sink",
		&statement, reterr);

	while (!r) {
		r = statement_step(store, statement, &row, reterr);
		if (r || !row)
			break;
		report->route(column_text(statement, 0), column_text(statement, 1),
			sqlite3_column_int64(statement, 2), report->userdata);
	}
	return r;
}

static int adopt_all(struct store *store, struct routes_change *change,
	const struct routes_report *report, struct fault *reterr)
{
	int r = 0;

	if (change)
		r = change_carry_out(store, change, reterr);
	if (!r && report)
		r = report_stranded(store, report, reterr);
	for (int news = 0; report && news <= ROUTES_SOURCE_START && !r; news++)
		r = report_news(store, (enum routes_news)news, report, reterr);
	if (!r && report)
		r = adopt(store, reterr);
	return r || !report ? r : report_routes(store, report, reterr);
}

int routes_compare(struct store *store, const struct routes_configuration *configuration,
	const struct routes_report *report, struct fault *reterr)
{
	int r = put_configuration(store, configuration, reterr);

	if (!r)
		r = report_stranded(store, report, reterr);
	statement_exec(store, wanted_drop, NULL);
	return r;
}

/* A source's row. */
struct source_row {
	int64_t id;
	int64_t last; /* its newest batch that waits; 0: none does */
	int64_t released;
};

static int read_source(
	struct store *store, const char *name, struct source_row *ret, struct fault *reterr)
{
	CLEANUP_PREPARED sqlite3_stmt *statement = NULL;
	bool row = false;
	int r = statement_prepare(store,
		"SELECT id, coalesce((SELECT max(number) FROM batches WHERE source = id"
		" AND number > released), 0), released FROM sources WHERE name = ?1",
		&statement, reterr);

	if (r)
		return r;
	statement_bind_text(statement, 1, name);
	r = statement_step(store, statement, &row, reterr);
	if (!r && row)
		*ret = (struct source_row){
			.id = sqlite3_column_int64(statement, 0),
			.last = sqlite3_column_int64(statement, 1),
			.released = sqlite3_column_int64(statement, 2),
		};
	return r;
}

/* REPORT NULL: only CHANGE. */
static int transact(struct store *store, const struct routes_configuration *configuration,
	struct routes_change *change, const struct routes_report *report, struct fault *reterr)
{
	bool renamed = change && change->command == ROUTES_RENAME_SOURCE;
	struct source_row row = {0};
	size_t first = store->collected.n_events;
	int r = transaction_begin(store, reterr);

	if (r)
		return r;
	r = put_configuration(store, configuration, reterr);
	if (!r)
		r = adopt_all(store, change, report, reterr);
	if (!r && renamed)
		r = read_source(store, change->to, &row, reterr);
	r = events_commit(store, first, r, reterr);
	statement_exec(store, wanted_drop, NULL);
	if (!r && renamed)
		catalog_renamed(store, change->name, change->to, row.id, row.last, row.released);
	if (!r && renamed)
		(void)kept_load(store, NULL);
	return r;
}

int routes_adopt(struct store *store, const struct routes_configuration *configuration,
	struct routes_change *change, const struct routes_report *report, struct fault *reterr)
{
	int r = transact(store, configuration, change, report, reterr);

	if (!r)
		store->is_new = false;
	return r;
}

int routes_change(struct store *store, const struct routes_configuration *configuration,
	struct routes_change *change, struct fault *reterr)
{
	return transact(store, configuration, change, NULL, reterr);
}
