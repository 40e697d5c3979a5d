/*
 * Where a chain of pages ends. A chain ends only where the response proves it: `short` counts only
 * once the API has shown that it honours the page size, and a total counts only where it is not
 * contradicted by what was received.
 *
 * Pure, as poll.h. Nothing here moves the cursor: the ends_learn functions alone note what is known
 * of the API.
 */
#ifndef TRAWLD_SOURCE_ENDS_H
#define TRAWLD_SOURCE_ENDS_H

#include "source/poll.h"

/* May PAGE have been cut at the page size? It may unless it is shorter than a size that the API is
 * known to honour. A page that only repeats the end of the one before is not cut. */
bool ends_may_be_full(const struct poll *poll, const struct page *page);

/* How far PAGE gets in a list that is read by offset: its elements; but where there are more than
 * were requested, and some twice, the API does not count them so, and an offset after all of them
 * would skip others. */
int64_t ends_counted(const struct poll *poll, const struct page *page);

/* The same, without what the page before had. */
int64_t ends_new(const struct poll *poll, const struct page *page);

/* Elements of the list up to and with PAGE; -1: unknown, the chain was not read from its first
 * page. */
int64_t ends_received(const struct poll *poll, const struct page *page);

/* By the number of pages, is there another one after PAGE? */
bool ends_pages_more(const struct poll *poll, const struct page *page);

/* Is PAGE the last of its chain? */
bool ends_chain(const struct poll *poll, const struct page *page);

/* PAGE is the last of its chain, but does not say so of itself: 0, or FAULT_BODY where it says that
 * there is another one, which cannot be requested. */
int ends_check(struct poll *poll, const struct page *page, struct fault *reterr);

/* Is the cursor B, as JSON text or an address, the cursor A? */
bool ends_same_cursor(const char *a, const char *b);

/* Does the API hold back a part of the window, whatever else is requested? */
bool ends_capped(const struct poll *poll, const struct page *page);
/* Has the chain reached the most that the API gives of one window? */
bool ends_at_cap(const struct poll *poll, const struct page *page);
/* Of a window that is capped and was read to its end: was this all of it? */
bool ends_whole(const struct poll *poll, const struct page *page);

/* How many elements the next request is for; 0: the definition does not say. */
int64_t ends_size(const struct poll *poll);

/* What PAGE, the next of its chain, shows of the total; before anything is decided by it. */
void ends_learn_total(struct poll *poll, const struct page *page);
/* What an accepted PAGE shows of the page size. */
void ends_learn_size(struct poll *poll, const struct page *page);

/* The page after PAGE is requested only to prove that PAGE was the last: an API that has no such
 * page may say so with an error. */
bool ends_probes(const struct poll *poll, const struct page *page);

/* The cursor or address of the page after PAGE, which is not the last; NULL: pages are counted.
 * *RET_N_AGAIN: how many elements of PAGE it begins with. */
const char *ends_next(const struct poll *poll, const struct page *page, size_t *ret_n_again);

#endif
