/*
 * A closed file becomes its compressed twin, a slice at a time so that the loop goes on meanwhile:
 * NAME is read into NAME.gz.tmp (or .zst.tmp), that is made durable and renamed to NAME.gz, NAME is
 * removed last. A crash at any point leaves NAME whole, or NAME.gz whole, or both: begun anew, it
 * comes to the same end.
 */
#ifndef TRAWLD_SINK_FILE_COMPRESS_H
#define TRAWLD_SINK_FILE_COMPRESS_H

#include "sink/compressor.h"

#include <sys/types.h>

struct file_compress;

enum {
	FILE_COMPRESS_E_GONE = 1, /* another file, or none, is at the path: nothing to do */
	FILE_COMPRESS_E_MORE, /* another step is needed */
};

/* Begins with the file at PATH, whose inode is INODE. 0, FILE_COMPRESS_E_GONE or FAULT_STORE. */
int file_compress_begin(struct file_compress **ret, const char *path, ino_t inode,
	enum compression compression, struct fault *reterr);
/* One slice, some milliseconds. 0: done, PATH is gone. FILE_COMPRESS_E_MORE, or a fault. */
int file_compress_step(struct file_compress *work, struct fault *reterr);
/* NULL allowed. What is not done is undone: the temporary file goes. */
void file_compress_free(struct file_compress *work);

/* Removes what an unfinished compression of PATH has left beside it. */
void file_compress_clear(const char *path);
/* Is there a compressed file of this name already? */
bool file_compress_exists(const char *path);

#endif
