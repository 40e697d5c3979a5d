/* What the parts of delivery.c share: one sink's queue as it is. */
#ifndef TRAWLD_PIPELINE_DELIVERY_INTERNAL_H
#define TRAWLD_PIPELINE_DELIVERY_INTERNAL_H

#include <ev.h>

#include "base/backoff.h"
#include "base/log.h"
#include "base/minutes.h"
#include "pipeline/deadletter_mark.h"
#include "pipeline/delivery.h"
#include "pipeline/job.h"
#include "pipeline/queue.h"
#include "pipeline/resend.h"
#include "store/replays.h"

struct json_remove;
struct selection;

enum delivery_state {
	DELIVERY_RECOVER, /* the sink does not know its place yet */
	DELIVERY_RECOVERING, /* it is asking its receiver */
	DELIVERY_READY, /* no job in hand */
	DELIVERY_SEND, /* a job is to be handed over */
	DELIVERY_HANDOVER, /* inside deliver(): no answer comes yet */
	DELIVERY_SENDING, /* the sink has it */
	DELIVERY_REJECT, /* dead letters are to be written before it can be acknowledged */
	DELIVERY_NONE_TAKEN, /* of the job's records: is it the receiver's problem? */
};

/* What is left of a job of the spool when its bytes are not needed any more. */
struct job_tally {
	int64_t last;
	uint64_t n_all, n_records, n_unfit;
	size_t bytes;
	nsec_t oldest_time;
	struct str_list sources; /* of its batches; one may be there more than once */
};

struct delivery {
	struct delivery_setup setup;
	char *location;
	struct sink *sink;
	struct selection *selection;
	struct json_remove *remove; /* NULL: nothing */
	ev_timer timer;
	enum delivery_state state;
	bool started;
	bool paused;
	bool held; /* for a moment: a reload is about to change the sink */
	bool waiting; /* the timer runs a back-off */
	nsec_t gather_until_at; /* a job waits for more; NSEC_NONE: none does */
	bool hurried; /* none waits any longer */

	int64_t acknowledged;
	char *position;

	struct queue queue; /* what follows the job */
	struct job_tally sent[SINK_SENT_JOBS]; /* and not confirmed, before JOB */
	size_t n_sent, sent_bytes;
	struct sink_job *job;
	bool planned; /* the job's bounds are in the state */
	int64_t plan_first, plan_last; /* bounds that were planned before a restart or reload; 0:
					  none */
	struct job_plan plan; /* with them */
	struct sink_answer answer; /* with DELIVERY_REJECT and DELIVERY_NONE_TAKEN; its error is
				      kept until the next */
	bool none_taken_waited; /* with DELIVERY_NONE_TAKEN: a back-off is over */
	struct deadletter_mark kept; /* the job of the last dead letters before this process or
					this sink began: it is done, whatever the state says */
	uint64_t n_blamed; /* dead letters with one reason since a record was taken */

	struct resend resend; /* dead letters that are sent again */
	bool resending; /* the job in hand is of them */
	uint64_t resent_records; /* of this resend */
	uint64_t resent_rejected;

	struct replay *replay; /* the last one, running or over; NULL: none was */
	bool replaying; /* the job in hand is of it */
	int64_t replay_end; /* where that job ends */

	struct backoff backoff;
	bool failing;
	nsec_t failing_since_at, failing_time;
	unsigned failing_tries, n_vain; /* since it works; since a part of a job was delivered */
	nsec_t wait_ns, retry_at;
	struct fault fault;
	struct fault stalled; /* FAULT_NONE: it is not */
	nsec_t stalled_time;
	nsec_t rejected_logged_at; /* NSEC_NONE: never */
	nsec_t unfit_logged_at; /* NSEC_NONE: never */
	nsec_t retry_logged_at; /* of a part of a job; NSEC_NONE: never */
	nsec_t recent_told_at; /* for log_recent() */

	uint64_t pending_records;
	uint64_t delivered_records;
	struct minutes delivered; /* the same */
	uint64_t refused_records, filtered_records;
	uint64_t retries;
	nsec_t last_success_time;
};

struct log_subject delivery_subject(const struct delivery *delivery);

/* The next step comes after a back-off, and not before fault->wait_ns. */
void delivery_fail(struct delivery *delivery, const struct fault *fault);
/* The sink has taken N records. */
void delivery_count(struct delivery *delivery, uint64_t n);
/* Ends what delivery_fail began. */
void delivery_works(struct delivery *delivery);
/* The job in hand is done: N_REJECTED of its records, and those set apart, are dead letters. */
void delivery_acknowledge(struct delivery *delivery, const char *position, uint64_t n_rejected);

