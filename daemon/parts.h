/*
 * What trawld is made of, for its modules: the loop, the configuration in use, and what runs by it.
 * What they are about to do together (stop, reload) only trawld knows.
 */
#ifndef TRAWLD_DAEMON_PARTS_H
#define TRAWLD_DAEMON_PARTS_H

#include "pollers.h"
#include "setup.h"

#include "net/client.h"
#include "store/database.h"

struct parts {
	struct ev_loop *loop;
	struct setup *setup; /* after a reload, another one */
	struct store *store; /* NULL: it is not open, another process may have it */
	struct committer *committer;
	struct http_client *client;
	struct fanout *fanout;
	struct pollers pollers;
};

#endif
