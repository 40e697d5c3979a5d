/* See file_lines.h. One buffer holds what was read and not yet handed out; a line that is longer
 * makes it grow. */
#include "sink/file/file_lines.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/mem.h"

#define FILE_LINES_PIECE ((size_t)256 << 10)

struct file_lines {
	int fd; /* -1: gzip has it */
	gzFile gzip; /* NULL: not gzip */
	ZSTD_DStream *zstd; /* NULL: not zstd */
	char *packed; /* for zstd: what was read */
	ZSTD_inBuffer input;
	size_t frame; /* zstd: 0 between frames */
	struct buf text;
	size_t from; /* of TEXT, the next line */
	size_t searched; /* of TEXT, no line feed before it */
	bool ended;
};

static ssize_t file_lines_read(const struct file_lines *lines, char *bytes, size_t size)
{
	ssize_t n;

	do
		n = read(lines->fd, bytes, size);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static ssize_t file_lines_gunzip(const struct file_lines *lines, char *bytes, size_t size)
{
	int n = gzread(lines->gzip, bytes, (unsigned)size);
	int error = Z_OK;

	if (n <= 0)
		gzerror(lines->gzip, &error);
	if (n < 0 || (n == 0 && error == Z_BUF_ERROR))
		return error == Z_ERRNO && errno ? -errno : -EBADMSG;
	return n;
}

static ssize_t file_lines_unzstd(struct file_lines *lines, char *bytes, size_t size)
{
	ZSTD_outBuffer output = {bytes, size, 0};

	while (output.pos == 0) {
		if (lines->input.pos == lines->input.size) {
			ssize_t n = file_lines_read(lines, lines->packed, FILE_LINES_PIECE);

			if (n < 0)
				return n;
			if (n == 0)
				return lines->frame == 0 ? 0 : -EBADMSG;
			lines->input = (ZSTD_inBuffer){lines->packed, (size_t)n, 0};
		}
		lines->frame = ZSTD_decompressStream(lines->zstd, &output, &lines->input);
		if (ZSTD_isError(lines->frame))
			return -EBADMSG;
	}
	return (ssize_t)output.pos;
}

static int file_lines_more(struct file_lines *lines)
{
	char *bytes;
	ssize_t n;

	if (lines->from > 0) {
		lines->text.size -= lines->from;
		lines->searched -= lines->from;
		memmove(lines->text.data, lines->text.data + lines->from, lines->text.size);
		lines->from = 0;
	}
	bytes = buf_reserve(&lines->text, FILE_LINES_PIECE);
	if (lines->gzip)
		n = file_lines_gunzip(lines, bytes, FILE_LINES_PIECE);
	else if (lines->zstd)
		n = file_lines_unzstd(lines, bytes, FILE_LINES_PIECE);
	else
		n = file_lines_read(lines, bytes, FILE_LINES_PIECE);
	if (n < 0)
		return (int)n;
	lines->text.size += (size_t)n;
	lines->ended = n == 0;
	return 0;
}

/* What the file's first bytes say that it is. */
static int file_lines_recognise(struct file_lines *lines)
{
	unsigned char magic[4] = {0};
	ssize_t n = pread(lines->fd, magic, sizeof(magic), 0);

	if (n >= 2 && magic[0] == 0x1f && magic[1] == 0x8b) {
		lines->gzip = gzdopen(lines->fd, "rb");
		if (!lines->gzip)
			mem_exhausted();
		lines->fd = -1;
		gzbuffer(lines->gzip, FILE_LINES_PIECE);
	} else if (n == 4 && memcmp(magic, "\x28\xb5\x2f\xfd", 4) == 0) {
		lines->zstd = ZSTD_createDStream();
		if (!lines->zstd)
			mem_exhausted();
		lines->packed = mem_alloc(FILE_LINES_PIECE);
	}
	return n < 0 && errno != ESPIPE ? -errno : 0;
}

int file_lines_open(struct file_lines **ret, const char *path)
{
	struct file_lines *lines = MEM_NEW(struct file_lines);
	struct stat status;
	int r = 0;

	lines->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (lines->fd < 0 || fstat(lines->fd, &status) < 0)
		r = -errno;
	else if (S_ISDIR(status.st_mode))
		r = -EISDIR;
	else
		r = file_lines_recognise(lines);
	if (r)
		file_lines_close(lines);
	else
		*ret = lines;
	return r;
}

void file_lines_close(struct file_lines *lines)
{
	if (!lines)
		return;
	if (lines->gzip)
		gzclose(lines->gzip);
	if (lines->fd >= 0)
		close(lines->fd);
	ZSTD_freeDStream(lines->zstd);
	free(lines->packed);
	buf_deinit(&lines->text);
	free(lines);
}

int file_lines_next(struct file_lines *lines, struct slice *ret, bool *ret_ended)
{
	for (;;) {
		const char *text = buf_text(&lines->text);
		size_t left = lines->text.size - lines->searched;
		const char *feed = left ? memchr(text + lines->searched, '\n', left) : NULL;
		size_t end = feed ? (size_t)(feed - text) : lines->text.size;
		int r;

		if (feed || (lines->ended && end > lines->from)) {
			*ret = (struct slice){text + lines->from, end - lines->from};
			*ret_ended = feed != NULL;
			lines->from = end + (feed != NULL);
			lines->searched = lines->from;
			return 1;
		}
		if (lines->ended)
			return 0;
		lines->searched = lines->text.size;
		r = file_lines_more(lines);
		if (r)
			return r;
	}
}
