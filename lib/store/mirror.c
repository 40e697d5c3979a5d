/*
 * What a transaction changes, as rows (backend.h): taken from SQLite by a session, which sees every
 * statement, so that none has to be written twice. Tables are described by the schema itself; each
 * has a primary key, without which a session does not see it.
 */
#define SQLITE_ENABLE_SESSION
#define SQLITE_ENABLE_PREUPDATE_HOOK
#include "store/store_internal.h"

#include "base/cleanup.h"
#include "base/mem.h"

#define N_COLUMNS 32 /* of a table, at most */

struct mirror {
	struct backend_table *tables;
	size_t n_tables, capacity;
	sqlite3_session *session; /* of the running transaction; NULL: none */
};

struct backend_change {
	struct store *store;
	void *data; /* of SQLite; NULL: all rows of the copy */
	int size;
	int64_t last_number;
};

/* --- tables --- */

static enum backend_type type_of(const char *declared)
{
	return strcmp(declared, "INTEGER") == 0 ? BACKEND_INTEGER
	       : strcmp(declared, "TEXT") == 0  ? BACKEND_TEXT
						: BACKEND_BLOB;
}

static int read_columns(struct store *store, struct backend_table *table, struct fault *reterr)
{
	CLEANUP(statement_finalize) sqlite3_stmt *statement = NULL;
	CLEANUP_FREE char *sql = mem_printf("PRAGMA table_info(%s)", table->name);
	struct backend_column *columns = mem_array(N_COLUMNS, sizeof(*columns));
	bool row = true, keyed = false;
	int r = statement_prepare(store, sql, &statement, reterr);

	table->columns = columns;
	while (!r) {
		r = statement_step(store, statement, &row, reterr);
		if (r || !row)
			break;
		if (table->n_columns == N_COLUMNS)
			return statement_damaged(store, reterr, "a table has too many columns");
		columns[table->n_columns++] = (struct backend_column){
			.name = mem_strdup((const char *)sqlite3_column_text(statement, 1)),
			.type = type_of((const char *)sqlite3_column_text(statement, 2)),
			.key = sqlite3_column_int(statement, 5) > 0,
		};
		keyed = keyed || sqlite3_column_int(statement, 5) > 0;
	}
	if (!r && !keyed)
		r = statement_damaged(store, reterr, "a table has no primary key");
	return r;
}

static int read_tables(struct store *store, struct mirror *mirror, struct fault *reterr)
{
	CLEANUP(statement_finalize) sqlite3_stmt *statement = NULL;
	bool row = true;
	int r = statement_prepare(store,
		"SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%'"
		" ESCAPE '\\' ORDER BY name",
		&statement, reterr);

	while (!r) {
		struct backend_table *table;

		r = statement_step(store, statement, &row, reterr);
		if (r || !row)
			break;
		mirror->tables = mem_grow(mirror->tables, mirror->n_tables, &mirror->capacity,
			sizeof(mirror->tables[0]));
		table = &mirror->tables[mirror->n_tables++];
		*table = (struct backend_table){
			.name = mem_strdup((const char *)sqlite3_column_text(statement, 0))};
		r = read_columns(store, table, reterr);
	}
	return r;
}

struct mirror *mirror_new(struct store *store, struct fault *reterr)
{
	struct mirror *mirror = MEM_NEW(struct mirror);

	if (read_tables(store, mirror, reterr) == 0)
		return mirror;
	mirror_free(mirror);
	return NULL;
}

void mirror_free(struct mirror *mirror)
{
	if (!mirror)
		return;
	for (size_t i = 0; i < mirror->n_tables; i++) {
		struct backend_table *table = &mirror->tables[i];

		for (size_t k = 0; k < table->n_columns; k++)
			free((char *)(uintptr_t)table->columns[k].name);
		free((void *)(uintptr_t)table->columns);
		free((char *)(uintptr_t)table->name);
	}
	free(mirror->tables);
	free(mirror);
}

const struct backend_table *backend_tables(const struct store *store, size_t *ret_n)
{
	*ret_n = store->mirror->n_tables;
	return store->mirror->tables;
}

