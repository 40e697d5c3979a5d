/*
 * Part of trawld when it is built with the thread sanitizer (script/test-threads). gcc's sanitizer
 * does not know the threads of C11, which librdkafka uses: here they are POSIX threads.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <threads.h>

const char *__tsan_default_suppressions(void);

/* Reports that are not of trawld: libraries are not built with the sanitizer, so it does not see
 * how they synchronize. */
const char *__tsan_default_suppressions(void)
{
	return "race:librdkafka.so\n";
}

_Static_assert(sizeof(mtx_t) == sizeof(pthread_mutex_t), "a mutex of C11 is one of POSIX");
_Static_assert(sizeof(cnd_t) == sizeof(pthread_cond_t), "a condition of C11 is one of POSIX");

struct start {
	thrd_start_t run;
	void *data;
};

static int result(int error)
{
	return error == 0           ? thrd_success
	       : error == ETIMEDOUT ? thrd_timedout
	       : error == EBUSY     ? thrd_busy
				    : thrd_error;
}

static void *run(void *data)
{
	struct start start = *(struct start *)data;

	free(data);
	return (void *)(long)start.run(start.data);
}

int thrd_create(thrd_t *ret, thrd_start_t function, void *data)
{
	struct start *start = malloc(sizeof(*start));
	int r;

	if (!start)
		return thrd_nomem;
	*start = (struct start){function, data};
	r = pthread_create(ret, NULL, run, start);
	if (r)
		free(start);
	return result(r);
}

int thrd_join(thrd_t thread, int *ret)
{
	void *value = NULL;
	int r = pthread_join(thread, &value);

	if (ret)
		*ret = (int)(long)value;
	return result(r);
}

int mtx_init(mtx_t *mutex, int type)
{
	pthread_mutexattr_t attributes;
	int r;

	pthread_mutexattr_init(&attributes);
	if (type & mtx_recursive)
		pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
	r = pthread_mutex_init((pthread_mutex_t *)mutex, &attributes);
	pthread_mutexattr_destroy(&attributes);
	return result(r);
}

int mtx_lock(mtx_t *mutex)
{
	return result(pthread_mutex_lock((pthread_mutex_t *)mutex));
}

int mtx_trylock(mtx_t *mutex)
{
	return result(pthread_mutex_trylock((pthread_mutex_t *)mutex));
}

int mtx_unlock(mtx_t *mutex)
{
	return result(pthread_mutex_unlock((pthread_mutex_t *)mutex));
}

void mtx_destroy(mtx_t *mutex)
{
	pthread_mutex_destroy((pthread_mutex_t *)mutex);
}

int cnd_init(cnd_t *condition)
{
	return result(pthread_cond_init((pthread_cond_t *)condition, NULL));
}

int cnd_signal(cnd_t *condition)
{
	return result(pthread_cond_signal((pthread_cond_t *)condition));
}

int cnd_broadcast(cnd_t *condition)
{
	return result(pthread_cond_broadcast((pthread_cond_t *)condition));
}

int cnd_wait(cnd_t *condition, mtx_t *mutex)
{
	return result(pthread_cond_wait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex));
}

int cnd_timedwait(cnd_t *condition, mtx_t *mutex, const struct timespec *until)
{
	return result(pthread_cond_timedwait(
		(pthread_cond_t *)condition, (pthread_mutex_t *)mutex, until));
}

void cnd_destroy(cnd_t *condition)
{
	pthread_cond_destroy((pthread_cond_t *)condition);
}
