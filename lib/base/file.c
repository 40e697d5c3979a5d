/* See file.h. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

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

int file_make(const char *path, struct slice text, mode_t mode)
{
	char *part CLEANUP_FREE = mem_printf("%s.part", path);
	unlink(part); /* of one that was interrupted */
	int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	int error = file_write(fd, text);
	if (!error && fsync(fd) != 0)
		error = -errno;
	close(fd);
	if (!error)
		error = give_name(part, path);
	if (error)
		unlink(part);
	return error;
}
