/* What a step can do: the kinds of all steps_*.c, and how they ask for time. */
#ifndef TRAWLD_TESTS_SCENARIO_STEP_H
#define TRAWLD_TESTS_SCENARIO_STEP_H

#include "script.h"
#include "world.h"

enum step_result {
	STEP_DONE, /* the next step follows at the same instant */
	STEP_TURN, /* done; the daemon's loop turns before the next step */
	STEP_AGAIN, /* the loop turns at the same instant, then this step is called again */
	STEP_WAIT, /* time passes up to world->deadline_at, then this step is called again */
	STEP_START, /* done; the daemon starts */
};

struct step_kind {
	const char *words; /* `expect request`; the longest that fits counts */
	enum step_result (*run)(const struct step *step);
};

extern const struct step_kind steps_daemon[], steps_files[], steps_peer[], steps_log[],
	steps_status[], steps_store[], steps_time[]; /* each ends with words NULL */

/* The kind whose words LINE begins with; *RET_ARGUMENT is what follows them. NULL: none. */
const struct step_kind *step_find(const char *line, const char **ret_argument);

/* Answers what a step said is always answered so. False: no such request waits. */
bool steps_peer_serve(void);

/* For a step that waits at most DURATION_NS: true until that is over. The first call begins it. */
bool step_waits(nsec_t duration_ns);
/* `90s`; anything else ends the scenario. */
nsec_t step_duration(const char *text);

#endif
