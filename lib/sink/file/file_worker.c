/* See file_worker.h. The lock is held for moments only, never in a task or a system call. */
#include "sink/file/file_worker.h"

#include <assert.h>
#include <errno.h>
#include <ev.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/thread.h"

#define FILE_WORKER_PATIENCE NSEC_PER_MSEC /* of the loop, with a system call */
#define FILE_WORKER_SLICE (10 * NSEC_PER_MSEC) /* of the loop, with a task of many short calls */
#define FILE_WORKER_END (3 * NSEC_PER_SEC) /* that the end waits for one since it began */

enum file_worker_state {
	FILE_WORKER_IDLE,
	FILE_WORKER_RUNS, /* the loop waits */
	FILE_WORKER_CALLS, /* in a system call; the loop waits, as long as it is patient */
	FILE_WORKER_AWAY, /* in a system call; the loop continues */
	FILE_WORKER_BACK, /* the call has returned: the thread waits until the loop hands over */
};

struct file_worker {
	struct file_worker_setup setup;
	ev_async wake_loop; /* only while the thread is away */
	pthread_t thread;
	bool started;

	pthread_mutex_t lock; /* of all that follows */
	pthread_cond_t turn; /* of the thread */
	pthread_cond_t given; /* back to the loop */
	enum file_worker_state state;
	void (*task)(void *userdata);
	const char *call;
	nsec_t called_at;
	nsec_t given_at; /* when the loop last handed over */
	bool quit;
	bool left; /* nobody waits for the thread, which releases what it has */
};

static bool file_worker_stays;
static _Thread_local struct file_worker *file_worker_self; /* NULL: the loop's thread */

/* --- the thread --- */

static void file_worker_release(struct file_worker *worker)
{
	pthread_mutex_destroy(&worker->lock);
	pthread_cond_destroy(&worker->turn);
	pthread_cond_destroy(&worker->given);
	free(worker);
}

static void *file_worker_main(void *data)
{
	struct file_worker *worker = data;

	file_worker_self = worker;
	pthread_mutex_lock(&worker->lock);
	while (!worker->quit) {
		if (worker->state != FILE_WORKER_RUNS) {
			pthread_cond_wait(&worker->turn, &worker->lock);
			continue;
		}
		pthread_mutex_unlock(&worker->lock);
		worker->task(worker->setup.userdata);
		pthread_mutex_lock(&worker->lock);
		worker->state = FILE_WORKER_IDLE;
		pthread_cond_signal(&worker->given);
	}
	pthread_mutex_unlock(&worker->lock);
	return NULL;
}

void file_worker_call_begin(const char *name)
{
	struct file_worker *worker = file_worker_self;

	if (!worker)
		return;
	pthread_mutex_lock(&worker->lock);
	worker->state = FILE_WORKER_CALLS;
	worker->call = name;
	worker->called_at = thread_now();
	pthread_mutex_unlock(&worker->lock);
}

/* Held: the loop has continued, or is to. */
static void file_worker_come_back(struct file_worker *worker)
{
	if (!worker->left) {
		if (worker->state == FILE_WORKER_AWAY)
			ev_async_send(worker->setup.loop, &worker->wake_loop);
		worker->state = FILE_WORKER_BACK;
		pthread_cond_signal(&worker->given);
	}
	while (!worker->left && worker->state != FILE_WORKER_RUNS)
		pthread_cond_wait(&worker->turn, &worker->lock);
	if (!worker->left)
		return;
	pthread_mutex_unlock(&worker->lock);
	worker->setup.release(worker->setup.userdata);
	file_worker_release(worker);
	pthread_exit(NULL);
}

void file_worker_call_end(void)
{
	struct file_worker *worker = file_worker_self;
	int error = errno;

	if (!worker)
		return;
	pthread_mutex_lock(&worker->lock);
	if (worker->state == FILE_WORKER_CALLS &&
		(worker->left || thread_now() - worker->given_at < FILE_WORKER_SLICE))
		worker->state = FILE_WORKER_RUNS;
	else
		file_worker_come_back(worker);
	pthread_mutex_unlock(&worker->lock);
	errno = error;
}

/* --- the loop --- */

