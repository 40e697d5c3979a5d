/* See move.h: the way back into a SQLite file. */
#include "store/postgresql/move_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/store_internal.h"

#define FILE_NAME "trawld.db"
#define NEW_NAME "trawld.db.moving"

struct back {
	const struct move *move;
	struct pg_session *session;
	struct move_place place;
	struct move_result *result;
	char *mark; /* of the cluster, from then on */
	char *own_mark; /* of the SQLite file that is there, or NULL */
	bool has_file;
	char *id; /* of that */
};

/* What is in the directory already. */
static int look_at_file(struct back *back, struct fault *reterr)
{
	char *path CLEANUP_FREE = mem_printf("%s/" FILE_NAME, back->move->directory);
	struct store *store = NULL;
	if (access(path, F_OK) != 0 && errno == ENOENT)
		return 0;
	int r = database_open(&store, back->move->directory, STORE_OWN, &schema_current, reterr);
	if (r)
		return r;
	back->has_file = true;
	back->id = mem_strdup(store_id(store));
	r = moved_get(store, &back->own_mark, reterr);
	store_close(store);
	return r;
}

/* Nothing had been moved into the cluster: the file is the state again. */
static int take_back(struct back *back, struct fault *reterr)
{
	struct store *store = NULL;
	int r = database_open(&store, back->move->directory, STORE_OWN, &schema_current, reterr);
	if (r)
		return r;
	r = moved_set(store, NULL, reterr);
	store_close(store);
	back->result->undone = !r;
	return r;
}

/* The state of the cluster and that of the file are one. */
static bool is_same(const struct back *back)
{
	const struct move_place *place = &back->place;
	return place->version > 0 && place->identity && back->id &&
	       strcmp(place->identity, back->id) == 0;
}

static bool is_of_file(const struct back *back)
{
	return is_same(back) && !back->place.moved_to;
}

/* The file is the new one: only what follows was interrupted. */
static bool is_in_place(const struct back *back)
{
	return is_same(back) && back->place.moved_to && !back->own_mark &&
	       strcmp(back->place.moved_to, back->mark) == 0;
}

static int judge(struct back *back, struct fault *reterr)
{
	const struct move_place *place = &back->place;
	const char *name = back->move->cluster->name;
	if (back->has_file && !back->own_mark)
		fault_set(reterr, FAULT_STORE,
			"there is a state in %s already, which was not moved to the cluster %s: nothing was changed",
			back->move->directory, name);
	else if (place->version == 0)
		fault_set(reterr, FAULT_STORE, "the cluster %s has no state yet", name);
	else if (place->moved_to && strcmp(place->moved_to, back->mark) != 0)
		fault_set(reterr, FAULT_STORE, "the state of the cluster %s was moved to %s", name,
			place->moved_to);
	else if (place->n_shards != 1)
		fault_set(reterr, FAULT_STORE,
			"the state of the cluster %s is in %lld shards; run `trawlctl cluster reshard 1` first",
			name, (long long)place->n_shards);
	else if (place->format > store_schema_version())
		fault_set(reterr, FAULT_STORE,
			"the state of the cluster %s was written by a newer trawld; move it with that version",
			name);
	else
		return 0;
	return STORE_E_REFUSED;
}

/* From then on, no process takes the shard. */
static int mark_cluster(struct back *back, struct fault *reterr)
{
	const char *cluster = back->move->cluster->name;
	const char *values[] = {cluster, back->mark};
	int r = 0;
	if (!back->place.moved_to)
		r = pg_session_run(back->session,
			"INSERT INTO moved(cluster, shard, id, moved_to)"
			" VALUES($1, 0, 1, convert_to($2, 'UTF8'))",
			values, 2, NULL, reterr);
	if (!r)
		r = pg_session_run(back->session,
			"UPDATE shards SET holder = NULL, version = version + 1 WHERE cluster = $1",
			values, 1, NULL, reterr);
	return r ? r : pg_session_run(back->session, "COMMIT", NULL, 0, NULL, reterr);
}

/* --- the new file --- */

static int settle_file(struct back *back, struct store *store, struct fault *reterr)
{
	CLEANUP(statement_finalize) sqlite3_stmt *statement = NULL;
	int r = statement_exec(store, "BEGIN; DELETE FROM moved", reterr);
	if (!r)
		r = statement_prepare(store,
			"UPDATE OR REPLACE sink_positions SET node = '' WHERE node = ?1",
			&statement, reterr);
	if (!r) {
		statement_bind_text(statement, 1, back->move->cluster->node);
		r = statement_finish(store, statement, reterr);
	}
	if (!r)
		r = statement_exec(store, "COMMIT", reterr);
	return r ? r : statement_number(store, MOVE_WAITING, &back->result->n_waiting, reterr);
}

