/*
 * Another number of shards, in one transaction: the rows of all shards are locked first, so that no
 * process can take one or commit meanwhile, and no holder is left whose commit would still fit.
 *
 * Identifiers count within a shard, so they are given anew; what refers to them follows. Batches
 * may be kept, but none waits, so numbers matter only as being higher than those that were given:
 * every shard continues after the highest of all. The positions of files are forgotten: what is in
 * a file stays there, all of it is acknowledged, and what comes is written after it. Events stay
 * where they happened.
 */
#include "store/postgresql/cluster_view.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/postgresql/pg_session.h"

/* The rows x of TABLE that the cluster (g) has, with COLUMNS beside them, of which SET puts them in
 * their place; they wait in a table of their own until PUT. */
#define MAKE(table, columns, joins, set, drop)                                                     \
	"CREATE TEMP TABLE new_" table " ON COMMIT DROP AS SELECT x.*, " columns " FROM " table    \
	" x JOIN given g ON x.cluster = g.cluster AND x.shard < g.n_before " joins,                \
		"UPDATE new_" table " SET " set, "ALTER TABLE new_" table " " drop
#define PUT(table) FORGET(table), "INSERT INTO " table " SELECT * FROM new_" table
#define FORGET(table)                                                                              \
	"DELETE FROM " table " x USING given g WHERE x.cluster = g.cluster AND x.shard < "         \
	"greatest(g.n_before, g.n_shards)"
#define OWN "given g WHERE x.cluster = g.cluster AND x.shard < g.n_before"

