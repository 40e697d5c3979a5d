/* What the state says of some sources and of what people did, as a seal has it (sink_attest). */
#ifndef TRAWLD_PIPELINE_ATTESTATION_H
#define TRAWLD_PIPELINE_ATTESTATION_H

#include "base/buf.h"
#include "base/clock.h"
#include "store/database.h"

struct attestation {
	const struct store *store;
	struct buf rows;
	size_t n_sources;
	nsec_t earliest_time; /* up to when all of them were read */
	uint64_t n_gaps;
};

void attestation_init(struct attestation *ret, const struct store *store);
void attestation_add(struct attestation *attestation, const char *source);
/* Appends the members, each with a comma before it; ATTESTATION is empty then. */
void attestation_print(struct attestation *attestation, struct buf *out);

#endif
