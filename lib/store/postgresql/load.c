/* The rows of a shard, streamed into the working copy over a connection of their own, while the
 * other one keeps the lease. */
#include "store/postgresql/internal.h"

#include <endian.h>
#include <poll.h>

#include "base/cleanup.h"
#include "base/mem.h"

#define N_COLUMNS 32

static int renew(struct postgresql *postgresql, struct fault *reterr)
{
	CLEANUP(buf_deinit) struct buf sql = BUF_NULL;
	CLEANUP(result_clear) PGresult *result = NULL;
	nsec_t sent_boot = boot_clock();

	lease_print_renew(postgresql, "", &sql);
	result = connection_query(postgresql->connection, buf_text(&sql), 0, NULL, NULL, reterr);
	if (!result)
		return STORE_E_FULL;
	if (strcmp(PQcmdTuples(result), "1") != 0) {
		fault_set(reterr, FAULT_STORE,
			"another process took shard %s while its rows were read",
			postgresql->shard_text);
		return STORE_E_FULL;
	}
	lease_renewed(postgresql, sent_boot);
	postgresql->renew_at = clock_monotonic() + postgresql->lease_ns / 3;
	return 0;
}

static struct backend_value value_of(
	const PGresult *result, int row, int column, enum backend_type type)
{
	const char *data = PQgetvalue(result, row, column);
	size_t size = (size_t)PQgetlength(result, row, column);
	struct backend_value value = {.type = type};
	uint64_t number;

	if (PQgetisnull(result, row, column))
		return (struct backend_value){.type = BACKEND_NULL};
	if (type != BACKEND_INTEGER) {
		value.bytes = (struct slice){data, size};
	} else if (size == sizeof(number)) {
		memcpy(&number, data, sizeof(number));
		value.integer = (int64_t)be64toh(number);
	}
	return value;
}

static int put_rows(struct store *store, const struct backend_table *table, const PGresult *result,
	struct fault *reterr)
{
	struct backend_value values[N_COLUMNS];
	const struct backend_row row = {.table = table, .kind = BACKEND_INSERT, .values = values};
	int r = 0;

	for (int i = 0; i < PQntuples(result) && !r; i++) {
		for (size_t k = 0; k < table->n_columns; k++)
			values[k] = value_of(result, i, (int)k, table->columns[k].type);
		r = backend_put_row(store, &row, reterr);
	}
	return r;
}

/* Waits until a result can be had. false: the server is silent. */
static bool wait_for_rows(PGconn *connection)
{
	nsec_t until_at = clock_monotonic() + ANSWER_PATIENCE;

	while (PQflush(connection) == 1 || PQisBusy(connection)) {
		struct pollfd poll_fd = {.fd = PQsocket(connection),
			.events = (short)(POLLIN | (PQflush(connection) == 1 ? POLLOUT : 0))};

		if (clock_monotonic() >= until_at)
			return false;
		poll(&poll_fd, 1, 1000);
		if (!PQconsumeInput(connection))
			return true; /* the result says why */
	}
	return true;
}

static int receive(struct postgresql *postgresql, PGconn *connection, struct store *store,
	const struct backend_table *table, struct fault *reterr)
{
	int r = 0;

	while (!r) {
		CLEANUP(result_clear) PGresult *result = NULL;

		if (!wait_for_rows(connection)) {
			fault_set(reterr, FAULT_STORE, "the database does not answer");
			return STORE_E_FULL;
		}
		result = PQgetResult(connection);
		if (!result)
			return 0;
		if (PQresultStatus(result) != PGRES_SINGLE_TUPLE &&
			PQresultStatus(result) != PGRES_TUPLES_OK) {
			connection_fault(connection, result, reterr);
			return STORE_E_FULL;
		}
		r = put_rows(store, table, result, reterr);
		if (!r && clock_monotonic() >= postgresql->renew_at)
			r = renew(postgresql, reterr);
	}
	return r;
}

static int load_table(struct postgresql *postgresql, PGconn *connection, struct store *store,
	const struct backend_table *table, struct fault *reterr)
{
	CLEANUP(buf_deinit) struct buf sql = BUF_NULL;

	buf_append_text(&sql, "SELECT ");
	for (size_t i = 0; i < table->n_columns; i++)
		buf_printf(&sql, "%s\"%s\"", i ? ", " : "", table->columns[i].name);
	buf_printf(&sql, " FROM %s.%s WHERE cluster = '%s' AND shard = %s", postgresql->schema,
		table->name, postgresql->cluster, postgresql->shard_text);
	if (!PQsendQueryParams(connection, buf_text(&sql), 0, NULL, NULL, NULL, NULL, 1) ||
		!PQsetSingleRowMode(connection)) {
		connection_fault(connection, NULL, reterr);
		return STORE_E_FULL;
	}
	return receive(postgresql, connection, store, table, reterr);
}

int load_rows(struct store_backend *backend, struct store *store, int64_t *ret_last_number,
	bool *ret_fresh, struct fault *reterr)
{
	struct postgresql *postgresql = (struct postgresql *)backend;
	CLEANUP_FREE char *name =
		mem_printf("trawld:%s:%s:load", postgresql->cluster, postgresql->shard_text);
	const struct backend_table *tables;
	PGconn *connection;
	size_t n;
	int r = 0;

	*ret_last_number = postgresql->last_number;
	*ret_fresh = postgresql->version == 0;
	if (*ret_fresh)
		return 0;
	connection = connection_open(postgresql, name, reterr);
	if (!connection)
		return STORE_E_FULL;
	tables = backend_tables(store, &n);
	for (size_t i = 0; i < n && !r; i++)
		r = load_table(postgresql, connection, store, &tables[i], reterr);
	PQfinish(connection);
	return r;
}
