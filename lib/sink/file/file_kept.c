/* See file_kept.h. */
#include "sink/file/file_kept.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "sink/file/file_io.h"

#define FILE_KEPT_LINES ((size_t)1000000) /* so many keys take 32 MiB */
#define FILE_KEPT_PIECE ((size_t)256 << 10)

/* --- the list --- */

static void file_kept_free(struct file_kept *kept)
{
	idset_deinit(&kept->lines);
	free(kept->path);
	free(kept->source);
	free(kept);
}

static void file_kept_drop(struct file_kept_list *list, size_t index)
{
	file_kept_free(list->items[index]);
	list->items[index] = list->items[--list->n_items];
}

void file_kept_clear(struct file_kept_list *list)
{
	while (list->n_items > 0)
		file_kept_drop(list, list->n_items - 1);
	free(list->items);
	*list = (struct file_kept_list){0};
}

static struct file_kept *file_kept_new(struct file_kept_list *list, const char *path)
{
	struct file_kept *kept = MEM_NEW(struct file_kept);

	kept->path = mem_strdup(path);
	list->items = mem_grow(list->items, list->n_items, &list->capacity, sizeof(*list->items));
	list->items[list->n_items++] = kept;
	return kept;
}

void file_kept_add(struct file_kept_list *list, const struct file_target *target, int64_t from,
	int64_t end, nsec_t now)
{
	struct file_kept *kept = file_kept_new(list, target->path);

	kept->inode = target->inode;
	kept->from = from;
	kept->end = end;
	kept->source = mem_strdup(target->source);
	kept->until_time = now + FILE_KEPT_NS;
}

/* --- the text --- */

void file_kept_print(const struct file_kept_list *list, struct buf *out)
{
	buf_append_char(out, '[');
	for (size_t i = 0; i < list->n_items; i++) {
		const struct file_kept *kept = list->items[i];

		buf_append_text(out, i > 0 ? ",{\"path\":" : "{\"path\":");
		json_encode(slice_of(kept->path), out);
		buf_printf(out,
			",\"inode\":%" PRId64 ",\"from\":%" PRId64 ",\"end\":%" PRId64
			",\"until\":%" PRId64,
			(int64_t)kept->inode, kept->from, kept->end, kept->until_time);
		if (kept->source) {
			buf_append_text(out, ",\"source\":");
			json_encode(slice_of(kept->source), out);
		}
		buf_append_char(out, '}');
	}
	buf_append_char(out, ']');
}

int file_kept_parse(struct file_kept_list *list, json_t *kept, struct fault *reterr)
{
	json_t *item;
	size_t index;

	file_kept_clear(list);
	json_array_foreach(kept, index, item)
	{
		const char *path, *source = NULL;
		json_int_t inode, from, end, until;
		struct file_kept *one;

		if (json_unpack(item, "{s:s,s:I,s:I,s:I,s:I,s?s}", "path", &path, "inode", &inode,
			    "from", &from, "end", &end, "until", &until, "source", &source) != 0 ||
			from < 0 || end < from) {
			file_kept_clear(list);
			return fault_set(
				reterr, FAULT_STORE, "the stored position is not readable");
		}
		one = file_kept_new(list, path);
		one->inode = (ino_t)inode;
		one->from = from;
		one->end = end;
		one->until_time = until;
		one->source = mem_strdup(source);
	}
	return 0;
}

/* --- what is in the file --- */

/* Takes MEMBER and its value, null or a string, off *REST. */
static bool file_kept_skip(struct slice *rest, struct slice member)
{
	size_t i = member.size;

	if (rest->size <= i || memcmp(rest->data, member.data, i) != 0)
		return false;
	if (rest->data[i] == '"') {
		for (i++; i < rest->size && rest->data[i] != '"'; i++)
			i += rest->data[i] == '\\';
		i++;
	} else {
		i += 4;
	}
	if (i > rest->size)
		return false;
	*rest = (struct slice){rest->data + i, rest->size - i};
	return true;
}

/* What LINE is known by: all of it, but when an envelope was received is not the same again. */
static struct id file_kept_key(struct slice line, enum record_format format)
{
	struct slice rest = line, after;
	struct buf text = BUF_NULL;
	struct id key;

	if (format == RECORD_RAW || !file_kept_skip(&rest, SLICE("{\"source\":")) ||
		!file_kept_skip(&rest, SLICE(",\"provider\":")) ||
		!file_kept_skip(&rest, SLICE(",\"id\":")) ||
		!file_kept_skip(&rest, SLICE(",\"time\":")))
		return digest_id(line);
	after = rest;
	if (!file_kept_skip(&after, SLICE(",\"received\":")))
		return digest_id(line);
	buf_append(&text, line.data, (size_t)(rest.data - line.data));
	buf_append_slice(&text, after);
	key = digest_id(buf_slice(&text));
	buf_deinit(&text);
	return key;
}

