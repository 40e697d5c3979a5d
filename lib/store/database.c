/*
 * Opening the state: directory, lock, the judgement of the file, SQLite's settings, migration. A
 * file that is not ours, is damaged or from a newer trawld is refused before anything is written to
 * it. Work on the open database is left to cursor, spool, window and commit.
 *
 * WAL with synchronous=FULL: a commit is one write and one fsync of the log, readers (trawlctl) do
 * not wait. Pages are small, since a poll that brings one record changes some bytes in ten of them
 * (BENCHMARKS.md). Deleted pages are reused and, when many are free, given back bit by bit
 * (commit.c); secure_delete, which Debian switches on, would write every freed page and is off:
 * what is released was delivered to files and collectors, wiping our copy protects nothing.
 */
#include "store/moved.h"
#include "store/store_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/denied.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/lockfile.h"

/* Files up to this size are checked at every open, larger ones up to the second size only when the
 * last close was not clean: the check reads the whole file. */
#define CHECK_SIZE_ALWAYS ((off_t)16 << 20)
#define CHECK_SIZE_UNCLEAN ((off_t)256 << 20)

/* How long a commit waits for another program's lock: the event loop stands still meanwhile. */
#define BUSY_TIMEOUT_OWN_MS 250
#define BUSY_TIMEOUT_READ_MS 5000

int store_refused(const char *directory, const char *path, int error, struct fault *reterr)
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;
	bool of_disk = error == ENOSPC || error == EDQUOT || error == EIO;
	bool of_files = error == ENFILE || error == EMFILE;

	buf_printf(&text, "cannot use the state in %s: ", directory);
	if (error != EACCES && strcmp(directory, path) != 0)
		buf_printf(&text, "%s: ", path);
	buf_append_text(&text, strerror(error));
	if (of_disk || of_files)
		buf_append_text(&text, of_disk ? "; look at the disk and its quota"
					       : "; raise the limit of open files");
	denied_explain(path, directory, error, &text);
	fault_set(reterr, FAULT_STORE, "%s", buf_text(&text));
	return of_disk || of_files ? STORE_E_FULL : STORE_E_UNUSABLE;
}

/* 0, or why there is none and none can be made. */
static int make_one(const char *path, mode_t mode)
{
	int r = file_make_folder(path, mode), error = r < 0 ? -r : 0;

	return error == 0 || error == EEXIST || access(path, F_OK) == 0 ? 0 : error;
}

/* mkdir -p: parents as umask has it, the last one for us alone. */
static int make_directory(const char *directory, struct fault *reterr)
{
	CLEANUP_FREE char *path = mem_strdup(directory);
	char *slash = path;
	int error = 0;

	while (!error && (slash = strchr(slash + 1, '/'))) {
		*slash = '\0';
		error = make_one(path, 0755);
		*slash = '/';
	}
	if (!error)
		error = make_one(directory, 0700);
	return error ? store_refused(directory, directory, error, reterr) : 0;
}

static int check_directory(const char *directory, enum store_mode mode, struct fault *reterr)
{
	struct stat status;

	if (stat(directory, &status) != 0)
		return store_refused(directory, directory, errno, reterr);
	if (!S_ISDIR(status.st_mode))
		return store_refused(directory, directory, ENOTDIR, reterr);
	if (faccessat(AT_FDCWD, directory, mode == STORE_OWN ? R_OK | W_OK | X_OK : X_OK,
		    AT_EACCESS) != 0)
		return store_refused(directory, directory, errno, reterr);
	return 0;
}

static off_t file_size(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 ? status.st_size : -1;
}

static int sync_directory(const char *directory, struct fault *reterr)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (fd < 0)
		return store_refused(directory, directory, errno, reterr);
	if (fsync(fd) != 0)
		r = store_refused(directory, directory, errno, reterr);
	close(fd);
	return r;
}

/* An empty file that only we may read, its name durable: SQLite would use the umask. */
static int make_file(const char *directory, const char *path, struct fault *reterr)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return store_refused(directory, path, errno, reterr);
	close(fd);
	return sync_directory(directory, reterr);
}

