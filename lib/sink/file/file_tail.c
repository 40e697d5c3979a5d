/* See file_tail.h. */
#include "sink/file/file_tail.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/buf.h"
#include "sink/file/file_io.h"

#define FILE_TAIL_PIECE ((size_t)64 << 10)
#define FILE_TAIL_COUNTED                                                                          \
	((int64_t)256 << 20) /* lines beyond are not counted: it takes too long                    \
			      */
#define FILE_TAIL_PAGE 4096

/* --- reading --- */

/* Reads SIZE bytes, or up to the end of the file. */
static int file_tail_read(const struct file_target *target, int64_t offset, size_t size,
	char *bytes, size_t *ret_size, struct fault *reterr)
{
	size_t have = 0;

	while (have < size) {
		ssize_t n =
			file_io_pread(target->fd, bytes + have, size - have, offset + (off_t)have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return file_io_fault("read", target->path, reterr);
		if (n == 0)
			break;
		have += (size_t)n;
	}
	*ret_size = have;
	return 0;
}

/* Makes the tail durable and drops the kernel's copy of it: after a fdatasync that failed, the copy
 * says nothing of the disk. */
static int file_tail_reread(struct file_target *target, struct fault *reterr)
{
	if (target->reread)
		return 0;
	if (file_io_fdatasync(target->fd) < 0)
		return fault_set(reterr, FAULT_STORE, "cannot make %s durable: %s", target->path,
			strerror(errno));
	posix_fadvise(
		target->fd, target->size - target->size % FILE_TAIL_PAGE, 0, POSIX_FADV_DONTNEED);
	target->reread = true;
	return 0;
}

/* --- comparing --- */

struct file_tail_walk {
	struct file_target *target;
	int64_t offset; /* in the file, of the text's next byte */
	bool fill; /* put text in place of NUL bytes */
	bool holes; /* there are NUL bytes */
	bool differs;
};

static bool file_tail_is_hole(const char *bytes, struct slice text, bool *ret_holes)
{
	for (size_t i = 0; i < text.size; i++) {
		if (bytes[i] == text.data[i])
			continue;
		if (bytes[i] != '\0')
			return false;
		*ret_holes = true;
	}
	return true;
}

/* Writes TEXT where NUL bytes are. The descriptor appends whatever the offset is, unless that is
 * switched off, which a file that can only be appended to (chattr +a) does not allow. */
static int file_tail_fill(struct file_tail_walk *walk, struct slice text, struct fault *reterr)
{
	int fd = walk->target->fd;
	int flags = fcntl(fd, F_GETFL);
	ssize_t n;

	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_APPEND) < 0) {
		walk->differs = true;
		return 0;
	}
	n = file_io_pwrite(fd, text.data, text.size, walk->offset);
	if (fcntl(fd, F_SETFL, flags) < 0)
		n = -1;
	if (n == (ssize_t)text.size)
		return 0;
	if (n < 0)
		return file_io_fault("write", walk->target->path, reterr);
	return fault_set(reterr, FAULT_STORE, "cannot write %s: short write", walk->target->path);
}

static int file_tail_compare(struct file_tail_walk *walk, struct slice text, struct fault *reterr)
{
	char bytes[FILE_TAIL_PIECE];

	while (text.size > 0 && !walk->differs) {
		struct slice part = {
			text.data, text.size < sizeof(bytes) ? text.size : sizeof(bytes)};
		bool holes = false;
		size_t n = 0;
		int r = file_tail_read(walk->target, walk->offset, part.size, bytes, &n, reterr);

		if (r)
			return r;
		walk->differs = n < part.size || !file_tail_is_hole(bytes, part, &holes);
		walk->holes = walk->holes || holes;
		if (holes && walk->fill && !walk->differs)
			r = file_tail_fill(walk, part, reterr);
		if (r)
			return r;
		walk->offset += (int64_t)part.size;
		text.data += part.size;
		text.size -= part.size;
	}
	return 0;
}

/* Where in the text the line ends that the byte before COUNTED is in: PIECE is the text from
 * OFFSET on. -1: not in PIECE. */
static int64_t file_tail_line_end(struct slice piece, int64_t offset, int64_t counted)
{
	size_t from = counted - 1 > offset ? (size_t)(counted - 1 - offset) : 0;
	const char *end =
		from < piece.size ? memchr(piece.data + from, '\n', piece.size - from) : NULL;

	return end ? offset + (end - piece.data) + 1 : -1;
}

static int file_tail_walk(struct file_tail_walk *walk, struct job_text *text, size_t index,
	struct file_tail_match *ret, struct fault *reterr)
{
	const int64_t rest = walk->target->tail - walk->target->matched;
	struct slice piece;
	int r = 0;

	*ret = (struct file_tail_match){.line_end = -1};
	while (!r && !walk->differs && job_text_next(text, index + 1, &piece)) {
		int64_t left = rest - ret->size;
		int64_t n = left < (int64_t)piece.size ? left : (int64_t)piece.size;

		if (n > 0) {
			r = file_tail_compare(walk, (struct slice){piece.data, (size_t)n}, reterr);
			ret->counted += n;
		}
		if (ret->line_end < 0)
			ret->line_end = file_tail_line_end(piece, ret->size, rest);
		ret->size += (int64_t)piece.size;
	}
	if (ret->line_end < 0)
		ret->line_end = ret->size;
	if (walk->differs)
		ret->counted = 0;
	return r;
}

