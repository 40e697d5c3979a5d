/*
 * [resume] newest: a list without times to request by is walked from its newest record on, until it
 * reaches what an earlier walk has read. Pure, as poll.h.
 */
#ifndef TRAWLD_SOURCE_NEWEST_H
#define TRAWLD_SOURCE_NEWEST_H

#include "source/poll.h"

/* A walk begins. */
void newest_begin(struct poll *poll);

/* Drops the records of PAGE that are known by their ID (IS_KNOWN), or so old that keys do not tell.
 * Old ones in front of known ones stay: they were late. Sets n_unread, what is left and not known;
 * all_known: no record is new, and the page reaches further back than the overlap (records can
 * appear late; without times, a page of duplicates is the end). Sets reaches, passes and
 * oldest_time. */
void newest_drop_known(struct poll *poll, struct page *page,
	bool (*is_known)(const struct record *record, void *userdata), void *userdata);

/* PAGE shows that records of the pages before it, which were dropped as too old, were late: the
 * walk has to begin again, and takes them. */
bool newest_goes_back(struct poll *poll, const struct page *page);

/* PAGE, the LAST of its walk or not, is accepted; cursor.newest_time is still that of the walk
 * before. A walk that ends without having reached what was read before adds a gap. */
void newest_note(struct poll *poll, const struct page *page, const struct clocks *now, bool last);

#endif