/* *RET: a crash interrupted the first transaction of a new file, and SQLite empties it again. The
 * journal says so (its magic, and at byte 16 the pages that the file had). */
static int began_empty(
	const struct store *store, const char *directory, bool *ret, struct fault *reterr)
{
	static const uint8_t magic[] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};
	static const uint8_t no_pages[4];
	CLEANUP_FREE char *journal = mem_printf("%s-journal", store->path);
	int fd = open(journal, O_RDONLY | O_CLOEXEC);
	uint8_t header[20];

	*ret = false;
	if (fd < 0)
		return 0;
	ssize_t size = pread(fd, header, sizeof(header), 0);
	int r = size < 0 ? store_refused(directory, journal, errno, reterr) : 0;
	*ret = size == (ssize_t)sizeof(header) && memcmp(header, magic, sizeof(magic)) == 0 &&
	       memcmp(header + 16, no_pages, sizeof(no_pages)) == 0;
	close(fd);
	return r;
}

/* Each file of the state that is there can be used. SQLite would say of its log only that it cannot
 * be opened; without trawld.commits, nobody would notice that an older copy was put back. */
static int check_access(const struct store *store, const char *directory, struct fault *reterr)
{
	static const char *const names[] = {"trawld.db", "trawld.db-wal", "trawld.db-shm",
		"trawld.db-journal", "trawld.commits"};
	int mode = store->mode == STORE_OWN ? R_OK | W_OK : R_OK;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		CLEANUP_FREE char *path = mem_printf("%s/%s", directory, names[i]);

		if (faccessat(AT_FDCWD, path, mode, AT_EACCESS) != 0 && errno != ENOENT)
			return store_refused(directory, path, errno, reterr);
	}
	return 0;
}

/*
 * The file before SQLite sees it. Beside an empty database SQLite deletes a log without a word,
 * although the log may hold all there is. *RET_SIZE is -1 where there was no file.
 */
static int check_file(struct store *store, const char *directory, bool *ret_clean, off_t *ret_size,
	struct fault *reterr)
{
	CLEANUP_FREE char *log = mem_printf("%s-wal", store->path);
	struct stat status;
	off_t log_size = file_size(log);
	bool missing = false;
	int r;

	if (stat(store->path, &status) != 0) {
		if (errno != ENOENT)
			return store_refused(directory, store->path, errno, reterr);
		if (store->mode == STORE_READ)
			return store_refused(directory, store->path, ENOENT, reterr);
		status.st_size = 0;
		missing = true;
	} else if (!S_ISREG(status.st_mode)) {
		return store_refused(
			directory, store->path, S_ISDIR(status.st_mode) ? EISDIR : EINVAL, reterr);
	}
	r = check_access(store, directory, reterr);
	if (r)
		return r;
	/* SQLite takes one byte for an empty file and fills up a last page that is cut. That page
	 * may be cut for good reason only while there is a log that has it, too. */
	if ((status.st_size > 0 && status.st_size < 512) ||
		(status.st_size % 512 != 0 && log_size <= 0)) {
		bool empty;

		r = began_empty(store, directory, &empty, reterr);
		if (r)
			return r;
		if (!empty)
			return statement_damaged(store, reterr, "the file is cut short");
	}
	if (status.st_size == 0 && log_size > 0)
		return statement_damaged(store, reterr,
			"the file is missing or empty, its log trawld.db-wal is not");
	if (store->mode == STORE_OWN && file_size(store->path) < 0) {
		r = make_file(directory, store->path, reterr);
		if (r)
			return r;
	}
	*ret_clean = log_size <= 0;
	*ret_size = missing ? -1 : status.st_size;
	return 0;
}

