/*
 * What --once shows while it runs, on standard error: a line a source (records, rate, where in time
 * it is, what is left where the API tells), drawn in place on a terminal; elsewhere a line of the
 * log now and then.
 */
#ifndef TRAWLD_DAEMON_PROGRESS_H
#define TRAWLD_DAEMON_PROGRESS_H

struct ev_loop;
struct pollers;
struct progress;
struct setup;

/* Borrows LOOP and POLLERS. */
struct progress *progress_new(
	struct ev_loop *loop, const struct pollers *pollers, const struct setup *setup);
/* The last drawing stays; what is logged from here on follows below. */
void progress_end(struct progress *progress);
void progress_free(struct progress *progress); /* NULL allowed */

#endif
