/*
 * Where each source stands, as one JSON text that lib/source writes and reads (source/place.h).
 * Changed only inside a commit. Before a rewind, a person's command, the cursor is kept as the
 * previous one.
 */
#ifndef TRAWLD_STORE_CURSOR_H
#define TRAWLD_STORE_CURSOR_H

#include "store/database.h"

/* *RET is the text (caller frees) or NULL when the source has no state yet. 0, or STORE_E_*. */
int cursor_get(struct store *store, const char *source, char **ret, struct fault *reterr);

/* Every source with state, also such that are no longer configured. */
int cursor_list(struct store *store,
	void (*each)(const char *source, const char *cursor, nsec_t updated_time, void *userdata),
	void *userdata, struct fault *reterr);

/* What cursor_keep has kept of a source (caller frees) or NULL. 0, or STORE_E_*. */
int cursor_previous(struct store *store, const char *source, char **ret, struct fault *reterr);

/* Keeps the cursor as it is now as the previous one, before it is replaced from outside (rewind).
 */
int cursor_keep(struct store *store, const char *source, struct fault *reterr);

/* Dedupe keys of a source that are kept for what was read at TIME and later (window.h). */
int cursor_count_keys(
	struct store *store, const char *source, nsec_t time, int64_t *ret, struct fault *reterr);

#endif
