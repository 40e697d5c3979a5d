/*
 * See resend.h. The note is one line, INODE OFFSET END and, once a job was sent from OFFSET on,
 * where it ends and its plan: NEXT RECORDS BYTES HOW, splits and =SINK. It is replaced as a
 * whole. Offsets and not a new file for each acknowledged job: a file of 256 MiB would be written
 * hundreds of times.
 */
#include "pipeline/resend.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/denied.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/number.h"
#include "pipeline/deadletter.h"
#include "pipeline/deadletter_mark.h"
#include "pipeline/job.h"
#include "pipeline/selection.h"

#define RESEND_JOB_BYTES ((size_t)1 << 20) /* one line is always taken */
#define RESEND_JOB_RECORDS ((size_t)1000)
#define RESEND_NOTE_MAX ((size_t)256 + RESEND_JOB_RECORDS * 5) /* a split at each record */

static int resend_failed(const char *path, int error, struct fault *reterr)
{
	CLEANUP(buf_deinit) struct buf why = BUF_NULL;
	CLEANUP_FREE char *directory = mem_strdup(path);

	for (int i = 0; i < 2; i++) /* without dead-letters/SINK.* */
		*strrchr(directory, '/') = '\0';
	denied_explain(path, directory, error, &why);
	return fault_set(reterr, FAULT_STORE, "cannot read or write %s: %s%s", path,
		strerror(error), buf_text(&why));
}

void resend_deinit(struct resend *resend)
{
	free(resend->letters);
	free(resend->note);
	buf_deinit(&resend->stay);
	job_plan_deinit(&resend->plan);
	*resend = RESEND_NULL;
}

static void resend_init(struct resend *resend, const char *state_directory, const char *sink)
{
	resend_deinit(resend);
	resend->letters = mem_printf("%s/dead-letters/%s.ndjson", state_directory, sink);
	resend->note = mem_printf("%s/dead-letters/%s.resend", state_directory, sink);
}

/* --- files --- */

/* Appends to FD what FROM holds after OFFSET. */
static int copy_rest(int from, off_t offset, int fd)
{
	CLEANUP_FREE char *piece = mem_alloc(1 << 16);

	for (;;) {
		ssize_t n = pread(from, piece, 1 << 16, offset);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		r = file_write(fd, (struct slice){piece, (size_t)n});
		if (r)
			return r;
		offset += n;
	}
}

/* The file at PATH becomes TEXT and then what FROM (-1: nothing) holds after OFFSET. */
static int replace_file(const char *path, struct slice text, int from, off_t offset)
{
	CLEANUP_FREE char *new_path = mem_printf("%s.new", path);
	int fd = open(new_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r;

	if (fd < 0)
		return -errno;
	r = file_write(fd, text);
	if (!r && from >= 0)
		r = copy_rest(from, offset, fd);
	if (!r && fsync(fd) < 0)
		r = -errno;
	close(fd);
	if (!r && rename(new_path, path) < 0)
		r = -errno;
	if (!r)
		return file_sync_folder(path);
	unlink(new_path);
	return r;
}

/* --- the note --- */

static int note_write(const struct resend *resend)
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;

	buf_printf(&text, "%" PRIu64 " %" PRIu64 " %" PRIu64, resend->inode, resend->offset,
		resend->end);
	if (resend->plan_end > 0) {
		buf_printf(&text, " %" PRIu64, resend->plan_end);
		job_plan_print(&resend->plan, ' ', &text);
	}
	buf_append_char(&text, '\n');
	return replace_file(resend->note, buf_slice(&text), -1, 0);
}

/* 1: it was read. 0: there is none, or it is not of the file that is there. Or -errno. */
static int note_read(struct resend *resend)
{
	CLEANUP(buf_deinit) struct buf text = BUF_LIMITED(RESEND_NOTE_MAX);
	int64_t values[4] = {0};
	size_t n = 0;
	struct slice rest, part;
	struct stat file;
	int r = file_read(&text, resend->note);

	if (r)
		return r == -ENOENT || r == -EFBIG ? 0 : r;
	rest = str_trim(buf_slice(&text));
	for (; n < 4 && str_next_part(&rest, ' ', &part); n++)
		if (number_parse(part, 0, INT64_MAX, &values[n]) != 0)
			return 0;
	if (n < 3)
		return 0;
	resend->inode = (uint64_t)values[0];
	resend->offset = (uint64_t)values[1];
	resend->end = (uint64_t)values[2];
	resend->plan_end = (uint64_t)values[3];
	if (n == 4 && (resend->plan_end <= resend->offset || resend->plan_end > resend->end ||
			      !job_plan_read(rest, ' ', &resend->plan)))
		return 0;
	resend->noted = n == 4;
	return stat(resend->letters, &file) == 0 && file.st_ino == resend->inode &&
	       resend->offset <= resend->end && resend->end <= (uint64_t)file.st_size;
}

