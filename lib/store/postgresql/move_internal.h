/* What both directions of a move share (move.h). */
#ifndef TRAWLD_STORE_MOVE_INTERNAL_H
#define TRAWLD_STORE_MOVE_INTERNAL_H

#include "store/moved.h"
#include "store/postgresql/move.h"
#include "store/postgresql/pg_rows.h"
#include "store/postgresql/pg_session.h"

struct store;

/* What the cluster has of the state. */
struct move_place {
	int64_t version; /* the most of any shard; 0: nothing is kept */
	int64_t last_number;
	int64_t format;
	int64_t n_shards;
	char *identity; /* or NULL */
	char *moved_to; /* a mark, or NULL */
};

/* SQL for the file: the records that wait for sinks. */
#define MOVE_WAITING                                                                               \
	"SELECT coalesce(sum(b.n_records), 0) FROM batches b JOIN sources s ON s.id = b.source"    \
	" WHERE b.number > s.released"

/* Begins a transaction in which no process can take or change a shard. 0, or STORE_E_*. */
int move_begin(struct pg_session *session, const char *cluster, struct move_place *ret,
	struct fault *reterr);
void move_place_deinit(struct move_place *place);

/* A backend that only reads: for copy_fill. */
struct move_source {
	struct store_backend backend; /* first */
	struct pg_session *session;
	const char *cluster;
	int64_t last_number;
	int64_t n_rows;
};
void move_source_init(struct move_source *source, struct pg_session *session, const char *cluster,
	const struct move_place *place);

/* STORE_E_CORRUPT: the rows of STORE are not those that SOURCE has, but for the mark. */
int move_compare(struct store *store, const char *directory, struct move_source *source,
	struct fault *reterr);

#endif
