/*
 * A gap: a span of a source's time whose records trawld cannot show to have read. Sources find
 * gaps, the state keeps them until a person acknowledges them.
 */
#ifndef TRAWLD_BASE_GAP_H
#define TRAWLD_BASE_GAP_H

#include "base/clock.h"

enum gap_reason {
	GAP_RETENTION, /* the API no longer keeps these records */
	GAP_CAPPED, /* the API returns no more of this span, though it holds more */
	GAP_DOCUMENT, /* a listed document does not exist any more */
	GAP_NEWEST, /* the list of newest records does not reach the last poll */
	GAP_LOST_CURSOR, /* the API refused its cursor and keeps less than what came since */
	GAP_SKIPPED, /* a person skipped it */
	GAP_CLOCK, /* clocks that were wrong had moved the watermark past it */
};

#define GAP_N_REASONS (GAP_CLOCK + 1)

/* As the state, `trawlctl gaps` and /status say it: "retention", "capped", ... */
const char *gap_reason_to_string(enum gap_reason reason);

#endif
