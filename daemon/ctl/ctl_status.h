/* Between the files of trawlctl status: what is read of the daemon's answer, and how it is said. */
#ifndef TRAWLD_DAEMON_CTL_STATUS_H
#define TRAWLD_DAEMON_CTL_STATUS_H

#include <jansson.h>

#include "base/buf.h"
#include "base/clock.h"
#include "terminal.h"

/* The member NAME of OBJECT, "" if it is null or missing. */
const char *status_text(const json_t *object, const char *name);
/* SPAN in its two largest units, then SUFFIX. The caller frees it. */
char *status_span(nsec_t span, const char *suffix);
/* How long ago the time NAME of OBJECT was, then SUFFIX; "-": there is none. The caller frees it.
 */
char *status_since(const json_t *object, const char *name, const char *suffix);
bool status_is_failing(const json_t *object);
/* The sink has a replay that is running. */
bool status_replays(const json_t *sink);
/* How a terminal shows the state of a source or sink. */
const char *status_colour(const json_t *object);
/* Appends version, spool, and how many fail. */
void status_print_head(const json_t *status, const struct terminal *terminal, struct buf *out);
/* Prints TEXT over what the terminal shows, without a moment of emptiness between. */
void status_redraw(const struct buf *text);

/* --- ctl_status_detail.c --- */

/* Appends all that STATUS, which is of one name, says. */
void status_print_detail(const json_t *status, struct buf *out);

/* For monitoring: appends one line. 0: all is well; 1: something fails, or there are gaps. */
int status_print_check(const json_t *status, struct buf *out);

#endif
