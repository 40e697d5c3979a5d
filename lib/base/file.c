/* See file.h. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/random.h"

#define PIECE 16384

int file_read(struct buf *buf, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), error = 0;
	if (fd < 0)
		return -errno;
	for (;;) {
		/* at the ceiling one byte more tells whether the file ends here */
		size_t room = buf->limit && buf->limit - buf->size < PIECE ? buf->limit - buf->size
									   : PIECE;
		char spare, *to = room ? buf_reserve(buf, room) : &spare;
		ssize_t n = read(fd, to, room ? room : 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			error = -errno;
		else if (n > 0 && room == 0)
			error = -EFBIG;
		if (n <= 0 || error)
			break;
		buf->size += (size_t)n;
		buf->data[buf->size] = '\0';
	}
	close(fd);
	return error;
}

int file_write(int fd, struct slice text)
{
	while (text.size > 0) {
		ssize_t n = write(fd, text.data, text.size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text = (struct slice){text.data + n, text.size - (size_t)n};
	}
	return 0;
}

static const int ending[] = {SIGHUP, SIGINT, SIGTERM};
static const char *volatile unfinished;

/* With SA_RESETHAND, and the signal blocked: what is raised ends the process after the return. */
static void remove_unfinished(int number)
{
	if (unfinished)
		unlink(unfinished);
	raise(number);
}

/* A signal that is ignored (nohup) stays so. */
static void watch_signals(struct file_part *part)
{
	const struct sigaction action = {
		.sa_handler = remove_unfinished, .sa_flags = (int)SA_RESETHAND};
	for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++) {
		sigaction(ending[i], NULL, &part->before[i]);
		if (part->before[i].sa_handler == SIG_DFL)
			sigaction(ending[i], &action, NULL);
	}
}

static void part_close(struct file_part *part)
{
	unfinished = NULL;
	for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++)
		sigaction(ending[i], &part->before[i], NULL);
	if (part->fd >= 0)
		close(part->fd);
	free(part->name);
}

int file_part_begin(struct file_part *part, const char *path, mode_t mode)
{
	*part = (struct file_part){.name = mem_printf("%s.%08x.part", path,
					   (unsigned)random_below((uint64_t)UINT32_MAX + 1))};
	unfinished = part->name;
	watch_signals(part);
	part->fd = open(part->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	int r = part->fd < 0 ? -errno : 0;
	if (r)
		part_close(part);
	return r;
}

/* Without replacing what has the name; NFS knows no such rename. */
static int give_name(const char *part, const char *path)
{
	if (renameat2(AT_FDCWD, part, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL || link(part, path) != 0)
		return -errno;
	unlink(part);
	return 0;
}

int file_sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder CLEANUP_FREE = slash == path ? mem_strdup("/")
				    : slash       ? mem_strndup(path, (size_t)(slash - path))
						  : mem_strdup(".");
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int r = fsync(fd) != 0 && errno != EINVAL ? -errno : 0;
	close(fd);
	return r;
}

static bool is_empty(const char *folder)
{
	DIR *stream = opendir(folder);
	size_t n = 0;
	while (stream && n <= 2 && readdir(stream)) /* . and .. */
		n++;
	if (stream)
		closedir(stream);
	return stream && n <= 2;
}

int file_make_folder(const char *path, mode_t mode)
{
	bool new = mkdir(path, mode) == 0;
	if (!new && (errno != EEXIST || !is_empty(path)))
		return errno == EEXIST ? 0 : -errno;
	int r = file_sync_folder(path);
	if (r == -EACCES) /* who may not read it may not sync it */
		r = 0;
	if (r && new)
		rmdir(path);
	return r ? r : new;
}

int file_part_end(struct file_part *part, const char *path, int r)
{
	if (!r && fsync(part->fd) != 0)
		r = -errno;
	if (!r)
		r = give_name(part->name, path);
	if (r)
		unlink(part->name);
	part_close(part);
	if (r)
		return r;
	r = file_sync_folder(path);
	if (r) /* the name may not last */
		unlink(path);
	return r;
}

int file_make(const char *path, struct slice text, mode_t mode)
{
	struct file_part part;
	int r = file_part_begin(&part, path, mode);
	return r ? r : file_part_end(&part, path, file_write(part.fd, text));
}
