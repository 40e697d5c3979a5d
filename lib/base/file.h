/* Whole files: into memory, and out of it. */
#ifndef TRAWLD_BASE_FILE_H
#define TRAWLD_BASE_FILE_H

#include <sys/types.h>

#include "base/buf.h"

/* Appends the file at PATH to BUF. 0, or -errno: -EFBIG at the buffer's ceiling, -EISDIR for a
 * directory. */
int file_read(struct buf *buf, const char *path);

/* Writes all of TEXT to FD. 0, or -errno: a part of it may be written. */
int file_write(int fd, struct slice text);

/* Makes the file at PATH of TEXT, by way of PATH.part: all of it, on the disk, or no file. 0, or
 * -errno: -EEXIST where there is one. */
int file_make(const char *path, struct slice text, mode_t mode);

#endif
