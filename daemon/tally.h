/* What the daemon counts of one source for metrics and status, since the source was started. */
#ifndef TRAWLD_DAEMON_TALLY_H
#define TRAWLD_DAEMON_TALLY_H

#include "exposition.h"

#include "base/fault.h"
#include "base/minutes.h"

#define TALLY_CLASSES (FAULT_INTERNAL + 1)
#define TALLY_DURATIONS 11
#define TALLY_SIZES 9
#define TALLY_LATENESS 10

struct tally {
	uint64_t faults[TALLY_CLASSES];
	struct histogram durations; /* seconds of a request */
	struct histogram lateness; /* seconds from a late record's own time */
	uint64_t lateness_counts[TALLY_LATENESS + 1];
	uint64_t n_vanished; /* records that an API no longer returns */
	struct histogram sizes; /* bytes of a page, decoded */
	uint64_t duration_counts[TALLY_DURATIONS + 1];
	uint64_t size_counts[TALLY_SIZES + 1];
	struct minutes records; /* new ones */
};

void tally_init(struct tally *tally);
void tally_late(struct tally *tally, nsec_t late_ns);
void tally_requested(struct tally *tally, nsec_t elapsed_ns, size_t body_size);

#endif
