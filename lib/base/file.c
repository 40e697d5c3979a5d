/* See file.h. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

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
