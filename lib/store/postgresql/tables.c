/*
 * The tables in the database. Those of the state are made from the description of the SQLite
 * schema: the same names, cluster and shard before the key, and no other constraint, since a
 * transaction's rows come in no particular order. Texts are bytea: a path or a cursor need not be
 * UTF-8, and may hold what no text of PostgreSQL can.
 */
#include "store/postgresql/internal.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "base/str.h"

static void print_own(struct buf *sql, const char *schema)
{
	buf_printf(sql, "CREATE SCHEMA IF NOT EXISTS %s;", schema);
	buf_printf(sql,
		"CREATE TABLE IF NOT EXISTS %s.clusters(name text PRIMARY KEY, shards int NOT NULL,"
		" format int NOT NULL, created timestamptz NOT NULL DEFAULT clock_timestamp());",
		schema);
	buf_printf(sql,
		"CREATE TABLE IF NOT EXISTS %s.shards(cluster text, shard int, holder uuid,"
		" node text, process text, epoch bigint NOT NULL DEFAULT 0,"
		" version bigint NOT NULL DEFAULT 0, last_number bigint NOT NULL DEFAULT 0,"
		" format int NOT NULL DEFAULT 0, expires timestamptz NOT NULL DEFAULT '-infinity',"
		" acquired timestamptz, PRIMARY KEY(cluster, shard)) WITH (fillfactor = 50);",
		schema);
	buf_printf(sql,
		"CREATE TABLE IF NOT EXISTS %s.nodes(cluster text, node text, process text,"
		" seen timestamptz, version text, status jsonb,"
		" PRIMARY KEY(cluster, node, process)) WITH (fillfactor = 50);",
		schema);
	buf_printf(sql,
		"CREATE TABLE IF NOT EXISTS %s.requests(id uuid PRIMARY KEY, cluster text NOT NULL,"
		" shard int NOT NULL, created timestamptz NOT NULL DEFAULT clock_timestamp(),"
		" expires timestamptz NOT NULL, asked_by text NOT NULL, request text NOT NULL,"
		" taken uuid, n_taken int NOT NULL DEFAULT 0, answered timestamptz, answer text);"
		"CREATE INDEX IF NOT EXISTS requests_open ON %s.requests(cluster, shard)"
		" WHERE answer IS NULL;",
		schema, schema);
}

struct making {
	struct buf *sql;
	const char *schema;
};

static void print_table(const struct backend_table *table, void *userdata)
{
	const struct making *making = userdata;
	struct buf *sql = making->sql;

	buf_printf(sql, "CREATE TABLE IF NOT EXISTS %s.%s(cluster text, shard int", making->schema,
		table->name);
	for (size_t i = 0; i < table->n_columns; i++)
		buf_printf(sql, ", \"%s\" %s", table->columns[i].name,
			table->columns[i].type == BACKEND_INTEGER ? "bigint" : "bytea");
	buf_append_text(sql, ", PRIMARY KEY(cluster, shard");
	for (size_t i = 0; i < table->n_columns; i++)
		if (table->columns[i].key)
			buf_printf(sql, ", \"%s\"", table->columns[i].name);
	buf_append_text(sql, ")) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);");
	for (size_t i = 0; i < table->n_columns; i++)
		if (!table->columns[i].key)
			buf_printf(sql, "ALTER TABLE %s.%s ADD COLUMN IF NOT EXISTS \"%s\" %s;",
				making->schema, table->name, table->columns[i].name,
				table->columns[i].type == BACKEND_INTEGER ? "bigint" : "bytea");
	/* a body is compressed, and keys are not to be compressed */
	for (size_t i = 0; i < table->n_columns; i++)
		if (table->columns[i].type == BACKEND_BLOB)
			buf_printf(sql, "ALTER TABLE %s.%s ALTER \"%s\" SET STORAGE EXTERNAL;",
				making->schema, table->name, table->columns[i].name);
}

