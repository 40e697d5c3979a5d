/* See move.h: what both directions share, and the way into the cluster. */
#include "store/postgresql/move_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/postgresql/postgresql.h"
#include "store/store_internal.h"

#define SCRATCH "trawld.db.compare"

/* --- the cluster --- */

static int run(struct pg_session *session, const char *sql, const char *const *values, size_t n,
	struct fault *reterr)
{
	return pg_session_run(session, sql, values, n, NULL, reterr);
}

static int look(struct pg_session *session, const char *cluster, struct move_place *ret,
	struct fault *reterr)
{
	struct pg_rowset *rows CLEANUP(pg_rowset_drop) = NULL;
	int r = pg_session_run(session,
		"SELECT (SELECT max(v.version) FROM shards v WHERE v.cluster = s.cluster),"
		" s.last_number, s.format, (SELECT convert_from(i.id, 'UTF8')"
		" FROM identity i WHERE i.cluster = s.cluster AND i.shard = s.shard),"
		" (SELECT convert_from(m.moved_to, 'UTF8') FROM moved m WHERE m.cluster = s.cluster"
		" AND m.shard = s.shard), (SELECT c.shards FROM clusters c WHERE c.name = s.cluster)"
		" FROM shards s WHERE s.cluster = $1 AND s.shard = 0",
		&cluster, 1, &rows, reterr);
	if (r)
		return r;
	if (pg_rowset_n(rows) == 0) {
		fault_set(reterr, FAULT_CONFIG, "the database has no cluster %s", cluster);
		return STORE_E_UNKNOWN;
	}
	*ret = (struct move_place){
		.version = pg_rowset_number(rows, 0, 0),
		.last_number = pg_rowset_number(rows, 0, 1),
		.format = pg_rowset_number(rows, 0, 2),
		.identity = mem_strdup(pg_rowset_text(rows, 0, 3)),
		.moved_to = mem_strdup(pg_rowset_text(rows, 0, 4)),
		.n_shards = pg_rowset_number(rows, 0, 5),
	};
	return 0;
}

int move_begin(struct pg_session *session, const char *cluster, struct move_place *ret,
	struct fault *reterr)
{
	int r = run(session, "BEGIN", NULL, 0, reterr);
	if (!r)
		r = run(session, "SET LOCAL lock_timeout = '5s'", NULL, 0, reterr);
	if (!r)
		r = cluster_check_free(session, cluster, reterr);
	return r ? r : look(session, cluster, ret, reterr);
}

void move_place_deinit(struct move_place *place)
{
	free(place->identity);
	free(place->moved_to);
	*place = (struct move_place){0};
}

/* --- comparing --- */

static int source_load(struct store_backend *backend, struct store *store, int64_t *ret_last_number,
	bool *ret_fresh, struct fault *reterr)
{
	struct move_source *source = (struct move_source *)backend;
	*ret_last_number = source->last_number;
	*ret_fresh = false;
	return pg_rows_load(source->session, source->cluster, 0, store, &source->n_rows, reterr);
}

static const struct backend_functions source_functions = {.load = source_load};

void move_source_init(struct move_source *source, struct pg_session *session, const char *cluster,
	const struct move_place *place)
{
	*source = (struct move_source){
		.backend = {.functions = &source_functions, .format = (int)place->format},
		.session = session,
		.cluster = cluster,
		.last_number = place->last_number,
	};
}

/* Rows that only one of the two has. */
static int compare_table(struct store *store, const char *name, struct fault *reterr)
{
	char *sql CLEANUP_FREE = mem_printf(
		"SELECT (SELECT count(*) FROM (SELECT * FROM main.%s EXCEPT SELECT * FROM other.%s)) +"
		" (SELECT count(*) FROM (SELECT * FROM other.%s EXCEPT SELECT * FROM main.%s))",
		name, name, name, name);
	int64_t n = 0;
	int r = statement_number(store, sql, &n, reterr);
	if (r || n == 0)
		return r;
	fault_set(reterr, FAULT_STORE,
		"the table %s differs from what was copied (%lld row%s): nothing was moved", name,
		(long long)n, str_plural((uint64_t)n));
	return STORE_E_CORRUPT;
}

