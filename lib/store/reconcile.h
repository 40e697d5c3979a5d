/*
 * What the state knows for a reconciliation: which records of a span of time were accepted, and how
 * far each source was reconciled after which delay.
 */
#ifndef TRAWLD_STORE_RECONCILE_H
#define TRAWLD_STORE_RECONCILE_H

#include "base/idset.h"
#include "store/database.h"

/* A record that was accepted, and where its key is. */
struct reconcile_record {
	struct id key;
	nsec_t time;
	int64_t number; /* of the batch */
	size_t index; /* in it */
};

/* The records of SOURCE whose time is from START_TIME up to before END_TIME, of the batches that
 * keep times, without those that are marked (*RET: the caller frees). 0 or STORE_E_*. */
int reconcile_list(struct store *store, const char *source, nsec_t start_time, nsec_t end_time,
	struct reconcile_record **ret, size_t *ret_n, struct fault *reterr);

/* Up to when SOURCE was reconciled after DELAY_NS (NSEC_NONE: never), and how late the latest
 * record came that was found (0: none was). 0 or STORE_E_*. */
int reconcile_get(struct store *store, const char *source, nsec_t delay_ns, nsec_t *ret_until,
	nsec_t *ret_late, struct fault *reterr);

/* What was noted of SOURCE after other delays than the N (up to 4) of DELAYS_NS does not hold any
 * more, since its keys were not kept; nor does any where pages were read in another way than SHAPE
 * says. 0 or STORE_E_*. */
int reconcile_forget_others(struct store *store, const char *source, const char *shape,
	const nsec_t *delays_ns, size_t n, struct fault *reterr);

struct reconcile_result {
	const char *source, *shape;
	nsec_t delay_ns, until_time; /* reconciled after that delay, up to there */
	nsec_t late_ns; /* how late the latest record came that was found; 0: none was */
	const struct reconcile_record *records; /* which the API no longer returns: are marked */
	size_t n_records;
	const char *vanished, *overlap; /* the texts of events; NULL: there is none */
};

/* What was found, in one transaction. 0 or STORE_E_*: nothing happened. */
int reconcile_settle(
	struct store *store, const struct reconcile_result *result, struct fault *reterr);

#endif
