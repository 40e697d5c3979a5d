/*
 * What a person's command does to the state: drop what waits for a sink, give a sink or a source
 * another name. Each is a part of an open transaction (routes.c), after the configuration was put
 * into the temporary tables; an outcome undoes all of it.
 */
#include "store/store_internal.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/events.h"
#include "store/routes.h"

#define CLEANUP_PREPARED CLEANUP(statement_finalize)

/* Runs SQL with NAME as ?1 and TO as ?2; the first column of its row, if any, is *RET (may be
 * NULL). */
static int run(struct store *store, const char *sql, const struct routes_change *change,
	int64_t *ret, struct fault *reterr)
{
	CLEANUP_PREPARED sqlite3_stmt *statement = NULL;
	bool row = false;
	int r = statement_prepare(store, sql, &statement, reterr);

	if (r)
		return r;
	if (sqlite3_bind_parameter_count(statement) > 0)
		statement_bind_text(statement, 1, change->name);
	if (sqlite3_bind_parameter_count(statement) > 1)
		statement_bind_text(statement, 2, change->to);
	r = statement_step(store, statement, &row, reterr);
	if (!r && row && ret)
		*ret = sqlite3_column_int64(statement, 0);
	return r;
}

static int run_all(struct store *store, const char *const *sql, size_t n,
	const struct routes_change *change, struct fault *reterr)
{
	int r = 0;

	for (size_t i = 0; i < n && !r; i++)
		r = run(store, sql[i], change, NULL, reterr);
	return r;
}

#define RUN_ALL(array) run_all(store, (array), sizeof(array) / sizeof((array)[0]), change, reterr)

/* --- names --- */

static int read_names(
	struct store *store, const char *sql, struct str_list *ret, struct fault *reterr)
{
	CLEANUP_PREPARED sqlite3_stmt *statement = NULL;
	bool row = false;
	int r = statement_prepare(store, sql, &statement, reterr);

	while (!r) {
		r = statement_step(store, statement, &row, reterr);
		if (r || !row)
			break;
		str_list_add(ret, (const char *)sqlite3_column_text(statement, 0));
	}
	return r;
}

/* What a kind of name is called, and where it stands. */
struct names_of {
	const char *word, *known, *wanted, *wanted_to, *all;
};

static const struct names_of sink_names = {
	.word = "sink",
	.known = "SELECT count(*) FROM sinks WHERE name = ?1",
	.wanted = "SELECT count(*) FROM temp.wanted_sinks WHERE name = ?1",
	.wanted_to = "SELECT count(*) FROM temp.wanted_sinks WHERE name = ?2 AND ?1 <> ?2",
	.all = "SELECT name FROM sinks ORDER BY name",
};

static const struct names_of source_names = {
	.word = "source",
	.known = "SELECT count(*) FROM sources WHERE name = ?1",
	.wanted = "SELECT count(*) FROM temp.wanted_sources WHERE name = ?1",
	.wanted_to = "SELECT count(*) FROM temp.wanted_sources WHERE name = ?2 AND ?1 <> ?2",
	.all = "SELECT name FROM sources ORDER BY name",
};

static int check_known(struct store *store, const struct names_of *names,
	const struct routes_change *change, struct fault *reterr)
{
	CLEANUP(str_list_deinit) struct str_list list = STR_LIST_NULL;
	int64_t n = 0;
	int r = run(store, names->known, change, &n, reterr);

	if (r || n > 0)
		return r;
	r = read_names(store, names->all, &list, reterr);
	if (r)
		return r;
	CLEANUP_FREE char *hint =
		str_hint(change->name, (const char *const *)list.items, list.n_items);
	fault_set(reterr, FAULT_CONFIG, "the state has no %s `%s`%s", names->word, change->name,
		hint);
	return STORE_E_UNKNOWN;
}

/* The configuration has the new name already, and not the old one: so two names cannot be mixed up,
 * and nothing is left between the command and the next start. */
static int check_names(struct store *store, const struct names_of *names,
	const struct routes_change *change, struct fault *reterr)
{
	int64_t old = 0, new = 0;
	int r = check_known(store, names, change, reterr);

	if (!r)
		r = run(store, names->wanted, change, &old, reterr);
	if (!r)
		r = run(store, names->wanted_to, change, &new, reterr);
	if (r || (old == 0 && new > 0))
		return r;
	fault_set(reterr, FAULT_CONFIG,
		"the configuration still has [%s %s], or does not have [%s %s] yet: give the section its new name there first",
		names->word, change->name, names->word, change->to);
	return STORE_E_REFUSED;
}

/* --- drop-sink --- */

/* Routes r of the sink k = ?1 that the configuration does not have. */
#define FORSAKEN                                                                                   \
	" FROM routes r JOIN sinks k ON k.id = r.sink JOIN sources s ON s.id = r.source"           \
	" WHERE k.name = ?1 AND (k.name NOT IN (SELECT name FROM temp.wanted_sinks)"               \
	" OR (s.name IN (SELECT name FROM temp.wanted_sources) AND NOT EXISTS"                     \
	" (SELECT 1 FROM temp.wanted_routes q WHERE q.source = s.name AND q.sink = k.name)))"

