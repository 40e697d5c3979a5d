/*
 * A file of a file sink. After a failed write or fdatasync the file keeps what was written: the
 * part is tried again and compared with it. After a failed fdatasync the kernel may have dropped
 * the dirty pages, so calling it again would prove nothing: the comparison reads what the disk has.
 *
 * copytruncate while a job is being written: what was written before the cut may be in the copy or
 * nowhere. The job is then written again: a repeat can be found by its IDs, a loss cannot. That is
 * why the manual asks for rename and SIGUSR1 (or nothing: a rename is noticed).
 */
#include "sink/file/file_target.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/mem.h"
#include "sink/file/file_io.h"
#include "sink/file/file_lock.h"
#include "sink/file/file_path.h"
#include "sink/file/seal_run.h"

#define FILE_TARGET_SUMMED 4096 /* bytes before the end that the check covers */

/* O_NONBLOCK only matters until the file is known to be regular: a FIFO must not stop the loop. */
#define FILE_TARGET_FLAGS (O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK)

int file_target_sum(
	int fd, const char *path, int64_t size, char ret_check[33], struct fault *reterr)
{
	char bytes[FILE_TARGET_SUMMED];
	int64_t wanted = size < (int64_t)sizeof(bytes) ? size : (int64_t)sizeof(bytes);
	int64_t have = 0;
	struct id id;

	while (have < wanted) {
		ssize_t n = file_io_pread(
			fd, bytes + have, (size_t)(wanted - have), (off_t)(size - wanted + have));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return file_io_fault("read", path, reterr);
		if (n == 0)
			return fault_set(reterr, FAULT_STORE, "%s became shorter", path);
		have += n;
	}
	id = digest_id((struct slice){bytes, (size_t)have});
	digest_hex(id.bytes, sizeof(id.bytes), ret_check);
	return 0;
}

/* A last line that does not end is not ours to cut: it gets its line feed. */
static int file_target_end_line(struct file_target *target, struct fault *reterr)
{
	char last;

	if (target->size == 0)
		return 0;
	if (file_io_pread(target->fd, &last, 1, target->size - 1) != 1)
		return file_io_fault("read", target->path, reterr);
	if (last == '\n')
		return 0;
	if (file_io_write(target->fd, "\n", 1) != 1)
		return file_io_fault("write", target->path, reterr);
	target->size++;
	return 0;
}

/* Takes the file as it is now. */
static int file_target_measure(
	struct file_target *target, const struct stat *status, struct fault *reterr)
{
	int r;

	target->inode = status->st_ino;
	target->size = status->st_size;
	target->tail = 0;
	target->failed = false;
	target->told = FILE_TAIL_UNTOLD;
	target->stored = false;
	r = file_target_end_line(target, reterr);
	if (!r)
		r = file_target_sum(target->fd, target->path, target->size, target->check, reterr);
	return r;
}

static int file_target_look(
	const struct file_target *target, struct stat *ret_status, struct fault *reterr)
{
	if (file_io_fstat(target->fd, ret_status) < 0)
		return file_io_fault("look at", target->path, reterr);
	return 0;
}

static struct file_target *file_target_new(const char *path, int fd)
{
	struct file_target *target = MEM_NEW(struct file_target);

	target->path = mem_strdup(path);
	target->fd = fd;
	return target;
}

int file_target_adopt(struct file_target **ret, const char *path, int fd,
	const struct log_subject *subject, struct fault *reterr)
{
	struct file_target *target = file_target_new(path, fd);
	struct stat status;
	int r = file_target_look(target, &status, reterr);

	if (!r && !S_ISREG(status.st_mode))
		r = fault_set(reterr, FAULT_STORE, "%s is not a regular file", path);
	if (!r)
		r = file_target_measure(target, &status, reterr);
	if (r) {
		file_target_free(target);
		return r;
	}
	if (target->size > status.st_size)
		log_notice(subject, "the last line of %s did not end; a line feed was added", path);
	*ret = target;
	return 0;
}

struct file_target *file_target_resume(
	const char *path, int fd, const struct stat *status, int64_t size, const char *check)
{
	struct file_target *target = file_target_new(path, fd);

	target->inode = status->st_ino;
	target->size = size;
	target->tail = status->st_size - size;
	target->stored = true;
	snprintf(target->check, sizeof(target->check), "%s", check);
	return target;
}

int file_target_find(int *ret_fd, const char *path, struct stat *ret_status, struct fault *reterr)
{
	int fd = file_io_open(path, FILE_TARGET_FLAGS, 0);
	int r = 0;

	*ret_fd = fd;
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0)
		return file_io_fault("open", path, reterr);
	if (file_io_fstat(fd, ret_status) < 0)
		r = file_io_fault("look at", path, reterr);
	if (!r && S_ISREG(ret_status->st_mode))
		r = file_lock(fd, path, reterr);
	if (r)
		file_io_close(fd);
	return r;
}

/* Makes the file; the umask does not count, the name is made durable. */
static int file_target_make(
	int *ret_fd, const char *path, const struct file_modes *modes, struct fault *reterr)
{
	int r = file_path_make_directories(path, modes->directory, reterr);
	int fd;

	if (r)
		return r;
	fd = file_io_open(path, FILE_TARGET_FLAGS | O_CREAT | O_EXCL, modes->file);
	if (fd < 0)
		return file_io_fault("make", path, reterr);
	if (file_io_fchmod(fd, modes->file) < 0)
		r = file_io_fault("set the mode of", path, reterr);
	if (!r)
		r = file_path_sync_directory(path, reterr);
	if (!r)
		r = file_lock(fd, path, reterr);
	if (r)
		file_io_close(fd);
	else
		*ret_fd = fd;
	return r;
}

