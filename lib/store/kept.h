/*
 * Batches that every sink has, kept for a while so that they can be shown, searched and replayed:
 * `keep` in trawld.conf(5). They stay where they waited, and nothing that waits counts them: a
 * source has one number up to which its batches are released. Without `keep` a released body is
 * gone.
 */
#ifndef TRAWLD_STORE_KEPT_H
#define TRAWLD_STORE_KEPT_H

#include "store/batch.h"
#include "store/database.h"

/* From now on what is released is kept until it was accepted longer than AGE_NS ago (0: not at
 * all), and no more than LIMIT bytes of it: then the oldest goes first. */
void kept_set(struct store *store, nsec_t age_ns, uint64_t limit);

struct kept_status {
	uint64_t bytes, n_records;
	nsec_t oldest_time; /* when the first was accepted; NSEC_NONE: none is there, or not known
			     */
	bool early; /* the limit has made some go before their time, within the last day */
};
void kept_status(const struct store *store, struct kept_status *ret);

/* Batches with a higher number than AFTER stay, also if their time is over, until they are too
 * many; INT64_MAX: none does. */
void kept_hold(struct store *store, int64_t after);

/* Has something to go, as far as is known? */
bool kept_is_due(struct store *store);
/* Bytes within the state's file that are free for what comes. */
uint64_t kept_room(struct store *store);
/* Drops a part of what has to go; with FORCED the oldest in any case, to make room. *RET_MORE:
 * call again soon, the next part is due. Short enough for the loop. 0 or STORE_E_*. */
int kept_drop(struct store *store, bool forced, bool *ret_more, struct fault *reterr);

/* What is there of one source, or of all. */
struct kept_span {
	const char *source; /* NULL: of all */
	nsec_t from_time, to_time; /* accepted in [from, to) */
};

/* A batch, and what is known of its way. */
struct kept_batch {
	const struct batch *batch;
	bool waits; /* for some sink; else it is kept */
};

/* Calls EACH for the batches of SPAN that are kept or wait, in the order in which they were
 * accepted; also with STORE_READ. EACH may return a number other than 0, which ends it and is
 * returned. 0 or STORE_E_*. */
int kept_each(struct store *store, const struct kept_span *span,
	int (*each)(const struct kept_batch *batch, void *userdata), void *userdata,
	struct fault *reterr);

/* Where a key is that the dedupe windows or kept batches know. */
struct kept_place {
	const char *source;
	int64_t number; /* of the batch */
	size_t index; /* in it */
	nsec_t time; /* of the newest record of the batch, or when it was accepted */
	bool has_body;
	bool waits; /* for some sink */
	const char *sinks; /* their names, with commas; NULL: none */
};

/* Calls EACH for the places of the records with one of the N KEYS. Reads all keys; also with
 * STORE_READ. 0 or STORE_E_*. */
int kept_find(struct store *store, const struct id *keys, size_t n,
	void (*each)(const struct kept_place *place, void *userdata), void *userdata,
	struct fault *reterr);

/* Reads the batch NUMBER, if its body is there; else *RET is NULL. 0 or STORE_E_*. */
int kept_get(struct store *store, int64_t number, struct batch **ret, struct fault *reterr);

#endif
