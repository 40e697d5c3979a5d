/* See deadletter_mark.h. */
#include "pipeline/deadletter_mark.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/denied.h"
#include "base/mem.h"
#include "base/number.h"
#include "pipeline/deadletter.h"
#include "pipeline/job.h"

#define MARK_PIECE ((off_t)64 << 10)

struct deadletter_mark deadletter_mark_of(const struct sink_job *job, uint64_t count)
{
	return (struct deadletter_mark){.first = job_first(job),
		.last = job_last(job),
		.time = job->batches[job->n_batches - 1]->accepted_time,
		.nth = 1,
		.count = count};
}

bool deadletter_mark_is_same(const struct deadletter_mark *a, const struct deadletter_mark *b)
{
	return a->count > 0 && a->first == b->first && a->last == b->last && a->time == b->time;
}

void deadletter_mark_print(const struct deadletter_mark *mark, struct buf *out)
{
	buf_printf(out, "%" PRId64 " %" PRId64 " %" PRId64 " %" PRIu64 "/%" PRIu64, mark->first,
		mark->last, mark->time, mark->nth, mark->count);
}

static struct deadletter_mark mark_parse(struct slice text)
{
	struct slice rest = text, part;
	int64_t numbers[5];

	for (size_t i = 0; i < 5; i++)
		if (!str_next_part(&rest, i == 3 ? '/' : ' ', &part) ||
			number_parse(part, i < 3 ? INT64_MIN : 1, INT64_MAX, &numbers[i]) != 0)
			return DEADLETTER_MARK_NULL;
	if (rest.size > 0 || numbers[3] > numbers[4])
		return DEADLETTER_MARK_NULL;
	return (struct deadletter_mark){
		numbers[0], numbers[1], numbers[2], (uint64_t)numbers[3], (uint64_t)numbers[4]};
}

/* --- lines, from the last to the first --- */

struct lines {
	int fd;
	off_t from, end; /* of the line in hand */
	struct deadletter_reader *reader;
	struct buf text;
};

static void lines_deinit(struct lines *lines)
{
	deadletter_reader_free(&lines->reader);
	buf_deinit(&lines->text);
}

