/*
 * A transaction as one pipeline: everything is sent before an answer comes, so it costs one round
 * trip. What decides whether it may happen is its last statement, and it has to be an error in the
 * server, since COMMIT is on its way already: of an UPDATE of no row, 1 / count(*) makes one. It is
 * the last, so that the shard's row is locked only when everything else has arrived.
 */
#include "store/postgresql/internal.h"

#include <endian.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/mem.h"

enum { TYPE_INTEGER = 20, TYPE_BYTES = 17 }; /* pg_type.dat */

/* The parameters of one statement. */
struct parameters {
	const char *values[N_PARAMETERS];
	int sizes[N_PARAMETERS], formats[N_PARAMETERS];
	Oid types[N_PARAMETERS];
	uint64_t numbers[N_PARAMETERS];
	int n;
};

static void add_parameter(struct parameters *parameters, const struct backend_column *column,
	const struct backend_value *value)
{
	int i = parameters->n++;

	parameters->formats[i] = 1;
	parameters->types[i] = column->type == BACKEND_INTEGER ? TYPE_INTEGER : TYPE_BYTES;
	parameters->values[i] = NULL;
	parameters->sizes[i] = 0;
	if (value->type == BACKEND_NULL)
		return;
	if (value->type == BACKEND_INTEGER) {
		parameters->numbers[i] = htobe64((uint64_t)value->integer);
		parameters->values[i] = (const char *)&parameters->numbers[i];
		parameters->sizes[i] = sizeof(parameters->numbers[i]);
		return;
	}
	parameters->values[i] = value->bytes.size > 0 ? value->bytes.data : "";
	parameters->sizes[i] = (int)value->bytes.size;
}

static const struct prepared *find_prepared(const struct postgresql *postgresql, const char *sql)
{
	for (size_t i = 0; i < postgresql->n_prepared; i++)
		if (strcmp(postgresql->prepared[i].sql, sql) == 0)
			return &postgresql->prepared[i];
	return NULL;
}

/* NULL: the connection is broken. */
static const struct prepared *prepare(
	struct postgresql *postgresql, const char *sql, const struct parameters *parameters)
{
	const struct prepared *found = find_prepared(postgresql, sql);
	struct prepared *added;

	if (found)
		return found;
	postgresql->prepared = mem_grow(postgresql->prepared, postgresql->n_prepared,
		&postgresql->prepared_capacity, sizeof(postgresql->prepared[0]));
	added = &postgresql->prepared[postgresql->n_prepared];
	*added = (struct prepared){.sql = mem_strdup(sql)};
	snprintf(added->name, sizeof(added->name), "s%zu", postgresql->n_prepared++);
	return PQsendPrepare(
		       postgresql->connection, added->name, sql, parameters->n, parameters->types)
		       ? added
		       : NULL;
}

static bool run(struct postgresql *postgresql, const char *sql, const struct parameters *parameters)
{
	const struct prepared *prepared = prepare(postgresql, sql, parameters);

	return prepared &&
	       PQsendQueryPrepared(postgresql->connection, prepared->name, parameters->n,
		       parameters->values, parameters->sizes, parameters->formats, 0);
}

static bool run_plain(struct postgresql *postgresql, const char *sql)
{
	return PQsendQueryParams(postgresql->connection, sql, 0, NULL, NULL, NULL, NULL, 0);
}

/* --- rows --- */

struct sending {
	struct postgresql *postgresql;
	bool failed;
};

static void print_where(const struct postgresql *postgresql, const struct backend_row *row,
	struct buf *sql, struct parameters *parameters)
{
	buf_printf(sql, " WHERE cluster = '%s' AND shard = %s", postgresql->cluster,
		postgresql->shard_text);
	for (size_t i = 0; i < row->table->n_columns; i++)
		if (row->table->columns[i].key) {
			add_parameter(parameters, &row->table->columns[i], &row->values[i]);
			buf_printf(sql, " AND \"%s\" = $%d", row->table->columns[i].name,
				parameters->n);
		}
}

