/*
 * Files that may be replaced while trawld runs: which of them are others than at the last look?
 * Told by what stat(2) says, so a look costs a system call. A file that is absent is one state of
 * it like any other.
 */
#ifndef TRAWLD_BASE_FILE_WATCH_H
#define TRAWLD_BASE_FILE_WATCH_H

#include "base/names.h"

struct file_identity;

struct file_watch {
	struct names paths;
	struct file_identity *identities; /* by handle of the path */
};

#define FILE_WATCH_NULL ((struct file_watch){0})

/* Looks at the file at PATH, from now on known. True: it was known, and it has changed. */
bool file_watch_look(struct file_watch *watch, const char *path);
/* The same for every file that is known: has any changed? */
bool file_watch_look_at_all(struct file_watch *watch);
void file_watch_deinit(struct file_watch *watch);

#endif
