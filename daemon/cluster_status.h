/* What a holder says of the cluster around it, for people. */
#ifndef TRAWLD_DAEMON_CLUSTER_STATUS_H
#define TRAWLD_DAEMON_CLUSTER_STATUS_H

#include <jansson.h>

struct trawld;

/* A new reference; null where the state is a file. The form is in status_json.h. */
json_t *cluster_status_json(const struct trawld *trawld);
/* Who polls the source NAME (may be NULL), if this process does not, as a sentence; the caller
 * frees it. NULL: it does, or there is no such source. */
char *cluster_status_where(const struct trawld *trawld, const char *name);

#endif
