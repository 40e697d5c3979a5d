/* Sources and sinks that a person has paused: kept until a person resumes them, whatever is started
 * or reloaded meanwhile. */
#ifndef TRAWLD_STORE_PAUSE_H
#define TRAWLD_STORE_PAUSE_H

#include "base/clock.h"
#include "store/database.h"

enum pause_kind { PAUSE_SOURCE, PAUSE_SINK };

/* Pauses or resumes NAME for BY, a person. Durable when it returns 0. STORE_E_UNKNOWN: the state
 * has no such source or sink. */
int pause_set(struct store *store, enum pause_kind kind, const char *name, bool paused,
	const char *by, struct fault *reterr);

/* Those that are paused, and since when. */
int pause_each(struct store *store,
	void (*each)(enum pause_kind kind, const char *name, nsec_t since_time, void *userdata),
	void *userdata, struct fault *reterr);

#endif
