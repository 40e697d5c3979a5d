/* See newest.h. */
#include "source/newest.h"

#include "source/poll_internal.h"

void newest_begin(struct poll *poll)
{
	poll->walk_oldest = poll->walk_latest = NSEC_NONE;
	poll->walk_reached = poll->walk_found = poll->walk_moved = false;
}

/* A walk reads back to here at least; NSEC_NONE: to the end of the list. */
static nsec_t oldest_wanted(const struct poll *poll)
{
	const struct cursor *cursor = &poll->cursor;
	if (cursor->newest_time == NSEC_NONE)
		return cursor->started_time;
	nsec_t oldest = cursor->newest_time - poll_overlap(poll);
	return oldest < cursor->started_time ? cursor->started_time : oldest;
}

/* Of records that are older, it is not known whether they were delivered; NSEC_NONE: of none. They
 * may be older than what is wanted: the clock of the API was set back, or local times repeat when
 * summer time ends. */
static nsec_t oldest_told_apart(const struct poll *poll)
{
	const struct cursor *cursor = &poll->cursor;
	nsec_t oldest = oldest_wanted(poll), kept = poll_keys_from(poll);
	if (cursor->newest_time == NSEC_NONE || kept == NSEC_NONE || kept > oldest)
		return oldest;
	return kept < cursor->started_time ? cursor->started_time : kept;
}

/* Does RECORD show that the list reaches back to the end of an earlier walk? A key alone does not:
 * a walk that was interrupted may have left it. Nor does a time within the overlap: such a record
 * may be late, and what is before it in time still missing. */
static bool reaches(const struct poll *poll, const struct page *page, const struct record *record,
	bool known, bool old)
{
	nsec_t newest = poll->cursor.newest_time;
	if (newest == NSEC_NONE)
		return known;
	return record->time <= newest &&
	       (known || (page->n_without_time == 0 && old &&
				 record->time < newest - poll_overlap(poll)));
}

static bool is_before(nsec_t time, nsec_t bound)
{
	return bound != NSEC_NONE && time != NSEC_NONE && time < bound;
}

void newest_drop_known(const struct poll *poll, struct page *page,
	bool (*known)(const struct record *record, void *userdata), void *userdata)
{
	nsec_t wanted = oldest_wanted(poll), oldest = oldest_told_apart(poll);
	bool timed = definition_of(poll)->n_records_time > 0;
	bool far_enough = !timed && page->n_records > 0;
	size_t n = 0, n_old = 0;
	page->n_unread = page->n_late = 0;
	page->reaches = false;
	page->oldest_time = NSEC_NONE;
	for (size_t i = 0; i < page->n_records; i++) {
		struct record *record = &page->records[i];
		bool is_known = known(record, userdata);
		bool old = is_before(record->time, oldest);
		far_enough |= is_before(record->time, wanted);
		page->reaches |= reaches(poll, page, record, is_known, old);
		if (record->time != NSEC_NONE &&
			(page->oldest_time == NSEC_NONE || record->time < page->oldest_time))
			page->oldest_time = record->time;
		n_old += old && !is_known && !is_before(record->time, poll->cursor.started_time);
		if (old)
			continue;
		page->n_late = n_old;
		page->n_unread += !is_known;
		/* without an ID it may be another one that is equal: whoever counts them decides */
		if (!is_known || !record->id_text.data)
			page->records[n++] = *record;
	}
	page->all_known = page->n_unread == 0 && far_enough;
	page->n_records = n;
}

/* The list may have moved on while a page was retried, and then what was read before does not
 * adjoin. A page that is newer than those above it may show that, or a late record; one with new
 * records below what an earlier walk read does show it, however late these are. */
static void look_whether_moved(struct poll *poll, const struct page *page)
{
	bool newer = poll->walk_latest != NSEC_NONE && page->newest_time > poll->walk_latest;
	bool below = poll->walk_reached && page->n_unread > 0;
	poll->walk_moved |= newer || below;
	if (below)
		poll->walk_reached = false;
}

/* The list ended, or the API gives no more of it, before anything that is known: what came between
 * is not to be had. Records that are late by up to the overlap are older than what was read before
 * them, and make the list seem to reach back further than it does. */
static void add_gap(struct poll *poll, nsec_t late)
{
	const struct cursor *cursor = &poll->cursor;
	const struct definition *definition = definition_of(poll);
	nsec_t overlap = definition->n_records_time > 0 ? definition->resume.overlap_ns : 0;
	nsec_t read = cursor->newest_time != NSEC_NONE ? cursor->newest_time : cursor->polled_time;
	nsec_t end = late;
	if (read == NSEC_NONE || poll->walk_reached)
		return;
	if (poll->walk_oldest != NSEC_NONE) {
		bool from_oldest = poll->walk_oldest > read && !poll->walk_moved;
		end = (from_oldest ? poll->walk_oldest : poll->walk_latest) + overlap;
		if (late >= poll->walk_latest && late < end) /* else the clocks are slow */
			end = late;
	}
	poll_add_gap(poll, (struct span){read - overlap, end}, GAP_NEWEST);
}

void newest_note(struct poll *poll, const struct page *page, const struct clocks *now, bool last)
{
	if (page->oldest_time != NSEC_NONE &&
		(poll->walk_oldest == NSEC_NONE || page->oldest_time < poll->walk_oldest))
		poll->walk_oldest = page->oldest_time;
	look_whether_moved(poll, page);
	if (page->n_late > 0 && definition_of(poll)->records.order != ORDER_UNORDERED)
		poll->notices |= POLL_NOTICE_LATE;
	if (page->newest_time > poll->walk_latest)
		poll->walk_latest = page->newest_time;
	poll->walk_reached |= page->reaches;
	poll->walk_found |= page->n_unread > 0;
	bool first = poll->cursor.polled_time == NSEC_NONE && poll->cursor.newest_time == NSEC_NONE;
	if (!last || (!poll->walk_found && !first))
		return; /* so that a quiet source writes nothing */
	add_gap(poll, clocks_late(now));
	poll_add_cover(poll,
		poll->cursor.polled_time != NSEC_NONE ? poll->cursor.polled_time
						      : poll->cursor.newest_time,
		poll->walk_time, false);
	poll->cursor.polled_time = poll->walk_time;
}
