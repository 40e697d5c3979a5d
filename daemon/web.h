/*
 * The status endpoint: libmicrohttpd on the daemon's own loop, no thread. It reads what the daemon
 * knows at that moment and changes nothing.
 */
#ifndef TRAWLD_DAEMON_WEB_H
#define TRAWLD_DAEMON_WEB_H

#include "base/fault.h"

struct findings;
struct trawld;
struct web;

/* Listens at ADDRESS (`listen =`) and says where. *RET is NULL for `off`. 0, or FAULT_CONFIG,
 * FAULT_NETWORK. */
int web_open(
	struct web **ret, const struct trawld *trawld, const char *address, struct fault *reterr);
void web_free(struct web *web); /* NULL allowed */

/* Reload: *WEB goes over from OLD to the present setup's address; where that cannot be had it
 * stays, which is a finding. */
void web_change(
	struct web **web, const struct trawld *trawld, char **old, struct findings *findings);

#endif
