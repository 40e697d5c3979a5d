/*
 * See poll.h. Two questions decide everything: how the next page is requested (a cursor, a count,
 * or not at all) and where the next poll resumes (a cursor, a window, or the newest page). Each is
 * answered in one function below.
 */
#include "source/poll.h"

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/mem.h"
#include "source/ends.h"
#include "source/newest.h"
#include "source/poll_internal.h"

#define MAX_RESTARTS 3
#define MAX_SAME_PAGES 3

void poll_init(struct poll *poll, const struct source *source)
{
	*poll = (struct poll){.source = source,
		.cursor = CURSOR_NULL,
		.seen = IDSET_NULL,
		.held = IDSET_NULL,
		.span_max_ns = source->definition->resume.span_max_ns,
		.cut_time = NSEC_NONE,
		.unpassed_time = NSEC_NONE,
		.errand = {NSEC_NONE, NSEC_NONE},
		.swept_time = NSEC_NONE,
		.expired_time = NSEC_NONE,
		.cover = POLL_COVER_NULL,
		.chained_time = NSEC_NONE,
		.skip_time = NSEC_NONE};
}

void poll_add_gap(struct poll *poll, struct span span, enum gap_reason reason)
{
	/* more than the caller lets come together are joined */
	if (poll->n_gaps == POLL_MAX_GAPS) {
		struct span *last = &poll->gaps[POLL_MAX_GAPS - 1].span;
		last->start_time =
			span.start_time < last->start_time ? span.start_time : last->start_time;
		last->end_time = span.end_time > last->end_time ? span.end_time : last->end_time;
		return;
	}
	poll->gaps[poll->n_gaps++] = (struct poll_gap){span, reason};
}

void poll_add_cover(struct poll *poll, nsec_t start_time, nsec_t end_time, bool chain)
{
	struct span *span = &poll->cover.span;
	if (start_time == NSEC_NONE || end_time == NSEC_NONE || start_time >= end_time)
		return;
	if (span->start_time == NSEC_NONE || start_time < span->start_time)
		span->start_time = start_time;
	if (span->end_time == NSEC_NONE || end_time > span->end_time)
		span->end_time = end_time;
	poll->cover.chain = chain;
}

void poll_deinit(struct poll *poll)
{
	cursor_deinit(&poll->cursor);
	idset_deinit(&poll->seen);
	idset_deinit(&poll->held);
	free(poll->tail);
	poll->tail = NULL;
}

/* The request for the cursor and the slice as they are now. */
static void set_request(struct poll *poll)
{
	const struct definition *definition = definition_of(poll);
	const struct cursor *cursor = &poll->cursor;
	poll->request = (struct request_values){.source = poll->source,
		.start_time = cursor->start_time,
		.end_time = NSEC_NONE,
		.page = cursor->page,
		.resume = cursor->page ? NULL : cursor->resume,
		.offset = -1,
		.number = -1};
	if (definition->page.offset)
		poll->request.offset = cursor->offset >= 0 ? cursor->offset - (int64_t)poll->n_again
							   : definition->page.first;
	if (definition->page.number)
		poll->request.number =
			cursor->number >= 0 ? cursor->number : definition->page.first;
	if (definition->resume.window) {
		poll->request.start_time = span_floor(poll->slice.start_time, definition->step_ns);
		poll->request.end_time = span_ceil(poll->slice.end_time, definition->step_ns);
	} else if (cursor->resume && !cursor->page) {
		poll->request.start_time = NSEC_NONE;
	} else if (poll->request.start_time == NSEC_NONE) {
		poll->request.start_time = cursor->started_time;
	}
	poll->link = cursor->page && definition->page_cursor.is_url             ? cursor->page
		     : poll->request.resume && definition->resume_cursor.is_url ? cursor->resume
										: NULL;
	poll->stored = cursor->page || poll->request.resume;
	poll->request.size = ends_size(poll);
}

