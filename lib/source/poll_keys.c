/* How a poll wants records told from duplicates: what their keys are counted in, and how long they
 * are kept. */
#include "source/poll_internal.h"

#define HORIZON_MARGIN NSEC_PER_HOUR
#define PULL_BACK_MAX NSEC_PER_DAY

enum record_scope poll_scope(const struct poll *poll)
{
	const struct definition *definition = definition_of(poll);
	if (follows_cursors(definition) && poll->cursor.exact)
		return RECORD_SCOPE_EXACT;
	/* what pages have in common is counted once in each, unless it is compared and left out */
	bool common = counts_pages(definition) && !definition->page.overlap;
	return common ? RECORD_SCOPE_PAGE : RECORD_SCOPE_CHAIN;
}

nsec_t poll_key_time(const struct poll *poll, const struct records *records)
{
	nsec_t newest = poll->cursor.newest_time, own = NSEC_NONE;
	if (poll->walk_newest > newest)
		newest = poll->walk_newest;
	if (!definition_of(poll)->resume.window)
		return newest;
	nsec_t end = newest > poll->slice.end_time ? newest : poll->slice.end_time;
	for (size_t i = 0; i < records->n_items; i++) {
		nsec_t time = records->items[i].time;
		/* the API goes by another time than the record's own */
		if (time < poll->read.start_time || time > poll->read.end_time)
			return end;
		own = time > own ? time : own;
	}
	bool timed = definition_of(poll)->n_records_time > 0 && !poll->untimed;
	return timed && own != NSEC_NONE ? own : end;
}

/* A watermark that turns out to lie in the future is pulled back to the newest record, however far:
 * keys reach back to that. Where records have no time, it may be ages old, and keys would pile up.
 */
static nsec_t window_base(const struct poll *poll)
{
	const struct cursor *cursor = &poll->cursor;
	nsec_t base = cursor->watermark_time, newest = cursor->newest_time;
	if (base == NSEC_NONE || newest == NSEC_NONE || newest > base)
		return base;
	return poll->untimed && newest < base - PULL_BACK_MAX ? base - PULL_BACK_MAX : newest;
}

void poll_set_overlap(struct poll *poll, nsec_t overlap_ns)
{
	poll->least_overlap_ns = overlap_ns;
}

static nsec_t whole_overlap(const struct poll *poll)
{
	nsec_t overlap = definition_of(poll)->resume.overlap_ns;
	return poll->least_overlap_ns > overlap ? poll->least_overlap_ns : overlap;
}

/* From where on the next poll may read again; NSEC_NONE: from anywhere. It requests whole steps: an
 * API that knows days only is read from midnight on. */
static nsec_t needed_from(const struct poll *poll)
{
	const struct definition *definition = definition_of(poll);
	nsec_t base = definition->resume.window ? window_base(poll) : poll->cursor.newest_time;
	nsec_t reach = whole_overlap(poll);
	if (base == NSEC_NONE)
		return NSEC_NONE;
	if (definition->sweep_ns > reach)
		reach = definition->sweep_ns;
	return span_floor(base - reach, definition->step_ns);
}

void poll_note_keys(struct poll *poll)
{
	nsec_t from = needed_from(poll);
	if (from > poll->cursor.keys_from_time)
		poll->cursor.keys_from_time = from;
}

nsec_t poll_keys_from(const struct poll *poll)
{
	nsec_t from = poll->cursor.keys_from_time;
	return from == NSEC_NONE ? NSEC_NONE : from - HORIZON_MARGIN;
}

nsec_t poll_reach(const struct poll *poll, nsec_t done_time, nsec_t wanted_ns)
{
	nsec_t from = poll->cursor.keys_from_time;
	if (from == NSEC_NONE || done_time == NSEC_NONE || is_errand(poll))
		return wanted_ns;
	nsec_t reach = done_time - span_ceil(from, definition_of(poll)->step_ns);
	if (reach < 0)
		return 0;
	return reach < wanted_ns ? reach : wanted_ns;
}

nsec_t poll_overlap(const struct poll *poll)
{
	bool window = definition_of(poll)->resume.window;
	const struct cursor *cursor = &poll->cursor;
	return poll_reach(
		poll, window ? cursor->watermark_time : cursor->newest_time, whole_overlap(poll));
}

nsec_t poll_horizon(const struct poll *poll)
{
	nsec_t from = needed_from(poll);
	if (from == NSEC_NONE)
		return NSEC_NONE;
	nsec_t horizon = from - HORIZON_MARGIN;
	if (poll->cursor.start_time != NSEC_NONE && poll->cursor.start_time < horizon)
		horizon = poll->cursor.start_time - HORIZON_MARGIN;
	return horizon;
}
