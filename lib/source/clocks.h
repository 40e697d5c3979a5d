/*
 * What time is it at the API? There are three witnesses, and any of them may be wrong: this host's
 * clock, the Date of the last response, and the host's clock as it would stand if it had not been
 * set since it was last confirmed.
 *
 * Nothing that is read may be taken for complete beyond the earliest of them; requests go up to the
 * later of host and server, so that no wrong clock makes a source stand still (poll_window.c).
 */
#ifndef TRAWLD_SOURCE_CLOCKS_H
#define TRAWLD_SOURCE_CLOCKS_H

#include "base/clock.h"
#include "base/steady.h"

#include <stdbool.h>

/* Two readings of one clock differ by less. */
#define CLOCKS_DOUBT (5 * NSEC_PER_SEC)

struct clocks {
	nsec_t host_time;
	nsec_t server_time; /* NSEC_NONE: not known */
	nsec_t steady_time; /* NSEC_NONE: as host_time */
};

nsec_t clocks_early(const struct clocks *clocks);
nsec_t clocks_late(const struct clocks *clocks);
/* The time to measure a retention by. A host clock that was never set does not count where there is
 * another. */
nsec_t clocks_sure(const struct clocks *clocks);
/* The server's now, as far as it is known. */
nsec_t clocks_server(const struct clocks *clocks);
/* Host and server agree within a minute. */
bool clocks_agree(const struct clocks *clocks);
/* A clock that shows this was never set. */
bool clocks_unset(nsec_t host_time);

#endif
