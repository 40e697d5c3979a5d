/*
 * The state in PostgreSQL: each shard's rows in tables of the same names as those of the SQLite
 * file, with cluster and shard before the primary key, and one lease a shard. Only this folder and
 * conninfo.c include libpq.
 */
#ifndef TRAWLD_STORE_POSTGRESQL_H
#define TRAWLD_STORE_POSTGRESQL_H

#include "conf/cluster_options.h"
#include "store/backend.h"

struct postgresql;

/*
 * Connects, and makes the tables if need be; it may wait some seconds. STORE_E_FULL: may pass.
 * STORE_E_UNUSABLE: a person must look.
 */
int postgresql_open(
	struct postgresql **ret, const struct cluster_options *options, struct fault *reterr);
/* Gives the lease to whoever wants it, if everything was answered. NULL allowed. */
void postgresql_close(struct postgresql *postgresql);

/* Takes the lease of a shard that nobody holds; it may wait some seconds. *RET is its backend,
 * which lives as long as POSTGRESQL, or NULL: all are held. *RET_SHARD is the shard. On an outcome
 * the connection is of no use any more. */
int postgresql_acquire(struct postgresql *postgresql, struct store_backend **ret,
	int64_t *ret_shard, struct fault *reterr);

/* With the lease: calls EACH for the sources that have a cursor in another shard, over a connection
 * of its own. 0 or STORE_E_FULL. */
int postgresql_each_elsewhere(struct postgresql *postgresql,
	void (*each)(const char *source, int64_t shard, void *userdata), void *userdata,
	struct fault *reterr);

/* With the lease: the loop does not run for a while, as while a configuration is read, and a thread
 * renews the lease meanwhile, for some minutes at most. It is so from postgresql_acquire to the
 * first end. */
void postgresql_away_begin(struct postgresql *postgresql);
void postgresql_away_end(struct postgresql *postgresql);

/* Before the lease: readable when one may have become free; postgresql_heard takes note of that. */
int postgresql_fd(const struct postgresql *postgresql);
void postgresql_heard(struct postgresql *postgresql);

struct postgresql_status {
	int64_t shard, epoch, version;
	nsec_t lease_left_ns; /* for how long records may be sent, unless it is renewed */
	uint64_t n_in_doubt; /* commits whose answer was lost, and that were looked for */
	uint64_t n_commits;
	nsec_t total_latency_ns; /* of these, until they were answered */
	nsec_t latency_ns; /* of the last commit or renewal */
	int64_t n_standbys; /* synchronous ones of the database; -1: not known */
};
void postgresql_status(const struct postgresql *postgresql, struct postgresql_status *ret);

struct postgresql_shard {
	int64_t shard;
	char *node; /* that holds it, or did; NULL: none ever did */
	bool held;
	nsec_t since_time; /* that it is held, or is not; NSEC_NONE: not known */
};
/* Of the cluster, as they were at the last renewal. */
const struct postgresql_shard *postgresql_shards(
	const struct postgresql *postgresql, size_t *ret_n);

/* What others see of this process in the table nodes, from the next renewal on. JSON. */
void postgresql_say(struct postgresql *postgresql, const char *json);

/* What a person asks of whoever holds the shard (cluster_request.h). */
struct postgresql_request {
	char id[37];
	char *by; /* who, as trawlctl says */
	char *text; /* JSON, as through the control socket */
	bool again; /* an earlier holder had taken it, too, and has not answered */
};
/* The one that waits for an answer, or NULL; the same until it is answered. */
const struct postgresql_request *postgresql_request(const struct postgresql *postgresql);
/* The answer to it, which is sent with the next renewal, at once. JSON. */
void postgresql_answer(struct postgresql *postgresql, const char *json);

#endif
