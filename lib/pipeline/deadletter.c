/*
 * Dead letters. The file is opened for each write: refusals are rare, and so it may be moved away
 * or deleted at any time. It holds audit records, hence mode 0600 in a directory of mode 0700.
 */
#include "pipeline/deadletter.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/denied.h"
#include "base/file.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/record.h"
#include "base/str.h"
#include "base/timestamp.h"
#include "base/utf8.h"
#include "pipeline/deadletter_mark.h"
#include "pipeline/job.h"
#include "pipeline/resend.h"
#include "store/database.h"

#define DEADLETTER_PIECE ((size_t)64 << 10)
#define DEADLETTER_SUFFIX ".ndjson"

static int deadletter_flush(int fd, struct buf *text)
{
	const char *data = buf_text(text);
	size_t left = text->size;

	while (left > 0) {
		ssize_t n = write(fd, data, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		left -= (size_t)n;
	}
	buf_clear(text);
	return 0;
}

/* The file stays JSON: where the record's text is not UTF-8 its bytes are kept beside it. */
static void deadletter_print_record(struct slice text, struct buf *out)
{
	const char *p = text.data, *end = p + text.size;

	if (utf8_is_valid(text)) {
		buf_append_slice(out, text);
		return;
	}
	while (p < end) {
		size_t n = utf8_size(p, (size_t)(end - p));

		if (n > 0)
			buf_append(out, p, n);
		else
			buf_append_text(out, "\xef\xbf\xbd");
		p += n > 0 ? n : 1;
	}
	buf_append_text(out, ",\"record_base64\":\"");
	encode_base64(text, out);
	buf_append_char(out, '"');
}

static void deadletter_print_time(struct buf *out)
{
	buf_append_text(out, "{\"time\":\"");
	timestamp_print_rfc3339(clock_wall(), 3, out);
	buf_append_char(out, '"');
}

static void deadletter_print(const char *sink, const struct sink_record *record, const char *reason,
	const struct deadletter_mark *mark, struct buf *out)
{
	char scratch[33];
	char key[33];

	deadletter_print_time(out);
	buf_append_text(out, ",\"sink\":");
	json_encode(slice_of(sink), out);
	buf_append_text(out, ",\"provider\":");
	json_encode(slice_of(record->batch->provider), out);
	digest_hex(record->view.key->bytes, sizeof(record->view.key->bytes), key);
	buf_printf(out, ",\"key\":\"%s\",\"record_time\":", key);
	json_encode_time(record->view.time, 9, out);
	buf_append_text(out, ",\"source\":");
	json_encode(slice_of(record->batch->source), out);
	buf_append_text(out, ",\"id\":");
	json_encode(batch_id_text(&record->view, scratch), out);
	buf_append_text(out, ",\"reason\":");
	json_encode(slice_of(reason), out);
	buf_append_text(out, ",\"job\":\"");
	deadletter_mark_print(mark, out);
	buf_append_text(out, "\",\"record\":");
	deadletter_print_record(record->original.data ? record->original : record->view.text, out);
	buf_append_text(out, "}\n");
}

int deadletter_close_line(int fd)
{
	struct stat file;
	char last;

	if (fstat(fd, &file) < 0)
		return -errno;
	if (file.st_size == 0)
		return 0;
	ssize_t n = pread(fd, &last, 1, file.st_size - 1);
	if (n < 0)
		return -errno;
	if (n == 0)
		return deadletter_close_line(fd); /* it was cut meanwhile */
	if (last == '\n' || write(fd, "\n", 1) == 1)
		return 0;
	return -errno;
}

/* Why record INDEX of the job is rejected; NULL: it is not. */
static const char *deadletter_reason(const struct sink_answer *answer, size_t index)
{
	if (answer->result == SINK_DELIVERED)
		return NULL;
	return answer->reasons ? answer->reasons[index] : answer->error.text;
}

/* The lines of a file, one after the other: false when there is no more. */
struct deadletter_lines {
	bool (*next)(struct deadletter_lines *lines, struct buf *out);
	const char *name;
	/* of a sink */
	const struct sink_job *job;
	const struct sink_answer *answer;
	struct deadletter_mark mark; /* of the next line */
	struct job_cursor cursor;
	size_t unfit;
	/* of a source */
	const struct bad_element *bad;
	size_t n_bad;
};

static bool deadletter_next_record(struct deadletter_lines *lines, struct buf *out)
{
	const struct sink_job *job = lines->job;
	struct buf reason = BUF_NULL;
	struct sink_record record;

	while (job_next(job, &lines->cursor, &record)) {
		const char *why = deadletter_reason(lines->answer, lines->cursor.index - 1);

		if (!why)
			continue;
		deadletter_print(lines->name, &record, why, &lines->mark, out);
		lines->mark.nth++;
		return true;
	}
	if (lines->unfit == job->n_unfit)
		return false;
	job_unfit_reason(job, &job->unfit[lines->unfit], &reason);
	deadletter_print(
		lines->name, &job->unfit[lines->unfit++], buf_text(&reason), &lines->mark, out);
	lines->mark.nth++;
	buf_deinit(&reason);
	return true;
}

static bool deadletter_next_bad(struct deadletter_lines *lines, struct buf *out)
{
	const struct bad_element *bad = lines->bad;

	if (lines->n_bad == 0)
		return false;
	deadletter_print_time(out);
	buf_append_text(out, ",\"source\":");
	json_encode(slice_of(lines->name), out);
	buf_append_text(out, ",\"reason\":");
	json_encode(slice_of(bad->reason), out);
	buf_append_text(out, ",\"record\":");
	deadletter_print_record(bad->text, out);
	buf_append_text(out, "}\n");
	lines->bad++;
	lines->n_bad--;
	return true;
}

static int deadletter_append(int fd, struct deadletter_lines *lines)
{
	struct buf text = BUF_NULL;
	int r = 0;

	while (!r && lines->next(lines, &text)) {
		if (text.size >= DEADLETTER_PIECE)
			r = deadletter_flush(fd, &text);
	}
	if (!r)
		r = deadletter_flush(fd, &text);
	if (!r && fsync(fd) < 0)
		r = -errno;
	buf_deinit(&text);
	return r;
}

static int deadletter_open(int directory, const char *sink, int *ret_fd)
{
	char *name = mem_printf("%s.ndjson", sink);
	int flags = O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
	int fd = openat(directory, name, flags);
	int r = 0;

	if (fd < 0 && errno == ENOENT) {
		fd = openat(directory, name, flags | O_CREAT, 0600);
		if (fd >= 0 && fsync(directory) < 0)
			r = -errno;
	}
	if (fd < 0)
		r = -errno;
	free(name);
	if (r && fd >= 0)
		close(fd);
	if (!r)
		*ret_fd = fd;
	return r;
}

/* Opens STATE/dead-letters, made durable when it is new. */
static int deadletter_directory(const char *state_directory, int *ret_fd)
{
	CLEANUP_FREE char *path = mem_printf("%s/dead-letters", state_directory);
	int r = file_make_folder(path, 0700);

	if (r < 0)
		return r;
	*ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return *ret_fd < 0 ? -errno : 0;
}

/* 1: all of a job with this MARK are at the end, from before a crash. 0: not all. Or -errno. */
static int deadletter_is_there(int fd, const struct deadletter_mark *mark)
{
	struct deadletter_mark found;
	off_t from;
	int r;

	if (mark->count == 0)
		return 0;
	r = deadletter_mark_read(fd, &found, &from);
	if (r)
		return r;
	return found.nth == found.count && found.count == mark->count &&
	       deadletter_mark_is_same(&found, mark);
}

static int deadletter_add(int fd, struct deadletter_lines *lines)
{
	struct stat before;
	int r = deadletter_is_there(fd, &lines->mark);

	if (r > 0) /* perhaps from a try whose sync failed */
		return fsync(fd) < 0 ? -errno : 0;
	if (!r)
		r = deadletter_mark_cut(fd, &lines->mark);
	if (r)
		return r;
	if (fstat(fd, &before) < 0)
		return -errno;
	r = deadletter_close_line(fd);
	if (!r)
		r = deadletter_append(fd, lines);
	if (r && ftruncate(fd, before.st_size) < 0)
		return -errno; /* what stays is cut off before the next write */
	return r;
}

static int deadletter_store(const char *state_directory, const char *file,
	struct deadletter_lines *lines, struct fault *reterr)
{
	CLEANUP(buf_deinit) struct buf path = BUF_NULL, why = BUF_NULL;
	struct stat before = {0};
	int directory = -1;
	int fd = -1;
	int r = deadletter_directory(state_directory, &directory);

	if (!r)
		r = deadletter_open(directory, file, &fd);
	if (!r && fstat(fd, &before) < 0)
		r = -errno;
	bool regular = !r && S_ISREG(before.st_mode);
	if (regular)
		r = deadletter_add(fd, lines);
	if (fd >= 0)
		close(fd);
	if (directory >= 0)
		close(directory);
	if (!r && regular)
		return 0;
	buf_printf(&path, "%s/dead-letters/%s.ndjson", state_directory, file);
	denied_explain(buf_text(&path), state_directory, -r, &why);
	return fault_set(reterr, FAULT_STORE, "cannot write %s: %s%s", buf_text(&path),
		r ? strerror(-r) : "it is not a regular file", buf_text(&why));
}

uint64_t deadletter_count_rejected(const struct sink_job *job, const struct sink_answer *answer)
{
	uint64_t n = 0;

	if (answer->result == SINK_DELIVERED)
		return 0;
	if (!answer->reasons)
		return job->n_records;
	for (size_t i = 0; i < answer->n_reasons; i++)
		n += answer->reasons[i] != NULL;
	return n;
}

int deadletter_write(const char *state_directory, const char *sink, const struct sink_job *job,
	const struct sink_answer *answer, struct fault *reterr)
{
	struct deadletter_lines lines = {.next = deadletter_next_record,
		.name = sink,
		.job = job,
		.answer = answer,
		.mark = deadletter_mark_of(
			job, deadletter_count_rejected(job, answer) + job->n_unfit)};

	return deadletter_store(state_directory, sink, &lines, reterr);
}

int deadletter_keep(const char *state_directory, const char *source, const struct bad_element *bad,
	size_t n, struct fault *reterr)
{
	CLEANUP_FREE char *file = mem_printf(DEADLETTER_SOURCE, source);
	struct deadletter_lines lines = {
		.next = deadletter_next_bad, .name = source, .bad = bad, .n_bad = n};

	return deadletter_store(state_directory, file, &lines, reterr);
}

static int deadletter_is_file(const struct dirent *entry)
{
	return str_ends(entry->d_name, DEADLETTER_SUFFIX);
}

int deadletter_each(const char *state_directory,
	void (*each)(const char *name, const char *path, void *userdata), void *userdata)
{
	CLEANUP_FREE char *folder = mem_printf("%s/dead-letters", state_directory);
	struct dirent **entries = NULL;
	int r = 0, n = scandir(folder, &entries, deadletter_is_file, alphasort);

	if (n < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		char *name = entries[i]->d_name;
		CLEANUP_FREE char *path = mem_printf("%s/%s", folder, name);
		struct stat file;

		name[strlen(name) - strlen(DEADLETTER_SUFFIX)] = '\0';
		if (stat(path, &file) != 0)
			r = errno == ENOENT ? r : -errno;
		else if (file.st_size > 0)
			each(name, path, userdata);
		free(entries[i]);
	}
	free(entries);
	return r;
}

uint64_t deadletter_size(const char *state_directory, const char *sink)
{
	CLEANUP_FREE char *path = mem_printf("%s/dead-letters/%s.ndjson", state_directory, sink);
	struct stat file;

	return stat(path, &file) == 0 ? (uint64_t)file.st_size : 0;
}

int deadletter_discard(
	const char *state_directory, const char *sink, uint64_t *ret_n, struct fault *reterr)
{
	CLEANUP_FREE char *path = mem_printf("%s/dead-letters/%s.ndjson", state_directory, sink);
	CLEANUP_FREE char *note = mem_printf("%s/dead-letters/%s.resend", state_directory, sink);
	int r = resend_count(state_directory, sink, ret_n, reterr);

	if (r)
		return r;
	unlink(note);
	if (unlink(path) == 0 || errno == ENOENT)
		return 0;
	return fault_set(reterr, FAULT_STORE, "cannot delete %s: %s", path, strerror(errno));
}

int deadletter_check_name(const char *state_directory, const char *to, struct fault *reterr)
{
	CLEANUP_FREE char *path = mem_printf("%s/dead-letters/%s.ndjson", state_directory, to);
	struct stat file;

	if (stat(path, &file) != 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return 0;
		fault_set(reterr, FAULT_STORE, "cannot read %s: %s", path, strerror(errno));
		return STORE_E_FULL;
	}
	if (file.st_size == 0)
		return 0;
	fault_set(reterr, FAULT_CONFIG,
		"%s holds dead letters of another sink: first move the file away, or delete them with `trawlctl dead-letters discard %s`",
		path, to);
	return STORE_E_REFUSED;
}

static int deadletter_move(
	const char *state_directory, const char *name, const char *to, const char *ending)
{
	CLEANUP_FREE char *from_path =
		mem_printf("%s/dead-letters/%s.%s", state_directory, name, ending);
	CLEANUP_FREE char *to_path =
		mem_printf("%s/dead-letters/%s.%s", state_directory, to, ending);

	if (renameat2(AT_FDCWD, from_path, AT_FDCWD, to_path, RENAME_NOREPLACE) == 0 ||
		errno == ENOENT)
		return 0;
	return -errno;
}

int deadletter_rename(const char *state_directory, const char *name, const char *to)
{
	int r = deadletter_move(state_directory, name, to, "ndjson");

	return !r ? deadletter_move(state_directory, name, to, "resend") : r;
}
