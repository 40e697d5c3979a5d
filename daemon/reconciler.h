/*
 * Reconciliation (`reconcile` of a source): each window of time is requested again some time after
 * its end, as an errand. Records that came late are delivered once and counted; what the API no
 * longer returns is reported as vanished, and noted as an event. Windows lie on a grid of their
 * own, an hour or the shortest delay, and begin when reconciliation was configured.
 */
#ifndef TRAWLD_DAEMON_RECONCILER_H
#define TRAWLD_DAEMON_RECONCILER_H

#include "base/clock.h"

struct poller;
struct reconciler;

/* NULL: the source does not ask for it. */
struct reconciler *reconciler_new(struct poller *poller);
void reconciler_free(struct reconciler *reconciler); /* after its errand */
/* The source has rested: is a window due? RECONCILER may be NULL, here and below. */
void reconciler_look(struct reconciler *reconciler);
/* The start of what is not reconciled yet: dedupe keys are kept from here on; NSEC_NONE. */
nsec_t reconciler_time(const struct reconciler *reconciler);

#endif
