/* Steps about the clocks and the disk. */
#include "step.h"

#include <string.h>

#include "base/slice.h"
#include "base/timestamp.h"

static enum step_result time_passes(const struct step *step)
{
	return step_waits(step_duration(step->argument)) ? STEP_WAIT : STEP_DONE;
}

/* `+1h` and `-1h` step the clock, a time sets it; the monotonic clock goes on. */
static enum step_result set_clock(nsec_t *ahead, const char *text)
{
	nsec_t time;
	if (*text == '+')
		*ahead += step_duration(text + 1);
	else if (*text == '-')
		*ahead -= step_duration(text + 1);
	else if (timestamp_parse_rfc3339(slice_of(text), &time) == 0)
		*ahead = time - world->monotonic;
	else
		world_fail("+DURATION, -DURATION or a time", "`%s`", text);
	return STEP_TURN;
}

static enum step_result host_clock(const struct step *step)
{
	return set_clock(&world->wall_ahead, step->argument);
}

static enum step_result server_clock(const struct step *step)
{
	return set_clock(&world->server_ahead, step->argument);
}

static enum step_result disk_is(const struct step *step)
{
	if (strcmp(step->argument, "full") != 0 && strcmp(step->argument, "free") != 0)
		world_fail("`disk full` or `disk free`", "`%s`", step->argument);
	world->disk_full = strcmp(step->argument, "full") == 0;
	return STEP_DONE;
}

const struct step_kind steps_time[] = {
	{"time passes", time_passes},
	{"host clock", host_clock},
	{"server clock", server_clock},
	{"disk", disk_is},
	{NULL, NULL},
};
