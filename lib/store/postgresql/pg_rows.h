/* Rows of a shard, as the store has them (backend.h) and as the tables of the cluster do
 * (tables.c). */
#ifndef TRAWLD_STORE_PG_ROWS_H
#define TRAWLD_STORE_PG_ROWS_H

#include "store/backend.h"

struct pg_session;

/* Puts the rows that are kept into the tables of STORE, which are empty. 0, or STORE_E_*. */
int pg_rows_load(struct pg_session *session, const char *cluster, int32_t shard,
	struct store *store, int64_t *ret_n_rows, struct fault *reterr);
/* Writes all rows of CHANGE into tables that have none of the shard, in the transaction that is
 * open. 0, or STORE_E_*. */
int pg_rows_write(struct pg_session *session, const char *cluster, int32_t shard,
	const struct backend_change *change, struct fault *reterr);

#endif
