/* One-shot timers of the event loop, with durations in nanoseconds as everywhere else. */
#ifndef TRAWLD_BASE_TIMER_H
#define TRAWLD_BASE_TIMER_H

#include <ev.h>

#include "base/clock.h"

/* (Re)starts TIMER to fire once, WAIT_NS from now: from the real now, not from the time at which
 * the loop woke up, which long work leaves behind. 0 or less: at the next turn of the loop. */
void timer_start(struct ev_loop *loop, ev_timer *timer, nsec_t wait_ns);

#endif
