/*
 * Preloaded into trawld: what it does to the files below a folder, in order, goes to a log, from
 * which disk.py rebuilds what a disk may hold after a power failure at any moment.
 *
 * WRITE_LOG: the log. WRITE_LOG_ROOT: the folder. WRITE_LOG_INODES: each file that is made below
 * it gets a second name here, its inode number, so that an inode outlives its name and the rebuilt
 * files are the same files.
 *
 * WRITE_LOG_FAIL, if set: "N ERRNO once", "N ERRNO always" or "N ERRNO part": the Nth operation
 * fails; so do all later ones; or, if it is a write, only half of it is written and the next
 * operation fails. Writes that wait for a sync that fails are gone for good once trawld has dropped
 * them from the kernel's cache, or at once if ERRNO is negative: file systems do either. "always"
 * ends when there is a file WRITE_LOG.over. If there is WRITE_LOG_AFTER, operations count for this
 * once a line with that text has been written to standard error.
 *
 * An entry is a struct entry, then two names and the data. Each call and its entry are one step
 * under a lock. Calls that this does not know would be missing from the log: the tests compare the
 * last state that they rebuild with the real one.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "real_function.h"

struct entry {
	char kind; /* Create, Mkdir, Write, Truncate, Sync, Failed sync, Rename, Unlink */
	uint64_t inode;
	int64_t offset;
	uint32_t name_size, other_size, data_size;
} __attribute__((packed));

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;
static const char *root, *inodes, *log_path;
static const char *after; /* NULL: it was written */
static struct {
	long at, count;
	int error;
	char how[8];
} fault;

typedef ssize_t (*write_fn)(int, const void *, size_t);
typedef int (*open_fn)(const char *, int, ...);

static ssize_t real_write(int fd, const void *data, size_t size)
{
	REAL(write, write_fn);
	return real(fd, data, size);
}

static int real_open(const char *path, int flags, mode_t mode)
{
	REAL(open64, open_fn);
	return real(path, flags, mode);
}