static const char *const statements[] = {
	/* what is not configured stays in its shard, as far as there is one */
	"INSERT INTO target SELECT x.name, min(x.shard) % g.n_shards FROM"
	" (SELECT cluster, shard, name FROM sources UNION"
	" SELECT cluster, shard, source FROM coverage UNION"
	" SELECT cluster, shard, source FROM reconciled) x, " OWN
	" GROUP BY x.name, g.n_shards ON CONFLICT DO NOTHING",
	/* a source has one row, but for what another configuration has left */
	"CREATE TEMP TABLE ids ON COMMIT DROP AS SELECT kept.shard AS old_shard, kept.id AS old_id,"
	" t.shard, row_number() OVER (PARTITION BY t.shard ORDER BY kept.name) AS id FROM"
	" (SELECT DISTINCT ON (x.name) x.name, x.shard, x.id FROM sources x, " OWN
	" ORDER BY x.name, x.cursor IS NULL, x.updated_time DESC) kept JOIN target t USING (name)",
	/* a batch and its keys have one number */
	"CREATE TEMP TABLE numbers ON COMMIT DROP AS SELECT n.shard AS old_shard,"
	" n.number AS old_number, i.shard, i.id AS source,"
	" row_number() OVER (PARTITION BY i.shard ORDER BY n.number, n.shard) AS number FROM"
	" (SELECT x.shard, x.number, x.source FROM batches x, " OWN
	" UNION SELECT x.shard, x.number, x.source FROM batch_keys x, " OWN
	") n JOIN ids i ON i.old_shard = n.shard AND i.old_id = n.source",
	MAKE("sources", "i.shard AS to_shard, i.id AS to_id, g.last_number AS to_released",
		"JOIN ids i ON i.old_shard = x.shard AND i.old_id = x.id",
		"shard = to_shard, id = to_id, released = to_released",
		"DROP to_shard, DROP to_id, DROP to_released"),
	MAKE("batches", "m.shard AS to_shard, m.source AS to_source, m.number AS to_number",
		"JOIN numbers m ON m.old_shard = x.shard AND m.old_number = x.number",
		"shard = to_shard, source = to_source, number = to_number",
		"DROP to_shard, DROP to_source, DROP to_number"),
	MAKE("batch_keys", "m.shard AS to_shard, m.source AS to_source, m.number AS to_number",
		"JOIN numbers m ON m.old_shard = x.shard AND m.old_number = x.number",
		"shard = to_shard, source = to_source, number = to_number",
		"DROP to_shard, DROP to_source, DROP to_number"),
	MAKE("batch_names", "m.shard AS to_shard, m.number AS to_number",
		"JOIN numbers m ON m.old_shard = x.shard AND m.old_number = x.number",
		"shard = to_shard, number = to_number", "DROP to_shard, DROP to_number"),
	/* every shard has every sink; one that was paused anywhere is paused */
	MAKE("sinks",
		"to_shard, dense_rank() OVER (ORDER BY x.name) AS to_id, g.last_number AS to_number",
		"JOIN (SELECT DISTINCT ON (x.name) x.shard, x.id FROM sinks x, " OWN
		" ORDER BY x.name, x.paused_time NULLS LAST, x.shard) f"
		" ON f.shard = x.shard AND f.id = x.id"
		" CROSS JOIN LATERAL generate_series(0, g.n_shards - 1) AS to_shard",
		"shard = to_shard, id = to_id, acknowledged = to_number",
		"DROP to_shard, DROP to_id, DROP to_number"),
	MAKE("routes", "i.shard AS to_shard, i.id AS to_source, k.id AS to_sink",
		"JOIN ids i ON i.old_shard = x.shard AND i.old_id = x.source"
		" JOIN sinks s ON s.cluster = x.cluster AND s.shard = x.shard AND s.id = x.sink"
		" JOIN new_sinks k ON k.shard = i.shard AND k.name = s.name",
		"shard = to_shard, source = to_source, sink = to_sink",
		"DROP to_shard, DROP to_source, DROP to_sink"),
	MAKE("coverage",
		"t.shard AS to_shard,"
		" row_number() OVER (PARTITION BY t.shard ORDER BY x.number, x.shard) AS to_number",
		"JOIN target t ON t.name = x.source", "shard = to_shard, number = to_number",
		"DROP to_shard, DROP to_number"),
	MAKE("reconciled", "t.shard AS to_shard",
		"JOIN target t ON t.name = x.source JOIN (SELECT DISTINCT ON (x.source, x.delay)"
		" x.source, x.delay, x.shard FROM reconciled x, " OWN
		" ORDER BY x.source, x.delay, x.until_time) f"
		" ON f.source = x.source AND f.delay = x.delay AND f.shard = x.shard",
		"shard = to_shard", "DROP to_shard"),
	PUT("sources"),
	PUT("batches"),
	PUT("batch_keys"),
	PUT("batch_names"),
	PUT("sinks"),
	PUT("routes"),
	PUT("coverage"),
	PUT("reconciled"),
	FORGET("sink_positions"),
	FORGET("replays"),
	"INSERT INTO commits(cluster, shard, id, number) SELECT g.cluster, n, 1, 0 FROM given g,"
	" generate_series(0, g.n_shards - 1) n ON CONFLICT DO NOTHING",
	"INSERT INTO identity(cluster, shard, id) SELECT g.cluster, n,"
	" convert_to(left(replace(gen_random_uuid()::text, '-', ''), 16), 'UTF8')"
	" FROM given g, generate_series(0, g.n_shards - 1) n WHERE NOT EXISTS"
	" (SELECT FROM identity i WHERE i.cluster = g.cluster AND i.shard = n)",
	"INSERT INTO shards(cluster, shard) SELECT g.cluster, n FROM given g,"
	" generate_series(0, g.n_shards - 1) n ON CONFLICT DO NOTHING",
	"DELETE FROM shards x USING given g WHERE x.cluster = g.cluster AND x.shard >= g.n_shards",
	/* the commit of a process that had one of them fails; version 0 would mean that nothing is
	   kept */
	"UPDATE shards x SET holder = NULL, expires = '-infinity', last_number = g.last_number,"
	" version = x.version + 1, format = c.format FROM given g, clusters c"
	" WHERE x.cluster = g.cluster AND c.name = g.cluster",
	"UPDATE clusters x SET shards = g.n_shards FROM given g WHERE x.name = g.cluster",
};

