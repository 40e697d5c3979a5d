/*
 * [resume] newest: a list without times to request by is walked from its newest record on, until it
 * reaches what an earlier walk has read. Pure, as poll.h.
 */
#ifndef TRAWLD_SOURCE_NEWEST_H
#define TRAWLD_SOURCE_NEWEST_H

#include "source/poll.h"

/* A walk begins. */
void newest_begin(struct poll *poll);

/* Drops the records of PAGE that are KNOWN by their ID, or older than the dedupe keys. Sets
 * n_unread, those that are neither known nor older; all_known: no record is new, and the page
 * reaches further back than the overlap (records can appear late; without times, a page of
 * duplicates is the end). Sets reaches, n_late and oldest_time. */
void newest_drop_known(const struct poll *poll, struct page *page,
	bool (*known)(const struct record *record, void *userdata), void *userdata);

/* PAGE, the LAST of its walk or not, is accepted; cursor.newest_time is still that of the walk
 * before. A walk that ends without having reached what was read before adds a gap. */
void newest_note(struct poll *poll, const struct page *page, const struct clocks *now, bool last);

#endif
