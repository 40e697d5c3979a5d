/*
 * A working copy of the state that a backend keeps: made afresh, filled with the rows that are
 * kept, and worth nothing when this process ends. So it need not survive a power failure.
 */
#include "store/moved.h"
#include "store/store_internal.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

void copy_remove_left(const char *directory)
{
	DIR *stream = opendir(directory);
	struct dirent *entry;

	while (stream && (entry = readdir(stream))) {
		CLEANUP_FREE char *path = mem_printf("%s/%s", directory, entry->d_name);

		if (strncmp(entry->d_name, "shard-", 6) == 0 && strstr(entry->d_name, ".db"))
			unlink(path);
	}
	if (stream)
		closedir(stream);
}

void copy_remove(const struct store *store)
{
	static const char *const endings[] = {"", "-wal", "-shm", "-journal"};

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		CLEANUP_FREE char *path = mem_printf("%s%s", store->path, endings[i]);

		unlink(path);
	}
}

/* Numbers are never given twice, also those of batches that are gone. */
static int set_last_number(struct store *store, int64_t last_number, struct fault *reterr)
{
	char sql[160];

	snprintf(sql, sizeof(sql),
		"DELETE FROM sqlite_sequence WHERE name = 'batches';"
		"INSERT INTO sqlite_sequence(name, seq) VALUES('batches', %lld)",
		(long long)last_number);
	return statement_exec(store, sql, reterr);
}

static int describe(struct store *store, struct fault *reterr)
{
	mirror_free(store->mirror);
	store->mirror = mirror_new(store, reterr);
	return store->mirror ? 0 : STORE_E_CORRUPT;
}

/* What the steps of the schema have put into the tables is there already, as it is kept. */
static int make_empty(struct store *store, struct fault *reterr)
{
	int r = 0;

	for (size_t n, i = 0; !r; i++) {
		const struct backend_table *tables = backend_tables(store, &n);

		if (i == n)
			break;
		CLEANUP_FREE char *sql = mem_printf("DELETE FROM %s", tables[i].name);

		r = statement_exec(store, sql, reterr);
	}
	return r;
}

static int load(struct store *store, bool *ret_fresh, struct fault *reterr)
{
	int64_t last_number = 0;
	int r = statement_exec(store, "BEGIN; SAVEPOINT made", reterr);

	if (!r)
		r = make_empty(store, reterr);
	if (!r)
		r = store->backend->functions->load(
			store->backend, store, &last_number, ret_fresh, reterr);
	if (!r && *ret_fresh)
		r = statement_exec(store, "ROLLBACK TO made", reterr);
	else if (!r)
		r = set_last_number(store, last_number, reterr);
	if (!r)
		r = statement_exec(store, "COMMIT", reterr);
	if (r && !sqlite3_get_autocommit(store->db))
		statement_exec(store, "ROLLBACK", NULL);
	return r;
}

int copy_fill(struct store *store, const struct schema *schema, struct fault *reterr)
{
	const struct schema kept = {schema->steps, store->backend->format};
	int r = schema_migrate(store, &kept, 0, reterr);

	if (!r)
		r = describe(store, reterr);
	if (!r)
		r = load(store, &store->is_new, reterr);
	if (!r)
		r = schema_migrate(store, schema, kept.n_steps, reterr);
	return r ? r : describe(store, reterr);
}

int copy_send(struct store *store, const struct schema *schema, struct fault *reterr)
{
	return store->is_new || store->backend->format < schema->n_steps
		       ? transaction_send_all(store, reterr)
		       : 0;
}

int store_open_copy(struct store **ret, const char *directory, const char *file, const char *node,
	struct store_backend *backend, struct fault *reterr)
{
	struct store *store = database_new(STORE_OWN, directory, file);

	store->backend = backend;
	free(store->node);
	store->node = mem_strdup(node);
	int r = database_open_new(&store, store, directory, &schema_current, reterr);
	if (r)
		return r; /* closed already */
	r = moved_check(store, reterr);
	if (!r)
		*ret = store;
	else
		store_close(store);
	return r;
}

int backend_each_table(void (*each)(const struct backend_table *table, void *userdata),
	void *userdata, struct fault *reterr)
{
	struct store *store = database_new(STORE_OWN, "", ":memory:");
	int code = sqlite3_open(":memory:", &store->db);
	int r = code == SQLITE_OK ? schema_migrate(store, &schema_current, 0, reterr)
				  : statement_fault(store, code, reterr);
	const struct backend_table *tables;
	size_t n = 0;

	if (!r)
		r = describe(store, reterr);
	tables = r ? NULL : backend_tables(store, &n);
	for (size_t i = 0; i < n; i++)
		each(&tables[i], userdata);
	store_close(store);
	return r;
}
