/*
 * A state in PostgreSQL (`state = postgresql`): before the start, this process stands by until it
 * gets the lease of a shard. One that loses it ends, and begins again as a standby, because what it
 * knew may be out of date.
 */
#ifndef TRAWLD_DAEMON_CLUSTER_H
#define TRAWLD_DAEMON_CLUSTER_H

#include "base/fault.h"
#include "base/secret.h"

struct cluster;
struct setup;
struct store;
struct trawld;
struct source;

/* Waits for a lease (with --once, tries once), and opens the store with it. 0; *RET_STOPPED: a
 * signal ended the wait; else STORE_E_*, and the lease is given back. */
int cluster_open_store(struct trawld *trawld, bool *ret_stopped, struct fault *reterr);
/* Gives the lease back, if there is one. Not before the store is closed. */
void cluster_close(struct trawld *trawld);

/* Is SOURCE polled by this process? SETUP has it, and may be one that is not in use yet. */
bool cluster_polls(
	const struct trawld *trawld, const struct setup *setup, const struct source *source);

/* Asks the database which sources another shard has read by now; it may wait some seconds. 0 or
 * STORE_E_FULL. */
int cluster_look_elsewhere(struct trawld *trawld, struct fault *reterr);

/* A source that CLUSTER_POLLS: why it must not begin here. */
bool cluster_is_elsewhere(
	const struct trawld *trawld, const struct source *source, struct fault *reterr);

/* The loop does not run until cluster_back(): the lease is renewed without it. This also holds from
 * cluster_open_store() to the first cluster_back(). */
void cluster_away(struct trawld *trawld);
void cluster_back(struct trawld *trawld);

/* Tells the other nodes of this process, with its next renewal. */
void cluster_say(struct trawld *trawld);

/* The connection of the shard that this process holds; NULL: it holds none. */
struct postgresql;
struct postgresql *cluster_database(const struct trawld *trawld);

/* Of what the metrics tell; false: there is no cluster. */
struct cluster_status {
	bool held;
	long long shard, epoch;
	double lease_seconds; /* left */
	unsigned long long n_in_doubt, n_commits;
	double commit_seconds; /* of all commits, until they were answered */
	long long n_standbys; /* synchronous ones of the database; -1: not known, or not required */
};
bool cluster_status(const struct trawld *trawld, struct cluster_status *ret);

#endif
