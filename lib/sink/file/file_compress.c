/* See file_compress.h. */
#include "sink/file/file_compress.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "sink/file/file_io.h"
#include "sink/file/file_path.h"

#define FILE_COMPRESS_SLICE ((size_t)128 << 10)
#define FILE_COMPRESS_SYNC                                                                         \
	((size_t)4 << 20) /* written between two fdatasync, so that none is long */

struct file_compress {
	char *path;
	char *temporary;
	char *compressed;
	int in, out;
	struct stat status; /* of the source when it was opened */
	int64_t n_read;
	size_t unsynced;
	struct compressor *compressor;
	char slice[FILE_COMPRESS_SLICE];
	struct buf packed;
	bool done;
};

static char *file_compress_name(const char *path, enum compression compression, const char *end)
{
	return mem_printf("%s%s%s", path, compression_suffix(compression), end);
}

static int file_compress_open(struct file_compress *work, ino_t inode, struct fault *reterr)
{
	work->in = file_io_open(
		work->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0);
	if (work->in < 0 && (errno == ENOENT || errno == ENOTDIR))
		return FILE_COMPRESS_E_GONE;
	if (work->in < 0)
		return file_io_fault("open", work->path, reterr);
	if (file_io_fstat(work->in, &work->status) < 0)
		return file_io_fault("look at", work->path, reterr);
	if (work->status.st_ino != inode || !S_ISREG(work->status.st_mode))
		return FILE_COMPRESS_E_GONE;
	if (file_io_unlink(work->temporary) < 0 && errno != ENOENT)
		return file_io_fault("remove", work->temporary, reterr);
	work->out = file_io_open(work->temporary,
		O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, work->status.st_mode & 0777);
	if (work->out < 0)
		return file_io_fault("make", work->temporary, reterr);
	if (file_io_fchmod(work->out, work->status.st_mode & 0777) < 0)
		return file_io_fault("set the mode of", work->temporary, reterr);
	return 0;
}

int file_compress_begin(struct file_compress **ret, const char *path, ino_t inode,
	enum compression compression, struct fault *reterr)
{
	struct file_compress *work = MEM_NEW(struct file_compress);
	int r;

	work->path = mem_strdup(path);
	work->temporary = file_compress_name(path, compression, ".tmp");
	work->compressed = file_compress_name(path, compression, "");
	work->in = -1;
	work->out = -1;
	r = compressor_new(&work->compressor, compression, reterr);
	if (!r)
		r = file_compress_open(work, inode, reterr);
	if (r) {
		file_compress_free(work);
		return r;
	}
	*ret = work;
	return 0;
}

static int file_compress_write(struct file_compress *work, struct fault *reterr)
{
	struct slice rest = buf_slice(&work->packed);

	work->unsynced += rest.size;
	while (rest.size > 0) {
		ssize_t n = file_io_write(work->out, rest.data, rest.size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return file_io_fault("write", work->temporary, reterr);
		rest.data += n;
		rest.size -= (size_t)n;
	}
	buf_clear(&work->packed);
	if (work->unsynced < FILE_COMPRESS_SYNC)
		return 0;
	work->unsynced = 0;
	if (file_io_fdatasync(work->out) < 0)
		return file_io_fault("make durable", work->temporary, reterr);
	return 0;
}

/* The compressed file is whole: it takes the place of the plain one. */
static int file_compress_finish(struct file_compress *work, struct fault *reterr)
{
	struct timespec times[2] = {work->status.st_atim, work->status.st_mtim};
	struct stat now;
	int r;

	if (file_io_futimens(work->out, times) < 0 || file_io_fsync(work->out) < 0)
		return file_io_fault("make durable", work->temporary, reterr);
	if (file_io_lstat(work->path, &now) < 0 || now.st_ino != work->status.st_ino ||
		now.st_size != work->n_read)
		return fault_set(
			reterr, FAULT_STORE, "%s changed while it was compressed", work->path);
	if (file_io_rename(work->temporary, work->compressed) < 0)
		return file_io_fault("rename", work->temporary, reterr);
	work->done = true;
	r = file_path_sync_directory(work->path, reterr);
	if (r)
		return r;
	if (file_io_unlink(work->path) < 0 && errno != ENOENT)
		return file_io_fault("remove", work->path, reterr);
	return file_path_sync_directory(work->path, reterr);
}

int file_compress_step(struct file_compress *work, struct fault *reterr)
{
	ssize_t n;
	int r;

	do {
		n = file_io_read(work->in, work->slice, sizeof(work->slice));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return file_io_fault("read", work->path, reterr);
	work->n_read += n;
	r = compressor_add(work->compressor, (struct slice){work->slice, (size_t)n}, n == 0,
		&work->packed, reterr);
	if (!r)
		r = file_compress_write(work, reterr);
	if (r)
		return r;
	return n > 0 ? FILE_COMPRESS_E_MORE : file_compress_finish(work, reterr);
}

void file_compress_free(struct file_compress *work)
{
	if (!work)
		return;
	if (work->in >= 0)
		file_io_close(work->in);
	if (work->out >= 0) {
		file_io_close(work->out);
		if (!work->done)
			file_io_unlink(work->temporary);
	}
	compressor_free(work->compressor);
	buf_deinit(&work->packed);
	free(work->path);
	free(work->temporary);
	free(work->compressed);
	free(work);
}

static const enum compression file_compress_kinds[] = {COMPRESSION_GZIP, COMPRESSION_ZSTD};
static const char *const file_compress_ends[] = {".tmp", ""};

void file_compress_clear(const char *path)
{
	for (size_t i = 0; i < 2; i++) {
		for (size_t j = 0; j < 2; j++) {
			char *name = file_compress_name(
				path, file_compress_kinds[i], file_compress_ends[j]);

			file_io_unlink(name);
			free(name);
		}
	}
}

bool file_compress_exists(const char *path)
{
	bool exists = false;

	for (size_t i = 0; i < 2; i++) {
		char *name = file_compress_name(path, file_compress_kinds[i], "");
		struct stat status;

		exists = exists || file_io_lstat(name, &status) == 0;
		free(name);
	}
	return exists;
}