__attribute__((constructor)) static void begin(void)
{
	log_path = getenv("WRITE_LOG");
	after = getenv("WRITE_LOG_AFTER");
	root = getenv("WRITE_LOG_ROOT");
	inodes = getenv("WRITE_LOG_INODES");
	if (getenv("WRITE_LOG_FAIL") && sscanf(getenv("WRITE_LOG_FAIL"), "%ld %d %7s", &fault.at,
						&fault.error, fault.how) != 3)
		abort();
	if (log_path && root && inodes)
		log_fd = real_open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void log_entry(char kind, uint64_t inode, int64_t offset, const char *name,
	const char *other, const void *data, size_t size)
{
	struct entry entry = {kind, inode, offset, (uint32_t)strlen(name), (uint32_t)strlen(other),
		(uint32_t)size};
	size_t whole = sizeof(entry) + entry.name_size + entry.other_size + size;
	char *text = malloc(whole), *end = text;

	if (!text)
		abort();
	end = mempcpy(end, &entry, sizeof(entry));
	end = mempcpy(end, name, entry.name_size);
	end = mempcpy(end, other, entry.other_size);
	if (size > 0)
		memcpy(end, data, size);
	if (real_write(log_fd, text, whole) != (ssize_t)whole)
		abort();
	free(text);
}

static bool is_over(void)
{
	char name[PATH_MAX];

	snprintf(name, sizeof(name), "%s.over", log_path);
	return access(name, F_OK) == 0;
}

/* Whether the next operation fails; errno is set. */
static bool fails(void)
{
	if (after)
		return false;
	fault.count++;
	if (fault.at == 0 || fault.count < fault.at ||
		(fault.count > fault.at && (fault.how[0] != 'a' || is_over())))
		return false;
	errno = abs(fault.error);
	return true;
}

/* Whether only half of the next operation, a write, is done, and the one after it fails. */
static bool fails_partly(size_t size)
{
	if (after || fault.at == 0 || fault.count + 1 != fault.at || fault.how[0] != 'p' ||
		size < 2)
		return false;
	fault.at++;
	return true;
}

static int real_truncate(int fd, off64_t size)
{
	typedef int (*ftruncate_fn)(int, off64_t);
	REAL(ftruncate64, ftruncate_fn);
	return real(fd, size);
}

/* --- what the disk holds --- */

/* A write, or (without data) a truncation, that waits for a sync. */
struct change {
	struct change *next;
	uint64_t inode;
	int64_t offset;
	size_t size;
	bool truncates;
	char data[];
};

static struct change *waiting, **waiting_end = &waiting;

static void add_change(
	uint64_t inode, int64_t offset, const void *data, size_t size, bool truncates)
{
	struct change *change;

	if (fault.at == 0)
		return;
	change = malloc(sizeof(*change) + size);
	if (!change)
		abort();
	*change = (struct change){
		.inode = inode, .offset = offset, .size = size, .truncates = truncates};
	if (size > 0)
		memcpy(change->data, data, size);
	*waiting_end = change;
	waiting_end = &change->next;
}

static void apply_change(int fd, const struct change *change)
{
	typedef ssize_t (*pwrite_fn)(int, const void *, size_t, off64_t);
	REAL(pwrite64, pwrite_fn);

	if (change->truncates ? real_truncate(fd, change->offset) != 0
			      : real(fd, change->data, change->size, change->offset) !=
					(ssize_t)change->size)
		abort();
}

static int open_durable(uint64_t inode)
{
	char name[PATH_MAX];
	int fd;

	snprintf(name, sizeof(name), "%s/%lu.durable", inodes, (unsigned long)inode);
	fd = real_open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		abort();
	return fd;
}

/* A sync: what waits is on the disk now, or never will be. */
static void settle(uint64_t inode, bool done)
{
	struct change **next = &waiting, *change;
	int fd;

	if (fault.at == 0)
		return;
	fd = open_durable(inode);
	while ((change = *next)) {
		if (change->inode != inode) {
			next = &change->next;
			continue;
		}
		if (done)
			apply_change(fd, change);
		*next = change->next;
		free(change);
	}
	waiting_end = next;
	close(fd);
}

/* The kernel drops what it holds of the file and need not write: reads are from the disk now. */
static void drop_cache(int fd, uint64_t inode)
{
	char name[64];
	int durable, out;
	char block[65536];
	ssize_t size;
	struct change truncation = {.truncates = true}, *change;
	struct stat status;

	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) /* a folder */
		return;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	durable = open_durable(inode);
	out = real_open(name, O_WRONLY | O_CLOEXEC, 0);
	if (out < 0)
		abort();
	apply_change(out, &truncation);
	while ((size = read(durable, block, sizeof(block))) > 0)
		if (real_write(out, block, (size_t)size) != size)
			abort();
	for (change = waiting; change; change = change->next)
		if (change->inode == inode)
			apply_change(out, change);
	close(out);
	close(durable);
}

static bool below_root(const char *path)
{
	size_t size = root ? strlen(root) : 0;

	return size > 0 && strncmp(path, root, size) == 0 &&
	       (path[size] == '/' || path[size] == '\0');
}

/* The absolute path of PATH beside DIRECTORY; false: not below the folder, or there is no log. */
static bool watched(int directory, const char *path, char *ret)
{
	char link[64], base[PATH_MAX] = "";
	ssize_t size;

	if (log_fd < 0)
		return false;
	if (path[0] == '/') {
		snprintf(ret, PATH_MAX, "%s", path);
		return below_root(ret);
	}
	if (directory == AT_FDCWD) {
		if (!getcwd(base, sizeof(base)))
			return false;
	} else {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", directory);
		size = readlink(link, base, sizeof(base) - 1);
		if (size < 0)
			return false;
		base[size] = '\0';
	}
	if ((size_t)snprintf(ret, PATH_MAX, "%s/%s", base, path) >= PATH_MAX)
		abort();
	return below_root(ret);
}

/* The inode of an open file below the folder; 0: another file. */
static uint64_t watched_fd(int fd)
{
	char link[64], path[PATH_MAX];
	struct stat status;
	ssize_t size;

	if (log_fd < 0)
		return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	size = readlink(link, path, sizeof(path) - 1);
	if (size < 0)
		return 0;
	path[size] = '\0';
	if (!below_root(path) || fstat(fd, &status) != 0)
		return 0;
	return status.st_ino;
}

static void keep_inode(const char *path, uint64_t inode)
{
	char name[PATH_MAX];

	snprintf(name, sizeof(name), "%s/%lu", inodes, (unsigned long)inode);
	if (link(path, name) != 0)
		abort();
}

