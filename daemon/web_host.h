/* Under which names the status endpoint answers. */
#ifndef TRAWLD_DAEMON_WEB_HOST_H
#define TRAWLD_DAEMON_WEB_HOST_H

#include <stdbool.h>

struct str_list;

/* May a request with this Host header be answered? A page of another site can make its own name
 * resolve to our address (DNS rebinding), and would then be allowed to read the answers. Addresses
 * cannot be bound anew, so every one is ours, and so are localhost and NAMES. NULL, as in HTTP/1.0:
 * no browser asks so. */
bool web_host_is_ours(const char *host, const struct str_list *names);

#endif
