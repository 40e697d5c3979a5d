/* See replay_copy.h. A batch is a line of text, `SOURCE PROVIDER TIME RECORDS SIZE`, then its keys,
 * then SIZE bytes of batch_encode. */
#include "store/replay_copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/str.h"
#include "store/replays.h"

#define FOLDER "replays"
#define HEAD_MAX 512 /* of the line */
#define N_NUMBERS 3

struct replay_copy {
	char *folder, *name, *path;
	int fd;
	int64_t size;
	struct buf out;
};

static int failed(const char *path, int error, struct fault *reterr)
{
	return fault_set(reterr, FAULT_STORE, "cannot write %s: %s", path, strerror(error));
}

/* --- writing --- */

/* A folder of the state's owner, whoever makes it. 0, or an errno. */
static int make_folder(const char *folder, const struct stat *owner)
{
	int r = file_make_folder(folder, 0700);

	if (r <= 0)
		return -r;
	return geteuid() != 0 || lchown(folder, owner->st_uid, owner->st_gid) == 0 ? 0 : errno;
}

int replay_copy_new(struct replay_copy **ret, const char *state_directory, const char *sink,
	struct fault *reterr)
{
	struct replay_copy *copy = MEM_NEW(struct replay_copy);
	struct stat owner;
	int error;

