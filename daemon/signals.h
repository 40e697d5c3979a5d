/* Signals as events of the loop: TERM and INT stop, HUP reloads, USR1 reopens files, USR2 polls
 * now. */
#ifndef TRAWLD_DAEMON_SIGNALS_H
#define TRAWLD_DAEMON_SIGNALS_H

struct signals;
struct trawld;

struct signals *signals_new(struct trawld *trawld);
void signals_free(struct signals *signals); /* NULL allowed */

#endif
