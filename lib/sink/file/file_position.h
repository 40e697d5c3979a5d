/*
 * The position of a file sink:
 * {"files":[{"path","inode","size","check"},...],"through","closed","kept","seals"}.
 * "files" are those in use with the size up to which they count. What a crash left after it is
 * delivered again, after batch "through", and recognised then (file_tail.h). "closed" is
 * file_closer.h's, "kept" file_kept.h's, "seals" seal.h's.
 */
#ifndef TRAWLD_SINK_FILE_POSITION_H
#define TRAWLD_SINK_FILE_POSITION_H

#include "sink/file/file_closer.h"
#include "sink/file/file_kept.h"
#include "sink/file/file_target.h"
#include "sink/file/seal.h"

#include "base/buf.h"

struct file_targets {
	struct file_target **items;
	size_t n_items;
	size_t capacity;
};

void file_targets_add(struct file_targets *targets, struct file_target *target);
/* The one that is at PATH as far as is known, or NULL. */
struct file_target *file_targets_find(const struct file_targets *targets, const char *path);
void file_targets_remove(struct file_targets *targets, size_t index); /* closes it */
void file_targets_clear(struct file_targets *targets);

struct file_position {
	struct file_targets targets;
	int64_t through; /* number of the last batch that is in the files; may be above what is
			    acknowledged: a rotation in the middle of a job */
	struct file_closer *closer;
	struct file_kept_list kept;
	struct seals seals;
};

/* Closes and forgets everything. */
void file_position_clear(struct file_position *position);
void file_position_print(const struct file_position *position, struct buf *out);

/* Opens and locks the files of TEXT that are still there. One that was renamed is looked for by its
 * inode in the same directory, and kept open if it has a tail. On FAULT_STORE POSITION is empty. */
int file_position_recover(const char *text, struct file_position *position,
	const struct log_subject *subject, struct fault *reterr);

#endif