void poll_begin_chain(struct poll *poll)
{
	idset_clear(&poll->seen);
	poll->n_pages = poll->n_elements = 0;
	poll->total = -1;
	poll->n_same = 0;
	poll->n_tail = poll->n_again = 0;
	poll->n_before = -1;
	poll->total_wrong = false;
	poll->probing = false;
	poll->from_first = !poll->cursor.page && poll->cursor.offset < 0 && poll->cursor.number < 0;
	poll->last_digest = (struct id){{0}};
	poll->walk_newest = NSEC_NONE;
	newest_begin(poll);
	set_request(poll);
}

/* Begins a poll. False: there is nothing to request yet. */
static bool open_poll(struct poll *poll, const struct clocks *now)
{
	const struct definition *definition = definition_of(poll);
	struct cursor *cursor = &poll->cursor;
	poll->n_restarts = 0;
	if (definition->resume.window) {
		if (!poll_window_begin(poll, now))
			return false;
	} else if (definition->resume.newest) {
		cursor_close_chain(cursor);
	} else if (cursor->page && !cursor->exact) {
		/* what was read before the restart is known; its count of equal records is not */
		nsec_t start = cursor->start_time, since = cursor->since_time;
		cursor_close_chain(cursor);
		cursor->start_time = start;
		cursor->since_time = since;
	}
	poll->open = true;
	poll_begin_chain(poll);
	return true;
}

bool poll_begin(struct poll *poll, const struct clocks *now)
{
	if (!poll->open && !open_poll(poll, now))
		return false;
	set_request(poll);
	poll->request.now_time = clocks_server(now);
	if (poll->n_pages == 0)
		poll->walk_time = clocks_early(now);
	return true;
}

void poll_cursor_before(const struct poll *poll, struct cursor *ret)
{
	cursor_copy(ret, &poll->cursor);
	if (!definition_of(poll)->resume.window)
		return;
	cursor_close_chain(ret);
	ret->start_time = poll->slice.start_time;
	ret->end_time = poll->slice.end_time;
	ret->until_time = poll->span.end_time;
}

void poll_stop(struct poll *poll)
{
	poll->open = false;
}

static struct id text_digest(const char *text)
{
	return digest_id(slice_of(text));
}

/* A chain that does not move is a fault: the same cursor twice, the same records page after page,
 * or no end in sight. The cursor on the LAST page may be the one requested with, and in windows
 * any: nothing follows it. */
static int check_loop(struct poll *poll, const struct page *page, const char *url, bool last,
	unsigned *ret_n_same, struct fault *reterr)
{
	const struct definition *definition = definition_of(poll);
	const char *cursor = requested_cursor(poll);
	size_t n_again;
	const char *next_cursor = ends_next(poll, page, &n_again);
	struct id requested = text_digest(definition->page_cursor.is_url || !cursor ? url : cursor);
	idset_add(&poll->seen, &requested);
	bool same_records = page->n_records > 0 &&
			    memcmp(&page->digest, &poll->last_digest, sizeof(struct id)) == 0;
	unsigned n_same = same_records ? poll->n_same + 1 : 0;
	if (n_same >= MAX_SAME_PAGES && !(page->hashed && !counts_pages(definition)))
		return fault_set(reterr, FAULT_LOOP,
			"loop: the chain of pages does not move, %u pages in a row hold the same records",
			n_same + 1);
	if (poll->n_pages >= definition->page.max_pages)
		return fault_set(reterr, FAULT_LOOP,
			"loop: the chain of pages does not end, %lld pages were read ([page] max_pages)",
			(long long)poll->n_pages);
	if (next_cursor) {
		struct id next = text_digest(next_cursor);
		bool same = cursor && ends_same_cursor(cursor, next_cursor);
		bool followed = !last || (follows_cursors(definition) && !same);
		if (followed && idset_has(&poll->seen, &next))
			return fault_set(reterr, FAULT_LOOP,
				"loop: the next page leads back to a page of this chain that was read already");
	}
	*ret_n_same = n_same;
	return 0;
}

