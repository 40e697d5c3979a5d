/* That another configuration is in use, as an event of the state (store/events.h). */
#ifndef TRAWLD_DAEMON_CONFIG_EVENT_H
#define TRAWLD_DAEMON_CONFIG_EVENT_H

#include "setup.h"

#include "base/digest.h"
#include "store/database.h"

/* *RET (the caller frees it) is the text of an EVENT_CONFIGURATION that says what SETUP is: all
 * keys of its sections and of the definitions that its sources use, without the values of secrets.
 * NULL: the last such event in STORE says the same. 0 or STORE_E_*. */
int config_event_compare(
	struct store *store, const struct setup *setup, char **ret, struct fault *reterr);

/* Of what is to be the same on all nodes of a cluster: sources, sinks and definitions. */
void config_event_fingerprint(const struct setup *setup, char ret[DIGEST_HEX_SIZE]);

#endif
