/*
 * One source at work: its runner, its intake, and what is counted of it. It knows the state and the
 * loop; what concerns all of trawld (back-pressure, the end of a run) is asked of its owner.
 */
#ifndef TRAWLD_DAEMON_POLLER_H
#define TRAWLD_DAEMON_POLLER_H

#include "pipeline/intake.h"
#include "pipeline/quarantine.h"
#include "source/runner.h"
#include "daily.h"
#include "tally.h"

struct errand;

struct poller_callbacks {
	/* May requests be made at all? */
	bool (*may_poll)(void *userdata);
	/* Is less than half of the spool used? An errand waits until then. */
	bool (*has_room)(void *userdata);
	/* What the source knows cannot be read from the state now: once each time that this begins.
	 */
	void (*unreadable)(const struct fault *fault, void *userdata);
	/* A poll has come to its end. */
	void (*rested)(void *userdata);
};

/* Everything is borrowed. */
struct poller_setup {
	struct ev_loop *loop;
	struct http_client *client;
	struct store *store;
	struct committer *committer;
	struct fanout *fanout; /* gets the batches */
	const struct source *source;
	const char *state_directory; /* for what cannot be a record */
	bool paused; /* by a person */
	bool once; /* --once: it gives up, and says nothing of the first time that it caught up */
	nsec_t first_delay_ns;
	const struct poller_callbacks *callbacks;
	void *userdata;
};

struct poller {
	struct ev_loop *loop;
	struct http_client *client;
	struct store *store;
	struct committer *committer;
	const struct poller_callbacks *callbacks;
	void *userdata;
	bool once;
	const struct source *source;
	struct runner *runner;
	struct intake *intake;
	struct quarantine *quarantine;
	uint64_t n_rests; /* polls that came to their end */
	bool paused; /* by the configuration or a person */
	bool rested; /* nobody has to wait for it: caught up once, given up, or paused */
	nsec_t caught_up_time; /* the last time; NSEC_NONE: not in this process */
	struct fault *given_up; /* owned; NULL: not given up */
	uint64_t n_gaps;
	nsec_t gap_ns[GAP_N_REASONS]; /* how long they are together */
	bool unreadable; /* what it knows already could not be read from the state: told */
	bool loading; /* the runner waits until that is read */
	nsec_t gap_time; /* where the first open gap begins; NSEC_NONE: none is known */
	struct errand *errand; /* NULL: none is at work */
	struct reconciler *reconciler; /* NULL: none */
	unsigned loss_told; /* how urgent it was when it was told (countdown.c) */
	struct tally tally;
	struct daily_counts daily; /* what daily.c has told */
};

/* 0, or the fault of the runner or the store. */
int poller_new(struct poller **ret, const struct poller_setup *setup, struct fault *reterr);
/* Stops polling, or continues. 0 or the fault of the runner. */
int poller_set_paused(struct poller *poller, bool paused, struct fault *reterr);
/* No request follows any more. */
void poller_stop(struct poller *poller);
/* Gaps may have been closed: which keys are kept for those that are open? */
void poller_look_at_gaps(struct poller *poller);
void poller_free(struct poller *poller);

#endif
