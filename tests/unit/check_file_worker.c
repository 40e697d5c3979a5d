/* The thread of a file sink: what runs where, who waits for whom. A read from a pipe is the system
 * call that lasts as long as the test likes. */
#include "sink/file/file_worker.h"

#include <errno.h>
#include <ev.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/thread.h"
#include "base/timer.h"
#include "check_unit.h"

static struct ev_loop *loop;
static struct file_worker *worker;
static int ends[2];
static pthread_t of_loop, of_task;
static int n_calls, n_returned, n_done;
static atomic_int n_released;

static void wait_for_pipe(void *userdata)
{
	char byte;

	(void)userdata;
	of_task = pthread_self();
	for (int i = 0; i < n_calls; i++) {
		file_worker_call_begin("read");
		if (read(ends[0], &byte, 1) != 1)
			byte = 0;
		errno = EDOM;
		file_worker_call_end();
		n_returned += errno == EDOM;
	}
}

static void on_done(void *userdata)
{
	ck_assert_ptr_eq(userdata, &n_done);
	ck_assert(pthread_equal(pthread_self(), of_loop));
	n_done++;
}

static void on_release(void *userdata)
{
	(void)userdata;
	n_released++;
}

static void setup(void)
{
	loop = ev_loop_new(EVFLAG_AUTO);
	of_loop = pthread_self();
	n_calls = n_returned = n_done = 0;
	n_released = 0;
	ck_assert_int_eq(pipe(ends), 0);
	worker = file_worker_new(&(struct file_worker_setup){loop, on_done, on_release, &n_done});
}

static void teardown(void)
{
	close(ends[0]);
	close(ends[1]);
	ev_loop_destroy(loop);
}

static void let_return(int n)
{
	for (int i = 0; i < n; i++)
		ck_assert_int_eq(write(ends[1], "", 1), 1);
}

START_TEST(a_short_task_is_over_at_once)
{
	ck_assert(file_worker_run(worker, wait_for_pipe));
	ck_assert(!pthread_equal(of_task, of_loop));
	ck_assert(file_worker_free(worker));
	ck_assert_int_eq(n_done, 0);
}
END_TEST

static int n_ticks;

static void on_tick(struct ev_loop *l, ev_timer *watcher, int events)
{
	(void)events;
	if (++n_ticks == 10)
		ev_timer_stop(l, watcher);
}

START_TEST(the_loop_continues_while_a_call_lasts)
{
	const char *call = NULL;
	ev_timer tick;

	n_calls = 2;
	n_ticks = 0;
	ev_timer_init(&tick, on_tick, 0.001, 0.001);
	ev_timer_start(loop, &tick);
	ck_assert(!file_worker_run(worker, wait_for_pipe));
	ck_assert_int_ne(file_worker_waits_since(worker, &call), NSEC_NONE);
	ck_assert_str_eq(call, "read");
	while (n_ticks < 10)
		ev_run(loop, EVRUN_ONCE);
	ck_assert_int_eq(n_done + n_returned, 0);
	let_return(2);
	while (n_done == 0)
		ev_run(loop, EVRUN_ONCE);
	ck_assert_int_eq(n_returned, 2); /* with errno */
	ck_assert_int_eq(file_worker_waits_since(worker, &call), NSEC_NONE);
	ck_assert(!ev_run(loop, 0)); /* no watcher is left */
	n_calls = 0;
	ck_assert(file_worker_run(worker, wait_for_pipe)); /* the same thread takes the next */
	ck_assert(file_worker_free(worker));
}
END_TEST

/* Many short calls, until the loop has had a turn. */
static void call_again_and_again(void *userdata)
{
	(void)userdata;
	while (n_ticks == 0) {
		file_worker_call_begin("stat");
		file_worker_call_end();
	}
}

START_TEST(the_loop_continues_during_many_short_calls)
{
	ev_timer tick;

	n_ticks = 0;
	ev_timer_init(&tick, on_tick, 0, 0);
	ev_timer_start(loop, &tick);
	ck_assert(!file_worker_run(worker, call_again_and_again));
	while (n_done == 0)
		ev_run(loop, EVRUN_ONCE);
	ck_assert(!ev_run(loop, 0));
	ck_assert(file_worker_free(worker));
}
END_TEST

START_TEST(the_thread_waits_for_the_loop)
{
	n_calls = 1;
	ck_assert(!file_worker_run(worker, wait_for_pipe));
	let_return(1);
	for (int i = 0; i < 20; i++) {
		usleep(1000);
		ck_assert_int_eq(n_returned, 0);
	}
	while (n_done == 0)
		ev_run(loop, EVRUN_ONCE);
	ck_assert_int_eq(n_returned, 1);
	ck_assert(file_worker_free(worker));
}
END_TEST

START_TEST(the_end_waits_for_a_call_that_returns)
{
	n_calls = 3;
	ck_assert(!file_worker_run(worker, wait_for_pipe));
	let_return(3);
	ck_assert(file_worker_free(worker));
	ck_assert_int_eq(n_returned, 3);
	ck_assert_int_eq(n_done, 0);
	ck_assert_int_eq(n_released, 0);
	ck_assert(!ev_run(loop, 0));
}
END_TEST

START_TEST(a_call_that_hangs_is_left_alone)
{
	n_calls = 1;
	ck_assert(!file_worker_run(worker, wait_for_pipe));
	ck_assert(!file_worker_free(worker));
	ck_assert_int_eq(n_released, 0);
	let_return(1);
	while (n_released == 0)
		usleep(1000);
	ck_assert_int_eq(n_returned + n_done, 0);
	ck_assert(!ev_run(loop, 0));
}
END_TEST

START_TEST(without_a_thread_it_runs_here)
{
	file_worker_stay();
	n_calls = 1;
	let_return(1);
	ck_assert(file_worker_run(worker, wait_for_pipe));
	ck_assert(pthread_equal(of_task, of_loop));
	ck_assert_int_eq(n_returned, 1);
	ck_assert(file_worker_free(worker));
}
END_TEST

static void add_tests(Suite *suite)
{
	TCase *tcase = tcase_create("file_worker");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_short_task_is_over_at_once);
	tcase_add_test(tcase, the_loop_continues_while_a_call_lasts);
	tcase_add_test(tcase, the_loop_continues_during_many_short_calls);
	tcase_add_test(tcase, the_thread_waits_for_the_loop);
	tcase_add_test(tcase, the_end_waits_for_a_call_that_returns);
	tcase_add_test(tcase, a_call_that_hangs_is_left_alone);
	tcase_add_test(tcase, without_a_thread_it_runs_here);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	Suite *suite = suite_create("file_worker");

	add_tests(suite);
	return unit_run(suite);
}
