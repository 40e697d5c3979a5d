/*
 * A backend that answers when it is told to. What it keeps are the same tables in a SQLite database
 * in memory, with rows put in by statements made from the description of a row alone, as a server
 * would do it.
 */
#ifndef TRAWLD_TESTS_FAKE_BACKEND_H
#define TRAWLD_TESTS_FAKE_BACKEND_H

#include "check_unit.h"
#include <sqlite3.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "store/backend.h"

enum fake_mode { FAKE_COMMITS, FAKE_WAITS, FAKE_REFUSES, FAKE_IS_LOST };

static struct fake {
	struct store_backend backend;
	sqlite3 *kept;
	int64_t last_number;
	bool any;
	enum fake_mode mode;
	const struct backend_change *change; /* sent, not answered */
	int n_sent;
	int ends[2]; /* of a pipe: readable when it has something to say */
} fake;

static inline void fake_exec(const char *sql)
{
	ck_assert_msg(sqlite3_exec(fake.kept, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql,
		sqlite3_errmsg(fake.kept));
}

static inline void fake_make_table(const struct backend_table *table, void *userdata)
{
	struct buf sql CLEANUP(buf_deinit) = BUF_NULL;
	const char *separator = "";

	(void)userdata;
	buf_printf(&sql, "CREATE TABLE %s(", table->name);
	for (size_t i = 0; i < table->n_columns; i++)
		buf_printf(&sql, "%s, ", table->columns[i].name);
	buf_append_text(&sql, "PRIMARY KEY(");
	for (size_t i = 0; i < table->n_columns; i++)
		if (table->columns[i].key) {
			buf_printf(&sql, "%s%s", separator, table->columns[i].name);
			separator = ", ";
		}
	buf_append_text(&sql, "))");
	fake_exec(buf_text(&sql));
}

static inline void fake_bind(sqlite3_stmt *statement, size_t i, const struct backend_value *value)
{
	int index = (int)i + 1, size = (int)value->bytes.size;

	if (value->type == BACKEND_INTEGER)
		sqlite3_bind_int64(statement, index, value->integer);
	else if (value->type == BACKEND_TEXT)
		sqlite3_bind_text(statement, index, value->bytes.data, size, SQLITE_TRANSIENT);
	else if (value->type == BACKEND_BLOB)
		sqlite3_bind_blob(statement, index, value->bytes.data ? value->bytes.data : "",
			size, SQLITE_TRANSIENT);
}

static inline void fake_print(const struct backend_row *row, struct buf *sql)
{
	const struct backend_table *table = row->table;
	const char *separator = "";

	if (row->kind == BACKEND_INSERT) {
		buf_printf(sql, "INSERT INTO %s VALUES(", table->name);
		for (size_t i = 0; i < table->n_columns; i++)
			buf_printf(sql, "%s?%zu", i ? ", " : "", i + 1);
		buf_append_char(sql, ')');
		return;
	}
	if (row->kind == BACKEND_DELETE)
		buf_printf(sql, "DELETE FROM %s", table->name);
	else
		buf_printf(sql, "UPDATE %s SET ", table->name);
	for (size_t i = 0; row->kind == BACKEND_UPDATE && i < table->n_columns; i++)
		if (row->changed[i]) {
			buf_printf(sql, "%s%s = ?%zu", separator, table->columns[i].name, i + 1);
			separator = ", ";
		}
	separator = " WHERE ";
	for (size_t i = 0; i < table->n_columns; i++)
		if (table->columns[i].key) {
			buf_printf(sql, "%s%s = ?%zu", separator, table->columns[i].name, i + 1);
			separator = " AND ";
		}
}

static inline void fake_keep_row(const struct backend_row *row, void *userdata)
{
	struct buf sql CLEANUP(buf_deinit) = BUF_NULL;
	sqlite3_stmt *statement;

	(void)userdata;
	fake_print(row, &sql);
	ck_assert_msg(
		sqlite3_prepare_v2(fake.kept, buf_text(&sql), -1, &statement, NULL) == SQLITE_OK,
		"%s: %s", buf_text(&sql), sqlite3_errmsg(fake.kept));
	for (size_t i = 0; i < row->table->n_columns; i++)
		fake_bind(statement, i, &row->values[i]);
	ck_assert_msg(sqlite3_step(statement) == SQLITE_DONE, "%s: %s", buf_text(&sql),
		sqlite3_errmsg(fake.kept));
	ck_assert_msg(sqlite3_changes(fake.kept) == 1, "no such row: %s", buf_text(&sql));
	sqlite3_finalize(statement);
}

static inline int fake_load_table(
	struct store *store, const struct backend_table *table, struct fault *reterr)
{
	struct buf sql CLEANUP(buf_deinit) = BUF_NULL;
	struct backend_value values[32];
	struct backend_row row = {.table = table, .kind = BACKEND_INSERT, .values = values};
	sqlite3_stmt *statement;
	int r = 0;

	buf_printf(&sql, "SELECT * FROM %s", table->name);
	ck_assert_int_eq(
		sqlite3_prepare_v2(fake.kept, buf_text(&sql), -1, &statement, NULL), SQLITE_OK);
	while (r == 0 && sqlite3_step(statement) == SQLITE_ROW) {
		for (size_t i = 0; i < table->n_columns; i++) {
			int k = (int)i, type = sqlite3_column_type(statement, k);

			values[i] = (struct backend_value){
				.type = type == SQLITE_INTEGER ? BACKEND_INTEGER
					: type == SQLITE_TEXT  ? BACKEND_TEXT
					: type == SQLITE_BLOB  ? BACKEND_BLOB
							       : BACKEND_NULL,
				.integer = sqlite3_column_int64(statement, k),
			};
			if (type == SQLITE_TEXT || type == SQLITE_BLOB)
				values[i].bytes = (struct slice){sqlite3_column_blob(statement, k),
					(size_t)sqlite3_column_bytes(statement, k)};
		}
		r = backend_put_row(store, &row, reterr);
	}
	sqlite3_finalize(statement);
	return r;
}

static inline int fake_load(struct store_backend *backend, struct store *store,
	int64_t *ret_last_number, bool *ret_fresh, struct fault *reterr)
{
	const struct backend_table *tables;
	size_t n;
	int r = 0;

	(void)backend;
	*ret_last_number = fake.last_number;
	*ret_fresh = !fake.any;
	tables = backend_tables(store, &n);
	for (size_t i = 0; i < n && r == 0; i++)
		r = fake_load_table(store, &tables[i], reterr);
	return r;
}

/* Something can be answered. */
static inline void fake_set(enum fake_mode mode)
{
	char byte;

	fake.mode = mode;
	if (mode != FAKE_WAITS)
		ck_assert_int_eq(write(fake.ends[1], "", 1), 1);
	else
		while (read(fake.ends[0], &byte, 1) == 1)
			continue;
}

static inline void fake_send(struct store_backend *backend, const struct backend_change *change)
{
	(void)backend;
	ck_assert_ptr_null(fake.change);
	fake.change = change;
	fake.n_sent++;
}

static inline enum backend_answer fake_answer(struct store_backend *backend, struct fault *reterr)
{
	const struct backend_change *change = fake.change;

	(void)backend;
	if (fake.mode == FAKE_IS_LOST) {
		fault_set(reterr, FAULT_STORE, "taken over");
		return BACKEND_LOST;
	}
	if (!change)
		return BACKEND_IDLE;
	if (fake.mode == FAKE_WAITS)
		return BACKEND_WAITS;
	fake.change = NULL;
	if (fake.mode == FAKE_REFUSES) {
		fault_set(reterr, FAULT_STORE, "refused");
		return BACKEND_REFUSED;
	}
	fake_exec("BEGIN");
	ck_assert_int_eq(backend_change_each(change, fake_keep_row, NULL, reterr), 0);
	fake_exec("COMMIT");
	fake.any = true;
	fake.last_number = backend_change_last_number(change);
	return BACKEND_COMMITTED;
}

static inline bool fake_is_lost(struct store_backend *backend, struct fault *reterr)
{
	(void)backend;
	fault_set(reterr, FAULT_STORE, "taken over");
	return fake.mode == FAKE_IS_LOST;
}

static inline void fake_step(struct store_backend *backend)
{
	(void)backend;
}

static inline void fake_wants(const struct store_backend *backend, struct backend_wants *ret)
{
	(void)backend;
	*ret = (struct backend_wants){.fd = fake.ends[0],
		.readable = fake.change || fake.mode == FAKE_IS_LOST,
		.wake_at = NSEC_NONE};
}

static inline bool fake_may_deliver(struct store_backend *backend)
{
	(void)backend;
	return fake.mode != FAKE_IS_LOST;
}

static const struct backend_functions fake_functions = {
	.load = fake_load,
	.send = fake_send,
	.answer = fake_answer,
	.is_lost = fake_is_lost,
	.step = fake_step,
	.wants = fake_wants,
	.may_deliver = fake_may_deliver,
};

static inline void fake_begin(void)
{
	struct fault fault = FAULT_NULL;

	fake = (struct fake){.backend = {&fake_functions, store_schema_version()}};
	ck_assert_int_eq(pipe2(fake.ends, O_NONBLOCK | O_CLOEXEC), 0);
	fake_set(FAKE_COMMITS);
	ck_assert_int_eq(sqlite3_open(":memory:", &fake.kept), SQLITE_OK);
	ck_assert_int_eq(backend_each_table(fake_make_table, NULL, &fault), 0);
}

static inline void fake_end(void)
{
	sqlite3_close(fake.kept);
	close(fake.ends[0]);
	close(fake.ends[1]);
}

#endif
