/*
 * Where each source stands, as one JSON text that lib/source writes and reads (source/place.h).
 * Changed only inside a commit.
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

#endif
