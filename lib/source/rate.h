/*
 * Request budgets: at most COUNT requests in any PERIOD, shared by all sources that use one
 * credential at one origin. Exact for a sliding period: the times of the last COUNT requests are
 * kept.
 */
#ifndef TRAWLD_SOURCE_RATE_H
#define TRAWLD_SOURCE_RATE_H

#include "base/clock.h"
#include "base/idset.h"

struct rate;

/* The budget known by KEY (digest of origin and credential), made at first use, reference counted.
 * Users that name different limits share the strictest. */
struct rate *rate_ref(const struct id *key, uint32_t count, nsec_t period_ns);
void rate_unref(struct rate *rate); /* NULL allowed */

/* The credential was refused: nobody is to try it before UNTIL_AT (NSEC_NONE: it may be tried). */
void rate_refused(struct rate *rate, nsec_t until_at);
/* How long all of this credential wait yet, because the API said so or refused it; 0: not. */
nsec_t rate_held(const struct rate *rate, nsec_t now_at);
/* Takes a request out of the budget and returns 0, or returns how long to wait before asking again.
 * NULL: no limit. */
nsec_t rate_take(struct rate *rate, nsec_t now_at);

/* The server said: nothing before UNTIL_AT (429). All users wait. */
void rate_hold(struct rate *rate, nsec_t until_at);

#endif
