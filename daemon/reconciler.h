/*
 * Reconciliation (`reconcile` of a source): each window of time is requested again some time after
 * its end, as an errand. Records that came late are delivered once and counted; what the API no
 * longer returns is reported as vanished, and noted as an event. Windows lie on a grid of their
 * own, an hour or the shortest delay, and begin when reconciliation was configured.
 *
 * With `overlap = auto`, the overlap of the polls becomes as long as the latest record that was
 * found came late, up to OVERLAP_AUTO_MAX, and never shorter.
 */
#ifndef TRAWLD_DAEMON_RECONCILER_H
#define TRAWLD_DAEMON_RECONCILER_H

#include "base/clock.h"

#define OVERLAP_AUTO_MAX (6 * NSEC_PER_HOUR)

struct poller;
struct reconciler;

/* NULL: the source does not ask for it. */
struct reconciler *reconciler_new(struct poller *poller);
void reconciler_free(struct reconciler *reconciler); /* after its errand */
/* The source has rested: is a window due? RECONCILER may be NULL, here and below. */
void reconciler_look(struct reconciler *reconciler);
/* The start of what is not reconciled yet: dedupe keys are kept from here on; NSEC_NONE. */
nsec_t reconciler_time(const struct reconciler *reconciler);
/* How late the latest record that it has found came, at most; 0: none was late. */
nsec_t reconciler_late(const struct reconciler *reconciler);
/* An overlap that reads records which come so late: whole minutes or hours. */
nsec_t reconciler_proposal(nsec_t late_ns);
/* The overlap of the polls with `overlap = auto`; 0: that of the definition. */
nsec_t reconciler_overlap(const struct reconciler *reconciler);

#endif
