/* What a source learns of the server's clock: signatures and starts follow it, windows take it as
 * one of several (clocks.h). */
#include "source/runner_internal.h"

#include "base/timestamp.h"
#include "source/request.h"

#define SKEW_LARGE (60 * NSEC_PER_SEC) /* signatures are allowed more */

/* A response had a Date. */
static bool is_known(const struct runner *runner)
{
	return runner->clock.server_time != NSEC_NONE;
}

nsec_t runner_now(const struct runner *runner)
{
	return clock_wall() + runner->clock.skew_ns;
}

struct clocks runner_clocks(struct runner *runner)
{
	nsec_t host_time = clock_wall(), now_at = clock_monotonic();
	/* the host's clock may have been set since the server's was seen */
	nsec_t server_time = runner->clock.server_time + (now_at - runner->clock.server_at);
	return (struct clocks){
		.host_time = host_time,
		.server_time = is_known(runner) ? server_time : NSEC_NONE,
		.steady_time = steady_read(&runner->clock.steady, host_time, now_at),
	};
}

static void tell(struct runner *runner)
{
	nsec_t skew = runner->clock.skew_ns;
	if ((skew <= SKEW_LARGE && skew >= -SKEW_LARGE) || runner->told & RUNNER_TOLD_SKEW)
		return;
	runner->told |= RUNNER_TOLD_SKEW;
	log_notice(&runner->source->subject,
		"the server's clock differs from this host's by %lld s: signatures follow the server's, and what only one of the two has reached is requested again",
		(long long)(skew / NSEC_PER_SEC));
}

/* A refusal that waits by rules of its own; the next attempt is another poll all the same. */
static bool waits(int status)
{
	return status == 0 || status == 401 || status == 403 || status == 408 || status == 429 ||
	       status >= 500;
}

/* The poll was begun by a clock that is far from the server's, so its times are none of the API's:
 * what it would find gone is there, and what it would request last is yet to come. */
static bool drop_poll(struct runner *runner)
{
	const struct cursor *cursor = poll_cursor(runner->poll);
	nsec_t started = cursor->started_time;
	if (runner->start != RUNNER_START_PASSED)
		timestamp_parse_point(
			slice_of(runner->source->options.start), runner_now(runner), &started);
	/* rather too much than too little: a start is not put off, unless our clock was never set,
	 * nor does it follow a server's clock that was never set */
	bool other = (started < cursor->started_time && !clocks_unset(runner_now(runner))) ||
		     (started > cursor->started_time && clocks_unset(clock_wall()));
	if (other)
		poll_set_started(runner->poll, started);
	if (!runner->source->definition->resume.window && !other)
		return false;
	poll_stop(runner->poll);
	gather_clear(&runner->gather);
	poll_clear_gaps(runner->poll);
	return true;
}

/* True: the poll was dropped. */
static bool set(struct runner *runner, nsec_t skew)
{
	nsec_t moved = skew - runner->clock.skew_ns;
	bool first = !is_known(runner);
	runner->clock.moved = moved > SKEW_LARGE || moved < -SKEW_LARGE;
	runner->clock.skew_ns = skew;
	runner->clock.server_time = clock_wall() + skew;
	runner->clock.server_at = clock_monotonic();
	tell(runner);
	return first && runner->clock.moved && runner->task != RUNNER_TASK_DOCUMENT &&
	       drop_poll(runner);
}

bool runner_learn_clock(struct runner *runner, const struct http_response *response)
{
	nsec_t skew;
	runner->clock.moved = false;
	if (!request_skew(response, &skew))
		return false;
	rate_set_skew(runner->rate, skew);
	if (skew == 0)
		steady_confirm(&runner->clock.steady, clock_wall(), clock_monotonic());
	return set(runner, skew) && !waits(response->status);
}

void runner_share_clock(struct runner *runner)
{
	nsec_t skew = rate_skew(runner->rate);
	if (is_known(runner) || skew == NSEC_NONE)
		return;
	set(runner, skew);
	runner->clock.moved = false; /* no request of its own was refused for it */
}

bool runner_leave_future(struct runner *runner, const struct fault *fault)
{
	struct clocks now = runner_clocks(runner);
	if (fault->class != FAULT_CONFIG || runner->task == RUNNER_TASK_DOCUMENT ||
		!poll_window_refused(runner->poll, &now))
		return false;
	gather_clear(&runner->gather);
	log_notice(&runner->source->subject,
		"%s; requesting only what the server's clock has reached", fault->text);
	runner_arm(runner, 0);
	return true;
}
