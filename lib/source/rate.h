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

/* The credential was refused: nobody is to try it before UNTIL_AT (NSEC_NONE: it may be tried). It
 * counts as unknown again. */
void rate_refused(struct rate *rate, nsec_t until_at);
/* How long all of this credential wait yet, because the API said so or refused it; 0: not. */
nsec_t rate_held(const struct rate *rate, nsec_t now_at);
/* Takes a request out of the budget and returns 0, or returns how long to wait before asking again.
 * NULL: no limit. */
nsec_t rate_take(struct rate *rate, nsec_t now_at);

/* While nobody knows whether a credential is good, its users try it one at a time: many that start
 * together with a wrong key would lock it. One turn a user; zero it, fill in WAKE. */
struct rate_turn {
	void (*wake)(void *userdata); /* rate_turn_take again; never called inside these functions'
					 caller's own step: it only may arm a timer */
	void *userdata;
	struct rate_turn *next; /* the rest is rate.c's */
	bool waits;
};

/* True: go on, and say how it ended. False: WAKE will be called. */
bool rate_turn_take(struct rate *rate, struct rate_turn *turn);
/* The request is over, or given up. GOOD: the server took the credential. Without a turn, or while
 * it only waits: the turn is given back, if there is one. */
void rate_turn_end(struct rate *rate, struct rate_turn *turn, bool good);

/* What the server's clock shows more than this host's, as an answer to one of them told; NSEC_NONE:
 * none has yet. */
void rate_set_skew(struct rate *rate, nsec_t skew_ns);
nsec_t rate_skew(const struct rate *rate);

/* The server said: nothing before UNTIL_AT (429). All users wait. */
void rate_hold(struct rate *rate, nsec_t until_at);

#endif
