/* See newest.h. */
#include "source/newest.h"

#include "base/mem.h"
#include "source/poll_internal.h"

/* As much longer as keys are kept than the overlap needs (poll_keys.c), or less. */
#define YOUNG NSEC_PER_HOUR

void newest_begin(struct poll *poll)
{
	poll->walk_oldest = poll->walk_latest = NSEC_NONE;
	poll->walk_reached = poll->walk_found = poll->walk_moved = poll->walk_passed = false;
	if (poll->n_doubtful > 0)
		idset_clear(&poll->held);
	poll->n_doubtful = 0;
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

/* Of records that are older, keys do not tell whether they were delivered; NSEC_NONE: of none. They
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

/* Keys are kept by when their records were delivered: an unknown record that is listed in front of
 * a known one was not delivered, however old its own time is. Where the known one is YOUNG, a list
 * that is out of order by up to the overlap has no two of them the wrong way round. */
static bool passes(const struct poll *poll, const struct record *record, bool known)
{
	nsec_t newest = poll->cursor.newest_time;
	return known && record->time <= newest && record->time >= newest - YOUNG;
}

/* Are there new records after known ones? Then the list moved on since the page before, or a record
 * is late by less than the overlap. Until the next one that passes, old records may be new, too. */
static bool moves(const struct poll *poll, const struct page *page, const bool *known)
{
	nsec_t oldest = oldest_told_apart(poll);
	bool moved = poll->walk_latest != NSEC_NONE && page->newest_time > poll->walk_latest;
	for (size_t i = 0; i < page->n_records; i++)
		moved |= !known[i] && !is_before(page->records[i].time, oldest);
	return moved;
}

/* The number of records of PAGE, which are KNOWN or not, that may be late however old they are:
 * those in front of the first that passes. There may be no such record in the list, and from before
 * the start none was delivered: then old ones are not new. */
static size_t count_front(const struct poll *poll, const struct page *page, const bool *known)
{
	nsec_t newest = poll->cursor.newest_time;
	size_t n = 0;
	if (newest == NSEC_NONE || poll->unpassed_time == newest ||
		is_before(newest, poll->cursor.started_time) ||
		(poll->walk_passed && !moves(poll, page, known)))
		return 0;
	while (n < page->n_records && !passes(poll, &page->records[n], known[n]))
		n++;
	return n;
}

/* Is RECORD of PAGE, which is old and not known, in front of a young one that is? That may be on a
 * page to come: until then the FRONT is held, and the walk begins again when that has come. */
static bool is_late(
	struct poll *poll, const struct page *page, const struct record *record, bool front)
{
	if (idset_has(&poll->held, &record->key) && !idset_is_marked(&poll->held, &record->key))
		return true;
	if (!front || is_before(record->time, poll->cursor.started_time))
		return false;
	if (!page->passes && idset_add(&poll->held, &record->key)) {
		idset_mark(&poll->held, &record->key);
		poll->n_doubtful++;
	}
	return page->passes;
}

void newest_drop_known(struct poll *poll, struct page *page,
	bool (*is_known)(const struct record *record, void *userdata), void *userdata)
{
	nsec_t wanted = oldest_wanted(poll), oldest = oldest_told_apart(poll);
	bool timed = definition_of(poll)->n_records_time > 0;
	bool far_enough = !timed && page->n_records > 0;
	bool *known = mem_alloc(page->n_records * sizeof(*known));
	size_t n = 0;
	for (size_t i = 0; i < page->n_records; i++)
		known[i] = is_known(&page->records[i], userdata);
	size_t n_front = count_front(poll, page, known);
	page->passes = page->n_records > 0 ? n_front < page->n_records : poll->walk_passed;
	page->n_unread = 0;
	page->reaches = false;
	page->oldest_time = NSEC_NONE;
	for (size_t i = 0; i < page->n_records; i++) {
		struct record *record = &page->records[i];
		bool old = is_before(record->time, oldest);
		far_enough |= i >= n_front && is_before(record->time, wanted);
		page->reaches |= reaches(poll, page, record, known[i], old);
		if (record->time != NSEC_NONE &&
			(page->oldest_time == NSEC_NONE || record->time < page->oldest_time))
			page->oldest_time = record->time;
		if (old && (known[i] || !is_late(poll, page, record, i < n_front)))
			continue;
		page->n_unread += !known[i];
		/* without an ID it may be another one that is equal: whoever counts them decides */
		if (!known[i] || !record->id_text.data)
			page->records[n++] = *record;
	}
	page->all_known = page->n_unread == 0 && far_enough;
	page->n_records = n;
	free(known);
}

bool newest_goes_back(struct poll *poll, const struct page *page)
{
	if (!page->passes || poll->n_doubtful == 0)
		return false;
	idset_unmark_all(&poll->held);
	poll->n_doubtful = 0;
	return true;
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

/* The walk ends: where nothing in the list passed, the next one need not look for it again. */
static void end_front(struct poll *poll)
{
	if (!poll->walk_passed)
		poll->unpassed_time = poll->cursor.newest_time;
	idset_clear(&poll->held);
	poll->n_doubtful = 0;
}

void newest_note(struct poll *poll, const struct page *page, const struct clocks *now, bool last)
{
	if (page->oldest_time != NSEC_NONE &&
		(poll->walk_oldest == NSEC_NONE || page->oldest_time < poll->walk_oldest))
		poll->walk_oldest = page->oldest_time;
	look_whether_moved(poll, page);
	poll->walk_passed = page->passes;
	if (page->newest_time > poll->walk_latest)
		poll->walk_latest = page->newest_time;
	poll->walk_reached |= page->reaches;
	poll->walk_found |= page->n_unread > 0;
	bool first = poll->cursor.polled_time == NSEC_NONE && poll->cursor.newest_time == NSEC_NONE;
	if (last)
		end_front(poll);
	if (!last || (!poll->walk_found && !first))
		return; /* so that a quiet source writes nothing */
	add_gap(poll, clocks_late(now));
	poll_add_cover(poll,
		poll->cursor.polled_time != NSEC_NONE ? poll->cursor.polled_time
						      : poll->cursor.newest_time,
		poll->walk_time, false);
	poll->cursor.polled_time = poll->walk_time;
}