static int connect_file(struct store *store, struct fault *reterr)
{
	struct stat status;
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
		    (store->mode == STORE_OWN ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
	int code = sqlite3_open_v2(store->path, &store->db, flags, NULL);

	if (code == SQLITE_OK && stat(store->path, &status) != 0)
		code = SQLITE_CANTOPEN;
	if (code != SQLITE_OK)
		return statement_fault(store, code, reterr);
	store->device = status.st_dev;
	store->inode = status.st_ino;
	sqlite3_busy_timeout(
		store->db, store->mode == STORE_OWN ? BUSY_TIMEOUT_OWN_MS : BUSY_TIMEOUT_READ_MS);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	return statement_exec(store,
		"PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA cache_size = -2000;"
		"PRAGMA temp_store = MEMORY",
		reterr);
}

/* Switches the journal to WAL, as far as the file system can. The step after the row commits it. */
static int set_journal_mode(struct store *store, bool *ret_wal, struct fault *reterr)
{
	CLEANUP(statement_finalize) sqlite3_stmt *statement = NULL;
	const char *mode;
	int code = sqlite3_prepare_v2(store->db, "PRAGMA journal_mode = WAL", -1, &statement, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code != SQLITE_ROW)
		return statement_fault(store, code, reterr);
	mode = (const char *)sqlite3_column_text(statement, 0);
	*ret_wal = mode && strcmp(mode, "wal") == 0;
	code = sqlite3_step(statement);
	return code == SQLITE_DONE ? 0 : statement_fault(store, code, reterr);
}

/* Settings of the owner's connection; page size and auto_vacuum take effect in a fresh file only.
 */
static int configure(struct store *store, enum schema_state state, struct fault *reterr)
{
	bool wal = false;
	int r;

	/* auto_vacuum writes, whatever it was: on a full disk a state that is there can be used */
	r = state == SCHEMA_FRESH
		    ? statement_exec(store,
			      "PRAGMA page_size = 2048; PRAGMA auto_vacuum = INCREMENTAL", reterr)
		    : 0;
	if (!r)
		r = statement_exec(store,
			store->backend ? "PRAGMA synchronous = OFF; PRAGMA secure_delete = OFF"
				       : "PRAGMA synchronous = FULL; PRAGMA secure_delete = OFF",
			reterr);
	if (!r)
		r = set_journal_mode(store, &wal, reterr);
	if (r)
		return r;
	if (!wal) {
		fault_set(reterr, FAULT_STORE,
			"the file system of %s cannot hold the state (no shared memory for SQLite's log): use a local one",
			store->path);
		return STORE_E_UNUSABLE;
	}
	return statement_exec(store,
		"PRAGMA wal_autocheckpoint = 2048; PRAGMA journal_size_limit = 8388608", reterr);
}

int store_check(struct store *store, struct fault *reterr)
{
	CLEANUP(statement_finalize) sqlite3_stmt *statement = NULL;
	const char *text;
	int code = sqlite3_prepare_v2(store->db, "PRAGMA quick_check(1)", -1, &statement, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code != SQLITE_ROW)
		return statement_fault(store, code, reterr);
	text = (const char *)sqlite3_column_text(statement, 0);
	if (!text || strcmp(text, "ok") != 0)
		return statement_damaged(store, reterr, text ? text : "no answer to quick_check");
	return 0;
}

static int load_number(
	struct store *store, enum statement which, int64_t *ret, struct fault *reterr)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	bool row = false;
	int r = statement_get(store, which, &statement, reterr);

	if (!r)
		r = statement_step(store, statement, &row, reterr);
	if (!r)
		*ret = row ? sqlite3_column_int64(statement, 0) : 0;
	return r;
}

static int load_totals(struct store *store, struct fault *reterr)
{
	int64_t bytes = 0;
	int r = statement_number(store, "PRAGMA page_size", &store->page_size, reterr);

	if (!r)
		r = load_number(store, STATEMENT_BATCH_LAST, &store->last_number, reterr);
	if (!r)
		r = load_number(store, STATEMENT_BATCH_BYTES, &bytes, reterr);
	if (!r && (store->last_number < 0 || bytes < 0))
		r = statement_damaged(store, reterr, "a total is negative");
	if (!r)
		r = kept_load(store, reterr);
	store->committed_bytes = (uint64_t)bytes - store->kept.bytes;
	return r;
}

