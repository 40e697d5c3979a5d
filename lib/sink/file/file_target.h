/*
 * One file that a file sink appends to: open, lock, notice what others did to it, append, make
 * durable.
 *
 * It is never made shorter. What a failed write or a crash left after the position is its tail:
 * file_tail.h compares it with what is to be written there.
 *
 * The file is opened with O_APPEND rather than written at a remembered offset. When somebody
 * truncates it under us (logrotate's copytruncate) a write at an offset leaves a hole of NUL bytes
 * in front of it; an append lands at the new end. Whether that happened is seen by comparing the
 * size with what it must be, before and after each job.
 *
 * What identifies a file in the stored position is its path, inode and a check of the last bytes
 * before its size: the device number changes with a reboot and an inode is used again, so neither
 * may decide alone that bytes are cut off.
 */
#ifndef TRAWLD_SINK_FILE_TARGET_H
#define TRAWLD_SINK_FILE_TARGET_H

#include "base/fault.h"
#include "base/log.h"
#include "base/slice.h"

#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

struct seal_run;

enum file_tail_told {
	FILE_TAIL_UNTOLD,
	FILE_TAIL_ANNOUNCED, /* it may be of a crash */
	FILE_TAIL_REPORTED, /* it is not */
};

struct file_target {
	char *path;
	int fd;
	ino_t inode;
	int64_t size; /* everything before it is acknowledged, or will be with the last answer */
	char check[33]; /* of the bytes before SIZE */
	bool stored; /* the last reported position says this size */
	int64_t tail; /* bytes after SIZE that are not yet compared with what comes next */
	bool failed; /* a write failed: how long the tail is must be looked up */
	bool reread; /* the tail was made durable, and is read from the disk */
	enum file_tail_told told; /* what the log says of the tail */
	bool moved; /* another file, or none, is at PATH; only the tail still counts */
	int64_t matched; /* bytes of the tail that the part in hand found to be its own */
	int64_t written; /* by the part in hand, after the tail */
	int64_t next_size; /* SIZE and CHECK once the part in hand is whole */
	char next_check[33];
	bool touched; /* by the part in hand */
	int64_t planned; /* bytes that the part in hand adds to SIZE */
	char *source; /* of the last batch: whether the path is still current */
	char *provider;
	struct seal_run *seal; /* takes what the file gets; NULL: it is not sealed */
};

struct file_modes {
	mode_t file;
	mode_t directory;
	bool sync; /* fdatasync before an answer */
};

enum {
	FILE_TARGET_E_MOVED = 1, /* another file, or none, is at the path now: open it again. Of
					one that is known to be moved: it is removed altogether */
};

/* Is the tail of unknown origin, or its size? */
static inline bool file_target_is_open_ended(const struct file_target *target)
{
	return target->tail > 0 || target->failed;
}

/* Opens or makes the file at PATH; what is in it is kept, and its last line ended. 0 or
 * FAULT_STORE. */
int file_target_open(struct file_target **ret, const char *path, const struct file_modes *modes,
	const struct log_subject *subject, struct fault *reterr);
/* Opens the file that is at PATH, if there is one, for recovery. 0 and -1 in *RET_FD: there is
 * none. Else 0, with *RET_STATUS, or FAULT_STORE. */
int file_target_find(int *ret_fd, const char *path, struct stat *ret_status, struct fault *reterr);
/* Takes over FD, which is locked and all of which is kept. 0 or FAULT_STORE; FD is closed then. */
int file_target_adopt(struct file_target **ret, const char *path, int fd,
	const struct log_subject *subject, struct fault *reterr);
/* Takes over FD, which is locked and of which the position knows SIZE bytes with CHECK. */
struct file_target *file_target_resume(
	const char *path, int fd, const struct stat *status, int64_t size, const char *check);
void file_target_free(struct file_target *target); /* closes and unlocks; NULL allowed */

/* Before a part: is it still the file at the path, of the size that we left? A size that changed is
 * taken as it is (and not stored any more), except that of a tail. 0, FILE_TARGET_E_MOVED or
 * FAULT_STORE. */
int file_target_check(
	struct file_target *target, const struct log_subject *subject, struct fault *reterr);
/* Appends all of it. 0 or FAULT_STORE. IOV is used up. */
int file_target_append(
	struct file_target *target, struct iovec *iov, size_t n_iov, struct fault *reterr);
/* After a part: durable, and nobody cut it meanwhile. 0 or FAULT_STORE. */
int file_target_sync(struct file_target *target, const struct file_modes *modes,
	const struct log_subject *subject, struct fault *reterr);
/* After all touched files are synced: what was matched and written counts. */
void file_target_accept(struct file_target *target);
/* What the part in hand has written does not count: it is the file's tail. */
void file_target_undo(struct file_target *target);
/* The tail stays, and what follows is written after it, on a line of its own. 0 or FAULT_STORE. */
int file_target_keep(struct file_target *target, struct fault *reterr);

/* The check of the bytes of FD before SIZE: hex. 0 or FAULT_STORE. */
int file_target_sum(
	int fd, const char *path, int64_t size, char ret_check[33], struct fault *reterr);

#endif
