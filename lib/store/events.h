/*
 * What was done to this state, and by whom: starts and stops, configurations, and the commands of a
 * person. An event is written in the transaction of what it speaks of, and never changed.
 *
 * An event is one line of JSON. The lines are the leaves of a Merkle tree in the order of their
 * numbers, and seals of files have its root (sink/file/seal.h): an event that is taken away or
 * changed later does not fit the seals any more.
 */
#ifndef TRAWLD_STORE_EVENTS_H
#define TRAWLD_STORE_EVENTS_H

#include "store/database.h"

#include "base/digest.h"

enum event_kind {
	EVENT_START,
	EVENT_STOP,
	EVENT_CONFIGURATION, /* another one than before is in use */
	EVENT_REWIND,
	EVENT_SKIP,
	EVENT_REFILL, /* of gaps: asked for by a person */
	EVENT_ACKNOWLEDGE, /* of gaps */
	EVENT_RESTORE, /* the state is older than the one last used */
	EVENT_PAUSE,
	EVENT_RESUME,
	EVENT_RENAME,
	EVENT_RENAME_SINK,
	EVENT_DROP_SINK,
	EVENT_VANISHED, /* an API no longer returns what it returned */
	EVENT_REUSED_ID, /* two records that differ had one ID: the second was dropped */
	EVENT_OVERLAP, /* `overlap = auto` has become longer */
	EVENT_RESEND, /* of dead letters */
	EVENT_DISCARD, /* of dead letters */
	EVENT_REPLAY, /* begins, or ends */
};

const char *event_kind_to_string(enum event_kind kind);

struct event {
	enum event_kind kind;
	const char *source; /* NULL: none, or all of them */
	const char *sink; /* NULL: none */
	const char *by; /* who; NULL: nobody in particular */
	const char *text; /* one sentence */
};

/* EVENT happens with the next commit_run. */
void events_add(struct store *store, const struct event *event);

/* The text of the last committed event of KIND (caller frees), or NULL. 0 or STORE_E_*. */
int events_last(struct store *store, enum event_kind kind, char **ret, struct fault *reterr);
/* Did the process before this one end without an EVENT_STOP? 0 or STORE_E_*. */
int events_broke_off(struct store *store, bool *ret, struct fault *reterr);

/* Calls EACH for the events of SINCE_TIME and later, in order. 0 or STORE_E_*. */
int events_each(struct store *store, nsec_t since_time,
	void (*each)(const char *line, void *userdata), void *userdata, struct fault *reterr);

/* How many are committed, and the root of their tree as hexadecimal digits. */
uint64_t events_root(const struct store *store, char ret_root[DIGEST_HEX_SIZE]);

#endif
