/*
 * Where each source stands, as one JSON text that lib/source writes and reads (source/cursor.h).
 * Changed only inside a commit, or by a rewind, a person's command.
 */
#ifndef TRAWLD_STORE_CURSORS_H
#define TRAWLD_STORE_CURSORS_H

#include "store/database.h"

/* *RET is the text (caller frees) or NULL when the source has no state yet. 0, or STORE_E_*. */
int cursors_get(struct store *store, const char *source, char **ret, struct fault *reterr);

/* Every source with state, also such that are no longer configured. */
int cursors_list(struct store *store,
	void (*each)(const char *source, const char *cursor, nsec_t updated_time, void *userdata),
	void *userdata, struct fault *reterr);

/* The cursor of SOURCE before its last rewind (caller frees), or NULL. 0, or STORE_E_*. */
int cursors_previous(struct store *store, const char *source, char **ret, struct fault *reterr);

/* Another cursor, from outside. */
struct cursors_rewind {
	const char *source;
	const char *cursor;
	nsec_t from_time, horizon_time; /* dedupe keys between them go; HORIZON_TIME NSEC_NONE: none
					 */
	const char *by, *text; /* of the event */
};

/* Puts it in the place of the one that is there, which becomes the previous one: a transaction of
 * its own. What is collected should be committed before. 0, or STORE_E_*: nothing has changed. */
int cursors_rewind(struct store *store, const struct cursors_rewind *rewind, struct fault *reterr);

/* Dedupe keys of a source that are kept for what was read at TIME and later (window.h). */
int cursors_count_keys(
	struct store *store, const char *source, nsec_t time, int64_t *ret, struct fault *reterr);

#endif
