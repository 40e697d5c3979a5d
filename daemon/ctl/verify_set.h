/* The files that belong to those that a person names: their seals, and the rotated ones beside
 * them. */
#ifndef TRAWLD_DAEMON_CTL_VERIFY_SET_H
#define TRAWLD_DAEMON_CTL_VERIFY_SET_H

#include "base/str.h"

struct verify_set {
	struct str_list files; /* of records, those of one path in the order of their numbers */
	struct str_list seals;
	bool seals_named; /* a person named some: they may be of any of the files */
	struct str_list bases; /* base names of paths that are looked at with all their files */
	struct str_list gone; /* named, but not there */
	char *unread; /* a folder that could not be listed; NULL: none */
	struct str_list twins; /* compressed files whose original is still there, among the files */
};

/* Sorts NAMES and what is beside them. 0, or -errno of the folder that is `unread`. */
int verify_set_find(struct verify_set *ret, char *const *names, int n_names);
void verify_set_deinit(struct verify_set *set);

/* The path that the file at PATH had when it was written: without `.gz`, `.zst` and the number of a
 * rotation; the caller frees. *RET_ROTATED: it had one of these. */
char *verify_set_base(const char *path, bool *ret_rotated);
/* What a file at PATH is compressed from: PATH without `.gz` or `.zst`; the caller frees. NULL: it
 * is not compressed, or not one of a rotation. */
char *verify_set_original(const char *path);
const char *verify_set_name(const char *path); /* what follows the last slash */

#endif