/* How many elements of a page of N the next one is to repeat: always fewer than N. */
static size_t repeated(const struct poll *poll, size_t n)
{
	size_t overlap = (size_t)definition_of(poll)->page.overlap;
	return n > overlap ? overlap : n > 0 ? n - 1 : 0;
}

/* Records among the first N elements. */
static size_t records_among(const struct page *page, size_t n)
{
	size_t count = 0;
	if (n >= page->n_elements)
		return page->n_records;
	while (count < page->n_records &&
		page->records[count].text.data < page->scan.elements[n].raw.data)
		count++;
	return count;
}

/* Lists that are counted drift: did this one since the page before? */
static bool has_moved(const struct poll *poll, const struct page *page)
{
	const struct definition *definition = definition_of(poll);
	bool total_known = page->total >= 0 && !poll->total_wrong;
	if (total_known && page->n_elements == 0 && counts_pages(definition) &&
		ends_received(poll, page) >= 0 && ends_received(poll, page) < page->total)
		return true;
	if (page->n_elements == 0 && ends_pages_more(poll, page))
		return true;
	if (poll->n_pages == 0)
		return false;
	/* nothing more, after all that the total counted: whatever it counts now */
	bool complete = page->n_elements <= poll->n_again && poll->n_elements >= poll->total;
	if (total_known && page->total != poll->total && !complete)
		return true;
	if (!definition->page.overlap)
		return false;
	if (page->n_elements < poll->n_again || records_among(page, poll->n_again) != poll->n_tail)
		return true;
	for (size_t i = 0; i < poll->n_tail; i++)
		if (memcmp(&page->records[i].key, &poll->tail[i], sizeof(struct id)) != 0)
			return true;
	return false;
}

/* Do the first N records of PAGE repeat the last ones of the page before? */
static bool repeats(const struct poll *poll, const struct page *page, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (memcmp(&page->records[i].key, &poll->tail[poll->n_tail - n + i],
			    sizeof(struct id)) != 0)
			return false;
	return true;
}

void poll_drop_repeated(struct poll *poll, struct page *page)
{
	size_t n = poll->n_tail < page->n_records ? poll->n_tail : page->n_records;
	if (!definition_of(poll)->page.repeats)
		return;
	while (n > 0 && !repeats(poll, page, n))
		n--;
	page->n_repeated = n;
	page_drop_records(page, n);
}

/* All records of PAGE, those that were dropped from it first. */
static void keep_page(struct poll *poll, const struct page *page)
{
	size_t n = page->n_repeated;
	struct id *tail = mem_array(n + page->n_records, sizeof(struct id));
	for (size_t i = 0; i < n; i++)
		tail[i] = poll->tail[poll->n_tail - n + i];
	for (size_t i = 0; i < page->n_records; i++)
		tail[n + i] = page->records[i].key;
	free(poll->tail);
	poll->tail = tail;
	poll->n_tail = n + page->n_records;
}

static void keep_tail(struct poll *poll, const struct page *page)
{
	poll->n_again = repeated(poll, page->n_elements);
	size_t first = records_among(page, page->n_elements - poll->n_again);
	poll->n_tail = page->n_records - first;
	poll->tail = mem_resize(poll->tail, poll->n_tail * sizeof(struct id));
	for (size_t i = 0; i < poll->n_tail; i++)
		poll->tail[i] = page->records[first + i].key;
}

static void advance(struct poll *poll, const struct page *page)
{
	const struct definition *definition = definition_of(poll);
	struct cursor *cursor = &poll->cursor;
	if (definition->resume.window)
		poll_window_store(poll);
	bool probes = ends_probes(poll, page);
	const char *next = ends_next(poll, page, &poll->n_again);
	cursor_set(&cursor->page, slice_of(next));
	if (definition->page.offset)
		cursor->offset = poll->request.offset + ends_counted(poll, page);
	if (definition->page.number)
		cursor->number = poll->request.number + 1;
	if (definition->page.overlap)
		keep_tail(poll, page);
	if (definition->page.repeats)
		keep_page(poll, page);
	if (page->resume)
		cursor_set(&cursor->resume, slice_of(page->resume));
	poll->n_before = (int64_t)page->n_elements;
	poll->probing = probes && counts_pages(definition);
	set_request(poll);
}

