/*
 * A state that was moved to another place (`trawlctl state move`) stays where it was, with a mark
 * that says where it went: nothing works on it any more, and nothing of it is lost.
 */
#ifndef TRAWLD_STORE_MOVED_H
#define TRAWLD_STORE_MOVED_H

#include "store/database.h"

/* What a mark begins with while the move is not complete. */
#define MOVED_UNDER_WAY "being moved to "

/* *RET: the mark (caller frees), or NULL: there is none. 0, or STORE_E_*. */
int moved_get(struct store *store, char **ret, struct fault *reterr);
/* TO NULL: takes the mark away. */
int moved_set(struct store *store, const char *to, struct fault *reterr);
/* STORE_E_UNUSABLE where there is a mark. */
int moved_check(struct store *store, struct fault *reterr);

#endif
