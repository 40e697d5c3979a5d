/*
 * Replays: a span of kept batches, or records of files, that one sink gets once more. A replay is a
 * row of the state with how far it is, so that a crash repeats no more of it than of other jobs. It
 * moves no cursor and no acknowledgement, and is nothing to other sinks. A sink has one at a time;
 * the row of the last one stays.
 */
#ifndef TRAWLD_STORE_REPLAYS_H
#define TRAWLD_STORE_REPLAYS_H

#include "store/batch.h"
#include "store/database.h"

enum replay_state {
	REPLAY_RUNNING,
	REPLAY_DONE,
	REPLAY_STOPPED, /* before its end, for good */
};
const char *replay_state_to_string(enum replay_state state);

/* How far a replay is. */
struct replay_progress {
	enum replay_state state;
	int64_t after; /* done up to here: the number of a batch, or an offset in the files' copy */
	struct buf plan; /* the job that is sent next was to have this end; empty: none was sent */
	uint64_t n_delivered, n_rejected, n_filtered; /* records */
	char text[256]; /* why it was stopped, or delivered less than there was; "": nothing to say
			 */
};

struct replay {
	char *sink;
	int64_t number; /* of the replay: what tells its jobs from others; set by replays_begin */
	char *source; /* NULL: of files, in a copy (replay_copy.h) */
	char *copy; /* its name before it begins; else NULL */
	nsec_t from_time, to_time; /* accepted in [from, to) */
	int64_t until; /* no batch after this; of files: the size of the copy */
	uint64_t n_records; /* that were there at the begin */
	struct replay_progress progress;
};

void replay_free(struct replay *replay); /* NULL allowed */
void replay_progress_free(struct replay_progress *progress); /* likewise */

/* What is there of a span for a sink: what waits for it, which it gets anyway, is left out. */
struct replay_measure {
	int64_t first, last; /* numbers of batches; 0: none is there */
	uint64_t n_batches, n_records;
	nsec_t first_time, last_time; /* when these were accepted */
	nsec_t oldest_time; /* the first that is there of the source; NSEC_NONE: none is */
};

/* Also with STORE_READ. 0 or STORE_E_*. */
int replays_measure(struct store *store, const char *sink, const char *source, nsec_t from_time,
	nsec_t to_time, struct replay_measure *ret, struct fault *reterr);

/* The number that the next replay gets, as long as nothing else is done. */
int64_t replays_next_number(const struct store *store);
/* Does the replay NUMBER run, and is it of files? 0 or STORE_E_*. */
int replays_has_copy(struct store *store, int64_t number, bool *ret);
/* One transaction: REPLAY (sink, source, times, until, n_records, progress.after) replaces the last
 * one of its sink; TEXT says so as an event, BY a person. 0 or STORE_E_*. */
int replays_begin(struct store *store, struct replay *replay, const char *by, const char *text,
	struct fault *reterr);
/* The last one of SINK, or NULL. 0 or STORE_E_*. */
int replays_get(struct store *store, const char *sink, struct replay **ret, struct fault *reterr);

/* With the next commit_run: SINK's replay is so far. Replaces what was collected before. */
void commit_add_replay(
	struct store *store, const char *sink, const struct replay_progress *progress);

/* The first batch of the span of SINK's replay after the number AFTER; *RET is NULL where there is
 * none. It is a copy under a number of its own, marked as replayed; *RET_NUMBER is the real one. 0
 * or STORE_E_*. */
int replays_next(struct store *store, const struct replay *replay, int64_t after,
	struct batch **ret, int64_t *ret_number, struct fault *reterr);

/* The number that the batch at AT (a number, or an offset) has in a job of REPLAY: below zero, as
 * of all that is not from the spool, ascending, and never the same for another replay. */
int64_t replay_batch_number(const struct replay *replay, int64_t at);

#endif
