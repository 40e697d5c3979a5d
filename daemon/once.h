/* --once: when is everything done, what is said at the end, which exit code. */
#ifndef TRAWLD_DAEMON_ONCE_H
#define TRAWLD_DAEMON_ONCE_H

#include <stdbool.h>

struct trawld;

/* Every source caught up or was given up, and the sinks have all they can get. Sets the exit code
 * when true. */
bool once_is_over(struct trawld *trawld);
/* One line a source. */
void once_report(struct trawld *trawld);

#endif
