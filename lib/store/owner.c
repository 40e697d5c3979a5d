/*
 * See owner.h. Two configurations that use one state by mistake (an instance in a shell, whose
 * state_directory was copied) would read each other's cursors. That a state belongs to nobody yet,
 * or that its owner cannot be read, is not a reason to refuse: the lock keeps two daemons apart.
 */
#include "store/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/database.h"

static char *owner_file(const char *directory)
{
	return mem_printf("%s/trawld.configuration", directory);
}

/* The path in FILE, or NULL: there is none. *RET_ERROR: an errno, of a disk that cannot be read. */
static char *read_owner(const char *file, int *ret_error)
{
	char text[PATH_MAX + 1];
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text));

	*ret_error = fd >= 0 && size < 0 && errno == EIO ? EIO : 0;
	if (fd >= 0)
		close(fd);
	/* the line feed comes last: without it, a full disk has cut the path */
	if (size < 2 || text[0] != '/' || text[size - 1] != '\n')
		return NULL;
	return mem_strndup(text, (size_t)size - 1);
}

int owner_check(const char *directory, const char *path, char **ret_former, struct fault *reterr)
{
	CLEANUP_FREE char *file = owner_file(directory);
	int error;
	CLEANUP_FREE char *owner = read_owner(file, &error);

	*ret_former = NULL;
	if (error)
		return store_refused(directory, file, error, reterr);
	if (!owner || strcmp(owner, path) == 0)
		return 0;
	if (access(owner, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
		*ret_former = mem_strdup(owner);
		return 0;
	}
	fault_set(reterr, FAULT_STORE,
		"the state in %s belongs to the configuration %s, not to %s; nothing was changed (set another state_directory; if %s is to use this state from now on, delete %s)",
		directory, owner, path, path, file);
	return STORE_E_UNUSABLE;
}

void owner_claim(const char *directory, const char *path)
{
	CLEANUP_FREE char *file = owner_file(directory);
	CLEANUP_FREE char *part = mem_printf("%s.part", file);
	int fd, error;
	CLEANUP_FREE char *owner = read_owner(file, &error);
	bool done;

	if (error || (owner && strcmp(owner, path) == 0))
		return;
	unlink(part);
	fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return;
	done = dprintf(fd, "%s\n", path) == (int)strlen(path) + 1 && fsync(fd) == 0;
	if (close(fd) != 0 || !done || rename(part, file) != 0)
		unlink(part);
}
