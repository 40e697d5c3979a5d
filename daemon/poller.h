/* One source at work inside the daemon: its runner, its intake, and what is counted of it. */
#ifndef TRAWLD_DAEMON_POLLER_H
#define TRAWLD_DAEMON_POLLER_H

#include "pipeline/intake.h"
#include "pipeline/quarantine.h"
#include "source/runner.h"
#include "daily.h"
#include "tally.h"

struct errand;
struct trawld;

struct poller {
	struct trawld *trawld;
	const struct source *source;
	struct runner *runner;
	struct intake *intake;
	struct quarantine *quarantine;
	uint64_t n_rests; /* polls that came to their end */
	bool paused; /* by the configuration or a person */
	bool rested; /* has caught up at least once, or was given up (--once) */
	nsec_t caught_up_time; /* the last time; NSEC_NONE: not in this process */
	struct fault given_up; /* class FAULT_NONE: not given up */
	uint64_t n_gaps;
	nsec_t gap_ns[GAP_N_REASONS]; /* how long they are together */
	bool unreadable; /* what it knows already could not be read from the state: told */
	nsec_t gap_time; /* where the first open gap begins; NSEC_NONE: none is known */
	struct errand *errand; /* NULL: none is at work */
	struct reconciler *reconciler; /* NULL: none */
	unsigned loss_told; /* how urgent it was when it was told (countdown.c) */
	struct tally tally;
	struct daily_counts daily; /* what daily.c has told */
};

/* 0, or the fault of the runner or the store. */
int poller_new(struct poller **ret, struct trawld *trawld, const struct source *source,
	nsec_t first_delay_ns, struct fault *reterr);
/* Stops polling, or continues. 0 or the fault of the runner. */
int poller_set_paused(struct poller *poller, bool paused, struct fault *reterr);
/* No request follows any more. */
void poller_stop(struct poller *poller);
/* Gaps may have been closed: which keys are kept for those that are open? */
void poller_look_at_gaps(struct poller *poller);
void poller_free(struct poller *poller);

#endif