static const struct backend_table *find_table(const struct mirror *mirror, const char *name)
{
	for (size_t i = 0; i < mirror->n_tables; i++)
		if (strcmp(mirror->tables[i].name, name) == 0)
			return &mirror->tables[i];
	return NULL;
}

/* --- what changes --- */

int mirror_begin(struct store *store, struct fault *reterr)
{
	int code = sqlite3session_create(store->db, "main", &store->mirror->session);

	if (code == SQLITE_OK)
		code = sqlite3session_attach(store->mirror->session, NULL);
	return code == SQLITE_OK ? 0 : statement_fault(store, code, reterr);
}

void mirror_stop(struct store *store)
{
	if (!store->mirror || !store->mirror->session)
		return;
	sqlite3session_delete(store->mirror->session);
	store->mirror->session = NULL;
}

int mirror_take(struct store *store, struct backend_change **ret, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	int64_t last_number = 0;
	void *data = NULL;
	bool row = false;
	int size = 0, code, r;

	r = statement_get(store, STATEMENT_BATCH_LAST, &statement, reterr);
	if (!r)
		r = statement_step(store, statement, &row, reterr);
	if (r)
		return r;
	last_number = row ? sqlite3_column_int64(statement, 0) : 0;
	code = sqlite3session_changeset(store->mirror->session, &size, &data);
	if (code != SQLITE_OK)
		return statement_fault(store, code, reterr);
	if (size == 0) {
		sqlite3_free(data);
		return 0;
	}
	*ret = MEM_NEW(struct backend_change);
	**ret = (struct backend_change){store, data, size, last_number};
	return 0;
}

struct backend_change *mirror_all(struct store *store, int64_t last_number)
{
	struct backend_change *change = MEM_NEW(struct backend_change);

	*change = (struct backend_change){.store = store, .last_number = last_number};
	return change;
}

void backend_change_free(struct backend_change *change)
{
	if (!change)
		return;
	sqlite3_free(change->data);
	free(change);
}

int64_t backend_change_last_number(const struct backend_change *change)
{
	return change->last_number;
}

bool backend_change_is_all(const struct backend_change *change)
{
	return !change->data;
}

static int on_conflict(void *userdata, int kind, sqlite3_changeset_iter *iterator)
{
	(void)userdata;
	(void)kind;
	(void)iterator;
	return SQLITE_CHANGESET_ABORT;
}

int mirror_apply(struct store *store, const struct backend_change *change, struct fault *reterr)
{
	int code;

	if (!change->data)
		return 0;
	code = sqlite3changeset_apply(
		store->db, change->size, change->data, NULL, on_conflict, NULL);
	return code == SQLITE_OK ? 0 : statement_fault(store, code, reterr);
}

/* --- rows --- */

static struct backend_value value_of(sqlite3_value *value)
{
	struct backend_value ret = {.type = BACKEND_NULL};

	switch (value ? sqlite3_value_type(value) : SQLITE_NULL) {
	case SQLITE_INTEGER:
		ret.type = BACKEND_INTEGER;
		ret.integer = sqlite3_value_int64(value);
		break;
	case SQLITE_TEXT:
		ret.type = BACKEND_TEXT;
		ret.bytes.data = (const char *)sqlite3_value_text(value);
		ret.bytes.size = (size_t)sqlite3_value_bytes(value);
		break;
	case SQLITE_BLOB:
		ret.type = BACKEND_BLOB;
		ret.bytes.data = sqlite3_value_blob(value);
		ret.bytes.size = (size_t)sqlite3_value_bytes(value);
		break;
	default: /* SQLITE_NULL: no column holds a fraction */
		break;
	}
	return ret;
}

static int read_row(sqlite3_changeset_iter *iterator, const struct mirror *mirror,
	backend_row_fn each, void *userdata)
{
	struct backend_value values[N_COLUMNS];
	bool changed[N_COLUMNS] = {false};
	const char *name;
	int n_columns, operation, indirect;
	int code = sqlite3changeset_op(iterator, &name, &n_columns, &operation, &indirect);
	struct backend_row row = {.values = values, .changed = changed};

	if (code != SQLITE_OK)
		return code;
	row.table = find_table(mirror, name);
	if (!row.table || (size_t)n_columns != row.table->n_columns)
		return SQLITE_SCHEMA;
	row.kind = operation == SQLITE_INSERT   ? BACKEND_INSERT
		   : operation == SQLITE_DELETE ? BACKEND_DELETE
						: BACKEND_UPDATE;
	for (int i = 0; i < n_columns && code == SQLITE_OK; i++) {
		bool old = row.kind == BACKEND_DELETE ||
			   (row.kind == BACKEND_UPDATE && row.table->columns[i].key);
		sqlite3_value *value = NULL;

		code = old ? sqlite3changeset_old(iterator, i, &value)
			   : sqlite3changeset_new(iterator, i, &value);
		changed[i] = value && !old;
		values[i] = value_of(value);
	}
	if (code == SQLITE_OK)
		each(&row, userdata);
	return code;
}

