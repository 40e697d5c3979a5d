/*
 * One file that a file sink appends to: open, notice what others did to it, append, make durable,
 * undo.
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

#include <sys/types.h>
#include <sys/uio.h>

struct file_target {
	char *path;
	int fd;
	ino_t inode;
	int64_t size; /* everything before it is acknowledged, or will be with the last answer */
	char check[33]; /* of the bytes before SIZE */
	bool stored; /* the last reported position says this size */
	bool torn; /* may have bytes after SIZE that must go */
	int64_t written; /* by the job in hand */
	int64_t next_size; /* SIZE and CHECK once the job in hand is whole */
	char next_check[33];
	bool touched; /* by the job in hand */
	int64_t planned; /* bytes that the job in hand is going to add */
	char *source; /* of the last batch: whether the path is still current */
	char *provider;
};

struct file_modes {
	mode_t file;
	mode_t directory;
	bool sync; /* fdatasync before an answer */
};

enum {
	FILE_TARGET_E_MOVED = -1000, /* another file, or none, is at the path now: open it anew */
};

/* Opens or makes the file at PATH; what is in it is kept, and its last line ended. 0 or
 * FAULT_STORE. */
int file_target_open(struct file_target **ret, const char *path, const struct file_modes *modes,
	const struct log_subject *subject, struct fault *reterr);
/* Takes over FD, an open regular file. For recovery. 0 or FAULT_STORE; FD is closed then. */
int file_target_adopt(struct file_target **ret, const char *path, int fd,
	const struct log_subject *subject, struct fault *reterr);
void file_target_free(struct file_target *target); /* closes; NULL allowed */

/* Before a job: is it still the file at the path, of the size that we left? A size that changed is
 * taken as it is (and not stored any more). 0, FILE_TARGET_E_MOVED or FAULT_STORE. */
int file_target_check(
	struct file_target *target, const struct log_subject *subject, struct fault *reterr);
/* Appends all of it. 0 or FAULT_STORE. IOV is used up. */
int file_target_append(
	struct file_target *target, struct iovec *iov, size_t n_iov, struct fault *reterr);
/* After a job: durable, and nobody cut it meanwhile. 0 or FAULT_STORE. */
int file_target_sync(struct file_target *target, const struct file_modes *modes,
	const struct log_subject *subject, struct fault *reterr);
/* After all touched files are synced: what was written counts. */
void file_target_accept(struct file_target *target);
/* Cuts off what the job in hand has written. */
void file_target_undo(struct file_target *target);

/* The check of the bytes of FD before SIZE: hex. 0 or FAULT_STORE. */
int file_target_sum(
	int fd, const char *path, int64_t size, char ret_check[33], struct fault *reterr);

#endif
