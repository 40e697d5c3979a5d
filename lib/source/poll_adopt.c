/*
 * A stored cursor meets the definition as it is now. What another definition, or another size of a
 * page, has made of it means something else: page 3 of 100 is not page 3 of 200, and a source that
 * was read by cursors has no watermark. What was read is told by times whatever the definition is.
 */
#include "base/cleanup.h"
#include "base/str.h"
#include "source/poll_internal.h"

/* What was learned of the page size, and the next page of an open chain, count for the same
 * requests only. Its first page is safe: duplicates are known. */
static void adopt_shape(struct poll *poll)
{
	struct cursor *cursor = &poll->cursor;
	const char *shape = poll->source->page_shape;
	if (cursor->page_shape && strcmp(cursor->page_shape, shape) == 0)
		return;
	cursor->page_size = cursor->page_cut = -1;
	cursor_set(&cursor->page_shape, slice_of(shape));
	if (cursor->offset >= 0 || cursor->number >= 0)
		cursor->exact = false;
	cursor->offset = cursor->number = -1;
	if (definition_of(poll)->resume.window)
		cursor_set(&cursor->page, SLICE_NULL);
}

static void print_pointers(const struct pointer *pointers, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%s%s", out->size ? ", " : "", pointers[i].text);
}

/* What is read again is known by the IDs that it had when it was delivered. */
static void adopt_ids(struct poll *poll)
{
	const struct definition *definition = definition_of(poll);
	struct cursor *cursor = &poll->cursor;
	struct buf ids CLEANUP(buf_deinit) = BUF_NULL;
	if (definition->fetches)
		print_pointers(definition->fetch_id, definition->n_fetch_id, &ids);
	else
		print_pointers(definition->records_id, definition->n_records_id, &ids);
	if (cursor->ids && strcmp(cursor->ids, buf_text(&ids)) != 0 &&
		cursor->newest_time != NSEC_NONE &&
		(!follows_cursors(definition) || !cursor->exact))
		poll->notices |= POLL_NOTICE_IDS;
	cursor_set(&cursor->ids, slice_of(buf_text(&ids)));
}

/* Whose records are they? A cursor, a time and IDs tell nothing of another place. */
static void adopt_place(struct poll *poll)
{
	struct cursor *cursor = &poll->cursor;
	const char *place = poll->source->place;
	if (cursor->place && strcmp(cursor->place, place) != 0)
		poll->notices |= POLL_NOTICE_PLACE;
	cursor_set(&cursor->place, slice_of(place));
}

static bool is_by_window(const struct cursor *cursor)
{
	return cursor->watermark_time != NSEC_NONE || cursor->end_time != NSEC_NONE;
}

/* Polled to an end, yet without a cursor. */
static bool is_by_newest(const struct cursor *cursor)
{
	bool open = cursor->page || cursor->offset >= 0 || cursor->number >= 0;
	return cursor->exact && !cursor->resume && !open && !is_by_window(cursor) &&
	       cursor->polled_time != NSEC_NONE && cursor->newest_time != NSEC_NONE;
}

static bool is_by_cursor(const struct cursor *cursor)
{
	return cursor->resume || cursor->since_time != NSEC_NONE;
}

/* A link where the definition says so, else the JSON text of a cursor. */
static bool is_written_as(const char *text, const struct cursor_definition *cursor)
{
	return !text || str_starts(text, "http") == cursor->is_url;
}

static bool is_of_another_kind(const struct poll *poll)
{
	const struct cursor *cursor = &poll->cursor;
	if (definition_of(poll)->resume.window)
		return is_by_cursor(cursor) || cursor->polled_time != NSEC_NONE;
	if (definition_of(poll)->resume.newest)
		return is_by_window(cursor) || is_by_cursor(cursor);
	return is_by_window(cursor) || is_by_newest(cursor) ||
	       !is_written_as(cursor->page, &definition_of(poll)->page_cursor) ||
	       !is_written_as(cursor->resume, &definition_of(poll)->resume_cursor);
}

/* Everything before was read; NSEC_NONE: not known. */
static nsec_t read_until(const struct cursor *cursor)
{
	return is_by_window(cursor) ? cursor->watermark_time : cursor->newest_time;
}

/* By time, until the API gives a cursor. */
static void start_from(struct poll *poll, nsec_t read)
{
	struct cursor *cursor = &poll->cursor;
	nsec_t from = read - poll_reach(poll, read, definition_of(poll)->resume.overlap_ns);
	cursor->start_time = from < cursor->started_time ? cursor->started_time : from;
}

void poll_adopt(struct poll *poll)
{
	const struct resume_options *resume = &definition_of(poll)->resume;
	struct cursor *cursor = &poll->cursor;
	bool other = is_of_another_kind(poll);
	nsec_t read = read_until(cursor);
	adopt_shape(poll);
	adopt_ids(poll);
	adopt_place(poll);
	if (!other)
		return;
	cursor_close_chain(cursor);
	cursor_set(&cursor->resume, SLICE_NULL);
	cursor->polled_time = NSEC_NONE;
	cursor->watermark_time = resume->window ? read : NSEC_NONE;
	cursor->exact = resume->window || resume->newest;
	if (!cursor->exact && read != NSEC_NONE)
		start_from(poll, read);
	poll->adopted_time = read;
	poll->notices |= POLL_NOTICE_ADOPTED;
}