/* Are the tables of this build's schema there? */
static int are_made(struct postgresql *postgresql, bool *ret, struct fault *reterr)
{
	CLEANUP(buf_deinit) struct buf sql = BUF_NULL;
	CLEANUP(result_clear) PGresult *result = NULL;

	*ret = false;
	buf_printf(&sql, "SELECT to_regclass('%s.requests') IS NOT NULL", postgresql->schema);
	result = connection_query(postgresql->connection, buf_text(&sql), 0, NULL, NULL, reterr);
	if (!result)
		return STORE_E_FULL;
	if (strcmp(PQgetvalue(result, 0, 0), "t") != 0)
		return 0;
	buf_clear(&sql);
	buf_printf(&sql, "SELECT count(*) FROM %s.clusters WHERE format >= %d", postgresql->schema,
		store_schema_version());
	PQclear(result);
	result = connection_query(postgresql->connection, buf_text(&sql), 0, NULL, NULL, reterr);
	if (!result)
		return STORE_E_FULL;
	*ret = result_number(result, 0, 0) > 0;
	return 0;
}

/* One process at a time. */
static int make(struct postgresql *postgresql, struct fault *reterr)
{
	CLEANUP(buf_deinit) struct buf sql = BUF_NULL;
	CLEANUP(result_clear) PGresult *result = NULL;
	struct making making = {&sql, postgresql->schema};
	char state[6];
	int r;

	buf_append_text(&sql, "BEGIN; SET LOCAL lock_timeout = '8s';"
			      "SELECT pg_advisory_xact_lock(8247337103466);");
	print_own(&sql, postgresql->schema);
	r = backend_each_table(print_table, &making, reterr);
	if (r)
		return r;
	buf_append_text(&sql, "COMMIT");
	result = connection_query(postgresql->connection, buf_text(&sql), 0, NULL, state, reterr);
	if (result)
		return 0;
	return str_starts(state, "42") ? STORE_E_UNUSABLE : STORE_E_FULL;
}

static int enter(struct postgresql *postgresql, struct fault *reterr)
{
	CLEANUP(buf_deinit) struct buf sql = BUF_NULL;
	CLEANUP(result_clear) PGresult *result = NULL;
	int64_t n_shards, format;

	buf_printf(&sql,
		"BEGIN;"
		"INSERT INTO %s.clusters(name, shards, format) VALUES('%s', %lld, %d)"
		" ON CONFLICT(name) DO UPDATE SET format = greatest(clusters.format, %d);",
		postgresql->schema, postgresql->cluster, (long long)postgresql->n_shards,
		store_schema_version(), store_schema_version());
	buf_printf(&sql,
		"INSERT INTO %s.shards(cluster, shard) SELECT name, generate_series(0, shards - 1)"
		" FROM %s.clusters WHERE name = '%s' ON CONFLICT DO NOTHING; COMMIT;",
		postgresql->schema, postgresql->schema, postgresql->cluster);
	buf_printf(&sql, "SELECT shards, format FROM %s.clusters WHERE name = '%s'",
		postgresql->schema, postgresql->cluster);
	result = connection_query(postgresql->connection, buf_text(&sql), 0, NULL, NULL, reterr);
	if (!result)
		return STORE_E_FULL;
	n_shards = result_number(result, 0, 0);
	format = result_number(result, 0, 1);
	if (format > store_schema_version()) {
		fault_set(reterr, FAULT_STORE,
			"the cluster %s was written by a newer trawld (schema %lld, this one knows up to %d): install that version here, too",
			postgresql->cluster, (long long)format, store_schema_version());
		return STORE_E_UNUSABLE;
	}
	if (n_shards == postgresql->n_shards)
		return 0;
	fault_set(reterr, FAULT_CONFIG,
		"the cluster %s has %lld shard%s, but `shards` in [cluster] is %lld: correct it, or run `trawlctl cluster reshard`",
		postgresql->cluster, (long long)n_shards, str_plural((unsigned long long)n_shards),
		(long long)postgresql->n_shards);
	return STORE_E_UNUSABLE;
}

int tables_make(struct postgresql *postgresql, struct fault *reterr)
{
	bool made;
	int r = are_made(postgresql, &made, reterr);

	if (!r && !made)
		r = make(postgresql, reterr);
	return r ? r : enter(postgresql, reterr);
}
