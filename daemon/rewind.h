/*
 * Makes a source continue from another time, in a state that nothing else uses at that moment: as
 * trawlctl does without a daemon, or the daemon before it makes the source again.
 */
#ifndef TRAWLD_DAEMON_REWIND_H
#define TRAWLD_DAEMON_REWIND_H

#include "base/buf.h"
#include "base/fault.h"
#include "definition/definition.h"

struct store;

struct rewind_request {
	const char *source;
	const char *to; /* a time, or `previous`: the cursor before the last rewind */
	const char *by; /* who asked for it */
	bool dry_run; /* only says what would happen */
	const struct definition *definition; /* of the source; NULL: it cannot be read */
};

/* 0, or EX_USAGE: TO is not a time in the past. */
int rewind_check(const char *to, struct fault *reterr);

/* Appends to OUT what was done, in lines for a person. 0, or an exit code with *RETERR: nothing was
 * changed; *RET_DAMAGED: because the state is damaged. */
int rewind_source(struct store *store, const struct rewind_request *request, struct buf *out,
	bool *ret_damaged, struct fault *reterr);

#endif