static void print_insert(const struct postgresql *postgresql, const struct backend_row *row,
	struct buf *sql, struct parameters *parameters)
{
	const struct backend_table *table = row->table;

	buf_printf(sql, "INSERT INTO %s.%s(cluster, shard", postgresql->schema, table->name);
	for (size_t i = 0; i < table->n_columns; i++)
		buf_printf(sql, ", \"%s\"", table->columns[i].name);
	buf_printf(sql, ") VALUES('%s', %s", postgresql->cluster, postgresql->shard_text);
	for (size_t i = 0; i < table->n_columns; i++) {
		add_parameter(parameters, &table->columns[i], &row->values[i]);
		buf_printf(sql, ", $%d", parameters->n);
	}
	buf_append_char(sql, ')');
}

static void print_update(const struct postgresql *postgresql, const struct backend_row *row,
	struct buf *sql, struct parameters *parameters)
{
	const struct backend_table *table = row->table;

	buf_printf(sql, "UPDATE %s.%s SET ", postgresql->schema, table->name);
	for (size_t i = 0; i < table->n_columns; i++)
		if (row->changed[i]) {
			add_parameter(parameters, &table->columns[i], &row->values[i]);
			buf_printf(sql, "%s\"%s\" = $%d", parameters->n > 1 ? ", " : "",
				table->columns[i].name, parameters->n);
		}
	print_where(postgresql, row, sql, parameters);
}

static void send_row(const struct backend_row *row, void *userdata)
{
	struct sending *sending = userdata;
	struct postgresql *postgresql = sending->postgresql;
	CLEANUP(buf_deinit) struct buf sql = BUF_NULL;
	struct parameters parameters = {.n = 0};

	if (sending->failed)
		return;
	side_moved(postgresql);
	side_step(postgresql);
	switch (row->kind) {
	case BACKEND_INSERT:
		print_insert(postgresql, row, &sql, &parameters);
		break;
	case BACKEND_UPDATE:
		print_update(postgresql, row, &sql, &parameters);
		break;
	case BACKEND_DELETE:
		buf_printf(&sql, "DELETE FROM %s.%s", postgresql->schema, row->table->name);
		print_where(postgresql, row, &sql, &parameters);
		break;
	}
	sending->failed = !run(postgresql, buf_text(&sql), &parameters);
}

/* --- whole pipelines --- */

static void delete_all(const struct backend_table *table, void *userdata)
{
	struct sending *sending = userdata;
	const struct postgresql *postgresql = sending->postgresql;
	CLEANUP(buf_deinit) struct buf sql = BUF_NULL;

	/* that so many go is no sign that rows were astray: WITH says nothing of them */
	buf_printf(&sql,
		"WITH gone AS (DELETE FROM %s.%s WHERE cluster = '%s' AND shard = %s) SELECT 1",
		postgresql->schema, table->name, postgresql->cluster, postgresql->shard_text);
	sending->failed = sending->failed || !run_plain(sending->postgresql, buf_text(&sql));
}

static bool begin(struct postgresql *postgresql, bool committing)
{
	postgresql->committing = committing;
	postgresql->committed = postgresql->astray = false;
	postgresql->sqlstate[0] = '\0';
	postgresql->sent_boot = postgresql->moved_boot = boot_clock();
	postgresql->still_said = false;
	postgresql->sent_at = clock_monotonic();
	postgresql->phase = PHASE_PIPELINE;
	return PQpipelineStatus(postgresql->connection) == PQ_PIPELINE_ON ||
	       PQenterPipelineMode(postgresql->connection);
}

static bool end(struct postgresql *postgresql)
{
	if (!PQpipelineSync(postgresql->connection))
		return false;
	postgresql->unflushed = true;
	return true;
}

/* What the shard's row says must be what this process has left there. */
static bool check(struct postgresql *postgresql, const struct backend_change *change)
{
	CLEANUP(buf_deinit) struct buf sql = BUF_NULL;
	CLEANUP(buf_deinit) struct buf more = BUF_NULL;

	if (change)
		buf_printf(&more, "version = version + 1, last_number = %lld, format = %d, ",
			(long long)backend_change_last_number(change), store_schema_version());
	buf_append_text(&sql, "WITH f AS (");
	lease_print_renew(postgresql, buf_text(&more), &sql);
	if (change)
		buf_printf(&sql, " AND version = %lld", (long long)postgresql->version);
	buf_append_text(&sql, " RETURNING 1) SELECT 1 / count(*) FROM f");
	return run_plain(postgresql, buf_text(&sql));
}