/* The chain ended: where does the next poll go on? */
static int end_by_cursor(
	struct poll *poll, const struct page *page, const char *url, struct fault *reterr)
{
	struct cursor *cursor = &poll->cursor;
	const char *resume = page->resume                                             ? page->resume
			     : page->next && !definition_of(poll)->page_cursor.is_url ? page->next
										      : NULL;
	const char *requested =
		definition_of(poll)->resume_cursor.is_url ? url : requested_cursor(poll);
	if (!resume && page->n_elements > 0)
		return fault_set(reterr, FAULT_BODY,
			"the response is rejected: its last page has no cursor at `%s` to continue from",
			definition_of(poll)->resume.url ? definition_of(poll)->resume.url
							: definition_of(poll)->resume.cursor);
	/* a page that will be served again from its beginning, because it is still open */
	bool open_page =
		resume && requested && ends_same_cursor(resume, requested) && page->n_elements > 0;
	if (resume)
		cursor_set(&cursor->resume, slice_of(resume));
	cursor_close_chain(cursor);
	cursor->exact = cursor->resume != NULL && !open_page;
	return 0;
}

static int restart(struct poll *poll, const struct page *page, struct fault *reterr)
{
	const struct definition *definition = definition_of(poll);
	char *total CLEANUP_FREE = NULL;
	if (page->total >= 0)
		total = mem_printf(
			" (its `total` at `%s` is %lld, %lld elements were received; if that counts something else, remove `total` from [page])",
			definition->page_total.text, (long long)page->total,
			(long long)ends_received(poll, page));
	cursor_close_chain(&poll->cursor);
	poll_begin_chain(poll);
	if (++poll->n_restarts > MAX_RESTARTS)
		return fault_set(reterr, FAULT_INCOMPLETE,
			"the list moved under each of %u attempts to read it%s", poll->n_restarts,
			total ? total : "");
	return 0;
}

/* Until when a source with a cursor has read everything; NSEC_NONE: not known. */
static nsec_t read_until(const struct cursor *cursor)
{
	nsec_t newest = cursor->newest_time, polled = cursor->polled_time;
	if (polled == NSEC_NONE || (cursor->page && newest != NSEC_NONE && newest < polled))
		return newest; /* the last poll did not get further */
	return polled;
}

static void set_expired(struct poll *poll, nsec_t now_time, enum gap_reason reason, nsec_t read)
{
	nsec_t oldest = now_time - definition_of(poll)->resume.retention_ns;
	poll_add_gap(poll, (struct span){read, oldest}, reason);
	poll->cursor.polled_time = now_time;
}

/* What the first page of a chain was requested from, if it was by time; NSEC_NONE: not. */
static nsec_t asked_from(const struct poll *poll)
{
	bool first = poll->n_pages == 0 && poll->from_first; /* with a cursor: no start_time */
	return first && definition_of(poll)->first_has_start ? poll->request.start_time : NSEC_NONE;
}

/* A page of a chain of cursors came; everything until READ was read before. From when on has
 * everything been read when the chain has ended? From the end of the last one, or where the first
 * page was requested from; else since its first page. */
static nsec_t chained_since(const struct poll *poll, nsec_t read)
{
	nsec_t since = poll->cursor.since_time, asked = asked_from(poll);
	if (since == NSEC_NONE)
		since = poll->chained_time != NSEC_NONE ? poll->chained_time : read;
	return asked != NSEC_NONE && (since == NSEC_NONE || asked < since) ? asked : since;
}

/* A page of a chain of cursors came. With its LAST one, SINCE then until now nothing is left out,
 * by the API's word, but what it no longer keeps. A quiet source says so once a minute. */