/* Held: the thread runs until its task is over (true), or it or a system call takes too long. */
static bool file_worker_hand_over(struct file_worker *worker)
{
	worker->state = FILE_WORKER_RUNS;
	worker->given_at = thread_now();
	pthread_cond_signal(&worker->turn);
	while (worker->state != FILE_WORKER_IDLE) {
		nsec_t now_at = thread_now(), from_at = now_at;

		if (worker->state == FILE_WORKER_BACK) {
			ev_async_start(worker->setup.loop, &worker->wake_loop);
			ev_async_send(worker->setup.loop, &worker->wake_loop);
			return false;
		}
		if (worker->state == FILE_WORKER_CALLS)
			from_at = worker->called_at;
		if (now_at - from_at >= FILE_WORKER_PATIENCE) {
			worker->state = FILE_WORKER_AWAY;
			ev_async_start(worker->setup.loop, &worker->wake_loop);
			return false;
		}
		thread_wait(&worker->given, &worker->lock, from_at + FILE_WORKER_PATIENCE);
	}
	return true;
}

static void file_worker_on_wake(struct ev_loop *loop, ev_async *watcher, int events)
{
	struct file_worker *worker = watcher->data;
	bool over = false;

	(void)events;
	pthread_mutex_lock(&worker->lock);
	if (worker->state == FILE_WORKER_BACK) {
		ev_async_stop(loop, watcher);
		over = file_worker_hand_over(worker);
	}
	pthread_mutex_unlock(&worker->lock);
	if (over)
		worker->setup.done(worker->setup.userdata);
}

struct file_worker *file_worker_new(const struct file_worker_setup *setup)
{
	struct file_worker *worker = MEM_NEW(struct file_worker);

	worker->setup = *setup;
	pthread_mutex_init(&worker->lock, NULL);
	thread_condition_init(&worker->turn);
	thread_condition_init(&worker->given);
	ev_async_init(&worker->wake_loop, file_worker_on_wake);
	worker->wake_loop.data = worker;
	return worker;
}

bool file_worker_run(struct file_worker *worker, void (*task)(void *userdata))
{
	bool over;

	if (!worker->started && !file_worker_stays)
		worker->started = thread_start(&worker->thread, file_worker_main, worker) == 0;
	if (!worker->started) {
		task(worker->setup.userdata);
		return true;
	}
	pthread_mutex_lock(&worker->lock);
	assert(worker->state == FILE_WORKER_IDLE);
	worker->task = task;
	over = file_worker_hand_over(worker);
	pthread_mutex_unlock(&worker->lock);
	return over;
}

nsec_t file_worker_waits_since(struct file_worker *worker, const char **ret_call)
{
	nsec_t since_at = NSEC_NONE;

	pthread_mutex_lock(&worker->lock);
	if (worker->state == FILE_WORKER_AWAY) {
		since_at = worker->called_at;
		*ret_call = worker->call;
	}
	pthread_mutex_unlock(&worker->lock);
	return since_at;
}

void file_worker_stay(void)
{
	file_worker_stays = true;
}

/* Held: whether the task came to its end in time. */
static bool file_worker_finish(struct file_worker *worker)
{
	nsec_t until_at = FILE_WORKER_END +
			  (worker->state == FILE_WORKER_AWAY ? worker->called_at : thread_now());

	while (worker->state != FILE_WORKER_IDLE) {
		if (worker->state == FILE_WORKER_BACK)
			file_worker_hand_over(worker);
		else if (!thread_wait(&worker->given, &worker->lock, until_at) &&
			 worker->state == FILE_WORKER_AWAY)
			return false;
	}
	return true;
}

bool file_worker_free(struct file_worker *worker)
{
	bool finished;

	if (!worker->started) {
		file_worker_release(worker);
		return true;
	}
	pthread_mutex_lock(&worker->lock);
	finished = file_worker_finish(worker);
	ev_async_stop(worker->setup.loop, &worker->wake_loop);
	worker->quit = finished;
	worker->left = !finished;
	if (!finished)
		thread_leave(worker->thread);
	pthread_cond_signal(&worker->turn);
	pthread_mutex_unlock(&worker->lock);
	if (!finished)
		return false;
	pthread_join(worker->thread, NULL);
	file_worker_release(worker);
	return true;
}
