/*
 * What sources share that call an API as one caller: whether the credential is good, the server's
 * clock, and a budget of requests. A budget belongs to one credential, or to all sources of an
 * origin that say so ([limits] shared). Each of its users may set a limit, at most COUNT requests
 * in any PERIOD; all of them are kept, exactly, since the times of the last requests are known. A
 * limit over more than a minute is a quota, which is spread: a tenth of it, at least one request,
 * at once, the rest at even intervals, so that a quota that is used up is never followed by
 * silence. Users that find the budget used up are served in the order in which they came.
 *
 * A budget outlives its users while what it knows is of use: a source that a reload starts anew
 * neither has a fresh budget nor forgets that the server told it to wait.
 */
#ifndef TRAWLD_SOURCE_RATE_H
#define TRAWLD_SOURCE_RATE_H

#include "base/clock.h"
#include "base/idset.h"

struct buf;

/* One user: a source. Wherever it is expected, NULL has no limits and shares nothing. */
struct rate;

struct rate_setup {
	struct id credential;
	struct id budget; /* the credential's, or the origin's */
	uint32_t count; /* 0: this user sets no limit */
	nsec_t period_ns;
	/* What others wait for may be over: one that waits looks again. As in struct rate_turn. */
	void (*wake)(void *userdata);
	void *userdata;
};

struct rate *rate_new(const struct rate_setup *setup, nsec_t now_at);
void rate_free(struct rate *rate);

/* The credential was refused: nobody is to try it before UNTIL_AT (NSEC_NONE: it may be tried, the
 * other users are woken). It counts as unknown again. */
void rate_refused(struct rate *rate, nsec_t until_at);
/* The server said: nothing before UNTIL_AT (429). All users of the budget wait. */
void rate_hold(struct rate *rate, nsec_t until_at);
/* How long requests have to wait yet for the credential (because it was refused), for the budget
 * (because the server said so); 0: not. */
nsec_t rate_refusal_left(const struct rate *rate, nsec_t now_at);
nsec_t rate_hold_left(const struct rate *rate, nsec_t now_at);

/* Takes a request out of the budget and returns 0, or returns how long to wait before trying again,
 * which keeps the user's turn for a second after that. */
nsec_t rate_take(struct rate *rate, nsec_t now_at);
/* What a user for whom rate_take returned more than 0 waits for, in words. */
void rate_print_wait(const struct rate *rate, nsec_t now_at, struct buf *out);

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

#endif
