/* A full disk: no regular file grows while a step says so. Only the log goes on, which is the
 * driver's own. */
#include <errno.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "world.h"

static bool refuses(int fd)
{
	struct stat status;
	if (!world || !world->disk_full || fd == STDERR_FILENO || fstat(fd, &status) != 0 ||
		!S_ISREG(status.st_mode))
		return false;
	errno = ENOSPC;
	return true;
}

ssize_t write(int fd, const void *data, size_t size)
{
	return refuses(fd) ? -1 : syscall(SYS_write, fd, data, size);
}

ssize_t writev(int fd, const struct iovec *parts, int n_parts)
{
	return refuses(fd) ? -1 : syscall(SYS_writev, fd, parts, n_parts);
}

/* With 64 bit offsets, as everywhere here, this is the symbol pwrite64. */
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
	return refuses(fd) ? -1 : syscall(SYS_pwrite64, fd, data, size, offset);
}
