/* What the service manager is told, by sd_notify(3); silence where there is none. */
#ifndef TRAWLD_DAEMON_NOTIFY_H
#define TRAWLD_DAEMON_NOTIFY_H

struct trawld;

void notify_ready(const struct trawld *trawld);
void notify_reloading(void);
void notify_stopping(void);

#endif
