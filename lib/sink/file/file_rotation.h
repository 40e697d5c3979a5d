/*
 * Names of rotated files: `audit.ndjson.000042` (and `.gz` or `.zst` behind it). Numbers rise, so a
 * name once given stays: a rotation is one rename whatever is kept, what an archive has fetched is
 * not fetched again, and the names sort in the order of the records.
 */
#ifndef TRAWLD_SINK_FILE_ROTATION_H
#define TRAWLD_SINK_FILE_ROTATION_H

#include "base/fault.h"

/* The name that the file at PATH gets when it is rotated: one number above all that are there. The
 * caller frees. 0 or FAULT_STORE. */
int file_rotation_name(char **ret, const char *path, struct fault *reterr);

enum {
	FILE_ROTATION_E_TAKEN = 1, /* there is a file of that name */
};

/* Renames durably, never over another file. 0, FILE_ROTATION_E_TAKEN or FAULT_STORE. */
int file_rotation_move(const char *from, const char *to, struct fault *reterr);

/* Removes rotated files of PATH beyond the KEEP newest ones, those of one number together. SPARED
 * says which names (plain) must stay for now. 0 or FAULT_STORE. */
int file_rotation_prune(const char *path, int64_t keep,
	bool (*spared)(const char *name, void *userdata), void *userdata, struct fault *reterr);

/* Is NAME, without directory, one that the file BASE beside it gets by rotation? */
bool file_rotation_is_name(const char *name, const char *base);

#endif
