/*
 * Plays a recorded conversation: the source's own polling engine (lib/source/runner.h) asks, the
 * conversation answers. There is no network and no state, and time passes only where the engine
 * waits. A variation makes the API, or trawld itself, fail on the way: each record must come out
 * once all the same.
 */
#ifndef TRAWLD_DAEMON_PLAYER_H
#define TRAWLD_DAEMON_PLAYER_H

#include "base/str.h"
#include "source/source.h"
#include "workbench/conversation.h"

enum variation_kind {
	VARIATION_NONE,
	VARIATION_CUT, /* the response is cut: on the way, then (JSON) where nobody notices */
	VARIATION_SERVER_ERROR, /* 503 before the response */
	VARIATION_UNAUTHORIZED, /* 401 before the response */
	VARIATION_KILL, /* trawld is killed after the exchange */
	VARIATION_LOST, /* the cursor of the request is refused */
	VARIATION_EMPTY, /* an empty page with a cursor before the page */
	VARIATION_TWICE, /* the next poll gets the pages of the last one again */
};
#define N_VARIATIONS (VARIATION_TWICE + 1)

struct variation {
	enum variation_kind kind;
	size_t at; /* index of the exchange */
};

/* Does the variation make sense for this definition and exchange? */
bool variation_applies(const struct variation *variation, const struct source *source,
	const struct conversation *conversation);
/* "after a kill", for messages. */
const char *variation_to_string(enum variation_kind kind);

/* What came out. */
struct played {
	struct str_list records; /* their texts, in order */
	unsigned line; /* of the exchange at which it failed */
	struct buf error; /* what went wrong; empty: nothing */
	bool mismatch; /* because another request came than expected */
};
#define PLAYED_NULL ((struct played){0})

/* False: RET->error says why. */
bool player_run(const struct source *source, const struct conversation *conversation,
	const struct variation *variation, struct played *ret);
void played_deinit(struct played *played);

#endif
