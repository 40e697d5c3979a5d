/*
 * Recovery of a file sink. A file is recognised by the bytes just before the size that is stored:
 * if they are those that we left there (an empty file: if the inode is the same), it is ours.
 *
 *   at the path                               what follows
 *   ours, longer                              the tail is compared with what comes (file_tail.h)
 *   ours, of the size                         nothing
 *   same inode, shorter or other content      truncated by someone (copytruncate): append
 *   another file, or none                     look for the inode beside it: logrotate renamed it
 */
#include "sink/file/file_position.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "sink/file/file_io.h"
#include "sink/file/file_path.h"
#include "sink/file/file_rotation.h"
#include "sink/file/file_tail.h"

struct file_place {
	const char *path;
	ino_t inode;
	int64_t size;
	const char *check;
	const char *source; /* NULL: written before it was noted */
	const char *provider;
};

/* --- the list --- */

void file_targets_add(struct file_targets *targets, struct file_target *target)
{
	targets->items = mem_grow(
		targets->items, targets->n_items, &targets->capacity, sizeof(*targets->items));
	targets->items[targets->n_items++] = target;
}

struct file_target *file_targets_find(const struct file_targets *targets, const char *path)
{
	for (size_t i = 0; i < targets->n_items; i++) {
		if (!targets->items[i]->moved && strcmp(targets->items[i]->path, path) == 0)
			return targets->items[i];
	}
	return NULL;
}

void file_targets_remove(struct file_targets *targets, size_t index)
{
	file_target_free(targets->items[index]);
	targets->items[index] = targets->items[--targets->n_items];
}

void file_targets_clear(struct file_targets *targets)
{
	while (targets->n_items > 0)
		file_targets_remove(targets, targets->n_items - 1);
	free(targets->items);
	*targets = (struct file_targets){0};
}

/* --- the text --- */

static void file_position_print_name(const char *key, const char *name, struct buf *out)
{
	if (!name)
		return;
	buf_printf(out, ",\"%s\":", key);
	json_encode(slice_of(name), out);
}

void file_position_print(const struct file_position *position, struct buf *out)
{
	const struct file_targets *targets = &position->targets;

	buf_append_text(out, "{\"files\":[");
	for (size_t i = 0; i < targets->n_items; i++) {
		const struct file_target *target = targets->items[i];

		buf_append_text(out, i > 0 ? ",{\"path\":" : "{\"path\":");
		json_encode(slice_of(target->path), out);
		buf_printf(out, ",\"inode\":%" PRId64 ",\"size\":%" PRId64 ",\"check\":\"%s\"",
			(int64_t)target->inode, target->size, target->check);
		file_position_print_name("source", target->source, out);
		file_position_print_name("provider", target->provider, out);
		buf_append_char(out, '}');
	}
	buf_printf(out, "],\"through\":%" PRId64 ",\"closed\":", position->through);
	file_closer_print(position->closer, out);
	if (position->kept.n_items > 0) {
		buf_append_text(out, ",\"kept\":");
		file_kept_print(&position->kept, out);
	}
	if (position->seals.n_chains > 0) {
		buf_append_text(out, ",\"seals\":");
		seals_print(&position->seals, out);
	}
	buf_append_char(out, '}');
}

/* --- recovery --- */

/* Is the open file FD the one of PLACE, perhaps with more at its end? */
static int file_place_is_ours(const struct file_place *place, int fd, const struct stat *status,
	bool *ret, struct fault *reterr)
{
	char check[33];
	int r;

	*ret = false;
	if (!S_ISREG(status->st_mode) || status->st_size < place->size)
		return 0;
	if (place->size == 0) {
		*ret = status->st_ino == place->inode;
		return 0;
	}
	r = file_target_sum(fd, place->path, place->size, check, reterr);
	if (!r)
		*ret = strcmp(check, place->check) == 0;
	return r;
}

/* FD at PATH is the file of PLACE, which is not at its path any more if it was MOVED. */
static int file_place_resume(const struct file_place *place, const char *path, int fd,
	const struct stat *status, bool moved, struct file_targets *targets,
	const struct log_subject *subject, struct fault *reterr)
{
	struct file_target *target =
		file_target_resume(path, fd, status, place->size, place->check);
	int r = 0;

	target->moved = moved;
	target->source = mem_strdup(place->source);
	target->provider = mem_strdup(place->provider);
	file_targets_add(targets, target);
	if (target->tail > 0)
		r = file_tail_recover(target, subject, reterr);
	return r;
}

static const char *file_place_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* A rotated file keeps the beginning of its name: `audit.ndjson` is `audit.ndjson.1` or
 * `audit-20250101.ndjson` then. */
static bool file_place_may_be(const struct file_place *place, const char *name)
{
	const char *base = file_place_name(place->path);
	size_t stem = strcspn(base, ".");

	return strncmp(name, base, stem > 0 ? stem : strlen(base)) == 0;
}

/* PATH is the file of PLACE. One that this sink has rotated is whole: what is in it after the size
 * that is stored was delivered. */
static int file_place_found(const struct file_place *place, const char *path, int fd,
	const struct stat *status, struct file_targets *targets, const struct log_subject *subject,
	struct fault *reterr)
{
	struct file_target *target;
	int r;

	if (status->st_size == place->size) {
		file_io_close(fd);
		return 0;
	}
	r = file_place_resume(place, path, fd, status, true, targets, subject, reterr);
	target = targets->items[targets->n_items - 1];
	if (!r && file_rotation_is_name(file_place_name(path), file_place_name(place->path)))
		r = file_tail_keep(target, false, subject, reterr);
	if (!r && target->told == FILE_TAIL_REPORTED)
		file_targets_remove(targets, targets->n_items - 1);
	return r;
}

