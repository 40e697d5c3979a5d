/*
 * The dedupe window of one source: the keys of the records already accepted, in memory, built from
 * the rows on first use (a source whose cursor is exact never needs it and pays nothing).
 *
 * A record with a provider ID has one key. A record without is known by the digest of its text;
 * truly equal records are told apart by their occurrence: the k-th equal one in the window is the
 * key (digest, k). Rows hold the plain digest, so loading counts occurrences anew.
 */
#ifndef TRAWLD_STORE_WINDOW_H
#define TRAWLD_STORE_WINDOW_H

#include "store/database.h"

#include "base/idset.h"

struct window;

struct window *window_new(struct store *store, const char *source);
void window_free(struct window *window);

/* Loads the rows from TIME on (NSEC_NONE: all), and what is to become rows, if that was not done. 0
 * or STORE_E_*. Everything collected from then on must be added with window_add, too. */
int window_load(struct window *window, nsec_t time, struct fault *reterr);
bool window_is_loaded(const struct window *window);

/* Has the window this key (provider ID)? */
bool window_has(const struct window *window, const struct id *key);

/* Occurrences of a digest in the window. */
unsigned window_count(const struct window *window, const struct id *digest);

/* Notes an accepted record; for a digest one more occurrence. A window that is not loaded ignores
 * it (the row will be read when it is). */
void window_add(struct window *window, const struct id *key);

/* Rows before TIME are no longer needed: when enough of the set is stale it is built anew from the
 * rows and from what is collected for commit: call it when no added record is on its way between
 * window_add and commit_add_page. */
int window_expire(struct window *window, nsec_t time, struct fault *reterr);

size_t window_size(const struct window *window); /* keys in memory, for status */

#endif
