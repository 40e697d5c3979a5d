/*
 * Committed batches to the sinks of their source, acknowledgements back to the store, bodies
 * released when every sink of the source has them. Each sink has its own queue (delivery.h): from
 * memory for what was just committed, from the spool for what waits longer.
 */
#ifndef TRAWLD_PIPELINE_FANOUT_H
#define TRAWLD_PIPELINE_FANOUT_H

#include "pipeline/committer.h"
#include "pipeline/sink.h"

#include "base/condition.h"

struct fanout;
struct delivery;

/* Keys that every sink has, beside its kind's own. */
struct sink_common_options {
	int format; /* enum record_format */
	struct str_list include; /* conditions, one a line; a record must fulfil one of them */
	struct str_list exclude; /* a record must fulfil none */
	struct str_list remove; /* JSON Pointers to what is cut out of each record */
	nsec_t retry_max_ns; /* longest back-off, default 5m */
};
extern const struct option sink_common_option_rows[];
extern const size_t n_sink_common_option_rows;
/* What the rows cannot say: conditions and pointers that are none. Adds findings at SECTION's
 * entries. */
void sink_common_check(const struct sink_common_options *common, const struct ini_section *section,
	struct findings *findings);

struct fanout *fanout_new(struct ev_loop *loop, struct store *store, struct committer *committer,
	const char *state_directory);
void fanout_free(struct fanout *fanout); /* cancels deliveries; nothing is lost: they come again */

/* Adds a sink and loads its place from the store. COMMON and the kind's options (in SETUP) live as
 * long as the sink. 0 or the fault of create. */
int fanout_add_sink(struct fanout *fanout, const struct sink_kind *kind,
	const struct sink_setup *setup, const struct sink_common_options *common,
	struct fault *reterr);
/* Takes a sink out (reload). What it has acknowledged must have been committed: one that comes back
 * begins there. */
void fanout_remove_sink(struct fanout *fanout, const char *name);
bool fanout_has_sink(const struct fanout *fanout, const char *name);

/* A sink that is paused finishes the job it has, and gets no other until it is resumed. */
void fanout_pause_sink(struct fanout *fanout, const char *name, bool paused);

/* delivery_hold and delivery_is_under_way for the sink NAME, if it is there. */
void fanout_hold_sink(struct fanout *fanout, const char *name, bool held);
bool fanout_sink_is_under_way(const struct fanout *fanout, const char *name);

/* SINK, which need not be there yet, gets the batches of SOURCE above the number AFTER: a route of
 * the state, once each. */
void fanout_route(struct fanout *fanout, const char *source, const char *sink, int64_t after);
/* Before the routes are given anew. */
void fanout_clear_routes(struct fanout *fanout);
/* After all adds and routes of start or reload: starts deliveries. Batches that have no route are
 * released. */
void fanout_start(struct fanout *fanout);

/* A batch is durable: give it to the sinks (matches commit_done_fn with a fanout as userdata; BATCH
 * NULL is ignored). */
void fanout_committed(struct batch *batch, void *fanout);
/* SEEN gets each of these, after the sinks were offered it. NULL: nobody does. */
void fanout_on_committed(struct fanout *fanout,
	void (*seen)(const struct batch *batch, void *userdata), void *userdata);

void fanout_reopen(struct fanout *fanout); /* SIGUSR1 */
void fanout_retry_now(
	struct fanout *fanout); /* ends back-off waits: used at shutdown's drain and SIGUSR2 */
/* Nothing new is to come: from now on no sink waits for more records to fill a job. */
void fanout_hurry(struct fanout *fanout);

/* At this size of a file of dead letters its sink waits instead of adding to it; 0: no limit. */
void fanout_set_dead_letter_limit(struct fanout *fanout, uint64_t bytes);
/* delivery_resend and delivery_discard for the sink NAME; one that is not there, for fanout_resend,
 * is FAULT_CONFIG. */
int fanout_resend(struct fanout *fanout, const char *name, uint64_t *ret_n, struct fault *reterr);
int fanout_discard(struct fanout *fanout, const char *name, uint64_t *ret_n, struct fault *reterr);
/* delivery_replay and delivery_replay_stop for the sink that REPLAY names, or NAME. */
struct replay;
int fanout_replay(struct fanout *fanout, struct replay *replay, const char *by, const char *text,
	struct fault *reterr);
int fanout_replay_stop(
	struct fanout *fanout, const char *name, const char *by, struct fault *reterr);

/* Everything committed so far is acknowledged by every sink, or its sink is failing, or is paused
 * while something waits for it, or leaves work undone (then *RET_FAILING counts such sinks). */
bool fanout_drained(const struct fanout *fanout, size_t *ret_failing);
/* A sink fails in a way that may pass by itself, and has not been tried often enough to tell. */
bool fanout_is_retrying(const struct fanout *fanout);
/* Called whenever that may have changed. */
void fanout_on_progress(struct fanout *fanout, void (*progress)(void *userdata), void *userdata);

/* Called when the receiver of the sink NAME says that another process with the same state has taken
 * over. */
void fanout_on_fenced(struct fanout *fanout,
	void (*fenced)(const char *name, const struct fault *fault, void *userdata),
	void *userdata);

/* For status and metrics. */
struct minutes;
struct sink_status {
	const char *name;
	const char *kind;
	const char *location; /* "trawld.conf:14" */
	int64_t acknowledged; /* batch number */
	uint64_t pending_records;
	nsec_t oldest_time; /* when the oldest of them that is in memory was accepted; NSEC_NONE:
			       none is */
	uint64_t delivered_records; /* since start */
	const struct minutes *delivered; /* the same, in the last hour */
	uint64_t refused_records; /* dead letters since start */
	uint64_t dead_letter_bytes; /* of their file; only in an overview (daemon) */
	uint64_t filtered_records; /* that include and exclude dropped since start */
	uint64_t retries;
	bool paused;
	bool failing;
	bool poison; /* at one record, which fails alone */
	nsec_t failing_time; /* since when */
	unsigned n_attempts; /* that failed since then */
	struct fault fault; /* why, while failing */
	const struct fault *undone; /* why something is left to the next start; NULL: nothing is */
	nsec_t wait_ns; /* the pause chosen after the last failed try, while failing */
	nsec_t next_try_ns; /* from now, while failing */
	nsec_t last_success_time; /* NSEC_NONE */
	const struct replay *replay; /* the last one (store/replays.h); NULL: none was */
};
void fanout_each_sink(const struct fanout *fanout,
	void (*each)(const struct sink_status *status, void *userdata), void *userdata);

#endif