static void note_chain(struct poll *poll, const struct clocks *now, nsec_t since, bool last)
{
	nsec_t early = clocks_early(now), retention = definition_of(poll)->resume.retention_ns;
	nsec_t oldest = retention ? clocks_late(now) - retention : NSEC_NONE;
	if (follows_cursors(definition_of(poll)) && !last)
		poll->cursor.since_time = since;
	if (!follows_cursors(definition_of(poll)) || !last || clocks_unset(early))
		return;
	if (poll->chained_time != NSEC_NONE && since >= poll->chained_time &&
		early < poll->chained_time + NSEC_PER_MIN && poll->n_elements == 0)
		return;
	if (since != NSEC_NONE)
		poll_add_cover(poll, since > oldest ? since : oldest, early, true);
	poll->chained_time = early;
}

/* A page came, the LAST of its chain or not; everything until READ was read before. A
 * cursor does not say what it skips: if the last poll is longer ago than the API keeps records,
 * some expired before they were read. The time is coarse, so that a quiet source writes nothing. */
static void note_polled(struct poll *poll, const struct clocks *now, nsec_t read, bool last)
{
	struct cursor *cursor = &poll->cursor;
	nsec_t now_time = clocks_sure(now);
	nsec_t retention = definition_of(poll)->resume.retention_ns;
	if (!follows_cursors(definition_of(poll)) || !retention || clocks_unset(now_time))
		return;
	nsec_t coarse = retention / 24 < NSEC_PER_HOUR ? retention / 24 : NSEC_PER_HOUR;
	nsec_t polled =
		cursor->polled_time != NSEC_NONE ? cursor->polled_time : cursor->newest_time;
	if (polled != NSEC_NONE && polled < now_time - retention)
		set_expired(poll, now_time, GAP_RETENTION, read);
	else if (cursor->polled_time == NSEC_NONE || polled - clocks_late(now) > CLOCKS_DOUBT ||
		 (last && polled < now_time - coarse))
		cursor->polled_time = now_time;
}

/* Records that come in no order tell of all that is older when their chain has come to its end, not
 * before: the cursor must not lie ahead of what was read. Nor does a list that moved meanwhile:
 * what was listed between its pages is not read yet. */
static void note_newest(struct poll *poll, nsec_t time, bool last)
{
	const struct definition *definition = definition_of(poll);
	bool late = definition->resume.newest || definition->records.order == ORDER_UNORDERED;
	nsec_t *newest = late ? &poll->walk_newest : &poll->cursor.newest_time;
	if (poll->frozen)
		return;
	if (definition->resume.newest && poll->walk_moved)
		time = NSEC_NONE;
	if (time != NSEC_NONE && (*newest == NSEC_NONE || time > *newest))
		*newest = time;
	if (last && poll->walk_newest != NSEC_NONE &&
		(poll->cursor.newest_time == NSEC_NONE ||
			poll->walk_newest > poll->cursor.newest_time))
		poll->cursor.newest_time = poll->walk_newest;
	poll_note_keys(poll);
}

/* A record cannot be newer than the later clock, where that was ever set. */
static nsec_t credible(nsec_t time, const struct clocks *now)
{
	nsec_t late = clocks_late(now);
	return time > late && !clocks_unset(late) ? late : time;
}

static void note_page(struct poll *poll, const struct page *page)
{
	poll->read = (struct span){poll->request.start_time, poll->request.end_time};
	/* with `repeats`, poll_drop_repeated has dropped them before */
	poll->n_repeated = definition_of(poll)->page.overlap ? poll->n_tail : 0;
	poll->untimed |= page->n_without_time > 0;
}

