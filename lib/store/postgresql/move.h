/*
 * Moves a state from the SQLite file into a cluster, or back. Each row is read back and compared
 * before it counts. At every moment at most one of the two places can be used: the old one is
 * marked (moved.h) before the new one is complete. A move that was interrupted is completed by the
 * same command.
 */
#ifndef TRAWLD_STORE_MOVE_H
#define TRAWLD_STORE_MOVE_H

#include "store/postgresql/cluster_view.h"

struct str_list;

struct move {
	const char *directory; /* of the SQLite file */
	const struct cluster_options *cluster;
	const struct cluster_plan *plan; /* where sources are to be */
	const struct str_list *host_sinks; /* sinks whose position belongs to this node */
};

struct move_result {
	bool already; /* it had been moved before */
	bool undone; /* nothing had been moved yet: the mark was taken away */
	int64_t n_rows; /* that were copied and compared */
	int64_t n_waiting; /* records that wait for sinks */
	char set_aside[64]; /* the name that the old file has now; "": none */
};

/* 0, or STORE_E_*, which says what can be used. */
int move_to_postgresql(const struct move *move, struct move_result *ret, struct fault *reterr);
int move_to_sqlite(const struct move *move, struct move_result *ret, struct fault *reterr);

#endif
