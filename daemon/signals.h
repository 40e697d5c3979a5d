/* Signals as events of the loop: TERM and INT stop, HUP reloads, USR1 reopens files, USR2 polls
 * now. */
#ifndef TRAWLD_DAEMON_SIGNALS_H
#define TRAWLD_DAEMON_SIGNALS_H

#include <time.h>

struct signals;
struct trawld;

/* The first thing in main(): a signal that comes before signals_new() waits for it. Process 1 of a
 * container would otherwise never see it, any other would die of it. */
void signals_block(void);
void signals_unblock(void); /* nothing waits for them: they end the process */

/* Waits for one that is blocked: its number, or -1 when PATIENCE is over. */
int signals_wait(const struct timespec *patience);

struct signals *signals_new(struct trawld *trawld);
void signals_free(struct signals *signals); /* NULL allowed */

#endif
