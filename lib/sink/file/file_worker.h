/*
 * The thread of a file sink. All that the sink does with its files happens there, and yet only one
 * of the two threads runs at any time: the loop hands over and waits. Only while the thread is in a
 * system call of file_io.h, which a slow disk or a file server that is gone can hold for as long as
 * they like, and has been for a millisecond, does the loop continue without it; and at the end of a
 * call once the thread has run for ten, as a task may consist of many short calls. Then the thread
 * waits until the loop hands over again.
 *
 * So a task may use whatever the loop's thread may, between its system calls: no data is shared at
 * the same time, and no other lock is needed. The loop must not touch the sink's files until the
 * task is over: file_worker_run has returned true, or done() was called.
 */
#ifndef TRAWLD_SINK_FILE_WORKER_H
#define TRAWLD_SINK_FILE_WORKER_H

#include "base/clock.h"

#include <stdbool.h>

struct ev_loop;
struct file_worker;

struct file_worker_setup {
	struct ev_loop *loop;
	/* A task that file_worker_run began is over; on the thread of the loop. */
	void (*done)(void *userdata);
	/* After file_worker_free returned false: the call has returned; frees what the task used.
	 * On the thread of the sink, while the loop runs, so it touches nothing that both use. */
	void (*release)(void *userdata);
	void *userdata;
};

struct file_worker *file_worker_new(const struct file_worker_setup *setup);
/* Lets a task come to its end, for some seconds. False: it does not. The thread is left to itself
 * then, and calls release() once the system call has returned. */
bool file_worker_free(struct file_worker *worker);

/* Runs TASK on the thread. True: it is over. False: it waits for the disk, and done() is called
 * when it is over. Not while one is under way. Without a thread (none can be started) it runs here.
 */
bool file_worker_run(struct file_worker *worker, void (*task)(void *userdata));

/* Since when a task has waited for one system call, whose name is in *RET_CALL; NSEC_NONE: none
 * waits. */
nsec_t file_worker_waits_since(struct file_worker *worker, const char **ret_call);

/* From now on all tasks run on the thread of the loop: for tests in virtual time. */
void file_worker_stay(void);

/* For file_io.c: around each system call, on whatever thread. Keeps errno. */
void file_worker_call_begin(const char *name);
void file_worker_call_end(void);

#endif
