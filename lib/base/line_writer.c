/* See line_writer.h. */
#include "base/line_writer.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* A pipe that is ready takes that much at once, without blocking. */
#define PIECE ((size_t)PIPE_BUF)

static bool has_room(const struct line_writer *writer)
{
	struct pollfd pollfd = {.fd = writer->fd, .events = POLLOUT};

	return poll(&pollfd, 1, writer->n_lost ? 0 : LINE_WRITER_PATIENCE_MS) != 0;
}

static ssize_t put_piece(struct line_writer *writer, const char *data, size_t size)
{
	ssize_t n = -1;

	if (!writer->no_socket) {
		n = send(writer->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
		writer->no_socket = n < 0 && errno == ENOTSOCK;
	}
	return writer->no_socket ? write(writer->fd, data, size) : n;
}

/* False: there is no room for all of it. */
static bool put(struct line_writer *writer, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n;

		if (!has_room(writer))
			return false;
		n = put_piece(writer, data, size < PIECE ? size : PIECE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno != EAGAIN; /* nobody is left who could be told */
		data += n;
		size -= (size_t)n;
		writer->cut = size > 0;
	}
	return true;
}

/* The rest of a line that was cut is not worth anything. */
static bool end_cut(struct line_writer *writer)
{
	return !writer->cut || put(writer, "\n", 1);
}

bool line_writer_put(struct line_writer *writer, const char *prefix, struct slice line)
{
	char note[128];
	bool fine = end_cut(writer);

	if (fine && writer->n_lost > 0) {
		int size = snprintf(note, sizeof(note),
			"%s%lu log line%s lost: nobody read the log in time\n", prefix,
			writer->n_lost, writer->n_lost == 1 ? " was" : "s were");

		fine = put(writer, note, (size_t)size);
		if (fine)
			writer->n_lost = 0;
	}
	fine = fine && put(writer, line.data, line.size);
	writer->n_lost += !fine;
	return fine;
}
