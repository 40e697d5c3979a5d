/*
 * A copy of the state as one file, by SQLite's online backup: consistent, and possible while trawld
 * works. All is read in one transaction of a reader, which the daemon's commits do not wait for.
 */
#include "store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "store/store_internal.h"

static int backup_failed(const char *path, int error, struct fault *reterr)
{
	fault_set(reterr, FAULT_STORE, "cannot write %s: %s", path, strerror(error));
	return error == ENOSPC || error == EDQUOT || error == EIO ? STORE_E_FULL : STORE_E_UNUSABLE;
}

static int copy_pages(struct store *store, const char *path, struct fault *reterr)
{
	sqlite3 *copy = NULL;
	sqlite3_backup *backup = NULL;
	int code =
		sqlite3_open_v2(path, &copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE, NULL);
	int r;

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

static int sync_path(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return r;
}

static int settle(const char *part, const char *path)
{
	CLEANUP_FREE char *directory = mem_strdup(path);
	char *slash = strrchr(directory, '/');
	int r = sync_path(part, O_RDWR);

	if (slash)
		slash[slash == directory ? 1 : 0] = '\0';
	if (!r && renameat2(AT_FDCWD, part, AT_FDCWD, path, RENAME_NOREPLACE) < 0)
		r = -errno;
	if (r)
		return r;
	r = sync_path(slash ? directory : ".", O_RDONLY | O_DIRECTORY);
	if (r) /* the name may not last */
		unlink(path);
	return r;
}

int store_backup(const char *directory, const char *path, uint64_t *ret_size, struct fault *reterr)
{
	/* "./": a name that begins with "file:" would be a URI to SQLite */
	CLEANUP_FREE char *part = mem_printf("%s%s.part", path[0] == '/' ? "" : "./", path);
	struct store *store = NULL;
	struct stat status;
	int fd, r;

	if (lstat(path, &status) == 0)
		return backup_failed(path, EEXIST, reterr);
	r = store_open(&store, directory, STORE_READ, reterr);
	if (r)
		return r;
	unlink(part); /* of one that was interrupted */
	fd = open(part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		r = backup_failed(part, errno, reterr);
		store_close(store);
		return r;
	}
	close(fd);
	r = copy_pages(store, part, reterr);
	store_close(store);
	if (!r) {
		int error = -settle(part, path);

		r = error ? backup_failed(path, error, reterr) : 0;
	}
	if (r)
		unlink(part);
	*ret_size = !r && stat(path, &status) == 0 ? (uint64_t)status.st_size : 0;
	return r;
}
