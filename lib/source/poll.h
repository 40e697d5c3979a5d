/*
 * One source's polling as a state machine, pure: it decides, runner.h carries out. Events go in
 * (begin, page, failure) with the time, a verdict comes out. It owns the cursor; the caller commits
 * the cursor's text together with the records that the verdict lets through.
 */
#ifndef TRAWLD_SOURCE_POLL_H
#define TRAWLD_SOURCE_POLL_H

#include "base/gap.h"
#include "source/clocks.h"
#include "source/page.h"
#include "source/cursor.h"
#include "source/span.h"

struct poll_gap {
	struct span span;
	enum gap_reason reason;
};

#define POLL_MAX_GAPS 4

/* What was read since the caller took it. */
struct poll_cover {
	struct span span; /* start NSEC_NONE: nothing */
	bool chain; /* on the word of the API's cursor: no proof */
	nsec_t retract_time; /* nothing after it was read, whatever was said; NSEC_NONE */
};

#define POLL_COVER_NULL                                                                            \
	((struct poll_cover){.span = {NSEC_NONE, NSEC_NONE}, .retract_time = NSEC_NONE})

struct poll;

/* The chain that is open, for people. */
struct poll_status {
	int64_t total, n_elements; /* total -1: the API does not tell, or no chain is open */
	nsec_t position_time, target_time; /* windows: how far, and where to; NSEC_NONE */
};

enum {
	POLL_NOTICE_SIZE = 1 << 0, /* pages hold cursor.page_cut elements, not the requested size */
	POLL_NOTICE_UNEVEN = 1 << 1, /* full pages hold now more, now fewer elements */
	POLL_NOTICE_TOTAL = 1 << 2, /* total_wrong */
	POLL_NOTICE_WATERMARK = 1 << 3, /* it was in the future and is pulled back */
	POLL_NOTICE_DOUBT = 1 << 4, /* it is in the future, and left there */
	POLL_NOTICE_FULL =
		1 << 5, /* a page of exactly the size was the last for want of a cursor */
	POLL_NOTICE_ADOPTED = 1 << 6, /* the cursor was stored under another [resume] */
	POLL_NOTICE_IDS = 1 << 7, /* the IDs of records are read elsewhere than before */
	POLL_NOTICE_PLACE = 1 << 8, /* endpoint or a parameter has changed */
	POLL_N_NOTICES = 9,
};

enum poll_verdict {
	POLL_MORE, /* accept this page; the next request follows at once */
	POLL_LAST, /* accept this page; the chain is whole; the next request follows at once
		    * (another slice waits)
		    */
	POLL_CAUGHT_UP, /* accept this page; the source has caught up: rest for the interval */
	POLL_AGAIN, /* drop what was gathered of this chain and request it again (window cut
		       smaller, list moved) */
};

struct poll *poll_new(const struct source *source);
void poll_free(struct poll *poll);

const struct cursor *poll_cursor(const struct poll *poll); /* as of the last accepted page */
/* From the store, or for a source without state started_time and exact. No poll is open. */
void poll_set_cursor(struct poll *poll, const struct cursor *cursor);
/* An errand: the poll requests SPAN, once, whatever the cursor says, and proves nothing of any
 * other time. Only for definitions that go by windows, without [fetch]. Its cursor is not to be
 * kept. */
void poll_set_errand(struct poll *poll, const struct span *span);
/* The overlap is at least this from the next poll on, whatever the definition says. */
void poll_set_overlap(struct poll *poll, nsec_t overlap_ns);
/* A source that has read nothing yet starts at another time. */
void poll_set_started(struct poll *poll, nsec_t time);
/* The documents of a window cannot be had as they were listed: back to CURSOR, from which the
 * window is listed again. What its list proved is not reported. */
void poll_return_to(struct poll *poll, const struct cursor *cursor);
/* A document was read to its end: the cursor is not in the middle of one any more. */
void poll_end_document(struct poll *poll);

/* The request to send, or under way; it borrows from the poll. */
const struct source *poll_source(const struct poll *poll);
const struct request_values *poll_request(const struct poll *poll);
const char *poll_link(const struct poll *poll); /* NULL: by the definition's url */
/* It uses a cursor or link that the API gave, which may be lost. */
bool poll_is_stored(const struct poll *poll);
/* It only proves that the page before was the last (ends.h). */
bool poll_is_probing(const struct poll *poll);

