/*
 * The cluster as a whole, for commands of a person: who holds which shard, and another number of
 * shards. Each call connects, does one thing in one transaction, and ends.
 */
#ifndef TRAWLD_STORE_CLUSTER_VIEW_H
#define TRAWLD_STORE_CLUSTER_VIEW_H

#include "conf/cluster_options.h"
#include "store/database.h"

struct cluster_shard {
	int64_t shard;
	char *node; /* that holds it, or did; NULL: none ever did */
	bool held;
	nsec_t held_ns; /* since when, or since when not; NSEC_NONE: not known */
	nsec_t lease_ns; /* that is left */
	int64_t epoch; /* how often it was taken */
	int64_t n_sources, n_waiting; /* records that some sink has not acknowledged */
	char *status; /* as JSON, as the holder last said it, or NULL */
};

struct cluster_node {
	char *node, *process;
	char *version; /* of trawld */
	char *config; /* a fingerprint, or NULL */
	nsec_t seen_ns; /* how long ago */
	int64_t shard; /* that it holds; -1: it waits */
};

struct cluster_view {
	char *server_version; /* "15.18" */
	char *server; /* its address, or "a socket" */
	char *standbys; /* synchronous ones, separated by commas; NULL: none is seen */
	bool sees_standbys; /* the user may see them (pg_monitor) */
	int64_t n_shards; /* as the database says */
	struct cluster_shard *shards;
	size_t n_rows;
	struct cluster_node *nodes;
	size_t n_nodes;
};

/* 0, or STORE_E_*. */
int cluster_look(
	struct cluster_view *ret, const struct cluster_options *options, struct fault *reterr);
void cluster_view_deinit(struct cluster_view *view);

/* Where sources are to be. */
struct cluster_plan {
	const char **names;
	int64_t *shards; /* below N_SHARDS */
	size_t n_names;
	int64_t n_shards;
};

struct cluster_result {
	int64_t n_shards_before;
	int64_t n_sources, n_moved; /* that have a state; to another shard */
};

/* Divides the sources that have a state among N_SHARDS shards as PLAN says; those that it does not
 * name go where their shard's number leads. Refused while a process holds a shard, or records wait
 * (STORE_E_REFUSED). 0, or STORE_E_*: nothing has changed. */
int cluster_reshard(struct cluster_result *ret, const struct cluster_options *options,
	const struct cluster_plan *plan, struct fault *reterr);

/* Parts of that, for a transaction that does more (move.h). Locks the rows of all shards, none of
 * which may be held. */
struct pg_session;
int cluster_check_free(struct pg_session *session, const char *cluster, struct fault *reterr);
/* All but what is checked before, and COMMIT. */
int cluster_divide(struct pg_session *session, const char *cluster, const struct cluster_plan *plan,
	struct cluster_result *ret, struct fault *reterr);

#endif