/* Tries PATH, which has the inode of PLACE. *RET_FOUND: it is its file. */
static int file_place_try(const struct file_place *place, const char *path,
	struct file_targets *targets, const struct log_subject *subject, bool *ret_found,
	struct fault *reterr)
{
	struct stat status;
	int fd;
	int r = file_target_find(&fd, path, &status, reterr);

	if (r || fd < 0)
		return r;
	r = file_place_is_ours(place, fd, &status, ret_found, reterr);
	if (!r && *ret_found)
		return file_place_found(place, path, fd, &status, targets, subject, reterr);
	file_io_close(fd);
	return r;
}

static int file_place_search(const struct file_place *place, struct file_targets *targets,
	const struct log_subject *subject, struct fault *reterr)
{
	CLEANUP_FREE char *where = file_path_directory(place->path);
	DIR *directory = file_io_opendir(where);
	struct dirent *entry;
	bool found = false;
	int r = 0, more = 1;

	if (!directory && errno != ENOENT)
		r = file_io_fault("read", where, reterr);
	while (!r && directory && !found && (more = file_io_readdir(directory, &entry)) > 0) {
		CLEANUP_FREE char *path = mem_printf("%s/%s", where, entry->d_name);

		if (entry->d_ino == place->inode && file_place_may_be(place, entry->d_name))
			r = file_place_try(place, path, targets, subject, &found, reterr);
	}
	if (more < 0) /* it may be among what cannot be listed */
		r = file_io_fault("read", where, reterr);
	if (!r && !found)
		log_warning(subject,
			"%s is gone or was replaced, and no renamed file beside it is the one; what was written to it after the last acknowledgement is delivered again",
			place->path);
	if (directory)
		closedir(directory);
	return r;
}

/* FD, at the path, is not what we left: has it the inode, then it was truncated. */
static int file_place_replaced(const struct file_place *place, int fd, const struct stat *status,
	struct file_targets *targets, const struct log_subject *subject, struct fault *reterr)
{
	struct file_target *target;
	int r;

	if (status->st_ino != place->inode) {
		file_io_close(fd);
		return file_place_search(place, targets, subject, reterr);
	}
	log_notice(subject,
		"%s was truncated by someone else (%" PRId64 " bytes, %" PRId64
		" are acknowledged); continuing at its end",
		place->path, (int64_t)status->st_size, place->size);
	r = file_target_adopt(&target, place->path, fd, subject, reterr);
	if (!r)
		file_targets_add(targets, target);
	return r;
}

static int file_place_recover(const struct file_place *place, struct file_targets *targets,
	const struct log_subject *subject, struct fault *reterr)
{
	struct stat status;
	bool ours = false;
	int fd;
	int r = file_target_find(&fd, place->path, &status, reterr);

	if (r)
		return r;
	if (fd < 0)
		return file_place_search(place, targets, subject, reterr);
	r = file_place_is_ours(place, fd, &status, &ours, reterr);
	if (r) {
		file_io_close(fd);
		return r;
	}
	if (!ours)
		return file_place_replaced(place, fd, &status, targets, subject, reterr);
	return file_place_resume(place, place->path, fd, &status, false, targets, subject, reterr);
}

static int file_position_each(json_t *files, struct file_targets *targets,
	const struct log_subject *subject, struct fault *reterr)
{
	json_t *item;
	size_t index;

	json_array_foreach(files, index, item)
	{
		struct file_place place = {0};
		json_int_t inode, size;
		int r;

		if (json_unpack(item, "{s:s,s:I,s:I,s:s,s?s,s?s}", "path", &place.path, "inode",
			    &inode, "size", &size, "check", &place.check, "source", &place.source,
			    "provider", &place.provider) != 0 ||
			size < 0 || !place.source != !place.provider)
			return fault_set(
				reterr, FAULT_STORE, "the stored position is not readable");
		place.inode = (ino_t)inode;
		place.size = size;
		r = file_place_recover(&place, targets, subject, reterr);
		if (r)
			return r;
	}
	return 0;
}

static int file_position_parse(json_t *root, struct file_position *position,
	const struct log_subject *subject, struct fault *reterr)
{
	json_t *files, *closed = NULL, *kept = NULL, *seals = NULL;
	json_int_t through = 0;
	int r;

	if (json_unpack(root, "{s:o,s?I,s?o,s?o,s?o}", "files", &files, "through", &through,
		    "closed", &closed, "kept", &kept, "seals", &seals) != 0 ||
		!json_is_array(files) || through < 0)
		return fault_set(reterr, FAULT_STORE, "the stored position is not readable");
	r = file_position_each(files, &position->targets, subject, reterr);
	if (r)
		return r;
	position->through = through;
	r = file_kept_parse(&position->kept, kept, reterr);
	if (!r)
		r = seals_recover(&position->seals, seals, reterr);
	if (r)
		return r;
	for (size_t i = 0; i < position->targets.n_items; i++) {
		if (!position->targets.items[i]->moved)
			seals_follow(&position->seals, position->targets.items[i]);
	}
	return file_closer_recover(position->closer, closed, reterr);
}

void file_position_clear(struct file_position *position)
{
	file_targets_clear(&position->targets);
	file_closer_clear(position->closer);
	file_kept_clear(&position->kept);
	seals_clear(&position->seals);
	position->through = 0;
}

int file_position_recover(const char *text, struct file_position *position,
	const struct log_subject *subject, struct fault *reterr)
{
	json_t *root;
	int r;

	file_position_clear(position);
	if (!text)
		return 0;
	root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	r = file_position_parse(root, position, subject, reterr);
	json_decref(root);
	if (r)
		file_position_clear(position);
	return r;
}
