/* See timer.h. */
#include "base/timer.h"

void timer_start(struct ev_loop *loop, ev_timer *timer, nsec_t wait_ns)
{
	ev_timer_stop(loop, timer);
	if (wait_ns > 0)
		ev_now_update(loop);
	ev_timer_set(timer, wait_ns > 0 ? (double)wait_ns / (double)NSEC_PER_SEC : 0., 0.);
	ev_timer_start(loop, timer);
}
