/*
 * Helper threads. They are for calls that block and cannot be made to return: the loop never waits
 * for one of them for long.
 */
#ifndef TRAWLD_BASE_THREAD_H
#define TRAWLD_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>

#include "base/clock.h"

/* Starts a thread that takes no signals. 0, or an errno. */
int thread_start(pthread_t *ret, void *(*run)(void *data), void *data);

/* The system's monotonic clock, which no test turns. */
nsec_t thread_now(void);
/* A condition that thread_wait can wait for. */
void thread_condition_init(pthread_cond_t *condition);
/* LOCK is held. Waits for CONDITION; false: not before UNTIL_AT, a time of thread_now. */
bool thread_wait(pthread_cond_t *condition, pthread_mutex_t *lock, nsec_t until_at);

/* A thread that does not come to its end is left to itself: the process then ends without the exit
 * handlers of libraries, which would take away what the thread still uses. */
void thread_leave(pthread_t thread);

#endif