/* A file without anything in it was never a state of its own: the first one is copied to the file
 * at once (below). */
static int look_at_witness(struct store *store, const char *directory, enum schema_state state,
	off_t size, struct fault *reterr)
{
	int r = witness_open(store, directory, reterr);

	if (r)
		return r;
	if (state == SCHEMA_FRESH && store->n_witnessed > 0 && size >= 0)
		return statement_damaged(
			store, reterr, "it is empty, and its log trawld.db-wal is missing");
	if (size < 0) { /* a person has deleted it, or this is the first start */
		witness_write(store);
		store->n_witnessed = 0;
	}
	return 0;
}

static int load_commits(struct store *store, struct fault *reterr)
{
	int r = load_number(store, STATEMENT_COMMITS, &store->n_commits, reterr);

	if (!r && store->n_witnessed > store->n_commits)
		store->n_lost = store->n_witnessed - store->n_commits;
	return r;
}

static int load_id(struct store *store, struct fault *reterr)
{
	sqlite3_stmt *statement CLEANUP(statement_finalize) = NULL;
	bool row = false;
	int r = statement_prepare(store, "SELECT id FROM identity", &statement, reterr);

	if (!r)
		r = statement_step(store, statement, &row, reterr);
	if (!r && (!row || sqlite3_column_bytes(statement, 0) != STORE_ID_SIZE - 1))
		r = statement_damaged(store, reterr, "it has no identity");
	if (!r)
		memcpy(store->id, sqlite3_column_text(statement, 0), STORE_ID_SIZE - 1);
	return r;
}

/* What is kept in memory of what the file has. */
static int load_all(struct store *store, struct fault *reterr)
{
	int r = statement_check(store, reterr);

	if (!r)
		r = catalog_load(store, reterr);
	if (!r)
		r = coverage_count(store, reterr);
	if (!r)
		r = coverage_load(store, reterr);
	if (!r)
		r = load_id(store, reterr);
	if (!r)
		r = events_load(store, reterr);
	if (!r)
		r = load_totals(store, reterr);
	return r ? r : load_commits(store, reterr);
}

static int open_own(struct store *store, const char *directory, const struct schema *schema,
	bool clean, off_t size, struct fault *reterr)
{
	struct fault ignored; /* the committer tells it */
	enum schema_state state;
	int version;
	int r = schema_judge(store, schema, &state, &version, reterr);

	if (!r)
		r = look_at_witness(store, directory, state, size, reterr);
	if (!r && state == SCHEMA_OURS &&
		(size <= CHECK_SIZE_ALWAYS || (!clean && size <= CHECK_SIZE_UNCLEAN)))
		r = store_check(store, reterr); /* now is better than in the middle of the night */
	if (!r)
		r = configure(store, state, reterr);
	/* the name of the log, and that the journal is gone: SQLite ignores it if that fails */
	if (!r)
		r = sync_directory(directory, reterr);
	if (!r)
		r = schema_migrate(store, schema, version, reterr);
	store->is_new = state == SCHEMA_FRESH;
	if (!r && version < schema->n_steps)
		commit_checkpoint(store, &ignored);
	return r ? r : load_all(store, reterr);
}

static int open_copy(struct store *store, const char *directory, const struct schema *schema,
	struct fault *reterr)
{
	int r = configure(store, SCHEMA_FRESH, reterr);

	if (!r)
		r = copy_fill(store, schema, reterr);
	if (!r)
		r = witness_open(store, directory, reterr);
	if (!r)
		r = load_all(store, reterr);
	return r ? r : copy_send(store, schema, reterr);
}

static int open_read(struct store *store, const struct schema *schema, struct fault *reterr)
{
	enum schema_state state;
	int version;
	int r = schema_judge(store, schema, &state, &version, reterr);

	if (r)
		return r;
	if (version < schema->n_steps) {
		fault_set(reterr, FAULT_STORE,
			state == SCHEMA_FRESH
				? "%s holds no state yet: start trawld once"
				: "%s is of an older trawld: start the new one once, it converts the file",
			store->path);
		return STORE_E_UNUSABLE;
	}
	return load_totals(store, reterr);
}

