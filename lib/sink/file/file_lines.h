/* The lines of a file that a file sink has written: as it is, or compressed by gzip or zstd, which
 * its first bytes tell. */
#ifndef TRAWLD_SINK_FILE_LINES_H
#define TRAWLD_SINK_FILE_LINES_H

#include "base/buf.h"

struct file_lines;

/* 0, or -errno. */
int file_lines_open(struct file_lines **ret, const char *path);
void file_lines_close(struct file_lines *lines); /* NULL allowed */

/* The next line without its line feed, valid until the next call; *RET_ENDED: it has one, which
 * only the last can lack. 1, 0 at the end, or -errno: -EBADMSG where compressed data is damaged or
 * incomplete. */
int file_lines_next(struct file_lines *lines, struct slice *ret, bool *ret_ended);

#endif
