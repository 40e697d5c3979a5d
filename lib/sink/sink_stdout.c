/*
 * Records on standard output, one a line: for pipes, terminals and containers.
 *
 * Written without blocking where the descriptor allows it, so that a reader who pauses stops this
 * sink and not the daemon. O_NONBLOCK belongs to the open file, which the shell and other programs
 * share; so a pipe or terminal is opened anew through /proc/self/fd, a socket is written with
 * MSG_DONTWAIT, and what cannot be opened anew (a regular file keeps its offset) is written as it
 * is.
 *
 * "Delivered" means: in the pipe. A job that breaks off is sent again from its beginning, on a line
 * of its own: who reads the same pipe next finds half a line and no record that was grown together.
 *
 * The line is one for all sinks of this kind, and for those that a reload replaces: no other sink
 * writes into a line that is not over.
 */
#include "sink/sinks.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/timer.h"
#include "pipeline/job.h"
#include "sink/journal_limit.h"

#define SINK_STDOUT_TURN ((size_t)1 << 20) /* bytes written before the loop has its turn */

struct sink_stdout {
	struct sink base;
	struct ev_loop *loop;
	int fd;
	bool own_fd;
	bool socket;
	ev_io io; /* waits for room */
	ev_timer turn; /* begins, and continues after others had their turn */
	const struct sink_job *job; /* NULL: none */
	struct job_text text;
	struct slice rest; /* of the piece being written */
};

/* The last line of standard output. */
static struct {
	bool torn; /* it does not end */
	const struct sink_stdout *writer; /* who will end it; NULL: nobody, or it has ended */
} last_line;

static void sink_stdout_stop(struct sink_stdout *out)
{
	ev_io_stop(out->loop, &out->io);
	ev_timer_stop(out->loop, &out->turn);
	if (out->job)
		job_text_deinit(&out->text);
	out->job = NULL;
	if (last_line.writer == out)
		last_line.writer = NULL;
}

static void sink_stdout_fail(struct sink_stdout *out, int error)
{
	struct sink_answer answer = {.result = SINK_RETRY};

	sink_stdout_stop(out);
	errno = error;
	if (error == EPIPE || error == ECONNRESET)
		fault_set(&answer.error, FAULT_NETWORK, "the reader of standard output is gone");
	else
		fault_set(&answer.error, FAULT_STORE, "cannot write to standard output: %s",
			strerror(errno));
	sink_answer(&out->base, &answer);
}

/* Writes of the rest, after the end of a line that nobody else ends. */
static ssize_t sink_stdout_put(struct sink_stdout *out)
{
	bool ends = last_line.torn && last_line.writer != out;
	struct slice text = ends ? SLICE("\n") : out->rest;
	ssize_t n = out->socket ? send(out->fd, text.data, text.size, MSG_DONTWAIT | MSG_NOSIGNAL)
				: write(out->fd, text.data, text.size);

	if (n <= 0)
		return n;
	last_line.torn = text.data[n - 1] != '\n';
	last_line.writer = last_line.torn ? out : NULL;
	if (!ends) {
		out->rest.data += n;
		out->rest.size -= (size_t)n;
	}
	return n;
}

/* Writes until the job is done, nothing more fits, or others must have their turn. */
static void sink_stdout_write(struct sink_stdout *out)
{
	size_t written = 0;

	while (out->rest.size > 0 || job_text_next(&out->text, out->job->n_batches, &out->rest)) {
		ssize_t n;

		if (written >= SINK_STDOUT_TURN) {
			timer_start(out->loop, &out->turn, 0);
			return;
		}
		if (last_line.writer && last_line.writer != out) {
			ev_io_start(out->loop, &out->io); /* it waits for the same, or has room */
			return;
		}
		n = sink_stdout_put(out);
		if (n >= 0) {
			written += (size_t)n;
		} else if (errno == EAGAIN) {
			ev_io_start(out->loop, &out->io);
			return;
		} else if (errno != EINTR) {
			sink_stdout_fail(out, errno);
			return;
		}
	}
	sink_stdout_stop(out);
	sink_answer(&out->base, &(struct sink_answer){.result = SINK_DELIVERED});
}

