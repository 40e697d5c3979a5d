/*
 * Polls by time: which window is requested, and how far the watermark may move. No clock is trusted
 * alone (clocks.h).
 *
 * The watermark moves no further than the earlier clock when the poll began, or than the newest
 * record that was known then, unless that is later than the server's clock. What came later may
 * have been missed by the first pages of the poll.
 *
 * Requests go up to the later clock. An API may answer with an error, or with nothing, where a
 * window ends in its own future: windows are cut at the earlier clock, and what only the later one
 * has reached is requested by itself, unless the API refuses that.
 */
#include "source/poll_internal.h"

#include "base/mem.h"
#include "base/timestamp.h"

#define SPAN_MIN (2 * NSEC_PER_SEC) /* a window shorter than this is not cut */
#define QUIET_SLICES 8
#define MAX_BEYOND 100 /* slices in a row that only one of the clocks has reached */

static struct span_rules rules_of(const struct poll *poll)
{
	const struct resume_options *resume = &definition_of(poll)->resume;
	nsec_t overlap = poll_overlap(poll);
	if (poll->sweep_ns > overlap)
		overlap = poll->sweep_ns;
	return (struct span_rules){overlap, resume->lag_ns, resume->retention_ns};
}

/* Is the new poll a sweep, which reads again what may have come late? */
static void begin_sweep(struct poll *poll, const struct clocks *now)
{
	const struct definition *definition = definition_of(poll);
	nsec_t done = poll->cursor.watermark_time, last = poll->swept_time;
	poll->sweep_ns = 0;
	if (!definition->sweep_ns)
		return;
	bool due = last == NSEC_NONE || now->host_time < last ||
		   now->host_time - last >= definition->sweep_every_ns;
	if (due)
		poll->swept_time = now->host_time;
	if (due && done != NSEC_NONE)
		poll->sweep_ns = poll_reach(poll, done, definition->sweep_ns);
}

static bool server_is_known(const struct clocks *now)
{
	return now->server_time != NSEC_NONE && !clocks_unset(now->server_time);
}

/* Records, or what was done, are later than the server's clock: that is slow. */
static bool server_is_slow(const struct poll *poll, const struct clocks *now)
{
	const struct cursor *cursor = &poll->cursor;
	if (!server_is_known(now))
		return true;
	nsec_t credible = now->server_time + CLOCKS_DOUBT;
	return cursor->watermark_time > credible || cursor->newest_time > credible;
}

/* The server's clock shows a time before what is to be read next, so it cannot tell up to when
 * records are to be requested: no request at all would follow, and so no other Date. */
static bool server_is_behind(const struct poll *poll, const struct clocks *now)
{
	const struct cursor *cursor = &poll->cursor;
	nsec_t done =
		cursor->watermark_time != NSEC_NONE ? cursor->watermark_time : cursor->started_time;
	return !server_is_known(now) || done > now->server_time + CLOCKS_DOUBT;
}

/* Up to when records are requested, but for the lag. */
static nsec_t request_until(const struct poll *poll, const struct clocks *now)
{
	bool by_server = !server_is_behind(poll, now) && (poll->no_future || clocks_agree(now));
	return by_server ? now->server_time : clocks_late(now);
}

/* The slice of the open poll that begins at START_TIME. Requests round windows outward: slices that
 * begin and end at whole steps are requested as they are, and no longer than span_max (or one
 * step). */
static struct span slice_at(const struct poll *poll, nsec_t start_time)
{
	nsec_t step = definition_of(poll)->step_ns;
	nsec_t span_max = span_floor(poll->span_max_ns, step);
	struct span slice = span_slice(&poll->span, span_floor(start_time, step),
		span_max > 0 ? span_max : step, definition_of(poll)->resume.align_ns);
	if (slice.start_time < poll->cut_time && slice.end_time > poll->cut_time)
		slice.end_time = poll->cut_time;
	return slice;
}

/* A poll that was interrupted goes on to its own end: only so does its overlap cover what it has
 * read. The open chain goes on at its page where known IDs make that safe and its end does not
 * depend on how much was read; else the slice is read again from its first page. */
