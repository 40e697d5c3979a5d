/* See file_io.h. */
#include "sink/file/file_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "sink/file/file_worker.h"

int file_io_open(const char *path, int flags, mode_t mode)
{
	int r;

	file_worker_call_begin("open");
	r = open(path, flags, mode);
	file_worker_call_end();
	return r;
}

int file_io_fstat(int fd, struct stat *ret)
{
	int r;

	file_worker_call_begin("fstat");
	r = fstat(fd, ret);
	file_worker_call_end();
	return r;
}

int file_io_lstat(const char *path, struct stat *ret)
{
	int r;

	file_worker_call_begin("lstat");
	r = lstat(path, ret);
	file_worker_call_end();
	return r;
}

ssize_t file_io_pread(int fd, void *bytes, size_t size, off_t offset)
{
	ssize_t r;

	file_worker_call_begin("pread");
	r = pread(fd, bytes, size, offset);
	file_worker_call_end();
	return r;
}

ssize_t file_io_read(int fd, void *bytes, size_t size)
{
	ssize_t r;

	file_worker_call_begin("read");
	r = read(fd, bytes, size);
	file_worker_call_end();
	return r;
}

ssize_t file_io_writev(int fd, const struct iovec *iov, int n_iov)
{
	ssize_t r;

	file_worker_call_begin("writev");
	r = writev(fd, iov, n_iov);
	file_worker_call_end();
	return r;
}

ssize_t file_io_write(int fd, const void *bytes, size_t size)
{
	ssize_t r;

	file_worker_call_begin("write");
	r = write(fd, bytes, size);
	file_worker_call_end();
	return r;
}

ssize_t file_io_pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
	ssize_t r;

	file_worker_call_begin("pwrite");
	r = pwrite(fd, bytes, size, offset);
	file_worker_call_end();
	return r;
}

int file_io_fdatasync(int fd)
{
	int r;

	file_worker_call_begin("fdatasync");
	r = fdatasync(fd);
	file_worker_call_end();
	return r;
}

int file_io_fsync(int fd)
{
	int r;

	file_worker_call_begin("fsync");
	r = fsync(fd);
	file_worker_call_end();
	return r;
}

int file_io_rename(const char *from, const char *to)
{
	int r;

	file_worker_call_begin("rename");
	r = rename(from, to);
	file_worker_call_end();
	return r;
}

int file_io_renameat2(const char *from, const char *to, unsigned flags)
{
	int r;

	file_worker_call_begin("renameat2");
	r = renameat2(AT_FDCWD, from, AT_FDCWD, to, flags);
	file_worker_call_end();
	return r;
}

int file_io_unlink(const char *path)
{
	int r;

	file_worker_call_begin("unlink");
	r = unlink(path);
	file_worker_call_end();
	return r;
}

DIR *file_io_opendir(const char *path)
{
	DIR *r;

	file_worker_call_begin("opendir");
	r = opendir(path);
	file_worker_call_end();
	return r;
}

int file_io_make_folder(const char *path, mode_t mode)
{
	int r;

	file_worker_call_begin("mkdir");
	r = file_make_folder(path, mode);
	file_worker_call_end();
	return r;
}

int file_io_close(int fd)
{
	int r;

	file_worker_call_begin("close");
	r = close(fd);
	file_worker_call_end();
	return r;
}

int file_io_readdir(DIR *directory, struct dirent **ret)
{
	file_worker_call_begin("readdir");
	errno = 0;
	*ret = readdir(directory);
	file_worker_call_end();
	return *ret ? 1 : errno ? -1 : 0;
}

int file_io_fchmod(int fd, mode_t mode)
{
	int r;

	file_worker_call_begin("fchmod");
	r = fchmod(fd, mode);
	file_worker_call_end();
	return r;
}

int file_io_chmod(const char *path, mode_t mode)
{
	int r;

	file_worker_call_begin("chmod");
	r = chmod(path, mode);
	file_worker_call_end();
	return r;
}

int file_io_futimens(int fd, const struct timespec times[2])
{
	int r;

	file_worker_call_begin("futimens");
	r = futimens(fd, times);
	file_worker_call_end();
	return r;
}

int file_io_flock(int fd, int operation)
{
	int r;

	file_worker_call_begin("flock");
	r = flock(fd, operation);
	file_worker_call_end();
	return r;
}

int file_io_fcntl_lock(int fd, int operation, struct flock *lock)
{
	int r;

	file_worker_call_begin("fcntl");
	r = fcntl(fd, operation, lock);
	file_worker_call_end();
	return r;
}

int file_io_fault(const char *verb, const char *path, struct fault *reterr)
{
	const char *hint =
		errno == EROFS && getenv("INVOCATION_ID")
			? "; a service of systemd may write there if its unit says so with ReadWritePaths="
			: "";

	return fault_set(
		reterr, FAULT_STORE, "cannot %s %s: %s%s", verb, path, strerror(errno), hint);
}
