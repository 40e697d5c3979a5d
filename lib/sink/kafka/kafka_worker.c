/*
 * See kafka_worker.h. The lock is held for moments only, never while the producer works.
 *
 * A call that waits for brokers cannot be ended from outside. So a thread that does not come to its
 * end in time is left alone (thread_leave): it owns what it uses, and knows that nobody listens.
 */
#include "sink/kafka/kafka_worker.h"

#include <assert.h>
#include <ev.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"

#define KAFKA_END (3 * NSEC_PER_SEC)
#define KAFKA_SERVE (5 * NSEC_PER_SEC)
#define KAFKA_LINES_MAX 50 /* of librdkafka's log that wait for the loop */

struct kafka_worker {
	struct kafka_worker_setup setup; /* of the loop's thread */
	ev_async wake_loop; /* likewise, but for ev_async_send */
	pthread_t thread;
	struct kafka_producer *producer; /* of the thread */

	pthread_mutex_t lock; /* of all that follows */
	pthread_cond_t wake;
	pthread_cond_t over;
	bool opening;
	bool opened; /* `answer` is of that, for the loop */
	bool quit;
	bool ended; /* the thread uses nothing any more */
	bool abandoned; /* nobody waits for its end */
	bool busy; /* with a job */
	bool cancelled; /* that job */
	struct kafka_job *next;
	struct kafka_job *done; /* answered, for the loop */
	struct kafka_answer answer;
	struct str_list lines;
};

/* --- the thread --- */

/* Held: until there is something to do, or some seconds. */
static void kafka_worker_wait(struct kafka_worker *worker)
{
	nsec_t until_at = thread_now() + KAFKA_SERVE;

	while (!worker->quit && !worker->opening && !worker->next)
		if (!thread_wait(&worker->wake, &worker->lock, until_at))
			break;
}

static void kafka_worker_wake_loop(struct kafka_worker *worker)
{
	if (!worker->abandoned)
		ev_async_send(worker->setup.loop, &worker->wake_loop);
}

/* Held; lets go of the lock while it works. */
static void kafka_worker_work(struct kafka_worker *worker, struct kafka_job *job)
{
	struct kafka_answer answer = {0};

	worker->next = NULL;
	worker->busy = true;
	worker->cancelled = false;
	pthread_mutex_unlock(&worker->lock);
	kafka_producer_send(worker->producer, job, &answer);
	pthread_mutex_lock(&worker->lock);
	worker->busy = false;
	if (worker->cancelled || worker->abandoned) {
		kafka_job_free(job);
		return;
	}
	worker->done = job;
	worker->answer = answer;
	kafka_worker_wake_loop(worker);
}

static void kafka_worker_step(struct kafka_worker *worker)
{
	struct kafka_answer answer = {0};
	bool opens;

	kafka_worker_wait(worker);
	if (worker->quit)
		return;
	if (worker->next) {
		kafka_worker_work(worker, worker->next);
		return;
	}
	opens = worker->opening;
	pthread_mutex_unlock(&worker->lock);
	if (opens)
		answer.outcome = kafka_producer_open(worker->producer, &answer);
	else
		kafka_producer_serve(worker->producer);
	pthread_mutex_lock(&worker->lock);
	if (!opens)
		return;
	worker->opening = false;
	worker->opened = true;
	worker->answer = answer;
	kafka_worker_wake_loop(worker);
}

static void kafka_worker_release(struct kafka_worker *worker)
{
	kafka_job_free(worker->next);
	kafka_job_free(worker->done);
	str_list_deinit(&worker->lines);
	pthread_mutex_destroy(&worker->lock);
	pthread_cond_destroy(&worker->wake);
	pthread_cond_destroy(&worker->over);
	free(worker);
}

static void *kafka_worker_main(void *data)
{
	struct kafka_worker *worker = data;
	bool abandoned;

	pthread_mutex_lock(&worker->lock);
	while (!worker->quit)
		kafka_worker_step(worker);
	pthread_mutex_unlock(&worker->lock);
	kafka_producer_free(worker->producer);
	pthread_mutex_lock(&worker->lock);
	worker->ended = true;
	abandoned = worker->abandoned;
	pthread_cond_signal(&worker->over);
	pthread_mutex_unlock(&worker->lock);
	if (abandoned)
		kafka_worker_release(worker);
	return NULL;
}