static ssize_t read_at(int fd, char *to, size_t size, off_t offset)
{
	ssize_t n;

	do
		n = pread(fd, to, size, offset);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Where the text after the last line feed before END begins. 0 or -errno. */
static int find_line(int fd, off_t end, off_t *ret)
{
	CLEANUP_FREE char *piece = mem_alloc((size_t)MARK_PIECE);

	while (end > 0) {
		off_t from = end > MARK_PIECE ? end - MARK_PIECE : 0;
		ssize_t n = read_at(fd, piece, (size_t)(end - from), from);
		const char *feed;

		if (n < end - from)
			return n < 0 ? (int)n : -EIO; /* it was cut meanwhile */
		feed = memrchr(piece, '\n', (size_t)n);
		if (feed) {
			*ret = from + (feed - piece) + 1;
			return 0;
		}
		end = from;
	}
	*ret = 0;
	return 0;
}

/* The line before the one in hand, and its mark. 0 or -errno. */
static int lines_previous(struct lines *lines, struct deadletter_mark *ret)
{
	struct deadletter letter;
	size_t done = 0, size;
	int r;

	*ret = DEADLETTER_MARK_NULL;
	lines->end = lines->from;
	if (lines->end == 0)
		return 0;
	r = find_line(lines->fd, lines->end - 1, &lines->from);
	if (r)
		return r;
	size = (size_t)(lines->end - 1 - lines->from);
	buf_clear(&lines->text);
	buf_reserve(&lines->text, size);
	while (done < size) {
		ssize_t n = read_at(
			lines->fd, lines->text.data + done, size - done, lines->from + (off_t)done);

		if (n <= 0)
			return n < 0 ? (int)n : -EIO;
		done += (size_t)n;
	}
	lines->text.size = size;
	if (!lines->reader)
		lines->reader = deadletter_reader_new();
	if (deadletter_read(lines->reader, buf_slice(&lines->text), &letter))
		*ret = mark_parse(letter.job);
	return 0;
}

/* After the last line feed. */
static int lines_begin(struct lines *lines, int fd)
{
	struct stat file;

	*lines = (struct lines){.fd = fd};
	if (fstat(fd, &file) < 0)
		return -errno;
	return find_line(fd, file.st_size, &lines->from);
}

/* 1: those of the job of MARK, that of the last line, are all there up to it, the first at
 * *RET_FROM. 0: not, since a power failure has left only parts. Or -errno. */
static int check(int fd, const struct deadletter_mark *mark, off_t *ret_from)
{
	CLEANUP(lines_deinit) struct lines lines;
	int r = lines_begin(&lines, fd);

	for (uint64_t nth = mark->nth; !r && nth > 0; nth--) {
		struct deadletter_mark found;

		r = lines_previous(&lines, &found);
		if (!r && (!deadletter_mark_is_same(&found, mark) || found.nth != nth ||
				  found.count != mark->count))
			return 0;
	}
	*ret_from = lines.from;
	return r ? r : 1;
}

int deadletter_mark_read(int fd, struct deadletter_mark *ret, off_t *ret_from)
{
	CLEANUP(lines_deinit) struct lines lines;
	int r = lines_begin(&lines, fd);

	*ret = DEADLETTER_MARK_NULL;
	*ret_from = 0;
	if (!r)
		r = lines_previous(&lines, ret);
	if (r || ret->count == 0)
		return r;
	r = check(fd, ret, ret_from);
	if (r <= 0)
		*ret = DEADLETTER_MARK_NULL;
	return r < 0 ? r : 0;
}

int deadletter_mark_cut(int fd, const struct deadletter_mark *job)
{
	struct deadletter_mark mark;
	off_t from;
	int r = deadletter_mark_read(fd, &mark, &from);

	if (r || mark.nth == mark.count || !deadletter_mark_is_same(&mark, job))
		return r;
	return ftruncate(fd, from) < 0 ? -errno : 0;
}

/* With the dead letters of SINK, where they are a file: finds *MARK, or cuts those of its job. 0,
 * or FAULT_STORE. */
static int visit(const char *state_directory, const char *sink, bool cuts,
	struct deadletter_mark *mark, struct fault *reterr)
{
	CLEANUP_FREE char *path = mem_printf("%s/dead-letters/%s.ndjson", state_directory, sink);
	CLEANUP(buf_deinit) struct buf why = BUF_NULL;
	struct stat file = {0};
	off_t from;
	int fd = open(path, (cuts ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int r = fd < 0 || fstat(fd, &file) < 0 ? -errno : 0;

	if (!r && S_ISREG(file.st_mode))
		r = cuts ? deadletter_mark_cut(fd, mark) : deadletter_mark_read(fd, mark, &from);
	if (fd >= 0)
		close(fd);
	if (!r || (fd < 0 && (r == -ENOENT || r == -ENOTDIR || r == -ELOOP || r == -EISDIR)))
		return 0; /* it is not trawld that made it so */
	denied_explain(path, state_directory, -r, &why);
	return fault_set(reterr, FAULT_STORE, "cannot read or write %s: %s%s", path, strerror(-r),
		buf_text(&why));
}

int deadletter_mark_find(const char *state_directory, const char *sink, struct deadletter_mark *ret,
	struct fault *reterr)
{
	*ret = DEADLETTER_MARK_NULL;
	return visit(state_directory, sink, false, ret, reterr);
}

int deadletter_mark_forget(const char *state_directory, const char *sink,
	const struct deadletter_mark *job, struct fault *reterr)
{
	struct deadletter_mark mark = *job;

	return visit(state_directory, sink, true, &mark, reterr);
}
