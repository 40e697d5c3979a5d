/* Between ctl_replay.c and ctl_replay_file.c: the running trawld is asked for a replay, and waited
 * for. */
#ifndef TRAWLD_DAEMON_CTL_REPLAY_H
#define TRAWLD_DAEMON_CTL_REPLAY_H

#include <jansson.h>

#include "base/clock.h"

/* What is asked for; the members are those of struct replay. */
struct replay_request {
	const char *sink, *source; /* SOURCE NULL: of files */
	nsec_t from_time, to_time;
	int64_t after, until;
	uint64_t n_records;
	const char *text; /* what it is, for the log and the event */
};

/* Asks the trawld at PATH, says how far it is, and stops it when this process is interrupted. The
 * exit code, after it was said how it ended. */
int ctl_replay_run(const char *path, const struct replay_request *request);

#endif