static int read_changes(const struct backend_change *change, backend_row_fn each, void *userdata,
	struct fault *reterr)
{
	sqlite3_changeset_iter *iterator = NULL;
	int code = sqlite3changeset_start(&iterator, change->size, change->data);

	if (code == SQLITE_OK)
		code = SQLITE_ROW;
	while (code == SQLITE_ROW) {
		code = sqlite3changeset_next(iterator);
		if (code != SQLITE_ROW)
			break;
		int r = read_row(iterator, change->store->mirror, each, userdata);

		code = r == SQLITE_OK ? SQLITE_ROW : r;
	}
	sqlite3changeset_finalize(iterator);
	return code == SQLITE_DONE ? 0 : statement_fault(change->store, code, reterr);
}

static int read_table(struct store *store, const struct backend_table *table, backend_row_fn each,
	void *userdata, struct fault *reterr)
{
	CLEANUP(statement_finalize) sqlite3_stmt *statement = NULL;
	CLEANUP_FREE char *sql = mem_printf("SELECT * FROM %s", table->name);
	struct backend_value values[N_COLUMNS];
	const struct backend_row row = {.table = table, .kind = BACKEND_INSERT, .values = values};
	bool found = true;
	int r = statement_prepare(store, sql, &statement, reterr);

	while (!r) {
		r = statement_step(store, statement, &found, reterr);
		if (r || !found)
			break;
		for (size_t i = 0; i < table->n_columns; i++)
			values[i] = value_of(sqlite3_column_value(statement, (int)i));
		each(&row, userdata);
	}
	return r;
}

int backend_change_each(const struct backend_change *change, backend_row_fn each, void *userdata,
	struct fault *reterr)
{
	const struct mirror *mirror = change->store->mirror;
	int r = 0;

	if (change->data)
		return read_changes(change, each, userdata, reterr);
	for (size_t i = 0; i < mirror->n_tables && !r; i++)
		r = read_table(change->store, &mirror->tables[i], each, userdata, reterr);
	return r;
}

static void bind_value(sqlite3_stmt *statement, int index, const struct backend_value *value)
{
	switch (value->type) {
	case BACKEND_NULL:
		break;
	case BACKEND_INTEGER:
		sqlite3_bind_int64(statement, index, value->integer);
		break;
	case BACKEND_TEXT:
		sqlite3_bind_text64(statement, index,
			value->bytes.size > 0 ? value->bytes.data : "", value->bytes.size,
			SQLITE_STATIC, SQLITE_UTF8);
		break;
	case BACKEND_BLOB:
		sqlite3_bind_blob64(statement, index,
			value->bytes.size > 0 ? value->bytes.data : "", value->bytes.size,
			SQLITE_STATIC);
		break;
	}
}

int backend_put_row(struct store *store, const struct backend_row *row, struct fault *reterr)
{
	CLEANUP(statement_finalize) sqlite3_stmt *statement = NULL;
	CLEANUP(buf_deinit) struct buf sql = BUF_NULL;
	int r;

	buf_printf(&sql, "INSERT INTO %s VALUES(", row->table->name);
	for (size_t i = 0; i < row->table->n_columns; i++)
		buf_append_text(&sql, i == 0 ? "?" : ", ?");
	buf_append_char(&sql, ')');
	r = statement_prepare(store, buf_text(&sql), &statement, reterr);
	if (r)
		return r;
	for (size_t i = 0; i < row->table->n_columns; i++)
		bind_value(statement, (int)i + 1, &row->values[i]);
	return statement_finish(store, statement, reterr);
}