static void resume_poll(struct poll *poll)
{
	const struct definition *definition = definition_of(poll);
	struct cursor *cursor = &poll->cursor;
	poll->slice = (struct span){cursor->start_time, cursor->end_time};
	poll->span = poll->slice;
	if (cursor->until_time > poll->span.end_time)
		poll->span.end_time = cursor->until_time;
	if (definition->n_records_id == 0 || definition->records.order != ORDER_ASCENDING ||
		definition->page.cap > 0 || pointer_is_set(&definition->page_total)) {
		cursor_set(&cursor->page, SLICE_NULL);
		cursor->offset = cursor->number = -1;
	}
}

/* What a poll of the last known ground, and AHEAD_NS beyond it, requests. */
static void request_ground(struct poll *poll, nsec_t end_time)
{
	const struct cursor *cursor = &poll->cursor;
	nsec_t overlap = poll_overlap(poll);
	nsec_t start = cursor->watermark_time - (overlap > NSEC_PER_SEC ? overlap : NSEC_PER_SEC);
	if (cursor->started_time != NSEC_NONE && start < cursor->started_time)
		start = cursor->started_time;
	poll->span = (struct span){start, end_time > start ? end_time : start + NSEC_PER_SEC};
	poll->frozen = true;
}

/* The point up to which everything was read whatever the clocks were: the newest record, or before
 * the first one the start. NSEC_NONE: records have no time. */
static nsec_t read_until(const struct poll *poll)
{
	const struct cursor *cursor = &poll->cursor;
	if (cursor->newest_time == NSEC_NONE && definition_of(poll)->n_records_time > 0)
		return cursor->started_time;
	return cursor->newest_time;
}

/* The watermark lies in the future, so it was set by clocks that were wrong, or these are: back to
 * the newest record. False: the records themselves are later than the clocks: then it is right,
 * unless two clocks agree that they are much later. */
static bool pull_back(struct poll *poll, const struct clocks *now)
{
	struct cursor *cursor = &poll->cursor;
	nsec_t late = clocks_late(now), target = read_until(poll);
	if (target == NSEC_NONE || target - late > CLOCKS_DOUBT) {
		bool wrong = target == NSEC_NONE
				     ? now->server_time != NSEC_NONE
				     : clocks_agree(now) && target - late > NSEC_PER_HOUR;
		if (!wrong)
			return false;
		target = late - definition_of(poll)->resume.lag_ns;
		/* since when it was wrong is not known */
		nsec_t first =
			cursor->started_time != NSEC_NONE ? cursor->started_time : SPAN_EARLIEST;
		poll_add_gap(poll, (struct span){first, target}, GAP_CLOCK);
	}
	if (target >= cursor->watermark_time)
		return false;
	poll->cover = POLL_COVER_NULL;
	poll->cover.retract_time = target;
	poll->pulled = (struct span){target, cursor->watermark_time};
	poll->notices |= POLL_NOTICE_WATERMARK;
	cursor->watermark_time = target;
	if (cursor->keys_from_time > target)
		cursor->keys_from_time = target;
	return true;
}

/* The source stands where by our clocks nobody can be yet. True: the poll has its span. */
static bool doubt_clocks(struct poll *poll, const struct clocks *now)
{
	struct cursor *cursor = &poll->cursor;
	nsec_t end = cursor->watermark_time;
	if (now->server_time == NSEC_NONE && !poll->doubted) {
		/* only a response can tell: the last known ground is requested again, then at once
		 * what it has told */
		request_ground(poll, end);
		return poll->doubted = poll->resumed = true;
	}
	if (pull_back(poll, now))
		return false;
	poll->notices |= POLL_NOTICE_DOUBT;
	request_ground(
		poll, (cursor->newest_time > end ? cursor->newest_time : end) + NSEC_PER_DAY);
	/* without any clock only the records tell how far time has come */
	poll->frozen = !clocks_unset(clocks_late(now));
	poll->resumed = false;
	return poll->ahead = true;
}

static bool is_future(nsec_t time, const struct clocks *now)
{
	return time != NSEC_NONE && time - clocks_late(now) > CLOCKS_DOUBT;
}

