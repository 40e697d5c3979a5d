/* See thread.h. */
#include "base/thread.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int thread_start(pthread_t *ret, void *(*run)(void *data), void *data)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(ret, NULL, run, data);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

nsec_t thread_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

void thread_condition_init(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(condition, &attributes);
	pthread_condattr_destroy(&attributes);
}

bool thread_wait(pthread_cond_t *condition, pthread_mutex_t *lock, nsec_t until_at)
{
	struct timespec until = {until_at / NSEC_PER_SEC, (long)(until_at % NSEC_PER_SEC)};

	return pthread_cond_timedwait(condition, lock, &until) != ETIMEDOUT;
}

static void thread_end_process(int status, void *data)
{
	(void)data;
	fflush(NULL);
	_exit(status);
}

void thread_leave(pthread_t thread)
{
	pthread_detach(thread);
	on_exit(thread_end_process, NULL);
}
