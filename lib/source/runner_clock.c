/* What a source learns of the server's clock: windows, signatures and starts follow it. */
#include "source/runner_internal.h"

#include "base/timestamp.h"
#include "source/ask.h"

#define SKEW_LARGE (60 * NSEC_PER_SEC) /* signatures are allowed more */

nsec_t runner_now(const struct runner *runner)
{
	return clock_wall() + runner->poll.skew_ns;
}

static void tell(struct runner *runner)
{
	nsec_t skew = runner->poll.skew_ns;
	if ((skew <= SKEW_LARGE && skew >= -SKEW_LARGE) || runner->skew_told)
		return;
	runner->skew_told = true;
	log_notice(&runner->source->subject,
		"the server's clock differs from this host's by %lld s: windows follow the "
		"server's",
		(long long)(skew / NSEC_PER_SEC));
}

/* A refusal that waits by rules of its own; the next attempt is another poll all the same. */
static bool waits(int status)
{
	return status == 0 || status == 401 || status == 403 || status == 408 || status == 429 ||
	       status >= 500;
}

/* The poll was begun by a clock that is far from the server's, so its times are none of the API's:
 * what it would find gone is there, and what it would ask for last is yet to come. */
static bool drop_poll(struct runner *runner)
{
	struct place *place = &runner->poll.place;
	nsec_t started = place->started_time;
	if (runner->fresh)
		timestamp_parse_point(
			slice_of(runner->source->options.start), runner_now(runner), &started);
	/* rather too much than too little: a start is never put off */
	bool earlier = started < place->started_time;
	if (earlier)
		place->started_time = started;
	if (!runner->source->definition->resume.window && !earlier)
		return false;
	poll_stop(&runner->poll);
	gather_clear(&runner->gather);
	runner->poll.gap = (struct span){NSEC_NONE, NSEC_NONE};
	return true;
}

/* True: the poll was dropped. */
static bool set(struct runner *runner, nsec_t skew)
{
	nsec_t moved = skew - runner->poll.skew_ns;
	bool first = !runner->clock_known;
	runner->skew_moved = moved > SKEW_LARGE || moved < -SKEW_LARGE;
	runner->poll.skew_ns = skew;
	runner->clock_known = true;
	tell(runner);
	return first && runner->skew_moved && !runner->fetching && drop_poll(runner);
}

bool runner_learn_clock(struct runner *runner, const struct http_response *response)
{
	nsec_t skew;
	runner->skew_moved = false;
	if (!ask_skew(response, &skew))
		return false;
	rate_set_skew(runner->rate, skew);
	return set(runner, skew) && !waits(response->status);
}

void runner_share_clock(struct runner *runner)
{
	nsec_t skew = rate_skew(runner->rate);
	if (runner->clock_known || skew == NSEC_NONE)
		return;
	set(runner, skew);
	runner->skew_moved = false; /* no request of its own was refused for it */
}
