/*
 * A file that the sink no longer writes to and still has something to do with: give it its last
 * name (rotation by size), compress it, or (resting) wait until its period is over. Such files are
 * part of the stored position, so that a crash leaves nothing half done.
 *
 * What each stands in the position for: everything in the file is acknowledged. It is never cut.
 */
#ifndef TRAWLD_SINK_FILE_CLOSED_H
#define TRAWLD_SINK_FILE_CLOSED_H

#include "sink/file/file_target.h"

#include <jansson.h>

#include "base/buf.h"

struct file_closed {
	char *path; /* where it is, unless the renaming is done and not yet noted */
	char *to; /* the name it is to get; NULL: PATH is its last one */
	char *base; /* what it was called before this process renamed it, or NULL; not stored */
	ino_t inode;
	int64_t size;
	char check[33]; /* of the bytes before SIZE */
	char *source; /* resting: by these it is known when PATH is past; else NULL */
	char *provider;
};

/* From TARGET, which is fully acknowledged. */
struct file_closed *file_closed_new(const struct file_target *target);
void file_closed_free(struct file_closed *closed); /* NULL allowed */

void file_closed_print(const struct file_closed *closed, struct buf *out);
/* From what was printed. 0 or FAULT_STORE. */
int file_closed_parse(struct file_closed **ret, json_t *item, struct fault *reterr);

/* Is the file at PATH the one that was closed, unchanged? 0 or FAULT_STORE. */
int file_closed_is_at(
	const struct file_closed *closed, const char *path, bool *ret, struct fault *reterr);

enum {
	FILE_CLOSED_E_GONE = 1, /* somebody else has moved, changed or removed it */
	FILE_CLOSED_E_TAKEN, /* the name is taken: choose another */
};

/* Gives it its last name, if that is still to be done; may be called again after a crash. 0, one of
 * the above, or FAULT_STORE. */
int file_closed_settle(struct file_closed *closed, struct fault *reterr);

#endif