/* The beginning of what the API keeps; NSEC_NONE: all. A source that begins follows the server's
 * clock, since the API may refuse more; later nothing is given up on the word of one clock. */
static nsec_t oldest_of(const struct poll *poll, const struct clocks *now)
{
	struct span_rules rules = rules_of(poll);
	if (poll->cursor.watermark_time != NSEC_NONE)
		return clocks_unset(now->host_time) ? NSEC_NONE
						    : span_oldest(&rules, clocks_early(now));
	bool far = clocks_server(now) - now->host_time > NSEC_PER_DAY;
	return span_oldest(
		&rules, far || server_is_slow(poll, now) ? clocks_sure(now) : now->server_time);
}

/* The server's clock, if it stays the same, may be right where it alone says that the API no longer
 * keeps what comes next: each other poll goes by it, and tells the gap. The watermark does not pass
 * it unless there are records after it, so the polls between miss nothing if it is wrong. */
static nsec_t expired_by_server(struct poll *poll, const struct clocks *now, nsec_t oldest)
{
	struct span_rules rules = rules_of(poll);
	nsec_t done = poll->cursor.watermark_time;
	if (done == NSEC_NONE || rules.retention_ns == 0 || done < oldest || poll->n_agreed < 2 ||
		server_is_slow(poll, now))
		return NSEC_NONE;
	nsec_t expired = span_oldest(&rules, now->server_time);
	poll->by_host = expired <= done || !poll->by_host;
	return poll->by_host ? NSEC_NONE : expired;
}

/* The start is in the future of every clock: they are slow, or it was counted from a clock that was
 * fast. Records that were read since tell that they are slow, an unset clock or none that the
 * answer must tell. Else it is counted again: rather too much is read than too little. True: the
 * poll has its span, which lies before the clocks. */
static bool begin_ahead(struct poll *poll, const struct clocks *now)
{
	struct cursor *cursor = &poll->cursor;
	nsec_t late = clocks_late(now), newest = cursor->newest_time, started;
	bool known = now->server_time != NSEC_NONE && !clocks_unset(late);
	if (known && newest == NSEC_NONE &&
		timestamp_parse_point(slice_of(poll->source->options.start), late, &started) == 0 &&
		started < cursor->started_time) {
		cursor->started_time = started;
		return false;
	}
	nsec_t end = newest > cursor->started_time ? newest : cursor->started_time;
	poll->span = (struct span){cursor->started_time, end + NSEC_PER_DAY};
	return poll->ahead = true;
}

/* What a new poll requests in all. */
static bool find_span(struct poll *poll, const struct clocks *now)
{
	struct cursor *cursor = &poll->cursor;
	begin_sweep(poll, now);
	struct span_rules rules = rules_of(poll);
	poll->clip_time = NSEC_NONE;
	poll->ahead = poll->resumed = poll->frozen = false;
	if (cursor->watermark_time == NSEC_NONE && is_future(cursor->started_time, now) &&
		begin_ahead(poll, now))
		return true;
	if (is_future(cursor->watermark_time, now)) {
		if (doubt_clocks(poll, now))
			return true;
	} else {
		poll->doubted = false;
	}
	nsec_t oldest = oldest_of(poll, now), expired = expired_by_server(poll, now, oldest);
	struct span gap;
	if (!span_of_poll(&rules, cursor->started_time, cursor->watermark_time,
		    request_until(poll, now), expired != NSEC_NONE ? expired : oldest, &poll->span,
		    &gap))
		return false;
	bool told = expired != NSEC_NONE && expired < poll->expired_time + NSEC_PER_HOUR;
	if (gap.start_time != NSEC_NONE && !told) {
		poll_add_gap(poll, gap, GAP_RETENTION);
		poll->expired_time = expired;
	}
	if (poll->span.start_time == oldest)
		poll->clip_time = oldest;
	nsec_t early = clocks_early(now);
	if (request_until(poll, now) - early > NSEC_PER_MIN)
		poll->cut_time = span_ceil(early - rules.lag_ns, definition_of(poll)->step_ns);
	return true;
}

