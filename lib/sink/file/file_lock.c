/*
 * See file_lock.h. The lock is flock()'s: a POSIX lock is lost as soon as any part of the process
 * closes another descriptor of the file. One is taken all the same, since the kernel tells who
 * holds it; in the sandbox of the units, where /proc/locks is hidden, nothing else does.
 */
#include "sink/file/file_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "sink/file/file_io.h"

#define FILE_LOCK_LINE 256

/* Who holds the lock on the file of STATUS, according to /proc/locks; 0: unknown. Lines look like
 * `1: FLOCK  ADVISORY  WRITE 2345 fe:01:1316 0 EOF`. The device that a file system shows there is
 * not always the one that stat() shows (btrfs): an inode on another device counts if no line has
 * both. */
static int64_t file_lock_holder(const struct stat *status)
{
	FILE *locks = fopen("/proc/locks", "re");
	char line[FILE_LOCK_LINE];
	int64_t holder = 0;

	while (locks && fgets(line, sizeof(line), locks)) {
		uint64_t inode;
		unsigned major, minor;
		int64_t pid;

		/* the kernel writes it: NOLINTNEXTLINE(cert-err34-c) */
		if (sscanf(line, "%*[^:]: FLOCK %*s %*s %" SCNd64 " %x:%x:%" SCNu64, &pid, &major,
			    &minor, &inode) != 4 ||
			inode != (uint64_t)status->st_ino || pid <= 0)
			continue;
		if (makedev(major, minor) == status->st_dev) {
			holder = pid;
			break;
		}
		holder = pid;
	}
	if (locks)
		fclose(locks);
	return holder;
}

static int64_t file_lock_posix_holder(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	return file_io_fcntl_lock(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK ? lock.l_pid
										     : 0;
}

static int file_lock_held(int fd, const char *path, struct fault *reterr)
{
	struct stat status;
	int64_t pid = file_lock_posix_holder(fd);

	if (pid <= 0 && fstat(fd, &status) == 0)
		pid = file_lock_holder(&status);
	if (pid == getpid())
		return fault_set(reterr, FAULT_STORE,
			"another sink of this trawld writes to %s: each sink needs a file of its own",
			path);
	if (pid > 0)
		return fault_set(reterr, FAULT_STORE,
			"another process (PID %" PRId64
			") has locked %s: stop it, or set another path",
			pid, path);
	return fault_set(reterr, FAULT_STORE,
		"another process or sink has locked %s: stop it, or set another path", path);
}

int file_lock(int fd, const char *path, struct fault *reterr)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int r;

	do {
		r = file_io_flock(fd, LOCK_EX | LOCK_NB);
	} while (r < 0 && errno == EINTR);
	if (r < 0 && errno == EWOULDBLOCK)
		return file_lock_held(fd, path, reterr);
	file_io_fcntl_lock(fd, F_SETLK, &lock);
	return 0;
}