static int open_logged(int directory, const char *path, int flags, mode_t mode)
{
	typedef int (*openat_fn)(int, const char *, int, ...);
	REAL(openat64, openat_fn);
	char name[PATH_MAX];
	struct stat status;
	bool made;
	int fd;

	if (!watched(directory, path, name) || !(flags & (O_CREAT | O_TRUNC)))
		return real(directory, path, flags, mode);
	pthread_mutex_lock(&lock);
	made = stat(name, &status) != 0;
	fd = fails() ? -1 : real(directory, path, flags, mode);
	if (fd >= 0 && fstat(fd, &status) == 0) {
		if (made) {
			keep_inode(name, status.st_ino);
			log_entry('C', status.st_ino, (int64_t)status.st_mode, name, "", NULL, 0);
		} else if (flags & O_TRUNC) {
			log_entry('T', status.st_ino, 0, "", "", NULL, 0);
			add_change(status.st_ino, 0, NULL, 0, true);
		}
	}
	pthread_mutex_unlock(&lock);
	return fd;
}

#define MODE_OF(flags)                                                                             \
	mode_t mode = 0;                                                                           \
	if ((flags) & (O_CREAT | O_TMPFILE)) {                                                     \
		va_list ap;                                                                        \
		va_start(ap, flags);                                                               \
		mode = va_arg(ap, mode_t);                                                         \
		va_end(ap);                                                                        \
	}

