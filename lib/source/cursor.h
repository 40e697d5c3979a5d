/*
 * Where a source stands: what the store keeps as the source's cursor. Written with the batch that
 * lies before it, in one transaction.
 *
 * As text it is one JSON object; `trawlctl cursor` prints it. Members: version, resume (link, or
 * cursor as JSON), page (the same, inside an open chain), exact, start, end, until, clock, known
 * (open span), since, keys_from, watermark, newest, polled, started (RFC 3339 with nanoseconds),
 * offset, number, document, rows, page_size, page_cut, page_shape, ids, place.
 */
#ifndef TRAWLD_SOURCE_CURSOR_H
#define TRAWLD_SOURCE_CURSOR_H

#include "base/buf.h"
#include "base/clock.h"

struct cursor {
	char *resume; /* where the next poll goes on: a URL, or a cursor's JSON text; NULL: by time
		       */
	char *page; /* the next page of an open chain, the same way; NULL: its first page */
	int64_t offset, number; /* of the next page, for APIs that count, without [page] overlap;
				   -1: none */
	bool exact; /* resume or page is gapless: nothing before it comes again */
	nsec_t started_time; /* the first start; NSEC_NONE: from the earliest record */
	nsec_t start_time; /* the open span; both NSEC_NONE: none is open */
	nsec_t end_time;
	nsec_t until_time; /* where the poll that the open span belongs to ends */
	nsec_t clock_time; /* the earliest clock, and the newest record, when that poll began */
	nsec_t known_time;
	nsec_t since_time; /* cursors: from when on everything is read when the open chain has
			      ended; NSEC_NONE: not known, or none is open */
	nsec_t keys_from_time; /* dedupe keys are kept of what was read from here on: no poll
				  reaches further back to read again; NSEC_NONE: of everything */
	nsec_t watermark_time; /* windows: everything before is done; NSEC_NONE: nothing yet */
	nsec_t newest_time; /* newest record committed; NSEC_NONE: none */
	nsec_t polled_time; /* cursors: the last poll that was up to date, or the first page;
			       newest: the last walk with new records; NSEC_NONE: none yet */
	char *document; /* [fetch]: key of the document in work, in hex; NULL: none */
	int64_t rows; /* of it that are committed */
	int64_t page_size; /* elements of a full page, as the API has shown; 0: full pages differ;
			      -1: not shown yet */
	int64_t page_cut; /* a page of so many was not the last; -1: none of another size than
			     requested */
	char *page_shape; /* what these two were learned with, and the next page is one of
			     (source.h); NULL: nothing */
	char *place; /* which endpoint and parameters it was read with (source.h); NULL: not known
		      */
	char *ids; /* where the IDs of records were read when it was stored; NULL: not known */
};

#define CURSOR_NULL                                                                                \
	((struct cursor){.offset = -1,                                                             \
		.number = -1,                                                                      \
		.started_time = NSEC_NONE,                                                         \
		.start_time = NSEC_NONE,                                                           \
		.end_time = NSEC_NONE,                                                             \
		.until_time = NSEC_NONE,                                                           \
		.clock_time = NSEC_NONE,                                                           \
		.known_time = NSEC_NONE,                                                           \
		.since_time = NSEC_NONE,                                                           \
		.keys_from_time = NSEC_NONE,                                                       \
		.watermark_time = NSEC_NONE,                                                       \
		.newest_time = NSEC_NONE,                                                          \
		.polled_time = NSEC_NONE,                                                          \
		.page_size = -1,                                                                   \
		.page_cut = -1})

enum {
	CURSOR_E_SYNTAX = 1, /* not what cursor_print writes */
};

void cursor_deinit(struct cursor *cursor);
void cursor_copy(struct cursor *to, const struct cursor *from); /* TO is initialised */
int cursor_parse(struct cursor *ret, const char *text);
char *cursor_print(const struct cursor *cursor);
/* TEXT replaces *FIELD (a copy; SLICE_NULL: unset). */
void cursor_set(char **field, struct slice text);
/* Ends the open chain. */
void cursor_close_chain(struct cursor *cursor);
/* Everything from TIME on is requested again (trawlctl rewind). */
void cursor_rewind(struct cursor *cursor, nsec_t time);

#endif