int file_tail_match(struct file_target *target, const struct sink_job *job, size_t index,
	size_t record, bool durable, struct file_tail_match *ret, struct fault *reterr)
{
	struct file_tail_walk walk = {.target = target};
	int r = durable ? file_tail_reread(target, reterr) : 0;

	for (int pass = 0; !r && pass < 2; pass++) {
		struct job_text text = {.job = job, .batch = index, .record = record};

		walk.offset = target->size + target->matched;
		walk.fill = pass > 0;
		r = file_tail_walk(&walk, &text, index, ret, reterr);
		job_text_deinit(&text);
		if (walk.differs || !walk.holes)
			break;
	}
	return r;
}

int file_tail_match_text(
	struct file_target *target, struct slice text, bool *ret_matches, struct fault *reterr)
{
	struct file_tail_walk walk = {.target = target};
	int r;

	*ret_matches = false;
	if (target->tail > (int64_t)text.size)
		return 0;
	text.size = (size_t)target->tail;
	r = file_tail_reread(target, reterr);
	for (int pass = 0; !r && pass < 2; pass++) {
		walk.offset = target->size;
		walk.fill = pass > 0;
		r = file_tail_compare(&walk, text, reterr);
		if (walk.differs || !walk.holes)
			break;
	}
	*ret_matches = !r && !walk.differs;
	return r;
}

/* --- telling --- */

/* Appends "3200 bytes (50 lines)". */
static int file_tail_print(const struct file_target *target, struct buf *out, struct fault *reterr)
{
	int64_t counted = target->tail < FILE_TAIL_COUNTED ? target->tail : FILE_TAIL_COUNTED;
	char bytes[FILE_TAIL_PIECE];
	int64_t n_lines = 0;
	char last = '\n';

	for (int64_t done = 0; done < counted;) {
		size_t size = counted - done < (int64_t)sizeof(bytes) ? (size_t)(counted - done)
								      : sizeof(bytes);
		int r = file_tail_read(target, target->size + done, size, bytes, &size, reterr);

		if (r)
			return r;
		if (size == 0)
			break;
		for (const char *c = bytes; (c = memchr(c, '\n', size - (size_t)(c - bytes))); c++)
			n_lines++;
		last = bytes[size - 1];
		done += (int64_t)size;
	}
	n_lines += last != '\n'; /* half a line is one to whoever reads it */
	buf_printf(out, "%" PRId64 " %s (%s%" PRId64 " %s)", target->tail,
		target->tail == 1 ? "byte" : "bytes", counted < target->tail ? "over " : "",
		n_lines, n_lines == 1 ? "line" : "lines");
	return 0;
}

/* What PATH ends with and why, for a log line that says what follows. */
#define FILE_TAIL_ORIGIN                                                                           \
	"%s ends with %s that the state does not know: the state is older than the file (a "       \
	"restored backup?), options of the sink have changed, or something else wrote to the file"

int file_tail_keep(struct file_target *target, bool recognised, const struct log_subject *subject,
	struct fault *reterr)
{
	struct buf extent = BUF_NULL;
	int r = file_tail_print(target, &extent, reterr);

	if (!r && target->told == FILE_TAIL_REPORTED)
		log_notice(subject,
			"the next records are not those that %s ends with (%s); trawld continues after them",
			target->path, buf_text(&extent));
	else if (!r)
		log_warning(subject,
			FILE_TAIL_ORIGIN
			"; nothing is cut, trawld continues after it, and records that a source reads again are in the file twice%s",
			target->path, buf_text(&extent),
			recognised ? ", unless they have an ID" : "");
	buf_deinit(&extent);
	target->told = FILE_TAIL_REPORTED;
	if (!r && !target->moved)
		r = file_target_keep(target, reterr);
	return r;
}

int file_tail_recover(
	struct file_target *target, const struct log_subject *subject, struct fault *reterr)
{
	struct buf extent = BUF_NULL;
	int r;

	if (target->tail > FILE_TAIL_MAX)
		return file_tail_keep(target, false, subject, reterr);
	r = file_tail_print(target, &extent, reterr);
	if (!r)
		log_notice(subject,
			"%s ends with %s that were not acknowledged; trawld compares them with the records that come next",
			target->path, buf_text(&extent));
	buf_deinit(&extent);
	target->told = FILE_TAIL_ANNOUNCED;
	return r;
}

void file_tail_settle(struct file_target *target, const struct log_subject *subject)
{
	if (target->told == FILE_TAIL_UNTOLD || file_target_is_open_ended(target))
		return;
	target->told = FILE_TAIL_UNTOLD;
	log_notice(subject, "the records that %s ended with came again and were not written twice",
		target->path);
}

void file_tail_report(struct file_target *target, const struct log_subject *subject)
{
	struct buf extent = BUF_NULL;
	struct fault fault;

	if (target->tail == 0 || target->told == FILE_TAIL_REPORTED ||
		file_tail_print(target, &extent, &fault) != 0)
		return;
	target->told = FILE_TAIL_REPORTED;
	log_warning(subject,
		FILE_TAIL_ORIGIN
		"; nothing is cut, but records that a source reads again may be in the file twice",
		target->path, buf_text(&extent));
	buf_deinit(&extent);
}
