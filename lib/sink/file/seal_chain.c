/*
 * The file that a chain's seals are in. It is a file_target as the files of records are, and what
 * comes next is known: the pending seals. What the file has after its stored size is these, or
 * their beginning, after a crash; other seals of the same chain are there when the state is older
 * than the file. Then the chain ends in the file as it is and a new one begins: two seals with one
 * number would look like a forged history. The same is asked of a file that a chain comes to later:
 * the one that the state knows may have been put elsewhere.
 */
#include "sink/file/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/number.h"
#include "base/random.h"
#include "sink/file/file_io.h"
#include "sink/file/file_tail.h"

#define SEAL_RESTORED                                                                              \
	"%s has seals that the state does not know: the state is older than the file (a restored backup?); a new chain of seals begins"
#define SEAL_TAIL_MAX ((size_t)1 << 20) /* so much is looked at for seals of the chain */

void seal_chain_begin(struct seal_chain *chain)
{
	uint8_t bytes[16];

	random_bytes(bytes, sizeof(bytes));
	digest_hex(bytes, sizeof(bytes), chain->id);
	chain->number = 0;
	chain->previous[0] = '\0';
	chain->sealed_time = NSEC_NONE;
	free(chain->pending);
	chain->pending = NULL;
}

/* The first bytes of the tail. */
static int seal_chain_read(const struct file_target *file, struct buf *ret, struct fault *reterr)
{
	size_t wanted = file->tail < (int64_t)SEAL_TAIL_MAX ? (size_t)file->tail : SEAL_TAIL_MAX;
	char *bytes = buf_reserve(ret, wanted);

	while (ret->size < wanted) {
		ssize_t n = file_io_pread(file->fd, bytes + ret->size, wanted - ret->size,
			file->size + (off_t)ret->size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return file_io_fault("read", file->path, reterr);
		if (n == 0)
			break;
		ret->size += (size_t)n;
	}
	return 0;
}

/* Looks at what the file has after its known size. *RET_MATCHED: so many bytes of the pending line.
 */
static int seal_chain_match(
	struct seal_chain *chain, struct seals *seals, int64_t *ret_matched, struct fault *reterr)
{
	struct file_target *file = chain->file;
	struct buf tail = BUF_NULL;
	bool matches = false, known;
	int r = 0;

	*ret_matched = 0;
	if (file->tail == 0)
		return 0;
	if (chain->pending)
		r = file_tail_match_text(file, slice_of(chain->pending), &matches, reterr);
	if (r || matches) {
		*ret_matched = file->tail;
		return r;
	}
	r = seal_chain_read(file, &tail, reterr);
	known = !r && memmem(tail.data, tail.size, chain->id, strlen(chain->id));
	buf_deinit(&tail);
	if (!r)
		r = file_target_keep(file, reterr);
	if (r)
		return r;
	if (known)
		seal_chain_begin(chain);
	log_warning(&seals->subject,
		known ? SEAL_RESTORED : "someone else wrote to %s; trawld continues after that",
		chain->path);
	return 0;
}

int seal_chain_open(struct seal_chain *chain, struct seals *seals, struct fault *reterr)
{
	int r = 0;

	if (chain->file)
		r = file_target_check(chain->file, &seals->subject, reterr);
	if (r == FILE_TARGET_E_MOVED) {
		file_target_free(chain->file);
		chain->file = NULL;
		r = 0;
	}
	if (!r && !chain->file)
		r = file_target_open(
			&chain->file, chain->path, &seals->modes, &seals->subject, reterr);
	return r;
}

static int seal_chain_append(
	struct seal_chain *chain, struct seals *seals, int64_t matched, struct fault *reterr)
{
	struct file_target *file = chain->file;
	struct iovec iov = {chain->pending + matched, strlen(chain->pending) - (size_t)matched};
	int r;

	file->touched = true;
	file->matched = matched;
	r = iov.iov_len > 0 ? file_target_append(file, &iov, 1, reterr) : 0;
	if (!r)
		r = file_target_sync(file, &seals->modes, &seals->subject, reterr);
	if (!r)
		file_target_accept(file);
	else
		file_target_undo(file);
	return r;
}

int seal_chain_settle(struct seal_chain *chain, struct seals *seals, struct fault *reterr)
{
	int64_t matched;
	int r;

	if (!chain->pending)
		return 0;
	if (!chain->stored && !seals->store(seals->userdata))
		return fault_set(reterr, FAULT_STORE, "the state cannot be written");
	chain->stored = true;
	r = seal_chain_open(chain, seals, reterr);
	if (!r)
		r = seal_chain_match(chain, seals, &matched, reterr);
	if (!r && chain->pending)
		r = seal_chain_append(chain, seals, matched, reterr);
	if (r)
		return r;
	free(chain->pending);
	chain->pending = NULL;
	return 0;
}

/* --- a file that the chain comes to --- */

/* The highest number of the seals of CHAIN in TEXT, the end of a file; 0: there is none. */
static int64_t seal_chain_highest(const struct seal_chain *chain, struct slice text)
{
	static const char between[] = "\\\",\\\"seal\\\":"; /* a body is a string in JSON */
	const char *at = text.data, *end = text.data + text.size;
	int64_t highest = 0;

	while ((at = memmem(at, (size_t)(end - at), chain->id, strlen(chain->id)))) {
		struct slice digits;
		int64_t number;

		at += strlen(chain->id);
		if ((size_t)(end - at) < sizeof(between) ||
			memcmp(at, between, sizeof(between) - 1) != 0)
			continue;
		digits = (struct slice){at + sizeof(between) - 1, 0};
		while (digits.data + digits.size < end && digits.data[digits.size] >= '0' &&
			digits.data[digits.size] <= '9')
			digits.size++;
		if (number_parse(digits, 1, INT64_MAX, &number) == 0 && number > highest)
			highest = number;
	}
	return highest;
}

void seal_chain_meet(struct seal_chain *chain, struct seals *seals, const char *path)
{
	struct file_target file = {.path = (char *)(uintptr_t)path};
	struct buf text = BUF_NULL;
	struct stat status;

	if (chain->pending || (chain->file && strcmp(chain->path, path) == 0))
		return;
	file.fd = file_io_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0);
	if (file.fd < 0)
		return;
	if (file_io_fstat(file.fd, &status) == 0 && S_ISREG(status.st_mode)) {
		file.tail = status.st_size < (off_t)SEAL_TAIL_MAX ? status.st_size
								  : (off_t)SEAL_TAIL_MAX;
		file.size = status.st_size - file.tail;
	}
	if (seal_chain_read(&file, &text, NULL) == 0 &&
		seal_chain_highest(chain, buf_slice(&text)) > chain->number) {
		seal_chain_begin(chain);
		log_warning(&seals->subject, SEAL_RESTORED, path);
	}
	file_io_close(file.fd);
	buf_deinit(&text);
}

