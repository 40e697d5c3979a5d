/* What the service manager is told, by sd_notify(3); silence where there is none. */
#ifndef TRAWLD_DAEMON_NOTIFY_H
#define TRAWLD_DAEMON_NOTIFY_H

struct notify;
struct trawld;

/* Tells a line of status every few seconds and, where the manager asks for it (WatchdogSec=), that
 * the loop still turns, at a third of that time. NULL where there is no manager. */
struct notify *notify_new(struct trawld *trawld);
void notify_free(struct notify *notify);

void notify_ready(const struct trawld *trawld);
/* Before the loop runs: every few seconds, since the watchdog is served by it. */
void notify_waiting(void);
/* Before the loop has the state: another process holds it. */
void notify_standby(void);
void notify_reloading(void);
/* Asks for as much time as shutdown_timeout may take, too. */
void notify_stopping(const struct trawld *trawld);

#endif
