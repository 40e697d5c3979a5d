/* See poll.h: how a poll gets past what it cannot read, when a person has asked for that. */
#include "source/poll_internal.h"

#define SKIP_FIRST NSEC_PER_SEC

/* The window cannot be made shorter: it is left out, and no later one reaches back into it. */
static void give_window_up(struct poll *poll, const struct clocks *now)
{
	struct cursor *cursor = &poll->cursor;
	nsec_t late = clocks_late(now), start = poll->slice.start_time;
	nsec_t end = span_ceil(poll->slice.end_time, definition_of(poll)->step_ns);
	if (end > late && late > start)
		end = late;
	if (cursor->watermark_time != NSEC_NONE && cursor->watermark_time < start)
		start = cursor->watermark_time;
	poll_add_gap(poll, (struct span){start, end}, GAP_SKIPPED);
	cursor_close_chain(cursor);
	cursor->watermark_time = cursor->started_time = end;
	poll_stop(poll);
}

static enum poll_skip skip_window(struct poll *poll, const struct clocks *now)
{
	if (!poll->open && !poll_begin(poll, now))
		return POLL_SKIP_IMPOSSIBLE;
	if (poll_halve(poll))
		return POLL_SKIP_NARROWED;
	if (poll->frozen)
		return POLL_SKIP_IMPOSSIBLE; /* only what was read before is requested again */
	give_window_up(poll, now);
	return POLL_SKIP_DONE;
}

/* From the newest record on, twice as far at each attempt, and no further than now. */
static enum poll_skip skip_cursor(struct poll *poll, const struct clocks *now)
{
	struct cursor *cursor = &poll->cursor;
	nsec_t late = clocks_late(now);
	if (poll->skip_time == NSEC_NONE) {
		nsec_t read = cursor->newest_time != NSEC_NONE ? cursor->newest_time
							       : cursor->started_time;
		if (read == NSEC_NONE || read >= late)
			return POLL_SKIP_IMPOSSIBLE;
		poll->skip_time = read;
		poll->skip_ns = SKIP_FIRST;
	} else if (poll->skip_time + poll->skip_ns >= late) {
		poll->skip_time = NSEC_NONE;
		return POLL_SKIP_IMPOSSIBLE;
	} else {
		poll->skip_ns *= 2;
	}
	if (poll->skip_ns > late - poll->skip_time)
		poll->skip_ns = late - poll->skip_time;
	cursor_close_chain(cursor);
	cursor_set(&cursor->resume, SLICE_NULL);
	cursor->exact = false;
	cursor->start_time = cursor->started_time = poll->skip_time + poll->skip_ns;
	poll_stop(poll);
	return POLL_SKIP_NARROWED;
}

/* The walk ends before the page that fails. What is older, up to what was read before, is a gap. */
static enum poll_skip skip_walk(struct poll *poll, const struct clocks *now)
{
	struct cursor *cursor = &poll->cursor;
	if (!poll->open || poll->n_pages == 0)
		return POLL_SKIP_IMPOSSIBLE;
	nsec_t end = poll->walk_oldest != NSEC_NONE ? poll->walk_oldest : clocks_late(now);
	nsec_t start = cursor->newest_time != NSEC_NONE    ? cursor->newest_time
		       : cursor->polled_time != NSEC_NONE  ? cursor->polled_time
		       : cursor->started_time != NSEC_NONE ? cursor->started_time
							   : end;
	poll_add_gap(poll, (struct span){start < end ? start : end, end}, GAP_SKIPPED);
	if (poll->walk_newest != NSEC_NONE)
		cursor->newest_time = poll->walk_newest;
	cursor->polled_time = clocks_early(now);
	cursor_close_chain(cursor);
	poll_stop(poll);
	return POLL_SKIP_DONE;
}

enum poll_skip poll_skip(struct poll *poll, const struct clocks *now)
{
	if (definition_of(poll)->resume.window)
		return skip_window(poll, now);
	if (definition_of(poll)->resume.newest)
		return skip_walk(poll, now);
	return skip_cursor(poll, now);
}

bool poll_skipped(struct poll *poll)
{
	if (poll->skip_time == NSEC_NONE)
		return false;
	poll_add_gap(
		poll, (struct span){poll->skip_time, poll->skip_time + poll->skip_ns}, GAP_SKIPPED);
	poll->skip_time = NSEC_NONE;
	return true;
}
