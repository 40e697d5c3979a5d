/*
 * A window gathered whole, for APIs whose order cannot be trusted: pages are kept until the chain
 * is complete, then their records are sorted by (time, ID) and handed on. Bounded: a window that
 * does not fit is requested again in halves.
 */
#ifndef TRAWLD_SOURCE_GATHER_H
#define TRAWLD_SOURCE_GATHER_H

#include "source/page.h"

struct gather {
	struct page *pages;
	size_t n_pages;
	size_t capacity;
	size_t size; /* bytes of the pages' bodies */
	size_t n_records;
	size_t limit; /* ceiling for size */
};

void gather_init(struct gather *gather, size_t limit);
/* Would a page of SIZE bytes fit? The first one always does. */
bool gather_fits(const struct gather *gather, size_t size);
/* Takes PAGE over (it is PAGE_NULL afterwards). */
void gather_add(struct gather *gather, struct page *page);
/* All records in order of (time, ID text, page order); repeats are left to the dedupe. The array is
 * the caller's to free; the texts live until gather_clear. */
struct records gather_sorted(const struct gather *gather);
/* Records that the definition leaves out, on all pages. */
size_t gather_n_excluded(const struct gather *gather);
void gather_clear(struct gather *gather);

#endif