	copy->folder = mem_printf("%s/" FOLDER, state_directory);
	copy->name = mem_printf("%s.%ld.new", sink, (long)getpid());
	copy->path = mem_printf("%s/%s", copy->folder, copy->name);
	copy->fd = -1;
	error = stat(state_directory, &owner) == 0 ? make_folder(copy->folder, &owner) : errno;
	if (!error) {
		copy->fd = open(
			copy->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
		error = copy->fd < 0 ? errno : 0;
	}
	if (!error && geteuid() == 0 && fchown(copy->fd, owner.st_uid, owner.st_gid) != 0)
		error = errno;
	if (!error) {
		*ret = copy;
		return 0;
	}
	failed(copy->path, error, reterr);
	replay_copy_free(copy, false);
	return -1;
}

static int write_out(struct replay_copy *copy, struct fault *reterr)
{
	int r = file_write(copy->fd, buf_slice(&copy->out));

	if (r)
		return failed(copy->path, -r, reterr);
	copy->size += (int64_t)copy->out.size;
	return 0;
}

int replay_copy_add(struct replay_copy *copy, const struct batch *batch, struct fault *reterr)
{
	struct buf encoded CLEANUP(buf_deinit) = BUF_NULL;

	batch_encode(batch, &encoded);
	buf_clear(&copy->out);
	buf_printf(&copy->out, "%s %s %" PRId64 " %zu %zu\n", batch->source, batch->provider,
		batch->accepted_time, batch->n_records, encoded.size);
	buf_append_slice(&copy->out,
		(struct slice){(const char *)batch->ids, batch->n_records * sizeof(batch->ids[0])});
	buf_append_slice(&copy->out, buf_slice(&encoded));
	return write_out(copy, reterr);
}

int replay_copy_end(
	struct replay_copy *copy, char **ret_name, int64_t *ret_size, struct fault *reterr)
{
	if (fsync(copy->fd) != 0)
		return failed(copy->path, errno, reterr);
	*ret_name = mem_strdup(copy->name);
	*ret_size = copy->size;
	return 0;
}

void replay_copy_free(struct replay_copy *copy, bool keep)
{
	if (!copy)
		return;
	if (copy->fd >= 0)
		close(copy->fd);
	if (copy->fd >= 0 && !keep)
		unlink(copy->path);
	buf_deinit(&copy->out);
	free(copy->folder);
	free(copy->name);
	free(copy->path);
	free(copy);
}

/* --- the daemon's --- */

static char *path_of(const char *state_directory, int64_t number)
{
	return mem_printf("%s/" FOLDER "/%" PRId64, state_directory, number);
}

int replay_copy_take(
	const char *state_directory, int64_t number, const char *name, struct fault *reterr)
{
	CLEANUP_FREE char *from = mem_printf("%s/" FOLDER "/%s", state_directory, name);
	CLEANUP_FREE char *to = path_of(state_directory, number);
	int r;

	if (strchr(name, '/') || rename(from, to) != 0)
		return failed(from, strchr(name, '/') ? EINVAL : errno, reterr);
	r = file_sync_folder(to);
	return r ? failed(to, -r, reterr) : 0;
}

/* The process that makes the copy NAME, `SINK.PID.new`; 0: it is none. */
static pid_t maker_of(const char *name)
{
	const char *end = strstr(name, ".new"), *begin = end;
	int64_t pid = 0;

	if (!end || end[4] != '\0')
		return 0;
	while (begin > name && begin[-1] != '.')
		begin--;
	return number_parse((struct slice){begin, (size_t)(end - begin)}, 1, INT32_MAX, &pid) == 0
		       ? (pid_t)pid
		       : 0;
}

/* Nobody needs the file NAME any more. Where that is not known, it stays. */
static bool is_left_behind(struct store *store, const char *name)
{
	pid_t maker = maker_of(name);
	int64_t number;
	bool runs;

	if (maker > 0)
		return kill(maker, 0) != 0 && errno == ESRCH;
	return number_parse(slice_of(name), 0, INT64_MAX, &number) == 0 &&
	       replays_has_copy(store, number, &runs) == 0 && !runs;
}

void replay_copy_clean(struct store *store, const char *state_directory)
{
	CLEANUP_FREE char *folder = mem_printf("%s/" FOLDER, state_directory);
	DIR *directory = opendir(folder);
	struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (is_left_behind(store, entry->d_name))
			unlinkat(dirfd(directory), entry->d_name, 0);
	if (directory)
		closedir(directory);
}

void replay_copy_remove(const char *state_directory, int64_t number)
{
	CLEANUP_FREE char *path = path_of(state_directory, number);

	unlink(path);
}

/* --- reading --- */

static int read_all(int fd, int64_t offset, char *to, size_t size)
{
	while (size > 0) {
		ssize_t n = pread(fd, to, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? errno : EBADMSG;
		to += n;
		offset += n;
		size -= (size_t)n;
	}
	return 0;
}

/* What a line says: names and numbers. */
struct head {
	struct slice source, provider;
	int64_t numbers[N_NUMBERS]; /* time, records, size */
	size_t size; /* of the line */
};

static bool read_head(struct slice text, struct head *ret)
{
	const char *feed = memchr(text.data, '\n', text.size);
	struct slice rest, part;

	if (!feed)
		return false;
	ret->size = (size_t)(feed - text.data) + 1;
	rest = (struct slice){text.data, ret->size - 1};
	if (!str_next_part(&rest, ' ', &ret->source) || !str_next_part(&rest, ' ', &ret->provider))
		return false;
	for (size_t i = 0; i < N_NUMBERS; i++)
		if (!str_next_part(&rest, ' ', &part) ||
			number_parse(part, 0, INT64_MAX, &ret->numbers[i]) != 0)
			return false;
	return ret->numbers[1] > 0 &&
	       (uint64_t)ret->numbers[1] < BATCH_SIZE_MAX / sizeof(struct id) &&
	       (uint64_t)ret->numbers[2] <= BATCH_SIZE_MAX;
}

/* 0 or an errno. */
static int read_batch(int fd, int64_t offset, struct batch **ret, int64_t *ret_end)
{
	char text[HEAD_MAX];
	struct buf body CLEANUP(buf_deinit) = BUF_NULL;
	struct fault fault = FAULT_NULL;
	struct head head;
	ssize_t n = pread(fd, text, sizeof(text), (off_t)offset);
	int error;

	if (n <= 0 || !read_head((struct slice){text, (size_t)n}, &head))
		return n < 0 ? errno : EBADMSG;
	size_t keys_size = (size_t)head.numbers[1] * sizeof(struct id);
	size_t size = (size_t)head.numbers[2];

	error = read_all(fd, offset + (int64_t)head.size, buf_reserve(&body, keys_size + size),
		keys_size + size);
	if (error)
		return error;
	CLEANUP_FREE char *source = mem_strndup(head.source.data, head.source.size);
	CLEANUP_FREE char *provider = mem_strndup(head.provider.data, head.provider.size);

	*ret = batch_new(source, provider, head.numbers[0]);
	if (batch_decode(*ret, (struct slice){body.data + keys_size, size},
		    (struct slice){body.data, keys_size}, &fault) != 0) {
		batch_unref(*ret);
		*ret = NULL;
		return EBADMSG;
	}
	*ret_end = offset + (int64_t)(head.size + keys_size + size);
	return 0;
}

int replay_copy_read(const char *state_directory, int64_t number, int64_t size, int64_t offset,
	struct batch **ret, int64_t *ret_end, struct fault *reterr)
{
	CLEANUP_FREE char *path = path_of(state_directory, number);
	struct stat file;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int error = fd < 0 || fstat(fd, &file) != 0 ? errno : 0;

	if (!error && file.st_size != size)
		error = EBADMSG;
	if (!error)
		error = read_batch(fd, offset, ret, ret_end);
	if (fd >= 0)
		close(fd);
	if (!error)
		return 0;
	fault_set(reterr, FAULT_STORE, "cannot read %s: %s", path,
		error == EBADMSG ? "it is damaged" : strerror(error));
	return error == EBADMSG || error == ENOENT ? STORE_E_CORRUPT : STORE_E_FULL;
}
