/* The lock on an open archive file: two processes that append to one file would each take the
 * other's records for a changed file. */
#ifndef TRAWLD_SINK_FILE_LOCK_H
#define TRAWLD_SINK_FILE_LOCK_H

#include "base/fault.h"

/* Locks the file open at FD, without waiting; closing FD releases it. 0, or FAULT_STORE when
 * another process holds the lock: the text names its PID where the kernel tells it. A file system
 * without locks is not an error. */
int file_lock(int fd, const char *path, struct fault *reterr);

#endif
