/* Whole files into memory. */
#ifndef TRAWLD_BASE_FILE_H
#define TRAWLD_BASE_FILE_H

#include "base/buf.h"

/* Appends the file at PATH to BUF. 0, or -errno: -EFBIG at the buffer's ceiling, -EISDIR for a
 * directory. */
int file_read(struct buf *buf, const char *path);

#endif
