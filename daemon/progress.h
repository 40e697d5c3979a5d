/*
 * What --once shows while it runs, on standard error: a line a source (records, rate, where in time
 * it is, what is left where the API tells), drawn in place on a terminal; elsewhere a line of the
 * log now and then.
 */
#ifndef TRAWLD_DAEMON_PROGRESS_H
#define TRAWLD_DAEMON_PROGRESS_H

struct progress;
struct trawld;

struct progress *progress_new(struct trawld *trawld);
/* The last drawing stays; what is logged from here on follows below. */
void progress_end(struct progress *progress);
void progress_free(struct progress *progress); /* NULL allowed */

#endif
