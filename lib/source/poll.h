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

struct poll {
	const struct source *source;
	struct cursor cursor; /* as of the last accepted page */

	/* the request to send, or under way */
	struct request_values request; /* borrows from cursor and link */
	const char *link; /* NULL: by the definition's url */
	bool stored; /* it uses a cursor or link that the API gave: may be lost */

	/* the open poll and chain; nothing here outlives the process */
	bool open;
	bool doubted; /* windows: what is done is in the future, and was requested again */
	bool ahead; /* windows: this poll goes beyond both clocks, which are behind the records */
	bool frozen; /* windows: it starts where perhaps not everything before was read */
	nsec_t sweep_ns; /* windows: the overlap of this poll, which is a sweep; 0: it is none */
	nsec_t swept_time; /* windows: when the last sweep began, by the host's clock, in this
			      process; NSEC_NONE: none did */
	bool resumed; /* windows: this poll was begun by an earlier process, now is farther on */
	struct span span; /* windows: what this poll requests in all */
	struct span read; /* windows: what the last page was requested for */
	struct span slice; /* windows: what this chain requests */
	nsec_t span_max_ns; /* halved by cap, doubled by success */
	bool narrow; /* cursors were lost: longer slices only where one page holds them */
	unsigned n_quiet; /* such slices in a row */
	nsec_t clip_time; /* windows: the span begins where the retention does; NSEC_NONE: not */
	nsec_t begun_time; /* windows: by the host's clock, in this process */
	nsec_t skew_ns; /* windows: the server's clock less the host's, and how many responses in a
			   row said so */
	unsigned n_agreed;
	bool untimed; /* records came without a time that can be read */
	bool by_host; /* windows: the next poll measures the retention by the earlier clock */
	nsec_t expired_time; /* the last gap by the server's clock alone reached to here */
	nsec_t cut_time; /* windows: slices end here, at the earlier clock; NSEC_NONE: nowhere */
	bool after_cut; /* windows: only the later clock has reached this slice */
	bool no_future; /* windows: the API refuses what is later than its own clock */
	unsigned n_beyond; /* slices in a row that only one of the clocks has reached */
	struct span pulled; /* POLL_NOTICE_WATERMARK: to where, from where */
	struct idset seen; /* cursors of this chain: a cursor that comes twice is a loop */
	struct id last_digest;
	unsigned n_same; /* pages in a row with the same records */
	int64_t n_pages, n_elements, total;
	bool total_wrong; /* [page] total counts something else than the list's elements */
	bool from_first; /* the chain was read from its first page */
	bool probing; /* requested only to prove that the page before was the last (ends.h) */
	int64_t n_before; /* elements of the page before; -1: none */
	unsigned n_restarts; /* because the list moved; 0 again when a chain is whole */
	size_t n_again; /* elements of the page before that the next one begins with */
	struct id *tail; /* keys of the records among them */
	nsec_t walk_newest, walk_oldest; /* of this chain's records; NSEC_NONE */
	bool walk_reached; /* [resume] newest: it reached what an earlier one has read */
	bool walk_found; /* it has new records */
	size_t n_tail;
	size_t n_repeated; /* records that the accepted page begins with and the one before ended
			      with: not to be handed on again */
	bool reread; /* this chain goes over ground that may be known */
	unsigned notices; /* POLL_NOTICE_*: to be told, each once; the caller clears them */
	struct poll_gap gaps[POLL_MAX_GAPS]; /* to be reported; the caller empties it */
	size_t n_gaps;
	struct poll_cover cover; /* to be reported with the cursor; the caller empties it */
	nsec_t chained_time; /* up to when a chain was reported; NSEC_NONE: not in this process */
};

enum {
	POLL_NOTICE_SIZE = 1 << 0, /* pages hold cursor.page_cut elements, not the requested size */
	POLL_NOTICE_UNEVEN = 1 << 1, /* full pages hold now more, now fewer elements */
	POLL_NOTICE_TOTAL = 1 << 2, /* total_wrong */
	POLL_NOTICE_WATERMARK = 1 << 3, /* it was in the future and is pulled back */
	POLL_NOTICE_DOUBT = 1 << 4, /* it is in the future, and left there */
	POLL_NOTICE_FULL =
		1 << 5, /* a page of exactly the size was the last for want of a cursor */
	POLL_N_NOTICES = 6,
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

void poll_init(struct poll *poll, const struct source *source);
void poll_deinit(struct poll *poll);

/* Begins a poll at poll->cursor and fills in the request. The caller has set the cursor:
 * from the store, or for a source without state started_time and exact. False: nothing to request
 * now. */
bool poll_begin(struct poll *poll, const struct clocks *now);

/* [page] repeats: takes the records off PAGE with which the page before it ended. Before
 * poll_page. */
void poll_drop_repeated(struct poll *poll, struct page *page);

/* A whole page came for the request. 0 and *RET_VERDICT; cursor and request are moved on. Else
 * FAULT_LOOP: nothing moved, or FAULT_INCOMPLETE: the list keeps moving, the chain begins anew. */
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
