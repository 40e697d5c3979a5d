/*
 * The lock that keeps a second daemon off the state. An open file description lock, not a POSIX
 * one: that would be lost as soon as any part of the process closes another descriptor of the file.
 */
#include "store/lockfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/str.h"
#include "store/database.h"

static int held(const char *directory, int fd, struct fault *reterr)
{
	char text[32];
	ssize_t size = pread(fd, text, sizeof(text), 0);
	int64_t pid = 0;

	if (size > 0)
		number_parse(str_trim((struct slice){text, (size_t)size}), 1, INT32_MAX, &pid);
	if (pid > 0)
		fault_set(reterr, FAULT_STORE,
			"another trawld (PID %lld) works on %s: stop it, or set another state_directory",
			(long long)pid, directory);
	else
		fault_set(reterr, FAULT_STORE,
			"another trawld works on %s: stop it, or set another state_directory",
			directory);
	return STORE_E_LOCKED;
}

int lockfile_look(const char *directory, struct fault *reterr)
{
	CLEANUP_FREE char *path = mem_printf("%s/trawld.lock", directory);
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct fault ignored;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), r = 0;

	if (fd < 0)
		return 0;
	if (fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
		r = held(directory, fd, reterr ? reterr : &ignored);
	close(fd);
	return r;
}

/* The PID is a courtesy to the person who starts a second daemon: without space for it the lock
 * holds all the same. */
static void write_pid(int fd)
{
	char text[32];
	int size = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	if (ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)size, 0) != size)
		(void)!ftruncate(fd, 0);
}

int lockfile_take(const char *directory, int *ret_fd, struct fault *reterr)
{
	CLEANUP_FREE char *path = mem_printf("%s/trawld.lock", directory);
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r;

	if (fd < 0)
		return store_refused(directory, path, errno, reterr);
	if (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
		r = errno == EAGAIN || errno == EACCES
			    ? held(directory, fd, reterr)
			    : store_refused(directory, path, errno, reterr);
		close(fd);
		return r;
	}
	write_pid(fd);
	*ret_fd = fd;
	return 0;
}
