/*
 * The metrics, printed in pieces: thousands of sources make megabytes, and between two pieces the
 * loop has its turn.
 */
#ifndef TRAWLD_DAEMON_METRICS_H
#define TRAWLD_DAEMON_METRICS_H

#include "exposition.h"

struct trawld;

struct metrics {
	const struct trawld *trawld;
	unsigned n_reloads; /* when it began */
	size_t n_sources; /* likewise */
	size_t row; /* the family to be printed */
	size_t source; /* the next source of it */
	double *values; /* of each source, by family: as they were with the first */
	struct exposition exposition;
};

void metrics_begin(struct metrics *metrics, const struct trawld *trawld, bool openmetrics);
void metrics_end(struct metrics *metrics);
/* Appends the next piece to OUT. False: it was the last one. */
bool metrics_next(struct metrics *metrics, struct buf *out);
/* After the first piece: there are so many sources that it has not all of the first family. */
bool metrics_are_many(const struct metrics *metrics);
/* The sources are others by now: the rest would not match what was printed. */
bool metrics_stale(const struct metrics *metrics);

#endif
