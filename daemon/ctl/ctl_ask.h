/* One question to whichever trawld works on a source: the one of this host, or, in a cluster, the
 * holder of a shard on any host. */
#ifndef TRAWLD_DAEMON_CTL_ASK_H
#define TRAWLD_DAEMON_CTL_ASK_H

#include <jansson.h>

#include "conf/config.h"
#include "ctl/ctl_arguments.h"

/* Is there anybody who could be asked? False: no trawld is running, and the state is a file. */
bool ctl_can_ask(const struct config *config);

/* Asks the trawld that polls SOURCE, or, if it is NULL, every one of a cluster; REQUEST is taken
 * over (NULL: a name in it is not valid UTF-8, which is printed). 0: *RET is the answer, a new
 * reference: of several, numbers are added up. Else the exit code, after the reasons were printed;
 * *RET is then what was done, a refusal, or NULL. */
int ctl_ask(const struct config *config, const char *source, json_t *request, json_t **ret);

/* The same about the source that ARGUMENTS name, if they do, also if the configuration has errors.
 */
int ctl_ask_running(const struct ctl_arguments *arguments, json_t *request, json_t **ret);

#endif