bool poll_window_expired(struct poll *poll, nsec_t start_time, const struct clocks *now)
{
	if (is_errand(poll))
		return false;
	nsec_t oldest = oldest_of(poll, now), done = poll->cursor.watermark_time;
	if (done != NSEC_NONE)
		return done < oldest; /* find_span tells the gap */
	/* a first slice begins where the retention does */
	if (oldest == NSEC_NONE || oldest - NSEC_PER_MIN <= start_time)
		return false;
	poll_add_gap(poll, (struct span){start_time, oldest}, GAP_RETENTION);
	return true;
}

/* What is left of an errand, from its first slice on. */
static bool begin_errand(struct poll *poll)
{
	cursor_close_chain(&poll->cursor);
	poll->span = poll->errand;
	poll->clip_time = NSEC_NONE;
	poll->resumed = false;
	poll->frozen = poll->ahead = true; /* nothing is stored; the span ends where it says */
	poll->slice = slice_at(poll, poll->span.start_time);
	return true;
}

bool poll_window_begin(struct poll *poll, const struct clocks *now)
{
	struct cursor *cursor = &poll->cursor;
	poll->n_beyond = 0;
	poll->cut_time = NSEC_NONE;
	poll->after_cut = false;
	poll->begun_time = now->host_time;
	if (clocks_agree(now))
		poll->no_future = false;
	if (is_errand(poll))
		return begin_errand(poll);
	if (cursor->start_time != NSEC_NONE &&
		!poll_window_expired(poll, cursor->start_time, now)) {
		if (cursor->clock_time == NSEC_NONE)
			cursor->clock_time = clocks_early(now);
		resume_poll(poll);
		poll->clip_time = NSEC_NONE;
		poll->ahead = poll->frozen = false;
		return poll->resumed = true;
	}
	cursor_close_chain(cursor);
	cursor->clock_time = clocks_early(now);
	cursor->known_time = cursor->newest_time;
	if (!find_span(poll, now))
		return false;
	poll->slice = slice_at(poll, poll->span.start_time);
	return true;
}

bool poll_window_clipped(const struct poll *poll, const struct clocks *now)
{
	return poll->n_pages == 0 && poll->clip_time != NSEC_NONE &&
	       poll->clip_time - NSEC_PER_MIN > oldest_of(poll, now);
}

void poll_window_answered(struct poll *poll, const struct page *page, const struct clocks *now)
{
	nsec_t *bound = &poll->cursor.clock_time, passed = now->host_time - poll->begun_time;
	if (now->host_time < *bound)
		*bound = now->host_time;
	if (page->server_time != NSEC_NONE) {
		nsec_t skew = page->server_time - now->host_time, moved = skew - poll->skew_ns;
		bool same = moved <= NSEC_PER_MIN && moved >= -NSEC_PER_MIN;
		poll->n_agreed = same ? poll->n_agreed + 1 : 0;
		poll->skew_ns = skew;
	}
	/* what the server's clock, which shows whole seconds, showed when the poll began */
	nsec_t then = page->server_time - (passed > 0 ? span_floor(passed, NSEC_PER_SEC) : 0);
	if (page->server_time != NSEC_NONE && then < *bound)
		*bound = then;
}

bool poll_window_refused(struct poll *poll, const struct clocks *now)
{
	bool future = definition_of(poll)->resume.window && poll->open && poll->n_pages == 0 &&
		      !server_is_behind(poll, now) && !clocks_agree(now) &&
		      poll->slice.end_time > now->server_time + CLOCKS_DOUBT;
	if (!future || poll->no_future)
		return false;
	cursor_close_chain(&poll->cursor);
	poll->no_future = true;
	poll->open = false;
	return true;
}

bool poll_halve(struct poll *poll)
{
	nsec_t step = definition_of(poll)->step_ns;
	nsec_t size = span_ceil(poll->slice.end_time, step) - /* as it is requested */
		      span_floor(poll->slice.start_time, step);
	nsec_t least = step > SPAN_MIN / 2 ? 2 * step : SPAN_MIN;
	if (!definition_of(poll)->resume.window || size < least)
		return false;
	poll->span_max_ns = span_ceil(size / 2, step > 1 ? step : NSEC_PER_MSEC);
	poll->slice = slice_at(poll, poll->slice.start_time);
	cursor_close_chain(&poll->cursor);
	poll_begin_chain(poll);
	return true;
}

