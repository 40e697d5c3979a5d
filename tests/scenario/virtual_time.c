/* See virtual_time.h. */
#include "virtual_time.h"

#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "../clock_symbols.h"
#include "../older_clocks.h"
#include "sink/file/file_worker.h"
#include "world.h"

#define TURNS_MAX 200000 /* without any sleep: the loop spins */

static virtual_idle_fn idle_function;
static unsigned n_turns;

void virtual_time_start(virtual_idle_fn idle)
{
	idle_function = idle;
	file_worker_stay(); /* a thread would wait in real time */
}

void virtual_time_pass(nsec_t duration_ns)
{
	world->monotonic += duration_ns;
}

static struct timespec to_timespec(nsec_t time)
{
	return (struct timespec){time / NSEC_PER_SEC, (long)(time % NSEC_PER_SEC)};
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
		if (!world)
			break;
		*ret = to_timespec(world->monotonic + world->wall_ahead);
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_BOOTTIME:
		if (!world)
			break;
		*ret = to_timespec(world->monotonic);
		return 0;
	}
	return (int)syscall(KERNEL_CLOCK_GETTIME, clock, ret);
}

/* A step finds the daemon at rest: what is read in a chain is committed at the latest now. */
#define COMMIT_PAUSE_MS 21

/* libev calls a timer only when its instant is past, so no sleep at all may mean one that is due
 * now; and it rounds up to whole milliseconds. Neither is time for a step. */
static int turn(int timeout_ms)
{
	if (timeout_ms == 0) {
		virtual_time_pass(NSEC_PER_USEC);
		return 0;
	}
	if (timeout_ms > 0 && timeout_ms <= COMMIT_PAUSE_MS) {
		virtual_time_pass(timeout_ms * NSEC_PER_MSEC);
		return 0;
	}
	nsec_t timeout_ns = timeout_ms < 0 ? NSEC_NONE : timeout_ms * NSEC_PER_MSEC;
	nsec_t sleep_ns = idle_function(timeout_ns);
	if (sleep_ns > NSEC_PER_MSEC)
		n_turns = 0;
	virtual_time_pass(sleep_ns);
	return 0;
}

int epoll_wait(int fd, struct epoll_event *events, int n_events, int timeout_ms)
{
	if (!world || !idle_function)
		return (int)syscall(SYS_epoll_pwait, fd, events, n_events, timeout_ms, NULL, 8);
	if (++n_turns > TURNS_MAX)
		world_fail("the daemon to come to rest", "%u turns of its loop without a pause",
			n_turns);
	int n = (int)syscall(SYS_epoll_pwait, fd, events, n_events, 0, NULL, 8);
	return n != 0 ? n : turn(timeout_ms);
}