static const char *const drop_sink_sql[] = {
	"DELETE FROM routes WHERE (source, sink) IN (SELECT r.source, r.sink" FORSAKEN ")",
	"DELETE FROM sinks WHERE name = ?1 AND name NOT IN (SELECT name FROM temp.wanted_sinks)",
	SINK_POSITIONS_FORGET,
};

static int drop_sink(struct store *store, struct routes_change *change, struct fault *reterr)
{
	int64_t n_wanted = 0, n_waiting = 0;
	int r = check_known(store, &sink_names, change, reterr);

	if (!r)
		r = run(store, sink_names.wanted, change, &n_wanted, reterr);
	if (!r)
		r = run(store, "SELECT coalesce(sum(" ROUTES_WAITING "), 0)" FORSAKEN, change,
			&n_waiting, reterr);
	if (r)
		return r;
	if (n_wanted > 0 && n_waiting == 0) {
		fault_set(reterr, FAULT_CONFIG,
			"sink `%s` is configured, and all sources whose records wait for it still list it: nothing is dropped; first remove [sink %s], or take it out of `sinks` of a source",
			change->name, change->name);
		return STORE_E_REFUSED;
	}
	change->n_records = (uint64_t)n_waiting;
	return RUN_ALL(drop_sink_sql);
}

/* --- rename-sink --- */

static const char sink_waiting[] = "SELECT coalesce(sum(" ROUTES_WAITING "), 0) FROM routes r"
				   " JOIN sinks k ON k.id = r.sink WHERE k.name = ?1";

static int rename_sink(struct store *store, struct routes_change *change, struct fault *reterr)
{
	const struct routes_change other = {.name = change->to};
	int64_t n_waiting = 0, n_others = 0;
	int r = check_names(store, &sink_names, change, reterr);

	if (!r)
		r = run(store, sink_names.known, &other, &n_others, reterr);
	if (!r && n_others > 0) {
		fault_set(reterr, FAULT_CONFIG,
			"the state has a sink `%s` already: what waits for `%s` can only be given to a new name",
			change->to, change->name);
		r = STORE_E_REFUSED;
	}
	if (!r)
		r = run(store, sink_waiting, change, &n_waiting, reterr);
	change->n_records = (uint64_t)n_waiting;
	if (!r)
		r = run(store, "UPDATE sinks SET name = ?2 WHERE name = ?1", change, NULL, reterr);
	if (!r)
		r = run(store, "UPDATE OR REPLACE replays SET sink = ?2 WHERE sink = ?1", change,
			NULL, reterr);
	return r;
}

/* --- rename --- */

/* Which waiting batches of both sources are for which sink. */
#define ACCEPTED                                                                                   \
	"SELECT b.number, r.sink FROM batches b JOIN routes r ON r.source = b.source"              \
	" JOIN sinks k ON k.id = r.sink WHERE b.number > max(k.acknowledged, coalesce(r.after, "   \
	"0))"                                                                                      \
	" AND b.source IN (SELECT id FROM sources WHERE name IN (?1, ?2))"

/* Of both sources. */
#define FIRST_WAITING                                                                              \
	"SELECT min(w.number) FROM batches w JOIN sources v ON v.id = w.source"                    \
	" WHERE v.name IN (?1, ?2) AND w.number > v.released"

/* The new name has a row: it was configured, and may have read records. All becomes one source,
 * with the old one's cursor, so that nothing is skipped. */
static const char *const merge_sql[] = {
	"CREATE TEMP TABLE accepted(number, sink, PRIMARY KEY(number, sink)) WITHOUT ROWID",
	"INSERT INTO temp.accepted " ACCEPTED,
	"INSERT INTO routes(source, sink, after) SELECT (SELECT id FROM sources WHERE name = ?2),"
	" r.sink, r.after FROM routes r JOIN sinks k ON k.id = r.sink"
	" JOIN sources s ON s.id = r.source WHERE s.name = ?1 AND " ROUTES_WAITING " > 0"
	" ON CONFLICT DO UPDATE SET after = min(after, excluded.after)",
	"DELETE FROM routes WHERE source = (SELECT id FROM sources WHERE name = ?1)",
	/* one source has one number up to which nothing waits: what is kept above it goes */
	"DELETE FROM batches WHERE number IN (SELECT b.number FROM batches b JOIN sources s"
	" ON s.id = b.source WHERE s.name IN (?1, ?2) AND b.number <= s.released"
	" AND b.number > (" FIRST_WAITING "))",
	"DELETE FROM batch_keys WHERE source IN (SELECT -id FROM sources WHERE name IN (?1, ?2))"
	" AND NOT EXISTS (SELECT 1 FROM batches WHERE batches.number = batch_keys.number)",
	"UPDATE sources SET released = coalesce((" FIRST_WAITING ") - 1,"
	" (SELECT max(released) FROM sources WHERE name IN (?1, ?2))) WHERE name IN (?1, ?2)",
	"UPDATE batch_keys SET source = -(SELECT id FROM sources WHERE name = ?2)"
	" WHERE source = -(SELECT id FROM sources WHERE name = ?1)",
	"UPDATE batches SET source = (SELECT id FROM sources WHERE name = ?2)"
	" WHERE source = (SELECT id FROM sources WHERE name = ?1)",
	"UPDATE batch_keys SET source = (SELECT id FROM sources WHERE name = ?2)"
	" WHERE source = (SELECT id FROM sources WHERE name = ?1)",
	"UPDATE sources SET cursor = o.cursor, updated_time = o.updated_time,"
	" paused_time = coalesce(sources.paused_time, o.paused_time)"
	" FROM sources o WHERE o.name = ?1 AND sources.name = ?2",
	"DELETE FROM sources WHERE name = ?1",
};

