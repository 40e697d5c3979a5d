/*
 * Records a conversation: one poll of a source from its `start`, without a state, by the polling
 * engine of the daemon. What is written holds no secret, and (unless RAW) no string of a record but
 * its ID, its time and what the definition reads of it.
 */
#ifndef TRAWLD_DAEMON_RECORDER_H
#define TRAWLD_DAEMON_RECORDER_H

#include "source/source.h"

struct recorded {
	struct buf text; /* the conversation */
	size_t n_exchanges, n_records;
};
#define RECORDED_NULL ((struct recorded){0})

/* SECTION: the source's, whose keys the conversation begins with. 0, or -1: the poll failed. */
int recorder_run(const struct source *source, const struct ini_section *section, bool raw,
	struct recorded *ret, struct fault *reterr);
void recorded_deinit(struct recorded *recorded);

#endif