static int compare_with(struct store *store, struct store *other, struct fault *reterr)
{
	CLEANUP(statement_finalize) sqlite3_stmt *attach = NULL;
	size_t n;
	const struct backend_table *tables = backend_tables(other, &n);
	int r = statement_prepare(store, "ATTACH ?1 AS other", &attach, reterr);
	if (!r) {
		statement_bind_text(attach, 1, other->path);
		r = statement_finish(store, attach, reterr);
		statement_finalize(&attach);
	}
	if (r)
		return r;
	for (size_t i = 0; i < n && !r; i++)
		if (strcmp(tables[i].name, "moved") != 0)
			r = compare_table(store, tables[i].name, reterr);
	int ended = statement_exec(store, "DETACH other", r ? NULL : reterr);
	return r ? r : ended;
}

int move_compare(struct store *store, const char *directory, struct move_source *source,
	struct fault *reterr)
{
	struct store *other = database_new(STORE_OWN, directory, SCRATCH);
	other->backend = &source->backend;
	source->n_rows = 0;
	copy_remove(other);
	int code = sqlite3_open_v2(
		other->path, &other->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
	int r = code == SQLITE_OK ? 0 : statement_fault(other, code, reterr);
	if (!r)
		r = statement_exec(
			other, "PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY", reterr);
	if (!r)
		r = copy_fill(other, &schema_current, reterr);
	if (!r)
		r = compare_with(store, other, reterr);
	copy_remove(other);
	store_close(other);
	return r;
}

/* --- into the cluster --- */

struct into {
	const struct move *move;
	struct store *store;
	struct pg_session *session;
	struct move_place place;
	struct move_result *result;
	bool committing; /* from here on, the cluster may have it */
};

/* STORE_E_REFUSED: it has another state. *RET_DONE: it has this one already. */
static int judge(const struct into *into, bool *ret_done, struct fault *reterr)
{
	const struct move_place *place = &into->place;
	*ret_done = place->version > 0 && !place->moved_to && place->identity &&
		    strcmp(place->identity, store_id(into->store)) == 0;
	if (place->version == 0 || place->moved_to || *ret_done)
		return 0;
	fault_set(reterr, FAULT_STORE,
		"the cluster %s has another state already; give this one another `name` in [cluster]",
		into->move->cluster->name);
	return STORE_E_REFUSED;
}

static int count_waiting(struct into *into, struct fault *reterr)
{
	int r = statement_number(into->store, MOVE_WAITING, &into->result->n_waiting, reterr);
	int64_t n = into->result->n_waiting;
	if (r || n == 0 || into->move->cluster->n_shards == 1)
		return r;
	fault_set(reterr, FAULT_STORE,
		"%lld record%s wait%s for sinks, and cannot be divided among %lld shards; let trawld deliver them first, or move with `shards = 1`",
		(long long)n, str_plural((uint64_t)n), n == 1 ? "s" : "",
		(long long)into->move->cluster->n_shards);
	return STORE_E_REFUSED;
}

/* Also what a state that has moved away has left in other shards. */
static int copy_rows(struct into *into, struct fault *reterr)
{
	const char *cluster = into->move->cluster->name;
	size_t n;
	into->store->mirror = mirror_new(into->store, reterr);
	if (!into->store->mirror)
		return STORE_E_CORRUPT;
	const struct backend_table *tables = backend_tables(into->store, &n);
	struct backend_change *all = mirror_all(into->store, into->store->last_number);
	int r = 0;
	for (size_t i = 0; i < n && !r; i++) {
		char *sql CLEANUP_FREE =
			mem_printf("DELETE FROM %s WHERE cluster = $1", tables[i].name);
		r = run(into->session, sql, &cluster, 1, reterr);
	}
	if (!r)
		r = pg_rows_write(into->session, cluster, 0, all, reterr);
	backend_change_free(all);
	mirror_free(into->store->mirror);
	into->store->mirror = NULL;
	return r;
}

static int compare_rows(struct into *into, struct fault *reterr)
{
	struct move_source source;
	struct move_place place = {.format = store_schema_version()};
	move_source_init(&source, into->session, into->move->cluster->name, &place);
	int r = move_compare(into->store, into->move->directory, &source, reterr);
	into->result->n_rows = source.n_rows;
	return r;
}

/* The positions of files are this node's from now on. */
static int give_positions(struct into *into, struct fault *reterr)
{
	const struct cluster_options *cluster = into->move->cluster;
	int r = 0;
	for (size_t i = 0; i < into->move->host_sinks->n_items && !r; i++)
		r = run(into->session,
			"UPDATE sink_positions p SET node = convert_to($2, 'UTF8') FROM sinks s"
			" WHERE p.cluster = $1 AND p.shard = 0 AND p.node = '' AND s.cluster = p.cluster"
			" AND s.shard = p.shard AND s.id = p.sink AND s.name = convert_to($3, 'UTF8')",
			(const char *[]){
				cluster->name, cluster->node, into->move->host_sinks->items[i]},
			3, reterr);
	return r;
}

/* What makes the rows a state: from here on, a process can take it. */
static int enter(struct into *into, struct fault *reterr)
{
	const struct cluster_options *cluster = into->move->cluster;
	char *number CLEANUP_FREE = mem_printf("%lld", (long long)into->store->last_number);
	char *format CLEANUP_FREE = mem_printf("%d", store_schema_version());
	struct cluster_result ignored;
	int r = run(into->session, "DELETE FROM moved WHERE cluster = $1",
		(const char *[]){cluster->name}, 1, reterr);
	if (!r)
		r = give_positions(into, reterr);
	if (!r)
		r = run(into->session,
			"UPDATE shards SET version = version + 1, last_number = $2, format = $3,"
			" holder = NULL, expires = '-infinity' WHERE cluster = $1 AND shard = 0",
			(const char *[]){cluster->name, number, format}, 3, reterr);
	if (!r && cluster->n_shards > 1)
		r = cluster_divide(
			into->session, cluster->name, into->move->plan, &ignored, reterr);
	if (r)
		return r;
	into->committing = true;
	return run(into->session, "COMMIT", NULL, 0, reterr);
}

static int fill_cluster(struct into *into, struct fault *reterr)
{
	bool done = false;
	int r = move_begin(into->session, into->move->cluster->name, &into->place, reterr);
	if (!r)
		r = judge(into, &done, reterr);
	if (!r && done) {
		into->result->already = true;
		return 0;
	}
	if (!r)
		r = count_waiting(into, reterr);
	if (!r)
		r = copy_rows(into, reterr);
	if (!r)
		r = compare_rows(into, reterr);
	return r ? r : enter(into, reterr);
}

static int make_tables(const struct cluster_options *options, struct fault *reterr)
{
	struct postgresql *postgresql = NULL;
	int r = postgresql_open(&postgresql, options, reterr);
	if (!r)
		postgresql_close(postgresql);
	return r;
}

static int move_store(struct into *into, struct fault *reterr)
{
	const struct cluster_options *cluster = into->move->cluster;
	char *to CLEANUP_FREE = mem_printf("the cluster %s in PostgreSQL", cluster->name);
	char *under_way CLEANUP_FREE = mem_printf(MOVED_UNDER_WAY "%s", to);
	char *mark CLEANUP_FREE = NULL;
	int r = moved_get(into->store, &mark, reterr);
	if (r)
		return r;
	if (mark && strcmp(mark, to) == 0) {
		into->result->already = true;
		return 0;
	}
	if (mark && strcmp(mark, under_way) != 0)
		return moved_check(into->store, reterr);
	r = make_tables(cluster, reterr);
	if (!r)
		r = pg_session_open(&into->session, cluster, "trawlctl", reterr);
	if (!r)
		r = moved_set(into->store, under_way, reterr);
	if (!r)
		r = fill_cluster(into, reterr);
	if (r && !mark && !into->committing)
		moved_set(into->store, NULL, NULL);
	return r ? r : moved_set(into->store, to, reterr);
}

int move_to_postgresql(const struct move *move, struct move_result *ret, struct fault *reterr)
{
	struct into into = {.move = move, .result = ret};
	*ret = (struct move_result){0};
	int r = database_open(&into.store, move->directory, STORE_OWN, &schema_current, reterr);
	if (r)
		return r;
	/* what is read of a page of noise would be compared with itself */
	r = store_check(into.store, reterr);
	if (!r)
		r = move_store(&into, reterr);
	move_place_deinit(&into.place);
	pg_session_close(into.session);
	store_close(into.store);
	return r;
}