int open(const char *path, int flags, ...)
{
	MODE_OF(flags)
	return open_logged(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	MODE_OF(flags)
	return open_logged(AT_FDCWD, path, flags, mode);
}

int openat64(int directory, const char *path, int flags, ...)
{
	MODE_OF(flags)
	return open_logged(directory, path, flags, mode);
}

int mkdirat(int directory, const char *path, mode_t mode)
{
	REAL(mkdirat, __typeof__(&mkdirat));
	char name[PATH_MAX];
	struct stat status;
	int r;

	if (!watched(directory, path, name))
		return real(directory, path, mode);
	pthread_mutex_lock(&lock);
	r = fails() ? -1 : real(directory, path, mode);
	if (r == 0 && stat(name, &status) == 0)
		log_entry('M', status.st_ino, (int64_t)status.st_mode, name, "", NULL, 0);
	pthread_mutex_unlock(&lock);
	return r;
}

int mkdir(const char *path, mode_t mode)
{
	return mkdirat(AT_FDCWD, path, mode);
}

static void log_writev(uint64_t inode, int64_t offset, const struct iovec *iov, int n, ssize_t size)
{
	char *data = malloc((size_t)size + 1), *end = data;
	size_t left = (size_t)size;

	if (!data)
		abort();
	for (int i = 0; i < n && left > 0; i++) {
		size_t part = iov[i].iov_len < left ? iov[i].iov_len : left;

		end = mempcpy(end, iov[i].iov_base, part);
		left -= part;
	}
	log_entry('W', inode, offset, "", "", data, (size_t)size);
	add_change(inode, offset, data, (size_t)size, false);
	free(data);
}

ssize_t writev(int fd, const struct iovec *iov, int n)
{
	REAL(writev, __typeof__(&writev));
	uint64_t inode = watched_fd(fd);
	ssize_t size;

	if (inode == 0)
		return real(fd, iov, n);
	pthread_mutex_lock(&lock);
	if (n > 0 && fails_partly(iov->iov_len))
		size = real_write(fd, iov->iov_base, iov->iov_len / 2);
	else
		size = fails() ? -1 : real(fd, iov, n);
	if (size > 0)
		log_writev(inode, lseek(fd, 0, SEEK_CUR) - size, iov, n, size);
	pthread_mutex_unlock(&lock);
	return size;
}

ssize_t write(int fd, const void *data, size_t size)
{
	struct iovec iov = {(void *)data, size};

	if (fd == STDERR_FILENO) {
		pthread_mutex_lock(&lock);
		if (after && memmem(data, size, after, strlen(after)))
			after = NULL;
		pthread_mutex_unlock(&lock);
	}
	return log_fd >= 0 && watched_fd(fd) != 0 ? writev(fd, &iov, 1)
						  : real_write(fd, data, size);
}

__attribute__((format(printf, 2, 0))) static int print(int fd, const char *format, va_list ap)
{
	char *text;
	int size = vasprintf(&text, format, ap);

	if (size < 0 || write(fd, text, (size_t)size) != size)
		size = -1;
	free(text);
	return size;
}

int dprintf(int fd, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	int size = print(fd, format, ap);
	va_end(ap);
	return size;
}

int __dprintf_chk(int fd, int flag, const char *format, ...) __attribute__((format(printf, 3, 4)));
int __dprintf_chk(int fd, int flag, const char *format, ...)
{
	va_list ap;

	(void)flag;
	va_start(ap, format);
	int size = print(fd, format, ap);
	va_end(ap);
	return size;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
	typedef ssize_t (*pwrite_fn)(int, const void *, size_t, off64_t);
	REAL(pwrite64, pwrite_fn);
	uint64_t inode = watched_fd(fd);
	ssize_t done;

	if (inode == 0)
		return real(fd, data, size, offset);
	pthread_mutex_lock(&lock);
	if (fails_partly(size))
		done = real(fd, data, size / 2, offset);
	else
		done = fails() ? -1 : real(fd, data, size, offset);
	if (done > 0) {
		log_entry('W', inode, offset, "", "", data, (size_t)done);
		add_change(inode, offset, data, (size_t)done, false);
	}
	pthread_mutex_unlock(&lock);
	return done;
}

int ftruncate64(int fd, off64_t size)
{
	uint64_t inode = watched_fd(fd);
	int r;

	if (inode == 0)
		return real_truncate(fd, size);
	pthread_mutex_lock(&lock);
	r = fails() ? -1 : real_truncate(fd, size);
	if (r == 0) {
		log_entry('T', inode, size, "", "", NULL, 0);
		add_change(inode, size, NULL, 0, true);
	}
	pthread_mutex_unlock(&lock);
	return r;
}

static int sync_logged(int fd, int (*real)(int))
{
	uint64_t inode = watched_fd(fd);
	int r;

	if (inode == 0)
		return real(fd);
	pthread_mutex_lock(&lock);
	r = fails() ? -1 : real(fd);
	log_entry(r == 0 ? 'S' : 'F', inode, 0, "", "", NULL, 0);
	settle(inode, r == 0);
	if (r != 0 && fault.error < 0)
		drop_cache(fd, inode);
	if (r != 0)
		errno = abs(fault.error);
	pthread_mutex_unlock(&lock);
	return r;
}

typedef int (*sync_fn)(int);

int fsync(int fd)
{
	REAL(fsync, sync_fn);
	return sync_logged(fd, real);
}

int fdatasync(int fd)
{
	REAL(fdatasync, sync_fn);
	return sync_logged(fd, real);
}

int posix_fadvise64(int fd, off64_t offset, off64_t size, int advice)
{
	REAL(posix_fadvise64, __typeof__(&posix_fadvise64));
	uint64_t inode = watched_fd(fd);

	if (inode != 0 && advice == POSIX_FADV_DONTNEED && fault.at != 0) {
		pthread_mutex_lock(&lock);
		drop_cache(fd, inode);
		pthread_mutex_unlock(&lock);
	}
	return real(fd, offset, size, advice);
}

int renameat2(
	int from_directory, const char *from, int to_directory, const char *to, unsigned flags)
{
	REAL(renameat2, __typeof__(&renameat2));
	char name[PATH_MAX], other[PATH_MAX];
	int r;

	if (!watched(from_directory, from, name) || !watched(to_directory, to, other))
		return real(from_directory, from, to_directory, to, flags);
	pthread_mutex_lock(&lock);
	r = fails() ? -1 : real(from_directory, from, to_directory, to, flags);
	if (r == 0)
		log_entry('R', 0, 0, name, other, NULL, 0);
	pthread_mutex_unlock(&lock);
	return r;
}

int rename(const char *from, const char *to)
{
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlinkat(int directory, const char *path, int flags)
{
	REAL(unlinkat, __typeof__(&unlinkat));
	char name[PATH_MAX];
	int r;

	if (!watched(directory, path, name))
		return real(directory, path, flags);
	pthread_mutex_lock(&lock);
	r = fails() ? -1 : real(directory, path, flags);
	if (r == 0)
		log_entry('U', 0, 0, name, "", NULL, 0);
	pthread_mutex_unlock(&lock);
	return r;
}

int unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char *path)
{
	return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}
