/* What sd_notify(3) does: its socket, and the interval of its watchdog. The
 * protocol is a datagram of lines, so no library is needed for it. */
#ifndef TRAWLD_DAEMON_NOTIFY_SOCKET_H
#define TRAWLD_DAEMON_NOTIFY_SOCKET_H

#include "base/clock.h"

/* Sends TEXT, lines of NAME=VALUE, to $NOTIFY_SOCKET. Without a manager, or if it does not listen,
 * nothing happens. */
void notify_socket_send(const char *text);
/* How often the manager expects a sign of life ($WATCHDOG_USEC); 0: it does not. */
nsec_t notify_socket_watchdog(void);

#endif