bool pipeline_commit(struct postgresql *postgresql, struct fault *reterr)
{
	struct sending sending = {.postgresql = postgresql};

	if (!begin(postgresql, true) || !run_plain(postgresql, "BEGIN"))
		return false;
	if (backend_change_is_all(postgresql->change) &&
		backend_each_table(delete_all, &sending, reterr) != 0)
		return false;
	if (backend_change_each(postgresql->change, send_row, &sending, reterr) != 0)
		return false;
	return !sending.failed && check(postgresql, postgresql->change) &&
	       run_plain(postgresql, "COMMIT") && end(postgresql);
}

static bool say(struct postgresql *postgresql)
{
	CLEANUP(buf_deinit) struct buf sql = BUF_NULL;
	const char *values[] = {postgresql->said};

	buf_printf(&sql,
		"INSERT INTO %s.nodes(cluster, node, process, seen, version, status)"
		" VALUES('%s', '%s', '%s', clock_timestamp(), '" TRAWLD_VERSION "', $1::jsonb)"
		" ON CONFLICT(cluster, node, process) DO UPDATE SET seen = excluded.seen,"
		" version = excluded.version, status = excluded.status",
		postgresql->schema, postgresql->cluster, postgresql->node, postgresql->process);
	return PQsendQueryParams(
		postgresql->connection, buf_text(&sql), 1, NULL, values, NULL, NULL, 0);
}

bool pipeline_renew(struct postgresql *postgresql)
{
	postgresql->renew_at = clock_monotonic() + postgresql->lease_ns / 3;
	return begin(postgresql, false) && check(postgresql, NULL) && say(postgresql) &&
	       around_send(postgresql) && requests_send(postgresql) && end(postgresql);
}

/* --- answers --- */

static bool is_astray(const PGresult *result)
{
	const char *what = PQcmdStatus((PGresult *)(uintptr_t)result);

	return strcmp(what, "UPDATE 0") == 0 || strcmp(what, "DELETE 0") == 0;
}

static void take_result(struct postgresql *postgresql, const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	switch ((int)PQresultStatus(result)) {
	case PGRES_COMMAND_OK:
		if (strcmp(PQcmdStatus((PGresult *)(uintptr_t)result), "COMMIT") == 0)
			postgresql->committed = true;
		postgresql->astray = postgresql->astray || is_astray(result);
		break;
	case PGRES_FATAL_ERROR:
		if (postgresql->sqlstate[0] != '\0')
			break;
		snprintf(postgresql->sqlstate, sizeof(postgresql->sqlstate), "%s",
			state ? state : "?");
		connection_fault(postgresql->connection, result, &postgresql->fault);
		break;
	case PGRES_TUPLES_OK:
		if (!around_take_result(postgresql, result))
			requests_take_result(postgresql, result);
		break;
	default: /* what an earlier error has ended */
		break;
	}
}

bool pipeline_step(struct postgresql *postgresql, bool *ret_over)
{
	int n_silent = 0;
	int left = PQflush(postgresql->connection);

	*ret_over = false;
	postgresql->unflushed = left == 1;
	if (left >= 0)
		PQconsumeInput(
			postgresql->connection); /* if it fails, what came before is still read */
	while (!PQisBusy(postgresql->connection)) {
		CLEANUP(result_clear) PGresult *result = PQgetResult(postgresql->connection);

		if (!result) {
			if (++n_silent > 1)
				break;
			continue;
		}
		n_silent = 0;
		side_moved(postgresql);
		if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
			*ret_over = true;
			return true;
		}
		take_result(postgresql, result);
	}
	return PQstatus(postgresql->connection) == CONNECTION_OK && n_silent <= 1;
}
