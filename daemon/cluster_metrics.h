/* What a process tells of its part in a cluster: to Prometheus, and to the other nodes. */
#ifndef TRAWLD_DAEMON_CLUSTER_METRICS_H
#define TRAWLD_DAEMON_CLUSTER_METRICS_H

#include "exposition.h"

struct trawld;

/* Nothing where the state is a file. Also while the process stands by. */
void cluster_metrics_print(struct exposition *exposition, const struct trawld *trawld);

/* JSON for the table nodes; the caller frees it. */
char *cluster_metrics_summary(const struct trawld *trawld);

#endif
