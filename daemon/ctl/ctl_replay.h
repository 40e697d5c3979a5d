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
	const char *copy; /* of files: its name (store/replay_copy.h); else NULL */
};

/* Asks the trawld at PATH. 0, or the exit code after the reason was printed. */
int ctl_replay_begin(const char *path, const struct replay_request *request);
/* Says how far the replay to SINK is, and stops it when this process is interrupted. The exit code,
 * after it was said how it ended. */
int ctl_replay_wait(const char *path, const char *sink);

struct config;
struct ctl_arguments;
/* trawlctl replay --file. */
int ctl_replay_files(const struct config *config, const struct ctl_arguments *arguments);

#endif