static void file_kept_take_line(struct file_kept *kept, const char *begin, const char *end)
{
	struct id key = file_kept_key((struct slice){begin, (size_t)(end - begin)}, kept->format);

	idset_add(&kept->lines, &key);
}

/* Takes the lines of TEXT, the LAST of which may have no end yet; otherwise what has none stays. */
static void file_kept_take(struct file_kept *kept, struct buf *text, bool last)
{
	const char *at = text->data, *end = text->data + text->size, *stop;

	while ((stop = memchr(at, '\n', (size_t)(end - at)))) {
		file_kept_take_line(kept, at, stop);
		at = stop + 1;
	}
	if (last && at < end)
		file_kept_take_line(kept, at, end);
	text->size = (size_t)(end - at);
	memmove(text->data, at, text->size);
}

/* The lines from KEPT's beginning on. False: they cannot be had. */
static bool file_kept_read(struct file_kept *kept, int fd)
{
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	int64_t at = kept->from;

	while (at < kept->end && kept->lines.n_ids < FILE_KEPT_LINES) {
		size_t size = kept->end - at < (int64_t)FILE_KEPT_PIECE ? (size_t)(kept->end - at)
									: FILE_KEPT_PIECE;
		ssize_t n = file_io_pread(fd, buf_reserve(&text, size), size, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		text.size += (size_t)n;
		at += n;
		file_kept_take(kept, &text, at == kept->end);
	}
	return at >= kept->end;
}

static bool file_kept_load(struct file_kept *kept, enum record_format format)
{
	int fd;

	if (kept->loaded && kept->format == format)
		return true;
	fd = file_io_open(kept->path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return false;
	idset_clear(&kept->lines);
	kept->format = format;
	kept->loaded = file_kept_read(kept, fd);
	file_io_close(fd);
	return kept->loaded;
}

static bool file_kept_is_there(const struct file_kept *kept)
{
	struct stat status;

	return file_io_lstat(kept->path, &status) == 0 && S_ISREG(status.st_mode) &&
	       status.st_ino == kept->inode && status.st_size >= kept->end;
}

/* Forgets what is too old, and files that are not where they were. */
static void file_kept_refresh(struct file_kept_list *list, enum record_format format, nsec_t now,
	const struct log_subject *subject)
{
	size_t i = 0;

	while (i < list->n_items) {
		struct file_kept *kept = list->items[i];

		if (now >= kept->until_time || !file_kept_is_there(kept)) {
			file_kept_drop(list, i);
		} else if (!file_kept_load(kept, format)) {
			log_warning(subject,
				"the records that the state does not know in %s cannot be read, or are too many to be compared; those that a source reads again are in the file twice",
				kept->path);
			file_kept_drop(list, i);
		} else {
			i++;
		}
	}
}

/* --- jobs --- */

/* The entry that has RECORD, whose line is LINE; NULL: none. */
static struct file_kept *file_kept_find(
	const struct file_kept_list *list, const struct sink_record *record, struct slice line)
{
	struct id key;

	if (list->n_items == 0)
		return NULL;
	key = file_kept_key(line, list->items[0]->format);
	for (size_t i = 0; i < list->n_items; i++) {
		struct file_kept *kept = list->items[i];

		if (kept->format == RECORD_RAW &&
			(!kept->source || strcmp(kept->source, record->batch->source) != 0))
			continue;
		if (idset_has(&kept->lines, &key))
			return kept;
	}
	return NULL;
}

static void file_kept_tell(struct file_kept *kept, const struct log_subject *subject)
{
	if (!kept->told)
		log_notice(subject,
			"a source reads records again that %s has already; they are not written twice",
			kept->path);
	kept->told = true;
}

struct sink_job *file_kept_filter(struct file_kept_list *list, const struct sink_job *job,
	bool by_source, nsec_t now, const struct log_subject *subject)
{
	struct job_cursor cursor = {0};
	struct buf line = BUF_NULL;
	struct sink_record record;
	struct sink_job *filtered;

	if (list->n_items == 0 || (job->format == RECORD_RAW && !by_source))
		return NULL;
	file_kept_refresh(list, job->format, now, subject);
	if (list->n_items == 0)
		return NULL;
	filtered = mem_dup(job, sizeof(*job));
	filtered->records = mem_array(job->n_records, sizeof(*filtered->records));
	filtered->n_records = 0;
	while (job_next(job, &cursor, &record)) {
		struct file_kept *kept = NULL;

		if (record.view.id.data) {
			buf_clear(&line);
			sink_record_print(&record, job->format, &line);
			kept = file_kept_find(list, &record, buf_slice(&line));
		}
		if (kept)
			file_kept_tell(kept, subject);
		else
			filtered->records[filtered->n_records++] = record;
	}
	buf_deinit(&line);
	filtered->whole = false;
	return filtered;
}

void file_kept_job_free(struct sink_job *job)
{
	if (job)
		free(job->records);
	free(job);
}