static int open_all(struct store *store, const char *directory, const struct schema *schema,
	struct fault *reterr)
{
	bool clean = false;
	off_t size = 0;
	int r = 0;

	if (store->mode == STORE_OWN)
		r = make_directory(directory, reterr);
	if (!r)
		r = check_directory(directory, store->mode, reterr);
	if (!r && store->mode == STORE_OWN)
		r = lockfile_take(directory, &store->lock_fd, reterr);
	if (!r && store->backend) {
		copy_remove(store);
		copy_remove_left(directory);
	}
	if (!r)
		r = check_file(store, directory, &clean, &size, reterr);
	if (!r)
		r = connect_file(store, reterr);
	if (r)
		return r;
	if (store->backend)
		return open_copy(store, directory, schema, reterr);
	return store->mode == STORE_OWN ? open_own(store, directory, schema, clean, size, reterr)
					: open_read(store, schema, reterr);
}

struct store *database_new(enum store_mode mode, const char *directory, const char *file)
{
	struct store *store = MEM_NEW(struct store);

	store->mode = mode;
	store->lock_fd = -1;
	store->witness_fd = -1;
	store->node = mem_strdup("");
	store->kept.told_at = NSEC_NONE;
	store->kept.held_after = INT64_MAX;
	steady_init(&store->kept.clock, clock_wall(), clock_monotonic());
	/* "./": a name that begins with "file:" would be a URI to SQLite. */
	store->path = mem_printf("%s%s/%s", directory[0] == '/' ? "" : "./", directory, file);
	return store;
}

int database_open_new(struct store **ret, struct store *store, const char *directory,
	const struct schema *schema, struct fault *reterr)
{
	int r = statement_judge(store, open_all(store, directory, schema, reterr), reterr);

	if (r) {
		store_close(store);
		return r;
	}
	*ret = store;
	return 0;
}

int database_open(struct store **ret, const char *directory, enum store_mode mode,
	const struct schema *schema, struct fault *reterr)
{
	return database_open_new(
		ret, database_new(mode, directory, "trawld.db"), directory, schema, reterr);
}

int store_open(
	struct store **ret, const char *directory, enum store_mode mode, struct fault *reterr)
{
	struct store *store = NULL;
	int r = database_open(&store, directory, mode, &schema_current, reterr);

	if (!r)
		r = moved_check(store, reterr);
	if (!r)
		*ret = store;
	else
		store_close(store);
	return r;
}

const char *store_id(const struct store *store)
{
	return store->id;
}

int64_t store_lost_commits(const struct store *store)
{
	return store->is_new ? 0 : store->n_lost;
}

bool store_is_new(const struct store *store)
{
	return store->is_new;
}

void store_close(struct store *store)
{
	int code;

	if (!store)
		return;
	commit_drop(store);
	catalog_deinit(store);
	statement_deinit(store);
	code = sqlite3_close(store->db);
	assert(code == SQLITE_OK);
	if (store->witness_fd >= 0)
		close(store->witness_fd);
	if (store->backend && store->lock_fd >= 0)
		copy_remove(store);
	if (store->lock_fd >= 0)
		close(store->lock_fd); /* after the database: the next owner finds it at rest */
	buf_deinit(&store->scratch);
	batch_pool_deinit(&store->pool);
	mirror_free(store->mirror);
	free(store->node);
	free(store->path);
	free(store);
}

int database_check_place(const struct store *store, struct fault *reterr)
{
	struct stat status;

	if (stat(store->path, &status) == 0 && status.st_dev == store->device &&
		status.st_ino == store->inode)
		return 0;
	fault_set(reterr, FAULT_STORE,
		"%s was removed or replaced while trawld works on it: put the file back if it was not on purpose, then start trawld again",
		store->path);
	return STORE_E_CORRUPT;
}