static void sink_stdout_on_room(struct ev_loop *loop, ev_io *watcher, int events)
{
	(void)events;
	ev_io_stop(loop, watcher);
	sink_stdout_write(watcher->data);
}

static void sink_stdout_on_turn(struct ev_loop *loop, ev_timer *watcher, int events)
{
	(void)loop;
	(void)events;
	sink_stdout_write(watcher->data);
}

/* $JOURNAL_STREAM names the stream of the journal that systemd has connected the service to. */
static bool sink_stdout_is_journal(const struct stat *status)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char *own = mem_printf("%ju:%ju", (uintmax_t)status->st_dev, (uintmax_t)status->st_ino);
	bool same = stream && strcmp(stream, own) == 0;

	free(own);
	return same;
}

/* A process that was killed may have left half a line in the file. */
static bool sink_stdout_is_torn(const struct stat *status)
{
	char last = '\n';
	int fd = S_ISREG(status->st_mode) && status->st_size > 0
			 ? open("/proc/self/fd/1", O_RDONLY | O_CLOEXEC)
			 : -1;

	if (fd < 0)
		return false;
	if (pread(fd, &last, 1, status->st_size - 1) != 1)
		last = '\n';
	close(fd);
	return last != '\n';
}

/* A line of the log may then come while a record is half written. */
static bool sink_stdout_is_log(const struct stat *status)
{
	struct stat log;

	return !S_ISCHR(status->st_mode) && fstat(STDERR_FILENO, &log) == 0 &&
	       log.st_dev == status->st_dev && log.st_ino == status->st_ino;
}

static void sink_stdout_open(struct sink_stdout *out, const struct log_subject *subject)
{
	struct stat status;
	int fd;

	out->fd = STDOUT_FILENO;
	if (fstat(STDOUT_FILENO, &status) < 0)
		return; /* closed: the first write says so */
	out->socket = S_ISSOCK(status.st_mode);
	if (!last_line.writer)
		last_line.torn |= sink_stdout_is_torn(&status);
	if (sink_stdout_is_journal(&status))
		journal_limit_check(subject);
	else if (sink_stdout_is_log(&status))
		log_warning(subject,
			"standard output and standard error are one: lines of the log can land within records; send standard error elsewhere");
	if (!S_ISFIFO(status.st_mode) && !S_ISCHR(status.st_mode))
		return;
	fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return;
	out->fd = fd;
	out->own_fd = true;
}

static int sink_stdout_create(
	struct sink **ret, const struct sink_setup *setup, struct fault *reterr)
{
	struct sink_stdout *out = MEM_NEW(struct sink_stdout);
	struct log_subject subject = {"sink", setup->name, setup->location};

	(void)reterr;
	out->base.kind = &sink_stdout;
	out->base.name = mem_strdup(setup->name);
	out->loop = setup->loop;
	sink_stdout_open(out, &subject);
	ev_io_init(&out->io, sink_stdout_on_room, out->fd, EV_WRITE);
	out->io.data = out;
	ev_timer_init(&out->turn, sink_stdout_on_turn, 0., 0.);
	out->turn.data = out;
	*ret = &out->base;
	return 0;
}

static void sink_stdout_deliver(struct sink *sink, struct sink_job *job)
{
	struct sink_stdout *out = (struct sink_stdout *)sink;

	out->job = job;
	out->rest = SLICE_NULL;
	job_text_init(&out->text, job);
	timer_start(out->loop, &out->turn, 0);
}

static void sink_stdout_cancel(struct sink *sink)
{
	sink_stdout_stop((struct sink_stdout *)sink);
}

static void sink_stdout_destroy(struct sink *sink)
{
	struct sink_stdout *out = (struct sink_stdout *)sink;

	sink_stdout_stop(out);
	if (out->own_fd)
		close(out->fd);
	free(out->base.name);
	free(out);
}

const struct sink_kind sink_stdout = {
	.name = "stdout",
	.summary = "JSON lines on standard output",
	.promise = "at least once up to the pipe, terminal or file",
	.options_size = 1, /* no options: nothing is read there */
	.capabilities = SINK_WHOLE_BATCH,
	.create = sink_stdout_create,
	.deliver = sink_stdout_deliver,
	.cancel = sink_stdout_cancel,
	.destroy = sink_stdout_destroy,
};
