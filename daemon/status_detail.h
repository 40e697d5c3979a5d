/* What /status leaves out and trawlctl status NAME shows: the member detail of one source or sink.
 * New references. */
#ifndef TRAWLD_DAEMON_STATUS_DETAIL_H
#define TRAWLD_DAEMON_STATUS_DETAIL_H

#include <jansson.h>

#include "overview.h"

/* {title, definition (its file), cursor (as it is stored: it may hold what must not be shown), gaps
 * [{start, end, reason}] that nobody has acknowledged, coverage [{start, end, state (full, chain,
 * gap), of a gap reason and acknowledged}] of the last 30 days by start, state_error (why these
 * three cannot be read), sinks [names], log [{time, text}], the last lines}. */
json_t *status_detail_source(const struct overview *overview, const struct overview_source *from);

/* {sources [names], log}. */
json_t *status_detail_sink(const struct overview *overview, const char *name);

/* For who may see the status but not what an API gave: each cursor in STATUS becomes an object, and
 * of the API's texts in it only the number of bytes is left. */
void status_detail_hide(json_t *status);

#endif
