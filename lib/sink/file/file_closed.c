/* See file_closed.h. */
#include "sink/file/file_closed.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "sink/file/file_io.h"
#include "sink/file/file_rotation.h"

struct file_closed *file_closed_new(const struct file_target *target)
{
	struct file_closed *closed = MEM_NEW(struct file_closed);

	closed->path = mem_strdup(target->path);
	closed->inode = target->inode;
	closed->size = target->size;
	memcpy(closed->check, target->check, sizeof(closed->check));
	return closed;
}

void file_closed_free(struct file_closed *closed)
{
	if (!closed)
		return;
	free(closed->path);
	free(closed->to);
	free(closed->base);
	free(closed->source);
	free(closed->provider);
	free(closed);
}

static void file_closed_print_text(const char *name, const char *text, struct buf *out)
{
	if (!text)
		return;
	buf_printf(out, ",\"%s\":", name);
	json_encode(slice_of(text), out);
}

void file_closed_print(const struct file_closed *closed, struct buf *out)
{
	buf_append_text(out, "{\"path\":");
	json_encode(slice_of(closed->path), out);
	buf_printf(out, ",\"inode\":%" PRId64 ",\"size\":%" PRId64 ",\"check\":\"%s\"",
		(int64_t)closed->inode, closed->size, closed->check);
	file_closed_print_text("to", closed->to, out);
	file_closed_print_text("source", closed->source, out);
	file_closed_print_text("provider", closed->provider, out);
	buf_append_char(out, '}');
}

int file_closed_parse(struct file_closed **ret, json_t *item, struct fault *reterr)
{
	const char *path, *check, *to = NULL, *source = NULL, *provider = NULL;
	struct file_closed *closed;
	json_int_t inode, size;

	if (json_unpack(item, "{s:s,s:I,s:I,s:s,s?s,s?s,s?s}", "path", &path, "inode", &inode,
		    "size", &size, "check", &check, "to", &to, "source", &source, "provider",
		    &provider) != 0 ||
		size < 0 || strlen(check) != sizeof(closed->check) - 1 || !source != !provider)
		return fault_set(reterr, FAULT_STORE, "the stored position is not readable");
	closed = MEM_NEW(struct file_closed);
	closed->path = mem_strdup(path);
	closed->to = mem_strdup(to);
	closed->inode = (ino_t)inode;
	closed->size = size;
	memcpy(closed->check, check, sizeof(closed->check));
	closed->source = mem_strdup(source);
	closed->provider = mem_strdup(provider);
	*ret = closed;
	return 0;
}

int file_closed_is_at(
	const struct file_closed *closed, const char *path, bool *ret, struct fault *reterr)
{
	int fd = file_io_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0);
	struct stat status;
	char check[33];
	int r = 0;

	*ret = false;
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
		return 0;
	if (fd < 0 || file_io_fstat(fd, &status) < 0)
		r = file_io_fault("look at", path, reterr);
	else if (S_ISREG(status.st_mode) && status.st_ino == closed->inode &&
		 status.st_size == closed->size) {
		r = file_target_sum(fd, path, closed->size, check, reterr);
		*ret = !r && strcmp(check, closed->check) == 0;
	}
	if (fd >= 0)
		file_io_close(fd);
	return r;
}

int file_closed_settle(struct file_closed *closed, struct fault *reterr)
{
	bool here, done = false;
	int r;

	if (!closed->to)
		return 0;
	r = file_closed_is_at(closed, closed->path, &here, reterr);
	if (!r && here) {
		r = file_rotation_move(closed->path, closed->to, reterr);
		if (r == FILE_ROTATION_E_TAKEN)
			return FILE_CLOSED_E_TAKEN;
	} else if (!r) {
		r = file_closed_is_at(closed, closed->to, &done, reterr);
		if (!r && !done)
			return FILE_CLOSED_E_GONE;
	}
	if (r)
		return r;
	free(closed->base);
	closed->base = closed->path;
	closed->path = closed->to;
	closed->to = NULL;
	return 0;
}
