/*
 * The dedupe window of one source: the keys of the records already accepted, in memory, read from
 * the rows on first use (a source whose cursor is exact never needs it and pays nothing).
 *
 * A record with a provider ID has one key. A record without is known by the digest of its text;
 * truly equal records are told apart by their occurrence: the k-th equal one in the window is the
 * key (digest, k). Rows hold the plain digest, so loading counts occurrences anew.
 *
 * Large windows are read and expire in slices, so that nothing waits long for them.
 */
#ifndef TRAWLD_STORE_WINDOW_H
#define TRAWLD_STORE_WINDOW_H

#include "store/database.h"

#include "base/idset.h"

struct window;

struct window *window_new(struct store *store, const char *source);
void window_free(struct window *window);

/* Reads a slice of the rows from TIME on (NSEC_NONE: all); the first call also takes what is to
 * become rows. 0: all is read; STORE_E_WAIT: call it again, with the same TIME; else STORE_E_*: it
 * starts over with the next call. Everything collected from the first call on must be added with
 * window_add, too. */
int window_load(struct window *window, nsec_t time, struct fault *reterr);
/* Is all read from TIME on (NSEC_NONE: what has not expired)? Where TIME is before what has
 * expired, a clock was wrong: window_load then reads what the rows still have of it. */
bool window_reaches(const struct window *window, nsec_t time);

/* Has the window this key (provider ID)? */
bool window_has(const struct window *window, const struct id *key);

/* Occurrences of a digest in the window. */
unsigned window_count(const struct window *window, const struct id *digest);

/* A record is met in a chain of pages: is it one of the window that was not met in the chain yet?
 * Then that one is. */
bool window_meet(struct window *window, const struct id *digest);
/* A new chain begins: nothing was met in it. */
void window_forget_met(struct window *window);

/* Notes an accepted record, whose row has TIME; for a digest one more occurrence. A window that was
 * not read ignores it (the row will be, when it is), as it does what has expired. */
void window_add(struct window *window, const struct id *key, nsec_t time);

/* Rows before TIME are no longer needed: takes a slice of their keys out. *RET_TIME: rows before it
 * are not looked at any more, and may go from the state. Call it when no added record is on its way
 * between window_add and commit_add_page. 0; STORE_E_WAIT: there is more, call it again later; or
 * another STORE_E_*, the same. */
int window_expire(struct window *window, nsec_t time, nsec_t *ret_time, struct fault *reterr);

/* The time of the newest row that was read; NSEC_NONE: none was. */
nsec_t window_newest(const struct window *window);

size_t window_size(const struct window *window); /* keys in memory, for status */

#endif
