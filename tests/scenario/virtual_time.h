/*
 * Time that passes only when the scenario says so. The C library's clocks and epoll_wait(2) are
 * replaced in this program, also for the shared libraries: when no descriptor is ready, libev's
 * sleep asks the script instead, and the clocks jump.
 */
#ifndef TRAWLD_TESTS_SCENARIO_VIRTUAL_TIME_H
#define TRAWLD_TESTS_SCENARIO_VIRTUAL_TIME_H

#include "base/clock.h"

/* The daemon has nothing to do for TIMEOUT_NS (NSEC_NONE: at all). Answers how long it sleeps. */
typedef nsec_t (*virtual_idle_fn)(nsec_t timeout_ns);

void virtual_time_start(virtual_idle_fn idle);
void virtual_time_pass(nsec_t duration_ns);

#endif
