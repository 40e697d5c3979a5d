/* Between the files that make up a poll: what the definition says of its chains. */
#ifndef TRAWLD_SOURCE_POLL_INTERNAL_H
#define TRAWLD_SOURCE_POLL_INTERNAL_H

#include "source/poll.h"

static inline const struct definition *definition_of(const struct poll *poll)
{
	return poll->source->definition;
}

/* Pages are requested by a count, not by a cursor. */
static inline bool counts_pages(const struct definition *definition)
{
	return definition->page.offset || definition->page.number;
}

/* Polls continue from a cursor of the API, not by time. */
static inline bool follows_cursors(const struct definition *definition)
{
	return !definition->resume.window && !definition->resume.newest;
}

/* The cursor that the last request was made with; NULL: none. */
static inline const char *requested_cursor(const struct poll *poll)
{
	return poll->request.page ? poll->request.page : poll->request.resume;
}

/* --- poll.c --- */

/* START_TIME to END_TIME was read: joined with what is to be reported. */
void poll_add_cover(struct poll *poll, nsec_t start_time, nsec_t end_time, bool chain);
void poll_add_gap(struct poll *poll, struct span span, enum gap_reason reason);

void poll_begin_chain(struct poll *poll);

/* --- poll_window.c --- */

/* False: there is nothing to request yet. */
bool poll_window_begin(struct poll *poll, const struct clocks *now);
/* The poll left out what the API was said to no longer keep, and NOW tells another story. */
bool poll_window_clipped(const struct poll *poll, const struct clocks *now);
/* PAGE is a response of the open poll. */
void poll_window_answered(struct poll *poll, const struct page *page, const struct clocks *now);
/* Does the API no longer keep all records from START_TIME, where an open slice begins, on? Then
 * they are a gap, and the poll is to be begun anew. */
bool poll_window_expired(struct poll *poll, nsec_t start_time, const struct clocks *now);
/* The cursor is set to the open slice. */
void poll_window_store(struct poll *poll);
/* The chain of the open slice came to its end. */
enum poll_verdict poll_window_end(struct poll *poll, const struct clocks *now);

#endif
