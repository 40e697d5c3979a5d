/*
 * One sink's queue: what it still has to get, in order, and what follows from its answers.
 * Written once for all kinds: acknowledgement, retry with back-off, selection, dead letters.
 *
 * Batches that were just committed wait in memory up to a bound; what waits beyond that is read
 * from the spool when its turn comes, so a sink that is away for days costs no memory.
 *
 * A kind whose receiver confirms late (sink_sent) gets further jobs meanwhile. What is sent is then
 * not kept in memory: if it comes back, it is read from the spool, and the jobs may be other ones.
 *
 * Jobs: what waits, up to JOB_MAX_BATCHES and JOB_MAX_BYTES, is handed over as one job. A job that
 * is to be sent again is the same job, batch for batch. After a restart the next job begins at the
 * same batch but may end at another one, unless the kind has SINK_STABLE_JOB: then its bounds are
 * kept in the state (in the place of the position) before it is first handed over.
 */
#ifndef TRAWLD_PIPELINE_DELIVERY_H
#define TRAWLD_PIPELINE_DELIVERY_H

#include "pipeline/committer.h"
#include "pipeline/fanout.h"
#include "pipeline/sink.h"

struct delivery;
struct replay;
struct store;

struct delivery_setup {
	struct ev_loop *loop;
	struct store *store;
	struct committer *committer;
	const char *state_directory;
	const char *location; /* "trawld.conf:14" or NULL; copied */
	const struct sink_common_options *common; /* lives as long as the delivery */
	int64_t acknowledged;
	const char *position; /* what belongs to ACKNOWLEDGED, or NULL; copied */
	const uint64_t *dead_letter_limit; /* bytes; of 0 there is none */
	/* The number above which this sink is to get the batches of SOURCE; SPOOL_NONE: none. */
	int64_t (*wanted)(const char *source, struct delivery *delivery, void *userdata);
	/* Batches of SOURCE are acknowledged. */
	void (*acknowledged_source)(const char *source, void *userdata);
	/* BATCH of a source of trawld's own is durable; as commit_done_fn. */
	void (*published)(struct batch *batch, void *userdata);
	/* As sink_attest. */
	void (*attest)(const struct delivery *delivery, const char *source, struct buf *out,
		void *userdata);
	/* The acknowledged number, or delivery_is_idle, or the failing state may have changed. */
	void (*changed)(struct delivery *delivery, void *userdata);
	/* The sink is not to deliver any more: another process has taken over. */
	void (*fenced)(struct delivery *delivery, const struct fault *fault, void *userdata);
	void *userdata;
};

/* Takes over SINK when it succeeds. 0, or FAULT_CONFIG for a condition or a pointer that is none.
 * Nothing is delivered before delivery_start. */
int delivery_new(struct delivery **ret, const struct delivery_setup *setup, struct sink *sink,
	struct fault *reterr);
/* Cancels what is with the sink and destroys it. NULL allowed. */
void delivery_free(struct delivery *delivery);

/* Begins, or (what is wanted has changed) looks at the spool anew from what is acknowledged. */
void delivery_start(struct delivery *delivery);
/* A batch of a wanted source is durable. Takes a reference when it keeps it. */
void delivery_offer(struct delivery *delivery, struct batch *batch);
/* Ends a back-off wait. */
void delivery_retry_now(struct delivery *delivery);
/* From now on no job waits for more records. */
void delivery_hurry(struct delivery *delivery);
/* No further job is handed over until it is resumed. */
void delivery_pause(struct delivery *delivery, bool paused);
/* What is in hand is answered, but nothing further is handed over until it is HELD no longer. */
void delivery_hold(struct delivery *delivery, bool held);
/* Is something sent whose answer is not known, or not collected, yet? */
bool delivery_is_under_way(const struct delivery *delivery);
void delivery_reopen(struct delivery *delivery);

/* The dead letters of the sink go through it again, before what waits, and leave the file when they
 * are acknowledged. *RET_N: how many. 0, or FAULT_STORE. */
int delivery_resend(struct delivery *delivery, uint64_t *ret_n, struct fault *reterr);
/* The dead letters are deleted, also those that are just sent again. 0, or FAULT_STORE. */
int delivery_discard(struct delivery *delivery, uint64_t *ret_n, struct fault *reterr);

/* Begins REPLAY (store/replays.h; taken over), BY a person; TEXT says what it is. 0; FAULT_CONFIG:
 * one is running; or FAULT_STORE. */
int delivery_replay(struct delivery *delivery, struct replay *replay, const char *by,
	const char *text, struct fault *reterr);
/* Ends it. 0, or FAULT_CONFIG: none is running. */
int delivery_replay_stop(struct delivery *delivery, const char *by, struct fault *reterr);
/* How far it is; NULL: none was. */
const struct replay *delivery_replay_status(const struct delivery *delivery);

const char *delivery_name(const struct delivery *delivery);
int64_t delivery_acknowledged(const struct delivery *delivery);
const char *delivery_position(const struct delivery *delivery); /* NULL: none */
/* Everything that was offered or waits in the spool is acknowledged, and the sink is not busy. */
bool delivery_is_idle(const struct delivery *delivery);
/* It is paused, and the sink has no job. */
bool delivery_is_paused(const struct delivery *delivery);
bool delivery_has_pending(const struct delivery *delivery);
bool delivery_is_failing(const struct delivery *delivery);
/* Why something that the sink does after its jobs is left to the next start; NULL: nothing is. */
const struct fault *delivery_undone(const struct delivery *delivery);
/* It fails in a way that may pass, and was not tried again often enough for a run with --once. */
bool delivery_is_retrying(const struct delivery *delivery);
void delivery_status(const struct delivery *delivery, struct sink_status *ret);

/* For sink.c: the sink's answer to the job it has; its position, or the job's splits, without an
 * answer. */
void delivery_answer(struct delivery *delivery, struct sink_answer *answer);
bool delivery_sent(struct delivery *delivery);
void delivery_confirmed(struct delivery *delivery);
void delivery_recovered(struct delivery *delivery, const struct fault *fault);
bool delivery_store_position(struct delivery *delivery, const char *position);
bool delivery_store_splits(struct delivery *delivery, struct fault *reterr);
void delivery_publish(
	struct delivery *delivery, const char *source, struct slice text, const char *id);
struct sink_job *delivery_take_job(struct delivery *delivery);
void delivery_stalled(struct delivery *delivery, const struct fault *fault, nsec_t since_ns);
void delivery_fenced(struct delivery *delivery, const struct fault *fault);
void delivery_attest(const struct delivery *delivery, const char *source, struct buf *out);
void delivery_advanced(struct delivery *delivery);
void delivery_retried(struct delivery *delivery, const struct fault *fault);
void delivery_progress(struct delivery *delivery);

#endif