/* --- after a start --- */

/* Is the file at the path the one that has CHECK before SIZE? */
static int seal_chain_is_ours(int fd, const struct stat *status, const struct seal_chain *chain,
	int64_t size, const char *check, bool *ret, struct fault *reterr)
{
	char found[33];
	int r = 0;

	*ret = false;
	if (!S_ISREG(status->st_mode) || status->st_size < size)
		return 0;
	r = file_target_sum(fd, chain->path, size, found, reterr);
	*ret = !r && strcmp(found, check) == 0;
	return r;
}

int seal_chain_recover(struct seal_chain *chain, struct seals *seals, int64_t size,
	const char *check, struct fault *reterr)
{
	struct stat status;
	int64_t matched;
	bool ours = false;
	int fd;
	int r = file_target_find(&fd, chain->path, &status, reterr);

	if (r)
		return r;
	if (fd >= 0)
		r = seal_chain_is_ours(fd, &status, chain, size, check, &ours, reterr);
	if (r) {
		file_io_close(fd);
		return r;
	}
	if (ours)
		chain->file = file_target_resume(chain->path, fd, &status, size, check);
	else if (fd >= 0)
		r = file_target_adopt(&chain->file, chain->path, fd, &seals->subject, reterr);
	if (!r && !ours && size > 0)
		log_warning(&seals->subject,
			"%s is gone or was changed by someone else; the chain of seals continues in a file that lacks its beginning",
			chain->path);
	/* seals that the state does not know are noticed before the next is made */
	if (!r && chain->file && !chain->pending)
		r = seal_chain_match(chain, seals, &matched, reterr);
	return !r ? seal_chain_settle(chain, seals, reterr) : r;
}
