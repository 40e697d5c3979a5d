/* Between the files that make up a poll (poll*.c, ends.c, newest.c): its state, and what the
 * definition says of its chains. Nobody else includes it. */
#ifndef TRAWLD_SOURCE_POLL_INTERNAL_H
#define TRAWLD_SOURCE_POLL_INTERNAL_H

#include "base/idset.h"
#include "source/poll.h"

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
	nsec_t least_overlap_ns; /* poll_set_overlap */
	nsec_t swept_time; /* windows: when the last sweep began, by the host's clock, in this
			      process; NSEC_NONE: none did */
	bool resumed; /* windows: this poll was begun by an earlier process, now is farther on */
	struct span span; /* windows: what this poll requests in all */
	struct span errand; /* all that is to be requested, from what was read of it on; start
			       NSEC_NONE: it is not an errand */
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
	nsec_t adopted_time; /* POLL_NOTICE_ADOPTED: until here everything was read; NSEC_NONE */
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
	nsec_t walk_newest, walk_oldest, walk_latest; /* of this chain's records; NSEC_NONE; the
							  newest is no later than the clocks */
	nsec_t walk_time; /* when its first page was requested: what came later may be missing */
	bool walk_reached; /* [resume] newest: it reached what an earlier one has read */
	bool walk_moved; /* the list moved on meanwhile, or may have: pages need not adjoin */
	bool walk_found; /* it has new records */
	bool walk_passed; /* it came to a young record that is known: old ones are no late ones */
	nsec_t unpassed_time; /* cursor.newest_time for which a list had no such record; NSEC_NONE
			       */
	struct idset held; /* keys of old records in front of it: late ones, or marked */
	size_t n_doubtful; /* marked: nothing was behind them yet */
	size_t n_tail;
	size_t n_repeated; /* records that the accepted page begins with and the one before ended
			      with: not to be handed on again */
	unsigned notices; /* POLL_NOTICE_*: to be told, each once; the caller clears them */
	struct poll_gap gaps[POLL_MAX_GAPS]; /* to be reported; the caller empties it */
	size_t n_gaps;
	struct poll_cover cover; /* to be reported with the cursor; the caller empties it */
	nsec_t chained_time; /* up to when a chain was reported; NSEC_NONE: not in this process */
	nsec_t skip_time; /* cursors: what is skipped begins here; NSEC_NONE: nothing is */
	nsec_t skip_ns; /* and lasts so long */
};

static inline const struct definition *definition_of(const struct poll *poll)
{
	return poll->source->definition;
}

/* Pages are requested by a count, not by a cursor. */
static inline bool counts_pages(const struct definition *definition)
{
	return definition->page.offset || definition->page.number;
}

/* It requests a span of time once, and moves no watermark. */
static inline bool is_errand(const struct poll *poll)
{
	return poll->errand.start_time != NSEC_NONE;
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

void poll_init(struct poll *poll, const struct source *source);
void poll_deinit(struct poll *poll);

/* START_TIME to END_TIME was read: joined with what is to be reported. */
void poll_add_cover(struct poll *poll, nsec_t start_time, nsec_t end_time, bool chain);
void poll_add_gap(struct poll *poll, struct span span, enum gap_reason reason);

void poll_begin_chain(struct poll *poll);

/* --- poll_adopt.c --- */

/* The cursor is from the store: it may be that of another definition. */
void poll_adopt(struct poll *poll);

/* --- poll_keys.c --- */

/* How far before DONE_TIME a poll reads again that is to reach back by WANTED_NS: no further than
 * keys were kept for it, since before that duplicates cannot be told. An overlap that has become
 * longer is so only as time passes. */
nsec_t poll_reach(const struct poll *poll, nsec_t done_time, nsec_t wanted_ns);
/* The same for the overlap, before the watermark, or the newest record. */
nsec_t poll_overlap(const struct poll *poll);
/* The cursor has moved: keys that are older than a poll may reach back to go with it. */
void poll_note_keys(struct poll *poll);
/* Of what has a time from here on, dedupe keys are kept; NSEC_NONE: of all. */
nsec_t poll_keys_from(const struct poll *poll);

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
