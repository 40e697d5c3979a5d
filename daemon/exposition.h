/*
 * Metrics as text: Prometheus' exposition format 0.0.4, or OpenMetrics 1.0. Pure: families and
 * samples go in, text comes out. The samples of a family follow its head.
 */
#ifndef TRAWLD_DAEMON_EXPOSITION_H
#define TRAWLD_DAEMON_EXPOSITION_H

#include <stdint.h>

#include "base/buf.h"

enum exposition_type { EXPOSITION_COUNTER, EXPOSITION_GAUGE, EXPOSITION_HISTOGRAM };

struct exposition {
	struct buf *out;
	bool openmetrics;
	const char *name; /* of the family, borrowed */
	enum exposition_type type;
};

struct histogram {
	const double *bounds; /* ascending, without the infinite one */
	size_t n_bounds;
	uint64_t *counts; /* n_bounds + 1, each for its own range */
	double sum;
};

void histogram_add(struct histogram *histogram, double value);

/* NAME without `_total`, which counters get by themselves. */
void exposition_family(struct exposition *exposition, const char *name, enum exposition_type type,
	const char *help);
/* LABELS: name, value, ... NULL. A value that is not a number: no sample. */
void exposition_sample(struct exposition *exposition, const char *const *labels, double value);
void exposition_histogram(struct exposition *exposition, const char *const *labels,
	const struct histogram *histogram);
void exposition_end(struct exposition *exposition);

/* Does a client with this Accept header (NULL: none) want OpenMetrics? */
bool exposition_wants_openmetrics(const char *accept);

#endif