static int run(struct pg_session *session, const char *sql, const char *const *values, size_t n,
	struct pg_rowset **ret, struct fault *reterr)
{
	return pg_session_run(session, sql, values, n, ret, reterr);
}

static int run_all(
	struct pg_session *session, const char *const *sql, size_t n, struct fault *reterr)
{
	int r = 0;
	for (size_t i = 0; i < n && !r; i++)
		r = run(session, sql[i], NULL, 0, NULL, reterr);
	return r;
}

/* Locks them, so that they stay as they are. STORE_E_REFUSED: one is held. */
int cluster_check_free(struct pg_session *session, const char *cluster, struct fault *reterr)
{
	struct pg_rowset *rows CLEANUP(pg_rowset_drop) = NULL;
	int r = run(session,
		"SELECT shard, node, expires > clock_timestamp() AND holder IS NOT NULL FROM shards"
		" WHERE cluster = $1 ORDER BY shard FOR UPDATE",
		&cluster, 1, &rows, reterr);
	for (size_t i = 0; !r && i < pg_rowset_n(rows); i++) {
		const char *node = pg_rowset_text(rows, i, 1);
		if (strcmp(pg_rowset_text(rows, i, 2), "t") != 0)
			continue;
		fault_set(reterr, FAULT_STORE,
			"shard %lld is held by %s; stop trawld on every node, so that what was read is delivered, and run this again",
			(long long)pg_rowset_number(rows, i, 0), node ? node : "a process");
		return STORE_E_REFUSED;
	}
	return r;
}

static int check_empty(struct pg_session *session, const char *cluster, struct fault *reterr)
{
	struct pg_rowset *rows CLEANUP(pg_rowset_drop) = NULL;
	int r = run(session,
		"SELECT coalesce(sum(b.n_records), 0), count(*) FROM batches b LEFT JOIN sources s"
		" ON s.cluster = b.cluster AND s.shard = b.shard AND s.id = b.source"
		" WHERE b.cluster = $1 AND b.number > coalesce(s.released, 0)",
		&cluster, 1, &rows, reterr);
	if (r || pg_rowset_number(rows, 0, 1) == 0)
		return r;
	int64_t n = pg_rowset_number(rows, 0, 0);
	fault_set(reterr, FAULT_STORE,
		"%lld record%s wait%s for sinks; start trawld with the old number of shards until they are delivered, stop it, and run this again",
		(long long)n, str_plural((uint64_t)n), n == 1 ? "s" : "");
	return STORE_E_REFUSED;
}

/* The arrays of PLAN, as PostgreSQL reads them. Names have no characters that need a quote. */
static void print_plan(const struct cluster_plan *plan, struct buf *names, struct buf *shards)
{
	buf_append_char(names, '{');
	buf_append_char(shards, '{');
	for (size_t i = 0; i < plan->n_names; i++) {
		buf_printf(names, "%s\"%s\"", i ? "," : "", plan->names[i]);
		buf_printf(shards, "%s%lld", i ? "," : "", (long long)plan->shards[i]);
	}
	buf_append_char(names, '}');
	buf_append_char(shards, '}');
}

