/* See pg_rows.h. Rows are read in binary one by one, and written by COPY, so that a shard of any
 * size takes little memory. */
#include "store/postgresql/pg_rows.h"

#include <assert.h>
#include <endian.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "store/postgresql/pg_session.h"

#define PARAMETERS_MAX 40
#define COPY_PIECE (256u << 10)

/* --- parameters --- */

/* The cluster as text, the rest binary. */
struct parameters {
	int n;
	const char *values[PARAMETERS_MAX];
	int lengths[PARAMETERS_MAX];
	unsigned char numbers[PARAMETERS_MAX][8];
};

static void add(struct parameters *parameters, const void *value, size_t size)
{
	assert(parameters->n < PARAMETERS_MAX);
	parameters->values[parameters->n] = value;
	parameters->lengths[parameters->n++] = (int)size;
}

static void add_value(struct parameters *parameters, const struct backend_value *value)
{
	unsigned char *number = parameters->numbers[parameters->n];
	uint64_t bits = htobe64((uint64_t)value->integer);
	switch (value->type) {
	case BACKEND_NULL:
		add(parameters, NULL, 0);
		break;
	case BACKEND_INTEGER:
		memcpy(number, &bits, sizeof(bits));
		add(parameters, number, sizeof(bits));
		break;
	case BACKEND_TEXT:
	case BACKEND_BLOB:
		add(parameters, value->bytes.size ? value->bytes.data : "", value->bytes.size);
		break;
	}
}

static void bind_row(
	struct parameters *ret, const char *cluster, int32_t shard, const struct backend_row *row)
{
	uint32_t bits = htobe32((uint32_t)shard);
	ret->n = 0;
	add(ret, cluster, strlen(cluster));
	memcpy(ret->numbers[ret->n], &bits, sizeof(bits));
	add(ret, ret->numbers[ret->n], sizeof(bits));
	for (size_t i = 0; i < row->table->n_columns; i++)
		add_value(ret, &row->values[i]);
}

/* --- reading --- */

static int take_row(const PGresult *result, const struct backend_table *table, struct store *store,
	struct fault *reterr)
{
	struct backend_value values[PARAMETERS_MAX];
	const struct backend_row row = {.table = table, .kind = BACKEND_INSERT, .values = values};
	for (int i = 0; i < (int)table->n_columns; i++) {
		const char *data = PQgetvalue(result, 0, i);
		uint64_t bits;
		values[i] = (struct backend_value){.type = table->columns[i].type};
		if (PQgetisnull(result, 0, i)) {
			values[i].type = BACKEND_NULL;
		} else if (values[i].type == BACKEND_INTEGER) {
			memcpy(&bits, data, sizeof(bits));
			values[i].integer = (int64_t)be64toh(bits);
		} else {
			values[i].bytes = (struct slice){data, (size_t)PQgetlength(result, 0, i)};
		}
	}
	return backend_put_row(store, &row, reterr);
}

static int load_table(struct pg_session *session, const struct backend_table *table,
	const char *cluster, const char *shard, struct store *store, int64_t *n_rows,
	struct fault *reterr)
{
	PGconn *connection = pg_session_connection(session);
	struct buf sql CLEANUP(buf_deinit) = BUF_NULL;
	PGresult *result;
	int r = 0;
	assert(table->n_columns <= PARAMETERS_MAX);
	for (size_t i = 0; i < table->n_columns; i++)
		buf_printf(&sql, "%s%s", i ? ", " : "SELECT ", table->columns[i].name);
	buf_printf(&sql, " FROM %s WHERE cluster = $1 AND shard = $2", table->name);
	if (!PQsendQueryParams(connection, buf_text(&sql), 2, NULL,
		    (const char *[]){cluster, shard}, NULL, NULL, 1))
		return pg_session_judge(session, NULL, reterr);
	PQsetSingleRowMode(connection);
	while ((result = PQgetResult(connection))) { /* to the end, or none could follow */
		if (!r)
			r = pg_session_judge(session, result, reterr);
		if (!r && PQresultStatus(result) == PGRES_SINGLE_TUPLE) {
			r = take_row(result, table, store, reterr);
			++*n_rows;
		}
		PQclear(result);
	}
	return r;
}