static const char misplaced_sql[] =
	"SELECT (SELECT count(*) FROM (SELECT number, sink FROM temp.accepted EXCEPT " ACCEPTED
	")) +"
	" (SELECT count(*) FROM (" ACCEPTED " EXCEPT SELECT number, sink FROM temp.accepted))";

static int merge_sources(struct store *store, struct routes_change *change, struct fault *reterr)
{
	int64_t n_misplaced = 0;
	int r = RUN_ALL(merge_sql);

	if (!r)
		r = run(store, misplaced_sql, change, &n_misplaced, reterr);
	if (r || n_misplaced == 0)
		return r;
	fault_set(reterr, FAULT_CONFIG,
		"records of both `%s` and `%s` wait, and they are not for the same sinks: run this again when the sinks have them",
		change->name, change->to);
	return STORE_E_REFUSED;
}

static const char source_waiting[] = "SELECT coalesce(sum(n_records), 0) FROM batches"
				     " WHERE source = (SELECT id FROM sources WHERE name = ?1)"
				     " AND number > (SELECT released FROM sources WHERE name = ?1)";

/* Batches keep the first name that they had. */
static const char keep_names_sql[] =
	"INSERT OR IGNORE INTO batch_names(number, name) SELECT number, ?1 FROM batches"
	" WHERE source = (SELECT id FROM sources WHERE name = ?1)";

static int rename_source(struct store *store, struct routes_change *change, struct fault *reterr)
{
	int64_t n_others = 0, n_waiting = 0, n_read = 0;
	const struct routes_change other = {.name = change->to};
	int r = check_names(store, &source_names, change, reterr);

	if (!r)
		r = run(store, source_names.known, &other, &n_others, reterr);
	if (!r)
		r = run(store,
			"SELECT count(*) FROM sources WHERE name = ?1 AND cursor IS NOT NULL",
			&other, &n_read, reterr);
	if (!r)
		r = run(store, source_waiting, change, &n_waiting, reterr);
	if (r)
		return r;
	change->n_records = (uint64_t)n_waiting;
	change->merged = n_read > 0;
	r = run(store, keep_names_sql, change, NULL, reterr);
	if (!r)
		r = run(store, "UPDATE coverage SET source = ?2 WHERE source = ?1", change, NULL,
			reterr);
	if (!r)
		r = run(store, "UPDATE OR REPLACE reconciled SET source = ?2 WHERE source = ?1",
			change, NULL, reterr);
	if (!r)
		r = run(store, "UPDATE replays SET source = ?2 WHERE source = ?1", change, NULL,
			reterr);
	if (r)
		return r;
	if (n_others > 0)
		return merge_sources(store, change, reterr);
	return run(store, "UPDATE sources SET name = ?2 WHERE name = ?1", change, NULL, reterr);
}

static const enum event_kind event_kinds[] = {
	[ROUTES_DROP_SINK] = EVENT_DROP_SINK,
	[ROUTES_RENAME_SINK] = EVENT_RENAME_SINK,
	[ROUTES_RENAME_SOURCE] = EVENT_RENAME,
};

static void note_event(struct store *store, const struct routes_change *change)
{
	bool source = change->command == ROUTES_RENAME_SOURCE;
	unsigned long long n = change->n_records;
	const char *s = str_plural(n);
	CLEANUP_FREE char *text = change->command == ROUTES_DROP_SINK
					  ? mem_printf("%llu unsent record%s dropped", n, s)
					  : mem_printf("continues as %s; %llu record%s wait%s",
						    change->to, n, s, n == 1 ? "s" : "");

	events_add(store, &(struct event){.kind = event_kinds[change->command],
				  .source = source ? change->name : NULL,
				  .sink = source ? NULL : change->name,
				  .by = change->by,
				  .text = text});
}

static int carry_out(struct store *store, struct routes_change *change, struct fault *reterr)
{
	switch (change->command) {
	case ROUTES_DROP_SINK:
		return drop_sink(store, change, reterr);
	case ROUTES_RENAME_SINK:
		return rename_sink(store, change, reterr);
	case ROUTES_RENAME_SOURCE:
		return rename_source(store, change, reterr);
	}
	return 0;
}

int change_carry_out(struct store *store, struct routes_change *change, struct fault *reterr)
{
	int r = carry_out(store, change, reterr);

	if (!r)
		note_event(store, change);
	return r;
}