int resend_peek(
	struct resend *resend, const char *state_directory, const char *sink, struct fault *reterr)
{
	resend_init(resend, state_directory, sink);
	int r = note_read(resend);

	resend->active = r > 0;
	resend->unread = r < 0;
	return r < 0 ? resend_failed(resend->note, -r, reterr) : 0;
}

int resend_load(
	struct resend *resend, const char *state_directory, const char *sink, struct fault *reterr)
{
	if (resend_peek(resend, state_directory, sink, reterr) != 0)
		return -1;
	if (!resend->active)
		unlink(resend->note);
	else if (resend->offset == resend->end)
		(void)resend_stop(resend, NULL);
	return 0;
}

/* Lines from OFFSET on; one without a line feed counts. */
static int count_lines(int fd, off_t offset, uint64_t *ret)
{
	CLEANUP_FREE char *piece = mem_alloc(1 << 16);
	uint64_t n_lines = 0;
	char last = '\n';
	ssize_t n;

	while ((n = pread(fd, piece, 1 << 16, offset)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			n_lines += piece[i] == '\n';
		last = piece[n - 1];
		offset += n;
	}
	*ret = n_lines + (last != '\n');
	return n < 0 ? -errno : 0;
}

/* Appends TEXT to the dead letters, after what a crash has left there. */
static int append_lines(const struct resend *resend, struct slice text)
{
	int fd = open(resend->letters, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int r;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	r = deadletter_close_line(fd);
	if (!r)
		r = file_write(fd, text);
	if (!r && fsync(fd) < 0)
		r = -errno;
	close(fd);
	return r;
}

/* What is there to be sent, as RESEND has it from now on. */
static int resend_measure(struct resend *resend, uint64_t *ret_n)
{
	struct stat file;
	int r = 0;
	int fd = open(resend->letters, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	*ret_n = 0;
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &file) < 0)
		r = -errno;
	else
		r = count_lines(fd, (off_t)resend->offset, ret_n);
	close(fd);
	if (!r) {
		resend->inode = file.st_ino;
		resend->end = (uint64_t)file.st_size;
	}
	return r;
}

int resend_count(
	const char *state_directory, const char *sink, uint64_t *ret_n, struct fault *reterr)
{
	CLEANUP(resend_deinit) struct resend resend = RESEND_NULL;
	int r;

	if (resend_peek(&resend, state_directory, sink, reterr) != 0)
		return -1;
	if (!resend.active)
		resend.offset = 0;
	r = resend_measure(&resend, ret_n);
	return !r ? 0 : resend_failed(resend.letters, -r, reterr);
}

int resend_request(
	const char *state_directory, const char *sink, uint64_t *ret_n, struct fault *reterr)
{
	CLEANUP(resend_deinit) struct resend resend = RESEND_NULL;
	int r;

	if (resend_load(&resend, state_directory, sink, reterr) != 0)
		return -1;
	if (!resend.active)
		resend.offset = 0;
	r = append_lines(&resend, SLICE_NULL);
	if (!r)
		r = resend_measure(&resend, ret_n);
	*ret_n = !r ? *ret_n : 0;
	if (!r && *ret_n > 0)
		r = note_write(&resend);
	return !r ? 0 : resend_failed(resend.letters, -r, reterr);
}

/* --- a job --- */

/* Numbers that no other job has: below zero, from the first line, which holds the time of its
 * rejection, and where it was. */
static int64_t first_number(const struct resend *resend, struct slice line)
{
	uint8_t digest[DIGEST_SIZE];
	struct evp_md_ctx_st *context = digest_begin();
	uint64_t number = 0;

	digest_add(context, line);
	digest_add(context, (struct slice){(const char *)&resend->offset, sizeof(resend->offset)});
	digest_end(context, digest);
	memcpy(&number, digest, sizeof(number));
	return -(int64_t)((number >> 2) + RESEND_JOB_RECORDS);
}

static bool same_batch(const struct batch *batch, const struct deadletter *letter)
{
	return slice_is(letter->source, batch->source) &&
	       slice_is(letter->provider, batch->provider) && batch->accepted_time == letter->time;
}

struct resend_batches {
	struct batch *items[RESEND_JOB_RECORDS];
	size_t n_items;
	size_t n_records;
	int64_t number;
};

static void add_record(struct resend_batches *batches, const struct deadletter *letter)
{
	struct batch *last = batches->n_items ? batches->items[batches->n_items - 1] : NULL;

	if (!last || !same_batch(last, letter)) {
		CLEANUP_FREE char *source = mem_strndup(letter->source.data, letter->source.size);
		CLEANUP_FREE char *provider =
			mem_strndup(letter->provider.data, letter->provider.size);

		last = batch_new(source, provider, letter->time);
		batches->items[batches->n_items++] = last;
	}
	batch_add(last, letter->record, &letter->key, letter->id, letter->record_time);
	batches->n_records++;
}

/* Reads the line at OFFSET into TEXT, with its line feed unless the file ends without. */
static int read_line(int fd, uint64_t offset, uint64_t end, struct buf *text)
{
	buf_clear(text);
	while (offset < end) {
		size_t size = end - offset < 1 << 16 ? (size_t)(end - offset) : 1 << 16;
		char *to = buf_reserve(text, size);
		ssize_t n = pread(fd, to, size, (off_t)offset);
		const char *feed;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		feed = memchr(to, '\n', (size_t)n);
		text->size += feed ? (size_t)(feed - to) + 1 : (size_t)n;
		if (feed)
			break;
		offset += (uint64_t)n;
	}
	return 0;
}

static int read_records(struct resend *resend, int fd, struct resend_batches *batches)
{
	CLEANUP(deadletter_reader_free) struct deadletter_reader *reader = deadletter_reader_new();
	CLEANUP(buf_deinit) struct buf line = BUF_NULL;

	uint64_t end = resend->plan_end > 0 ? resend->plan_end : resend->end;

	while (resend->next < end && batches->n_records < RESEND_JOB_RECORDS &&
		resend->next - resend->offset < RESEND_JOB_BYTES) {
		struct deadletter letter;
		int r = read_line(fd, resend->next, end, &line);

		if (r)
			return r;
		if (resend->next == resend->offset)
			batches->number = first_number(resend, buf_slice(&line));
		resend->next += line.size;
		if (deadletter_read(reader, str_trim(buf_slice(&line)), &letter))
			add_record(batches, &letter);
		else if (str_trim(buf_slice(&line)).size > 0)
			buf_append_slice(&resend->stay, buf_slice(&line));
	}
	return 0;
}

int resend_job(struct resend *resend, const char *sink, const struct job_terms *terms,
	struct sink_job **ret, struct fault *reterr)
{
	CLEANUP_FREE struct resend_batches *batches = MEM_NEW(struct resend_batches);
	const struct str_list none = STR_LIST_NULL;
	struct selection *all;
	int fd = open(resend->letters, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int r;

	*ret = NULL;
	buf_clear(&resend->stay);
	resend->next = resend->offset;
	r = fd < 0 ? -errno : read_records(resend, fd, batches);
	if (fd >= 0)
		close(fd);
	for (size_t i = 0; i < batches->n_items; i++)
		batches->items[i]->number = batches->number + (int64_t)i;
	if (!r && batches->n_records > 0) {
		selection_new(&all, &none, &none, NULL);
		*ret = job_new(sink, batches->items, batches->n_items, all, terms);
		selection_free(all);
		if (resend->plan_end == resend->next)
			job_resume(*ret, &resend->plan);
		return 0;
	}
	for (size_t i = 0; i < batches->n_items; i++)
		batch_unref(batches->items[i]);
	return !r ? 0 : resend_failed(resend->letters, -r, reterr);
}

int resend_plan(struct resend *resend, const struct sink_job *job, struct fault *reterr)
{
	int r = 0;

	if (resend->noted && resend->plan_end == resend->next &&
		splits_are_equal(&resend->plan.splits, &job->splits))
		return 0;
	resend->plan_end = resend->next;
	job_plan_take(&resend->plan, job);
	r = note_write(resend);
	resend->noted = !r;
	return !r ? 0 : resend_failed(resend->note, -r, reterr);
}

/* --- after a job --- */

static int resend_end(struct resend *resend, struct fault *reterr)
{
	int fd = open(resend->letters, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat file = {0};
	int r = fd < 0 || fstat(fd, &file) < 0 ? -errno : 0;

	if (!r && file.st_ino == resend->inode && resend->offset > 0)
		r = replace_file(resend->letters, SLICE_NULL, fd, (off_t)resend->offset);
	if (fd >= 0)
		close(fd);
	if (r && r != -ENOENT)
		return resend_failed(resend->letters, -r, reterr);
	resend->active = resend->behind = false;
	/* in this order: a new file might get the inode of the old one */
	unlink(resend->note);
	if (stat(resend->letters, &file) == 0 && file.st_size == 0)
		unlink(resend->letters);
	return 0;
}

int resend_done(struct resend *resend, struct fault *reterr)
{
	resend->offset = resend->next;
	resend->plan_end = 0;
	job_plan_deinit(&resend->plan);
	resend->behind = true;
	return resend_note(resend, reterr);
}

int resend_note(struct resend *resend, struct fault *reterr)
{
	int r = 0;

	if (resend->stay.size > 0) /* a line that is not a dead letter is kept */
		r = append_lines(resend, buf_slice(&resend->stay));
	if (r)
		return resend_failed(resend->letters, -r, reterr);
	buf_clear(&resend->stay);
	if (resend->offset == resend->end)
		return resend_end(resend, reterr);
	r = note_write(resend);
	if (r)
		return resend_failed(resend->note, -r, reterr);
	resend->behind = false;
	return 0;
}

int resend_stop(struct resend *resend, struct fault *reterr)
{
	resend->active = resend->behind = false;
	return resend_end(resend, reterr);
}
