/* What of a poll is seen and set from outside. */
#include "base/mem.h"
#include "source/poll_internal.h"

struct poll *poll_new(const struct source *source)
{
	struct poll *poll = MEM_NEW(struct poll);
	poll_init(poll, source);
	return poll;
}

void poll_free(struct poll *poll)
{
	if (!poll)
		return;
	poll_deinit(poll);
	free(poll);
}

const struct cursor *poll_cursor(const struct poll *poll)
{
	return &poll->cursor;
}

void poll_set_cursor(struct poll *poll, const struct cursor *cursor)
{
	cursor_copy(&poll->cursor, cursor);
	/* an earlier version did not store it */
	if (poll->cursor.keys_from_time == NSEC_NONE)
		poll_note_keys(poll);
	poll_adopt(poll);
}

void poll_set_errand(struct poll *poll, const struct span *span)
{
	poll->errand = *span;
	cursor_close_chain(&poll->cursor);
}

void poll_set_started(struct poll *poll, nsec_t time)
{
	poll->cursor.started_time = time;
}

void poll_return_to(struct poll *poll, const struct cursor *cursor)
{
	cursor_copy(&poll->cursor, cursor);
	poll->cover = POLL_COVER_NULL;
}

void poll_end_document(struct poll *poll)
{
	cursor_set(&poll->cursor.document, SLICE_NULL);
}

const struct source *poll_source(const struct poll *poll)
{
	return poll->source;
}

const struct request_values *poll_request(const struct poll *poll)
{
	return &poll->request;
}

const char *poll_link(const struct poll *poll)
{
	return poll->link;
}

bool poll_is_stored(const struct poll *poll)
{
	return poll->stored;
}

bool poll_is_probing(const struct poll *poll)
{
	return poll->probing;
}

bool poll_begins_chain(const struct poll *poll)
{
	return poll->n_pages == 0;
}

bool poll_restarted(const struct poll *poll)
{
	return poll->n_restarts > 0;
}

size_t poll_n_repeated(const struct poll *poll)
{
	return poll->n_repeated;
}

void poll_status(const struct poll *poll, struct poll_status *ret)
{
	bool window = definition_of(poll)->resume.window && poll->open;
	*ret = (struct poll_status){
		.total = poll->open ? poll->total : -1,
		.n_elements = poll->open ? poll->n_elements : 0,
		.position_time = window ? poll->slice.start_time : NSEC_NONE,
		.target_time = window ? poll->span.end_time : NSEC_NONE,
	};
}

const struct poll_gap *poll_gaps(const struct poll *poll, size_t *ret_n)
{
	*ret_n = poll->n_gaps;
	return poll->gaps;
}

void poll_clear_gaps(struct poll *poll)
{
	poll->n_gaps = 0;
}

struct poll_cover poll_take_cover(struct poll *poll)
{
	struct poll_cover cover = poll->cover;
	poll->cover = POLL_COVER_NULL;
	return cover;
}

unsigned poll_take_notices(struct poll *poll)
{
	unsigned notices = poll->notices;
	poll->notices = 0;
	return notices;
}
