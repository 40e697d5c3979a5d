/*
 * A copy of the state as one file, by SQLite's online backup: consistent, and possible while trawld
 * works. All is read in one transaction of a reader, which the daemon's commits do not wait for.
 */
#include "store/backup.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/store_internal.h"

static int backup_failed(const char *path, int error, struct fault *reterr)
{
	fault_set(reterr, FAULT_STORE, "cannot write %s: %s", path, strerror(error));
	return error == ENOSPC || error == EDQUOT || error == EIO ? STORE_E_FULL : STORE_E_UNUSABLE;
}

/* Without a journal beside it: a copy that is not whole is removed. */
static int copy_pages(struct store *store, struct file_part *part, struct fault *reterr)
{
	/* "./": a name that begins with "file:" would be a URI to SQLite */
	CLEANUP_FREE char *path = mem_printf("%s%s", part->name[0] == '/' ? "" : "./", part->name);
	sqlite3 *copy = NULL;
	sqlite3_backup *backup = NULL;
	int code =
		sqlite3_open_v2(path, &copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE, NULL);
	int r;

	if (code == SQLITE_OK)
		code = sqlite3_exec(copy, "PRAGMA journal_mode = OFF", NULL, NULL, NULL);
	if (code == SQLITE_OK)
		backup = sqlite3_backup_init(copy, "main", store->db, "main");
	if (backup) {
		code = sqlite3_backup_step(backup, -1);
		sqlite3_backup_finish(backup);
	} else if (code == SQLITE_OK) {
		code = sqlite3_errcode(copy);
	}
	sqlite3_close(copy);
	if (code == SQLITE_DONE)
		return 0;
	switch (code & 0xff) {
	case SQLITE_FULL:
		r = backup_failed(path, ENOSPC, reterr);
		break;
	default: /* of either file */
		fault_set(reterr, FAULT_STORE, "cannot copy %s to %s: %s", store->path, path,
			sqlite3_errstr(code));
		r = STORE_E_FULL;
		break;
	}
	return r;
}

int store_backup(const char *directory, const char *path, uint64_t *ret_size, struct fault *reterr)
{
	struct store *store = NULL;
	struct file_part part;
	struct stat status;
	int r, r_file;

	if (lstat(path, &status) == 0)
		return backup_failed(path, EEXIST, reterr);
	r = store_open(&store, directory, STORE_READ, reterr);
	if (r)
		return r;
	r_file = file_part_begin(&part, path, 0600);
	if (!r_file) {
		r = copy_pages(store, &part, reterr);
		r_file = file_part_end(&part, path, r ? -ECANCELED : 0);
	}
	store_close(store);
	if (!r && r_file)
		r = backup_failed(path, -r_file, reterr);
	*ret_size = !r && stat(path, &status) == 0 ? (uint64_t)status.st_size : 0;
	return r;
}