/* On the helper thread. */
static void kafka_worker_told(const char *text, void *userdata)
{
	struct kafka_worker *worker = userdata;

	pthread_mutex_lock(&worker->lock);
	if (worker->lines.n_items < KAFKA_LINES_MAX)
		str_list_add(&worker->lines, text);
	kafka_worker_wake_loop(worker);
	pthread_mutex_unlock(&worker->lock);
}

/* --- the loop --- */

static void kafka_worker_on_wake(struct ev_loop *loop, ev_async *watcher, int events)
{
	struct kafka_worker *worker = watcher->data;
	const struct kafka_worker_setup *setup = &worker->setup;
	struct kafka_answer answer;
	struct str_list lines;
	struct kafka_job *done;
	bool opened;

	(void)loop;
	(void)events;
	pthread_mutex_lock(&worker->lock);
	lines = worker->lines;
	worker->lines = STR_LIST_NULL;
	done = worker->done;
	worker->done = NULL;
	opened = worker->opened;
	worker->opened = false;
	answer = worker->answer;
	pthread_mutex_unlock(&worker->lock);
	for (size_t i = 0; i < lines.n_items; i++)
		setup->told(lines.items[i], setup->userdata);
	str_list_deinit(&lines);
	if (opened)
		setup->opened(&answer, setup->userdata);
	if (done)
		setup->answered(done, &answer, setup->userdata);
}

int kafka_worker_new(struct kafka_worker **ret, const struct kafka_worker_setup *setup,
	const struct kafka_producer_setup *producer, struct fault *reterr)
{
	struct kafka_worker *worker = MEM_NEW(struct kafka_worker);
	struct kafka_producer_setup own = *producer;
	int error, r;

	worker->setup = *setup;
	own.told = kafka_worker_told;
	own.userdata = worker;
	pthread_mutex_init(&worker->lock, NULL);
	thread_condition_init(&worker->wake);
	thread_condition_init(&worker->over);
	ev_async_init(&worker->wake_loop, kafka_worker_on_wake);
	worker->wake_loop.data = worker;
	r = kafka_producer_new(&worker->producer, &own, reterr);
	if (!r) {
		error = thread_start(&worker->thread, kafka_worker_main, worker);
		if (error != 0) {
			r = fault_set(reterr, FAULT_INTERNAL, "a thread cannot be started: %s",
				strerror(error));
			kafka_producer_free(worker->producer);
		}
	}
	if (r) {
		kafka_worker_release(worker);
		return r;
	}
	ev_async_start(setup->loop, &worker->wake_loop);
	*ret = worker;
	return 0;
}

/* Held: whether the thread has ended in time. */
static bool kafka_worker_await_end(struct kafka_worker *worker)
{
	nsec_t until_at = thread_now() + KAFKA_END;

	while (!worker->ended)
		if (!thread_wait(&worker->over, &worker->lock, until_at))
			break;
	return worker->ended;
}

void kafka_worker_free(struct kafka_worker *worker)
{
	pthread_t thread;

	if (!worker)
		return;
	ev_async_stop(worker->setup.loop, &worker->wake_loop);
	pthread_mutex_lock(&worker->lock);
	worker->quit = true;
	thread = worker->thread;
	pthread_cond_signal(&worker->wake);
	if (kafka_worker_await_end(worker)) {
		pthread_mutex_unlock(&worker->lock);
		pthread_join(thread, NULL);
		kafka_worker_release(worker);
		return;
	}
	worker->abandoned = true;
	pthread_mutex_unlock(&worker->lock);
	thread_leave(thread);
}

void kafka_worker_open(struct kafka_worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	worker->opening = true;
	pthread_cond_signal(&worker->wake);
	pthread_mutex_unlock(&worker->lock);
}

void kafka_worker_send(struct kafka_worker *worker, struct kafka_job *job)
{
	pthread_mutex_lock(&worker->lock);
	assert(!worker->next && !worker->done);
	worker->next = job;
	pthread_cond_signal(&worker->wake);
	pthread_mutex_unlock(&worker->lock);
}

void kafka_worker_cancel(struct kafka_worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	kafka_job_free(worker->next);
	kafka_job_free(worker->done);
	worker->next = NULL;
	worker->done = NULL;
	worker->cancelled = worker->busy;
	pthread_mutex_unlock(&worker->lock);
}
