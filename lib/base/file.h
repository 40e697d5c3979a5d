/* Whole files: into memory, and out of it. */
#ifndef TRAWLD_BASE_FILE_H
#define TRAWLD_BASE_FILE_H

#include <signal.h>
#include <sys/types.h>

#include "base/buf.h"

/* Appends the file at PATH to BUF. 0, or -errno: -EFBIG at the buffer's ceiling, -EISDIR for a
 * directory. */
int file_read(struct buf *buf, const char *path);

/* Writes all of TEXT to FD. 0, or -errno: a part of it may be written. */
int file_write(int fd, struct slice text);

/* Makes the names in the folder of PATH durable, unless its file system cannot (an image without
 * write support, as the root of a container). 0, or -errno. */
int file_sync_folder(const char *path);

/* Makes the folder PATH and its name durable, or makes nothing. Also syncs the name of an empty one
 * that is there: who made it may have been killed before. 1: it is new. 0: it was there. Or -errno.
 */
int file_make_folder(const char *path, mode_t mode);

/* A file that becomes PATH once all of it is there. Meanwhile it has a name in the same folder that
 * nobody else uses. SIGHUP, SIGINT and SIGTERM remove it before they end the process; SIGKILL
 * leaves it. For commands: one at a time, and not in a process with threads. */
struct file_part {
	char *name;
	int fd; /* -1: it was closed */
	struct sigaction before[3];
};

/* 0, or -errno: nothing is there, and nothing is to be ended. */
int file_part_begin(struct file_part *part, const char *path, mode_t mode);
/* If R, the result of writing, is 0, makes the file durable and gives it the name PATH, unless
 * another file has it (-EEXIST). Returns 0; or R or -errno, and the file is removed. */
int file_part_end(struct file_part *part, const char *path, int r);

/* Makes the file at PATH of TEXT: all of it, on the disk, or no file. 0, or -errno: -EEXIST where
 * there is one. As file_part_begin. */
int file_make(const char *path, struct slice text, mode_t mode);

#endif
