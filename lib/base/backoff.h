/* Exponential back-off with full jitter: the n-th wait is uniform in [min, min(max, min * 2^n)].
 * Pure but for random.h. */
#ifndef TRAWLD_BASE_BACKOFF_H
#define TRAWLD_BASE_BACKOFF_H

#include "base/clock.h"

struct backoff {
	nsec_t min_ns;
	nsec_t max_ns;
	unsigned n_failures;
};

#define BACKOFF_DEFAULT ((struct backoff){.min_ns = NSEC_PER_SEC, .max_ns = 5 * NSEC_PER_MIN})

nsec_t backoff_next(struct backoff *backoff); /* counts a failure, returns how long to wait */
void backoff_reset(struct backoff *backoff);

/* How much of a pause of ASKED_NS that a peer asks for is granted: at most MAX_NS, which is one's
 * own longest wait, or an hour, whichever is longer. Nobody can be silenced for long. */
nsec_t backoff_grant(nsec_t max_ns, nsec_t asked_ns);

#endif
