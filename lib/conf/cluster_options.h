/* The section [cluster]: where the state is when `state = postgresql`, and which part of it this
 * process may hold. */
#ifndef TRAWLD_CONF_CLUSTER_OPTIONS_H
#define TRAWLD_CONF_CLUSTER_OPTIONS_H

#include "base/clock.h"
#include "base/secret.h"

#include <stdbool.h>

#define CLUSTER_SHARD_ANY (-1)
#define CLUSTER_SHARDS_MAX 1000

/* All zero without state = postgresql. */
struct cluster_options {
	char *name; /* of the cluster: several share one database; letters, digits, - _ . */
	char *connect; /* as libpq reads it: keywords and values, or a URI; never with a password */
	struct secret password; /* NULL: as libpq finds one */
	char *schema; /* an SQL name that needs no quotes */
	char *node; /* default: the name of the host; as NAME */
	int64_t n_shards;
	char *shard_text; /* as written */
	int64_t shard; /* that this process takes, or CLUSTER_SHARD_ANY */
	nsec_t lease_ns;
	bool require_synchronous;
};

#endif