int poll_page(struct poll *poll, const struct page *page, const char *url, const struct clocks *now,
	enum poll_verdict *ret_verdict, struct fault *reterr)
{
	const struct definition *definition = definition_of(poll);
	struct cursor *cursor = &poll->cursor;
	unsigned n_same = 0;
	*ret_verdict = POLL_AGAIN;
	if (definition->resume.window) {
		if (poll_window_clipped(poll, now)) {
			poll_stop(poll);
			poll->n_gaps = 0;
			return 0;
		}
		poll_window_answered(poll, page, now);
	}
	ends_learn_total(poll, page);
	bool last = ends_chain(poll, page);
	int r = check_loop(poll, page, url, last, &n_same, reterr);
	if (r)
		return r;
	/* in this order: a page that shows late records has some that the one before seemed to lack
	 */
	if (newest_goes_back(poll, page) || has_moved(poll, page))
		return restart(poll, page, reterr);
	ends_learn_size(poll, page);
	bool capped = ends_capped(poll, page), whole = ends_whole(poll, page);
	if (capped && poll_halve(poll))
		return 0;
	if (last && !capped) {
		r = ends_check(poll, page, reterr);
		if (r)
			return r;
	}
	nsec_t read = read_until(cursor), since = chained_since(poll, read);
	if (last && follows_cursors(definition)) {
		r = end_by_cursor(poll, page, url, reterr);
		if (r)
			return r;
	}
	poll->n_same = n_same;
	poll->last_digest = page->digest;
	poll->n_pages++;
	poll->n_elements += ends_new(poll, page);
	poll->total = page->total;
	note_page(poll, page);
	note_polled(poll, now, read, last);
	note_chain(poll, now, since, last);
	if (definition->resume.newest)
		newest_note(poll, page, now, last);
	note_newest(poll, credible(page->newest_time, now), last);
	if (!last) {
		advance(poll, page);
		*ret_verdict = POLL_MORE;
		return 0;
	}
	if (capped && !whole)
		poll_add_gap(poll, poll->slice, GAP_CAPPED);
	*ret_verdict = definition->resume.window ? poll_window_end(poll, now) : POLL_CAUGHT_UP;
	if (definition->resume.newest)
		cursor_close_chain(cursor);
	if (*ret_verdict == POLL_CAUGHT_UP)
		poll->open = false;
	return 0;
}

nsec_t poll_deadline(const struct poll *poll)
{
	const struct cursor *cursor = &poll->cursor;
	nsec_t retention = definition_of(poll)->resume.retention_ns;
	nsec_t read =
		definition_of(poll)->resume.window ? cursor->watermark_time : read_until(cursor);
	if (read == NSEC_NONE)
		read = cursor->started_time;
	/* the margin is that of span_oldest */
	return read == NSEC_NONE || retention == 0 ? NSEC_NONE : read + retention - NSEC_PER_MIN;
}

void poll_lost(struct poll *poll, const struct clocks *now, nsec_t *ret_from)
{
	const struct resume_options *resume = &definition_of(poll)->resume;
	struct cursor *cursor = &poll->cursor;
	nsec_t read = read_until(cursor);
	*ret_from = NSEC_NONE;
	cursor_close_chain(cursor);
	if (!resume->window && !resume->newest) {
		nsec_t from = cursor->newest_time != NSEC_NONE
				      ? cursor->newest_time - poll_overlap(poll)
				      : cursor->started_time;
		if (cursor->started_time != NSEC_NONE && from < cursor->started_time)
			from = cursor->started_time;
		nsec_t now_time = clocks_sure(now);
		if (resume->retention_ns && read != NSEC_NONE &&
			read < now_time - resume->retention_ns)
			set_expired(poll, now_time, GAP_LOST_CURSOR,
				cursor->newest_time != NSEC_NONE ? cursor->newest_time : read);
		cursor_set(&cursor->resume, SLICE_NULL);
		cursor->exact = false;
		cursor->start_time = from;
		*ret_from = from;
	}
	if (resume->window && poll_window_expired(poll, poll->slice.start_time, now))
		poll_stop(poll);
	poll_begin_chain(poll);
	poll->request.now_time = clocks_server(now);
}