void delivery_changed(struct delivery *delivery);
/* Collects what is acknowledged, with POSITION (NULL: as it was), for the next commit. */
void delivery_keep(struct delivery *delivery, const char *position);

struct job_terms delivery_terms(const struct delivery *delivery);
/* A job from what is queued. */
void delivery_build(struct delivery *delivery);
/* A step: hands over the job in hand, unless it has to wait for those that are sent. */
void delivery_send(struct delivery *delivery);
void delivery_schedule(struct delivery *delivery);

/* All of the job in hand is delivered, but what was set apart: that is kept before it is
 * acknowledged. */
void delivery_done(struct delivery *delivery, const char *position);
/* The sink's answer SINK_REJECTED, and the step that follows from it: writes the dead letters of
 * the job in hand, then acknowledges it. */
void delivery_rejected(struct delivery *delivery, struct sink_answer *answer);
void delivery_reject(struct delivery *delivery);
/* Has the job in hand all its dead letters from before a crash? Then the sink is not asked again,
 * but for one that keeps a position. */
bool delivery_is_kept(const struct delivery *delivery);
/* The job in hand comes again: what a crash has left of its dead letters is none. False: *RETERR.
 */
bool delivery_forget_parts(struct delivery *delivery, struct fault *reterr);
/* A step: acknowledges such a job. */
void delivery_found(struct delivery *delivery);
/* The sink's answer SINK_NONE_TAKEN, and the step that follows from it. */
void delivery_none_taken(struct delivery *delivery, struct sink_answer *answer);
void delivery_doubt(struct delivery *delivery);
/* The job in hand is not of what waits in the spool: it moves no acknowledgement. */
static inline bool delivery_is_aside(const struct delivery *delivery)
{
	return delivery->resending || delivery->replaying;
}

/* --- delivery_sent.c --- */

void job_tally_init(struct job_tally *tally, const struct sink_job *job);
void job_tally_deinit(struct job_tally *tally);
/* TALLY, the oldest that is not acknowledged, is: N_REJECTED of it are dead letters. */
void delivery_settle(struct delivery *delivery, const struct job_tally *tally, const char *position,
	uint64_t n_rejected);
/* What is sent has to be sent again, and the job in hand after it. */
void delivery_sent_lost(struct delivery *delivery);

/* --- delivery_plan.c --- */

/* The N bounds of a job, those that are not there are 0, and its plan after them. False: it is
 * something else. */
bool delivery_plan_parse(const char *text, int64_t *bounds, size_t n, struct job_plan *ret);
/* Appends the plan of the job in hand, after its bounds. */
void delivery_plan_print(const struct delivery *delivery, struct buf *out);
/* What was planned before a restart or reload. */
void delivery_plan_read(struct delivery *delivery);
/* Before the job in hand is sent; false: it may not be sent now. */
bool delivery_plan_write(struct delivery *delivery, struct fault *reterr);

/* --- delivery_replay.c --- */

/* Says so if its replay was running when trawld ended. */
void delivery_replay_resumes(const struct delivery *delivery);
/* Is a job of the replay to be sent? IDLE: nothing waits in the spool. */
bool delivery_replay_is_due(const struct delivery *delivery, bool idle);
/* A step: the next job of it. */
void delivery_replay_take(struct delivery *delivery);
bool delivery_replay_plan(struct delivery *delivery, struct fault *reterr);
void delivery_replay_acknowledge(
	struct delivery *delivery, const char *position, uint64_t n_rejected);
/* The sink's answer SINK_NONE_TAKEN to such a job. */
void delivery_replay_rejected(struct delivery *delivery, const struct fault *reason);

/* --- delivery_resend.c --- */

/* The note that could not be read. False: it still cannot, and that is told. */
bool delivery_resend_reads(struct delivery *delivery);
/* A step: the next job of the dead letters that are sent again. */
void delivery_resend_take(struct delivery *delivery);
/* Such a job is done: N_REJECTED of its records are new dead letters. */
void delivery_resend_acknowledge(
	struct delivery *delivery, const char *position, uint64_t n_rejected);
/* The sink's answer SINK_NONE_TAKEN to such a job. */
void delivery_resend_rejected(struct delivery *delivery, const struct fault *reason);

/* Is more needed to tell whose problem it is? Then a new record is a reason to try at once. */
bool delivery_is_in_doubt(const struct delivery *delivery);

#endif