bool poll_narrow(struct poll *poll)
{
	return poll->open && poll_halve(poll) && (poll->narrow = true);
}

void poll_window_store(struct poll *poll)
{
	if (poll->frozen || poll->after_cut)
		return; /* another process begins at the watermark */
	poll->cursor.start_time = poll->slice.start_time;
	poll->cursor.end_time = poll->slice.end_time;
	poll->cursor.until_time = poll->span.end_time;
}

/* The slice was read whole: how far does that prove that everything was? A record that is later
 * than the server's clock proves nothing of what is between. */
static void move_watermark(struct poll *poll, const struct clocks *now)
{
	struct cursor *cursor = &poll->cursor;
	nsec_t late = server_is_known(now) ? now->server_time : clocks_late(now);
	nsec_t done =
		cursor->clock_time > cursor->known_time ? cursor->clock_time : cursor->known_time;
	done = (done < late ? done : late) - definition_of(poll)->resume.lag_ns;
	poll->n_beyond = poll->slice.start_time < done ? 0 : poll->n_beyond + 1;
	done = done < poll->slice.end_time ? done : poll->slice.end_time;
	if (done <= poll->span.start_time)
		return; /* what is before that was not read */
	bool first = cursor->watermark_time == NSEC_NONE;
	nsec_t before = first ? cursor->started_time : cursor->watermark_time;
	if (done <= before)
		return;
	/* what is between the watermark and a slice after it is a gap, and told */
	poll_add_cover(poll, before > poll->slice.start_time ? before : poll->slice.start_time,
		done, false);
	cursor->watermark_time = done;
	poll_note_keys(poll);
}

/* May the next slice be twice as long? Of narrow ones, which lost their cursors before, only after
 * some in a row that were one page, at most half full: twice as much is one page, too, without a
 * cursor. */
static bool may_grow(struct poll *poll)
{
	bool quiet = poll->n_pages <= 1 && 2 * poll->n_elements <= definition_of(poll)->page.size;
	if (!poll->narrow)
		return true;
	poll->n_quiet = quiet ? poll->n_quiet + 1 : 0;
	if (poll->n_quiet < QUIET_SLICES)
		return false;
	poll->n_quiet = 0;
	return true;
}

enum poll_verdict poll_window_end(struct poll *poll, const struct clocks *now)
{
	const struct definition *definition = definition_of(poll);
	nsec_t late = request_until(poll, now);
	if (is_errand(poll))
		poll->errand.start_time = poll->slice.end_time;
	else
		move_watermark(poll, now);
	cursor_close_chain(&poll->cursor);
	if (may_grow(poll) && poll->span_max_ns < definition->resume.span_max_ns)
		poll->span_max_ns = poll->span_max_ns > definition->resume.span_max_ns / 2
					    ? definition->resume.span_max_ns
					    : 2 * poll->span_max_ns;
	nsec_t overlap = definition->resume.overlap_pieces ? poll_reach(poll, poll->slice.end_time,
								     definition->resume.overlap_ns)
							   : 0;
	if (poll->cut_time != NSEC_NONE && poll->slice.end_time >= poll->cut_time) {
		poll->after_cut = true;
		poll->cut_time = NSEC_NONE;
	}
	bool beyond = !poll->ahead &&
		      (poll->slice.end_time >= late - definition->resume.lag_ns ||
			      (poll->n_beyond >= MAX_BEYOND && !clocks_unset(now->host_time)));
	if (beyond || poll->slice.end_time >= poll->span.end_time) {
		bool resumed = poll->resumed;
		poll->open = poll->resumed = poll->narrow = false;
		return resumed ? POLL_LAST : POLL_CAUGHT_UP;
	}
	poll->slice = slice_at(poll, span_next(&poll->slice, overlap, definition->step_ns));
	poll->n_restarts = 0;
	poll_window_store(poll);
	poll_begin_chain(poll);
	return POLL_LAST;
}