int file_target_open(struct file_target **ret, const char *path, const struct file_modes *modes,
	const struct log_subject *subject, struct fault *reterr)
{
	struct stat status;
	int fd;
	int r = file_target_find(&fd, path, &status, reterr);

	if (!r && fd < 0)
		r = file_target_make(&fd, path, modes, reterr);
	if (r)
		return r;
	return file_target_adopt(ret, path, fd, subject, reterr);
}

void file_target_free(struct file_target *target)
{
	if (!target)
		return;
	seal_run_release(target->seal);
	file_io_close(target->fd);
	free(target->path);
	free(target->source);
	free(target->provider);
	free(target);
}

/* Is TARGET still at its path? *RET_STATUS is that of the open file. Another file system may be
 * mounted over it, with a file of the same inode number. */
static int file_target_check_path(
	const struct file_target *target, struct stat *ret_status, struct fault *reterr)
{
	struct stat at_path;
	int r = file_target_look(target, ret_status, reterr);

	if (r)
		return r;
	if (ret_status->st_nlink == 0)
		return FILE_TARGET_E_MOVED;
	if (target->moved)
		return 0;
	if (file_io_lstat(target->path, &at_path) < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return FILE_TARGET_E_MOVED;
		return file_io_fault("look at", target->path, reterr);
	}
	return at_path.st_ino == target->inode && at_path.st_dev == ret_status->st_dev
		       ? 0
		       : FILE_TARGET_E_MOVED;
}

int file_target_check(
	struct file_target *target, const struct log_subject *subject, struct fault *reterr)
{
	struct stat status;
	int r = file_target_check_path(target, &status, reterr);

	if (r)
		return r;
	if (file_target_is_open_ended(target) && status.st_size >= target->size) {
		target->tail = status.st_size - target->size;
		target->failed = false;
		return 0;
	}
	if (status.st_size == target->size)
		return 0;
	if (status.st_size < target->size)
		log_notice(subject,
			"%s was cut by someone else from %" PRId64 " to %" PRId64
			" bytes; continuing at its end",
			target->path, target->size, (int64_t)status.st_size);
	else
		log_warning(subject,
			"someone else wrote %" PRId64
			" bytes to %s; continuing after them (a file sink needs a file of its own)",
			(int64_t)status.st_size - target->size, target->path);
	return file_target_measure(target, &status, reterr);
}

int file_target_append(
	struct file_target *target, struct iovec *iov, size_t n_iov, struct fault *reterr)
{
	while (n_iov > 0) {
		ssize_t n = file_io_writev(target->fd, iov, (int)n_iov);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return file_io_fault("write", target->path, reterr);
		target->written += n;
		while (n_iov > 0 && (size_t)n >= iov->iov_len) {
			seal_run_feed(target->seal, (struct slice){iov->iov_base, iov->iov_len});
			n -= (ssize_t)iov->iov_len;
			iov++;
			n_iov--;
		}
		if (n_iov > 0) {
			seal_run_feed(target->seal, (struct slice){iov->iov_base, (size_t)n});
			iov->iov_base = (char *)iov->iov_base + n;
			iov->iov_len -= (size_t)n;
		}
	}
	return 0;
}

/* How long the file must be now. */
static int64_t file_target_end(const struct file_target *target)
{
	return target->size + target->tail + target->written;
}

int file_target_sync(struct file_target *target, const struct file_modes *modes,
	const struct log_subject *subject, struct fault *reterr)
{
	struct stat status;
	int r;

	if (modes->sync && file_io_fdatasync(target->fd) < 0)
		return fault_set(reterr, FAULT_STORE, "cannot make %s durable: %s", target->path,
			strerror(errno));
	r = file_target_look(target, &status, reterr);
	if (r)
		return r;
	if (status.st_size < file_target_end(target)) {
		/* what is there now is not of this part */
		r = file_target_measure(target, &status, reterr);
		if (r)
			return r;
		return fault_set(reterr, FAULT_STORE,
			"%s was cut by someone else while it was written", target->path);
	}
	if (status.st_size > file_target_end(target))
		log_warning(subject,
			"someone else writes to %s, too: a file sink needs a file of its own",
			target->path);
	target->next_size =
		target->matched < target->tail ? target->size + target->matched : status.st_size;
	return file_target_sum(
		target->fd, target->path, target->next_size, target->next_check, reterr);
}

void file_target_accept(struct file_target *target)
{
	if (target->touched) {
		target->size = target->next_size;
		target->tail -= target->matched;
		memcpy(target->check, target->next_check, sizeof(target->check));
	}
	seal_run_accept(target->seal);
	target->matched = 0;
	target->written = 0;
}

void file_target_undo(struct file_target *target)
{
	if (target->touched) {
		target->failed = true;
		target->reread = false;
	}
	seal_run_undo(target->seal);
	target->matched = 0;
	target->written = 0;
}

int file_target_keep(struct file_target *target, struct fault *reterr)
{
	struct stat status;
	int r = file_target_look(target, &status, reterr);

	if (!r)
		r = file_target_measure(target, &status, reterr);
	return r;
}
