/*
 * The host's clock as it would stand if it had not been set since it was last confirmed. Where
 * records are deleted, or taken for complete, by time, a clock that is set wrong must not decide
 * alone.
 */
#ifndef TRAWLD_BASE_STEADY_H
#define TRAWLD_BASE_STEADY_H

#include "base/clock.h"

struct steady {
	nsec_t wall_time, at; /* when the host's clock was last confirmed, and what it showed */
	nsec_t ahead_ns; /* by how much it differs, and since when; 0: not at all */
	nsec_t ahead_at;
};

/* Begins with the host's clock as it is. */
void steady_init(struct steady *steady, nsec_t host_time, nsec_t now_at);
/* What it shows. A host clock that stays where it was set is believed after an hour. */
nsec_t steady_read(struct steady *steady, nsec_t host_time, nsec_t now_at);
/* Another clock agrees with the host's. */
void steady_confirm(struct steady *steady, nsec_t host_time, nsec_t now_at);

#endif