static int give(struct pg_session *session, const char *cluster, const struct cluster_plan *plan,
	struct cluster_result *ret, struct fault *reterr)
{
	struct pg_rowset *rows CLEANUP(pg_rowset_drop) = NULL;
	struct buf names CLEANUP(buf_deinit) = BUF_NULL, shards CLEANUP(buf_deinit) = BUF_NULL;
	char *n_shards CLEANUP_FREE = mem_printf("%lld", (long long)plan->n_shards);
	int r = run(session,
		"CREATE TEMP TABLE target(name bytea PRIMARY KEY, shard int NOT NULL) ON COMMIT DROP",
		NULL, 0, NULL, reterr);
	if (!r)
		r = run(session,
			"CREATE TEMP TABLE given ON COMMIT DROP AS SELECT c.name AS cluster,"
			" c.shards AS n_before, $2::int AS n_shards, greatest((SELECT max(s.last_number)"
			" FROM shards s WHERE s.cluster = c.name), (SELECT count(*) FROM batch_keys k"
			" WHERE k.cluster = c.name) + (SELECT count(*) FROM batches b"
			" WHERE b.cluster = c.name)) AS last_number FROM clusters c WHERE c.name = $1",
			(const char *[]){cluster, n_shards}, 2, NULL, reterr);
	if (!r)
		r = run(session, "SELECT n_before FROM given", NULL, 0, &rows, reterr);
	if (r)
		return r;
	if (pg_rowset_n(rows) == 0) {
		fault_set(reterr, FAULT_CONFIG, "the database has no cluster %s", cluster);
		return STORE_E_UNKNOWN;
	}
	ret->n_shards_before = pg_rowset_number(rows, 0, 0);
	print_plan(plan, &names, &shards);
	return run(session,
		"INSERT INTO target SELECT convert_to(name, 'UTF8'), shard"
		" FROM unnest($1::text[], $2::int[]) AS plan(name, shard)",
		(const char *[]){buf_text(&names), buf_text(&shards)}, 2, NULL, reterr);
}

static int count(struct pg_session *session, struct cluster_result *ret, struct fault *reterr)
{
	struct pg_rowset *rows CLEANUP(pg_rowset_drop) = NULL;
	int r = run(session, "SELECT count(*), count(*) FILTER (WHERE shard <> old_shard) FROM ids",
		NULL, 0, &rows, reterr);
	if (!r) {
		ret->n_sources = pg_rowset_number(rows, 0, 0);
		ret->n_moved = pg_rowset_number(rows, 0, 1);
	}
	return r;
}

static int check_format(struct pg_session *session, const char *cluster, struct fault *reterr)
{
	struct pg_rowset *rows CLEANUP(pg_rowset_drop) = NULL;
	int r = run(session, "SELECT format FROM clusters WHERE name = $1 FOR UPDATE", &cluster, 1,
		&rows, reterr);
	if (r || pg_rowset_n(rows) == 0 || pg_rowset_number(rows, 0, 0) == store_schema_version())
		return r;
	fault_set(reterr, FAULT_STORE,
		"the tables of the cluster were made by another version of trawld (schema %lld, this one has %d); start trawld of this version once, then run this again",
		(long long)pg_rowset_number(rows, 0, 0), store_schema_version());
	return STORE_E_REFUSED;
}

int cluster_divide(struct pg_session *session, const char *cluster, const struct cluster_plan *plan,
	struct cluster_result *ret, struct fault *reterr)
{
	int r = give(session, cluster, plan, ret, reterr);
	if (!r)
		r = run_all(
			session, statements, sizeof(statements) / sizeof(statements[0]), reterr);
	return r ? r : count(session, ret, reterr);
}

static int reshard(struct pg_session *session, const char *cluster, const struct cluster_plan *plan,
	struct cluster_result *ret, struct fault *reterr)
{
	static const char *const begin[] = {"BEGIN", "SET LOCAL lock_timeout = '5s'"};
	int r = run_all(session, begin, 2, reterr);
	if (!r)
		r = check_format(session, cluster, reterr);
	if (!r)
		r = cluster_check_free(session, cluster, reterr);
	if (!r)
		r = check_empty(session, cluster, reterr);
	if (!r)
		r = cluster_divide(session, cluster, plan, ret, reterr);
	/* without it, the server undoes all of it when the connection ends */
	return r ? r : run(session, "COMMIT", NULL, 0, NULL, reterr);
}

int cluster_reshard(struct cluster_result *ret, const struct cluster_options *options,
	const struct cluster_plan *plan, struct fault *reterr)
{
	struct pg_session *session = NULL;
	int r = pg_session_open(&session, options, "trawlctl", reterr);
	if (r)
		return r;
	r = reshard(session, options->name, plan, ret, reterr);
	pg_session_close(session);
	return r;
}
