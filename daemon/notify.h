/* What the service manager is told, by sd_notify(3); silence where there is none. */
#ifndef TRAWLD_DAEMON_NOTIFY_H
#define TRAWLD_DAEMON_NOTIFY_H

#include "base/clock.h"

struct notify;
struct parts;

/* Tells a line of status every few seconds and, where the manager asks for it (WatchdogSec=), that
 * the loop still turns, at a third of that time. NULL where there is no manager. */
struct notify *notify_new(const struct parts *parts);
void notify_free(struct notify *notify);

void notify_ready(const struct parts *parts);
/* Before the loop runs: every few seconds, since the watchdog is served by it. */
void notify_waiting(void);
/* Before the loop has the state: another process holds it. */
void notify_standby(void);
void notify_reloading(void);
/* Asks for as much time as SHUTDOWN_TIMEOUT_NS, too. No status follows. NOTIFY may be NULL. */
void notify_stopping(struct notify *notify, nsec_t shutdown_timeout_ns);

#endif