bool poll_begins_chain(const struct poll *poll); /* no page of it was accepted yet */
bool poll_restarted(const struct poll *poll); /* the list moved: it has to be read whole */
/* Records that the accepted page begins with and the one before ended with: not handed on again. */
size_t poll_n_repeated(const struct poll *poll);
void poll_status(const struct poll *poll, struct poll_status *ret);

/* What is to be reported: with the cursor, but for the notices. Taken, it is reported no more. */
const struct poll_gap *poll_gaps(const struct poll *poll, size_t *ret_n);
void poll_clear_gaps(struct poll *poll);
struct poll_cover poll_take_cover(struct poll *poll);
unsigned poll_take_notices(struct poll *poll); /* POLL_NOTICE_*, each to be told once */

/* Begins a poll at the cursor, or continues the open one, and fills in the request. False: there is
 * nothing to request now. */
bool poll_begin(struct poll *poll, const struct clocks *now);

/* [page] repeats: takes the records off PAGE with which the page before it ended. Before
 * poll_page. */
void poll_drop_repeated(struct poll *poll, struct page *page);

/* A whole page came for the request. 0 and *RET_VERDICT; cursor and request are moved on. Else
 * FAULT_LOOP: nothing moved, or FAULT_INCOMPLETE: the list keeps moving, the chain begins again. */
int poll_page(struct poll *poll, const struct page *page, const char *url, const struct clocks *now,
	enum poll_verdict *ret_verdict, struct fault *reterr);

/* A window that gather.h cannot hold: requested again in halves. False: it cannot be cut any
 * further.
 */
bool poll_halve(struct poll *poll);

/* The API refused the request. True: because it ends later than the server's clock; the poll is
 * over, and no other one ends so, as long as the clocks differ. */
bool poll_window_refused(struct poll *poll, const struct clocks *now);

/* The same because chains of such windows lose their cursor: they stay small until the poll has
 * ended. */
bool poll_narrow(struct poll *poll);

/* The stored cursor or link of the request is gone (FAULT_LOST): it is changed to continue by time.
 * *RET_FROM: from where (NSEC_NONE: the open window again). */
void poll_lost(struct poll *poll, const struct clocks *now, nsec_t *ret_from);

/* The cursor from which the open chain would be read again from its first page. *RET is
 * initialised. */
void poll_cursor_before(const struct poll *poll, struct cursor *ret);

enum poll_skip {
	POLL_SKIP_NARROWED, /* a shorter window, or a later beginning, is requested now */
	POLL_SKIP_DONE, /* what fails is given up: a gap was added */
	POLL_SKIP_IMPOSSIBLE, /* nothing after what fails can be requested */
};

/* A person wants to get past what fails, and it has failed. Windows are requested in halves until
 * only the shortest that fails is given up; where a cursor leads on, the source continues by time,
 * later with each attempt; a list that is walked from its newest record ends before the page that
 * fails (the caller hands on what was gathered). Again at each failure, until it is done. */
enum poll_skip poll_skip(struct poll *poll, const struct clocks *now);
/* A page came: what a cursor has left out by then is a gap. True: one was added. */
bool poll_skipped(struct poll *poll);

/* Forget the open poll; the next poll_begin starts from the cursor. */
void poll_stop(struct poll *poll);

/* The sentence for one POLL_NOTICE_*: what happened, what follows, what can be done. */
void poll_notice_print(const struct poll *poll, unsigned notice, struct buf *out);

/* If nothing is read until then, by the server's clock, the API no longer keeps what is unread;
 * NSEC_NONE: not known. */
nsec_t poll_deadline(const struct poll *poll);

/* How the dedupe must treat this chain's records without ID. */
enum record_scope poll_scope(const struct poll *poll);

/* The time by which the keys of RECORDS, of the last pages, are kept: that of the newest of them,
 * if all lie in the window that was requested; else the window's end. */
nsec_t poll_key_time(const struct poll *poll, const struct records *records);

/* Keys older than this are never requested again; NSEC_NONE: keep all. */
nsec_t poll_horizon(const struct poll *poll);

#endif
