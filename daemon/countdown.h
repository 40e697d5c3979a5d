/*
 * How long there is before something is lost: until records that nobody reads are older than the
 * API keeps them, and until the spool is full. Shown in the status, and logged when a source is not
 * read for a minute, and again when half, a quarter and a tenth of the time is left.
 */
#ifndef TRAWLD_DAEMON_COUNTDOWN_H
#define TRAWLD_DAEMON_COUNTDOWN_H

#include "base/buf.h"
#include "base/clock.h"
#include "source/runner.h"

struct countdown;
struct poller;
struct parts;

struct countdown *countdown_new(const struct parts *parts);
void countdown_free(struct countdown *countdown); /* NULL allowed */

/* Appends when unread records are lost, of a source with STATUS that is not read: it fails, waits
 * or is paused. Nothing: it is read, or it is not known. */
void countdown_print_loss(const struct runner_status *status, nsec_t now_time, struct buf *out);

/* In how long the spool is full, at the rate of the last hour; NSEC_NONE: it does not fill up.
 * COUNTDOWN may be NULL. */
nsec_t countdown_spool(const struct countdown *countdown);
/* Appends `the spool is full in about 6h`, or nothing. */
void countdown_print_spool(const struct countdown *countdown, struct buf *out);

#endif
