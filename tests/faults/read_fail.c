/*
 * Preloaded into trawld and trawlctl: a disk from which something cannot be read. Reads of files
 * and folders below READ_FAIL_ROOT are counted, and each adds their name to READ_FAIL_LOG. What
 * READ_FAIL says, "N once" or "N always", fails with EIO: the Nth of them, or that and all later
 * ones, until there is a file READ_FAIL_LOG.over. If there is READ_FAIL_AFTER, reads count once a
 * line with that text has been written to standard error. READ_FAIL_LOG.failed gets their names.
 * While there is a file READ_FAIL_LOG.damaged, what is read of trawld.db is noise.
 *
 * SQLite and zlib read with pread64 and read as trawld does. The C library's own files do not: for
 * those, fopen returns one that reads with read(). A small state would be read once, so SQLite gets
 * a cache of ten pages.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "real_function.h"

typedef ssize_t (*read_fn)(int, void *, size_t);
typedef ssize_t (*pread_fn)(int, void *, size_t, off64_t);
typedef ssize_t (*write_fn)(int, const void *, size_t);
typedef FILE *(*fopen_fn)(const char *, const char *);
typedef struct dirent64 *(*readdir_fn)(DIR *);
typedef int (*filter_fn)(const struct dirent64 *);
typedef int (*compare_fn)(const struct dirent64 **, const struct dirent64 **);
typedef int (*scandir_fn)(const char *, struct dirent64 ***, filter_fn, compare_fn);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *root, *log_name;
static long fails_at, count;
static bool always;
static const char *after; /* NULL: it was written */

__attribute__((constructor)) static void begin(void)
{
	const char *fault = getenv("READ_FAIL");
	char how[8] = "";

	root = getenv("READ_FAIL_ROOT");
	log_name = getenv("READ_FAIL_LOG");
	if (fault && sscanf(fault, "%ld %7s", &fails_at, how) != 2)
		abort();
	always = how[0] == 'a';
	after = getenv("READ_FAIL_AFTER");
}

static void append(const char *suffix, const char *text)
{
	char name[PATH_MAX], line[PATH_MAX + 1];
	int fd, size = snprintf(line, sizeof(line), "%s\n", text);

	snprintf(name, sizeof(name), "%s%s", log_name, suffix);
	fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, line, (size_t)size) != size)
		abort();
	close(fd);
}

static bool there_is(const char *suffix)
{
	char name[PATH_MAX];

	snprintf(name, sizeof(name), "%s%s", log_name, suffix);
	return access(name, F_OK) == 0;
}

/* The path of FD if it is a file or folder below READ_FAIL_ROOT. */
static bool is_watched(int fd, char *path)
{
	char link[64];
	struct stat status;
	ssize_t size;
	int error = errno;
	bool is;

	if (!root || !log_name || fd < 0)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	size = readlink(link, path, PATH_MAX - 1);
	is = size > 0 && strncmp(path, root, strlen(root)) == 0 && fstat(fd, &status) == 0 &&
	     (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode));
	if (is)
		path[size] = '\0';
	errno = error;
	return is;
}

/* Whether this read of FD fails; errno is set then, and is as it was otherwise. */
static bool fails(int fd)
{
	char path[PATH_MAX];
	int error = errno;
	bool failed;

	if (!is_watched(fd, path))
		return false;
	pthread_mutex_lock(&lock);
	if (after) {
		pthread_mutex_unlock(&lock);
		errno = error;
		return false;
	}
	count++;
	append("", path);
	failed = fails_at > 0 &&
		 (always ? count >= fails_at && !there_is(".over") : count == fails_at);
	if (failed)
		append(".failed", path);
	pthread_mutex_unlock(&lock);
	errno = failed ? EIO : error;
	return failed;
}

ssize_t write(int fd, const void *from, size_t size)
{
	REAL(write, write_fn);
	if (fd == STDERR_FILENO) {
		pthread_mutex_lock(&lock);
		if (after && memmem(from, size, after, strlen(after)))
			after = NULL;
		pthread_mutex_unlock(&lock);
	}
	return real(fd, from, size);
}

ssize_t read(int fd, void *to, size_t size)
{
	REAL(read, read_fn);
	return fails(fd) ? -1 : real(fd, to, size);
}

ssize_t __read_chk(int fd, void *to, size_t size, size_t room);
ssize_t __read_chk(int fd, void *to, size_t size, size_t room)
{
	if (size > room)
		abort();
	return read(fd, to, size);
}

ssize_t pread64(int fd, void *to, size_t size, off64_t offset)
{
	REAL(pread64, pread_fn);
	ssize_t n = fails(fd) ? -1 : real(fd, to, size, offset);
	char path[PATH_MAX];

	if (n > 0 && is_watched(fd, path) && strstr(path, "/trawld.db") && there_is(".damaged"))
		memset(to, 0xa5, (size_t)n);
	return n;
}

ssize_t __pread64_chk(int fd, void *to, size_t size, off64_t offset, size_t room);
ssize_t __pread64_chk(int fd, void *to, size_t size, off64_t offset, size_t room)
{
	if (size > room)
		abort();
	return pread64(fd, to, size, offset);
}

struct dirent64 *readdir64(DIR *directory)
{
	REAL(readdir64, readdir_fn);
	return fails(dirfd(directory)) ? NULL : real(directory);
}

int scandir64(const char *path, struct dirent64 ***ret, filter_fn filter, compare_fn compare)
{
	REAL(scandir64, scandir_fn);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool failed = fails(fd);

	if (fd >= 0)
		close(fd);
	if (failed)
		errno = EIO;
	return failed ? -1 : real(path, ret, filter, compare);
}

static ssize_t read_file(void *cookie, char *to, size_t size)
{
	return read(fileno(cookie), to, size);
}

static int seek_file(void *cookie, off64_t *offset, int whence)
{
	off64_t at = lseek64(fileno(cookie), *offset, whence);

	*offset = at;
	return at < 0 ? -1 : 0;
}

static int close_file(void *cookie)
{
	return fclose(cookie);
}

FILE *fopen64(const char *path, const char *mode)
{
	REAL(fopen64, fopen_fn);
	cookie_io_functions_t functions = {
		.read = read_file, .seek = seek_file, .close = close_file};
	FILE *file = real(path, mode);

	if (!file || mode[0] != 'r' || !root || strncmp(path, root, strlen(root)) != 0)
		return file;
	return fopencookie(file, "r", functions);
}

FILE *fopen(const char *path, const char *mode)
{
	return fopen64(path, mode);
}

int sqlite3_exec(void *db, const char *sql, void *callback, void *userdata, char **ret_text);
int sqlite3_exec(void *db, const char *sql, void *callback, void *userdata, char **ret_text)
{
	typedef int (*exec_fn)(void *, const char *, void *, void *, char **);
	REAL(sqlite3_exec, exec_fn);
	int code = real(db, sql, callback, userdata, ret_text);

	if (code == 0 && root && strstr(sql, "PRAGMA cache_size"))
		code = real(db, "PRAGMA cache_size = 10", NULL, NULL, NULL);
	return code;
}
