/* `listen =`: where the status endpoint is to be, and the socket there. */
#ifndef TRAWLD_DAEMON_LISTEN_ADDRESS_H
#define TRAWLD_DAEMON_LISTEN_ADDRESS_H

#include <netinet/in.h>
#include <sys/un.h>

#include "base/fault.h"

struct listen_address {
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	} socket;
	socklen_t size; /* 0: off */
};

/* `127.0.0.1:9464`, `[::1]:9464`, `localhost:9464`, `unix:/path`, `off`. Names are not looked up.
 * 0, or FAULT_CONFIG. */
int listen_address_parse(struct listen_address *ret, const char *text, struct fault *reterr);
bool listen_address_is_local(const struct listen_address *address);

/* A listening, non-blocking socket in *RET_FD. A socket file that nobody listens at is replaced.
 * *RET_PORT: what was bound, 0 for unix:. 0, or FAULT_NETWORK. */
int listen_address_open(const struct listen_address *address, int *ret_fd, unsigned *ret_port,
	struct fault *reterr);

/* accept(2) has failed with ERROR for want of descriptors or memory: it would at once again. */
bool listen_is_exhausted(int error);

#endif