static int fill_file(struct back *back, struct fault *reterr)
{
	struct move_source source, again;
	struct store *store = NULL;
	const char *cluster = back->move->cluster->name;
	move_source_init(&source, back->session, cluster, &back->place);
	move_source_init(&again, back->session, cluster, &back->place);
	/* an older schema would be brought up to date in the cluster, which is not wanted any more
	 */
	source.backend.format = again.backend.format = store_schema_version();
	/* not store_open_copy, which refuses what has the mark */
	store = database_new(STORE_OWN, back->move->directory, NEW_NAME);
	store->backend = &source.backend;
	int r = database_open_new(&store, store, back->move->directory, &schema_current, reterr);
	if (r)
		return r;
	r = move_compare(store, back->move->directory, &again, reterr);
	back->result->n_rows = again.n_rows;
	store->backend = NULL;
	if (!r)
		r = settle_file(back, store, reterr);
	store_close(store);
	return r;
}

static int sync_path(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);
	int r = fd < 0 || fsync(fd) < 0 ? errno : 0;
	if (fd >= 0)
		close(fd);
	return r;
}

static int failed(const char *what, const char *path, int error, struct fault *reterr)
{
	fault_set(reterr, FAULT_STORE, "cannot %s %s: %s; run this again", what, path,
		strerror(error));
	return STORE_E_FULL;
}

static int sync_folder(const struct back *back, struct fault *reterr)
{
	int error = sync_path(back->move->directory, O_RDONLY | O_DIRECTORY);
	return error ? failed("write", back->move->directory, error, reterr) : 0;
}

/* The old file keeps its bytes under another name. */
static int set_aside(struct back *back, const char *path, struct fault *reterr)
{
	char *name = back->result->set_aside;
	if (access(path, F_OK) != 0)
		return 0;
	snprintf(name, sizeof(back->result->set_aside), FILE_NAME ".moved-%lld",
		(long long)(clock_wall() / NSEC_PER_SEC));
	char *aside CLEANUP_FREE = mem_printf("%s/%s", back->move->directory, name);
	if (renameat2(AT_FDCWD, path, AT_FDCWD, aside, RENAME_NOREPLACE) != 0)
		return failed("rename", path, errno, reterr);
	return 0;
}

/* All of the database at PATH is in that file. Its log would stay behind when the file is renamed,
 * and count for the file that gets the name. */
static int check_rest(const char *path, struct fault *reterr)
{
	char *log CLEANUP_FREE = mem_printf("%s-wal", path);
	if (access(log, F_OK) != 0 && errno == ENOENT)
		return 0;
	fault_set(reterr, FAULT_STORE,
		"%s cannot be written into %s, or another program has it open; run this again", log,
		path);
	return STORE_E_FULL;
}

static int put_in_place(struct back *back, struct fault *reterr)
{
	char *path CLEANUP_FREE = mem_printf("%s/" FILE_NAME, back->move->directory);
	char *new CLEANUP_FREE = mem_printf("%s/" NEW_NAME, back->move->directory);
	int r = check_rest(path, reterr);
	if (!r)
		r = check_rest(new, reterr);
	if (r)
		return r;
	int error = sync_path(new, O_RDWR);
	if (error)
		return failed("write", new, error, reterr);
	r = set_aside(back, path, reterr);
	if (r)
		return r;
	if (rename(new, path) != 0)
		return failed("rename", new, errno, reterr);
	/* the witness of the file under its former name (witness.c) */
	char *witness CLEANUP_FREE = mem_printf("%s/%.*s.commits", back->move->directory,
		(int)(sizeof(NEW_NAME) - sizeof(".db")), NEW_NAME);
	unlink(witness);
	return sync_folder(back, reterr);
}

static int move_back(struct back *back, struct fault *reterr)
{
	int r = look_at_file(back, reterr);
	if (!r)
		r = pg_session_open(&back->session, back->move->cluster, "trawlctl", reterr);
	if (!r)
		r = move_begin(back->session, back->move->cluster->name, &back->place, reterr);
	if (r == STORE_E_UNKNOWN && back->own_mark && str_starts(back->own_mark, MOVED_UNDER_WAY))
		return take_back(back, reterr);
	if (r)
		return r;
	if (back->own_mark && str_starts(back->own_mark, MOVED_UNDER_WAY) && !is_of_file(back))
		return take_back(back, reterr);
	if (is_in_place(back)) {
		back->result->already = true;
		return sync_folder(back, reterr);
	}
	r = judge(back, reterr);
	if (!r)
		r = mark_cluster(back, reterr);
	if (!r)
		r = fill_file(back, reterr);
	return r ? r : put_in_place(back, reterr);
}

int move_to_sqlite(const struct move *move, struct move_result *ret, struct fault *reterr)
{
	struct back back = {.move = move, .result = ret};
	*ret = (struct move_result){0};
	back.mark = mem_printf("%s/" FILE_NAME " on %s", move->directory, move->cluster->node);
	int r = move_back(&back, reterr);
	pg_session_close(back.session);
	move_place_deinit(&back.place);
	free(back.mark);
	free(back.own_mark);
	free(back.id);
	return r;
}