int pg_rows_load(struct pg_session *session, const char *cluster, int32_t shard,
	struct store *store, int64_t *ret_n_rows, struct fault *reterr)
{
	char *text CLEANUP_FREE = mem_printf("%d", (int)shard);
	size_t n;
	const struct backend_table *tables = backend_tables(store, &n);
	int r = 0;
	*ret_n_rows = 0;
	for (size_t i = 0; i < n && !r; i++)
		r = load_table(session, &tables[i], cluster, text, store, ret_n_rows, reterr);
	return r;
}

/* --- writing --- */

struct writing {
	struct pg_session *session;
	const char *cluster;
	int32_t shard;
	const struct backend_table *table; /* whose COPY is open; NULL: none */
	struct buf data;
	struct fault *reterr;
	int r; /* of the first call that failed */
};

static void flush(struct writing *writing)
{
	PGconn *connection = pg_session_connection(writing->session);
	if (!writing->r && writing->data.size > 0 &&
		PQputCopyData(connection, writing->data.data, (int)writing->data.size) != 1)
		writing->r = pg_session_judge(writing->session, NULL, writing->reterr);
	buf_clear(&writing->data);
}

static void append_16(struct writing *writing, int number)
{
	uint16_t bits = htobe16((uint16_t)number);
	buf_append(&writing->data, (const char *)&bits, sizeof(bits));
}

static void append_32(struct writing *writing, int64_t number)
{
	uint32_t bits = htobe32((uint32_t)number);
	buf_append(&writing->data, (const char *)&bits, sizeof(bits));
}

/* The results of a statement, to their end. */
static void finish(struct writing *writing)
{
	PGconn *connection = pg_session_connection(writing->session);
	PGresult *result;
	while ((result = PQgetResult(connection))) {
		if (!writing->r)
			writing->r = pg_session_judge(writing->session, result, writing->reterr);
		PQclear(result);
	}
}

static void end_copy(struct writing *writing)
{
	PGconn *connection = pg_session_connection(writing->session);
	if (!writing->table)
		return;
	append_16(writing, -1);
	flush(writing);
	if (PQputCopyEnd(connection, writing->r ? "interrupted" : NULL) != 1 && !writing->r)
		writing->r = pg_session_judge(writing->session, NULL, writing->reterr);
	finish(writing);
	writing->table = NULL;
}

static void begin_copy(struct writing *writing, const struct backend_table *table)
{
	static const char signature[] = "PGCOPY\n\377\r\n"; /* and its NUL */
	PGconn *connection = pg_session_connection(writing->session);
	struct buf sql CLEANUP(buf_deinit) = BUF_NULL;
	buf_printf(&sql, "COPY %s(cluster, shard", table->name);
	for (size_t i = 0; i < table->n_columns; i++)
		buf_printf(&sql, ", %s", table->columns[i].name);
	buf_append_text(&sql, ") FROM STDIN (FORMAT binary)");
	PGresult *result = PQexec(connection, buf_text(&sql));
	writing->r = pg_session_judge(writing->session, result, writing->reterr);
	PQclear(result);
	if (writing->r)
		return;
	writing->table = table;
	buf_append(&writing->data, signature, sizeof(signature));
	append_32(writing, 0);
	append_32(writing, 0);
}

static void write_row(const struct backend_row *row, void *userdata)
{
	struct writing *writing = userdata;
	struct parameters parameters;
	if (writing->table != row->table) {
		end_copy(writing);
		if (!writing->r)
			begin_copy(writing, row->table);
	}
	if (writing->r)
		return;
	bind_row(&parameters, writing->cluster, writing->shard, row);
	append_16(writing, parameters.n);
	for (int i = 0; i < parameters.n; i++) {
		append_32(writing, parameters.values[i] ? parameters.lengths[i] : -1);
		if (parameters.values[i])
			buf_append(&writing->data, parameters.values[i],
				(size_t)parameters.lengths[i]);
	}
	if (writing->data.size >= COPY_PIECE)
		flush(writing);
}

int pg_rows_write(struct pg_session *session, const char *cluster, int32_t shard,
	const struct backend_change *change, struct fault *reterr)
{
	struct writing writing = {.session = session,
		.cluster = cluster,
		.shard = shard,
		.data = BUF_NULL,
		.reterr = reterr};
	int r = backend_change_each(change, write_row, &writing, reterr);
	end_copy(&writing);
	buf_deinit(&writing.data);
	return r ? r : writing.r;
}
