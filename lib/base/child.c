/* See child.h. */
#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"

#define CHILD_WAIT_MS 500
#define CHILD_DRAIN_MAX 64 /* pieces */

static const char *const child_environment[] = {
	"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR"};

#define N_CHILD_ENVIRONMENT (sizeof(child_environment) / sizeof(child_environment[0]))

/* --- the command line --- */

bool child_split(const char *text, struct str_list *ret)
{
	struct buf word = BUF_NULL;
	bool in_word = false;
	char quote = '\0';

	for (; *text; text++) {
		bool space = strchr(" \t\r\n", *text) != NULL;

		if (quote && *text == quote) {
			quote = '\0';
		} else if (!quote && (*text == '"' || *text == '\'')) {
			quote = *text;
			in_word = true;
		} else if (!quote && space) {
			if (in_word)
				str_list_add(ret, buf_text(&word));
			buf_clear(&word);
			in_word = false;
		} else {
			buf_append_char(&word, *text);
			in_word = true;
		}
	}
	if (in_word)
		str_list_add(ret, buf_text(&word));
	buf_deinit(&word);
	str_list_add(ret, ""); /* room for the NULL that execve(2) wants */
	free(ret->items[--ret->n_items]);
	ret->items[ret->n_items] = NULL;
	return quote == '\0';
}

/* --- what it prints --- */

static void child_stream_end_line(struct child_stream *stream)
{
	struct child *child = stream->child;
	struct buf line = stream->line;
	bool cut = stream->cut;

	stream->line = BUF_NULL;
	stream->cut = false;
	if (stream == &child->error)
		child->complained(buf_slice(&line), cut, child->userdata);
	else if (!child->killed)
		child->printed(buf_slice(&line), cut, child->userdata);
	if (child->secret && line.data)
		secret_wipe(line.data, line.size);
	buf_deinit(&line);
}

static void child_stream_add(struct child_stream *stream, struct slice piece)
{
	while (piece.size > 0) {
		const char *feed = memchr(piece.data, '\n', piece.size);
		size_t size = feed ? (size_t)(feed - piece.data) : piece.size;
		size_t max = stream->child->line_max;
		size_t room = (max ? max : CHILD_LINE_MAX) - stream->line.size;

		stream->cut = stream->cut || size > room;
		buf_append(&stream->line, piece.data, size < room ? size : room);
		if (!feed)
			return;
		child_stream_end_line(stream);
		piece.data += size + 1;
		piece.size -= size + 1;
	}
}

/* One piece, so that others have their turn. False: nothing is there now, or ever again. */
static bool child_stream_read(struct child_stream *stream)
{
	char piece[16384];
	ssize_t n = read(stream->io.fd, piece, sizeof(piece));

	if (n > 0) {
		child_stream_add(stream, (struct slice){piece, (size_t)n});
		if (stream->child->secret)
			secret_wipe(piece, (size_t)n);
	} else if (n == 0)
		ev_io_stop(stream->child->loop, &stream->io);
	return n > 0;
}

/* What a full pipe can hold; somebody who left the group may still write. */
static void child_stream_drain(struct child_stream *stream)
{
	int n = 0;

	while (n++ < CHILD_DRAIN_MAX && child_stream_read(stream))
		;
}

static void child_stream_on_text(struct ev_loop *loop, ev_io *watcher, int events)
{
	(void)loop;
	(void)events;
	child_stream_read(watcher->data);
}

/* --- its end --- */

/* Closes and forgets all of a child that is gone or has been told to go. */
static void child_forget(struct child *child)
{
	struct child_stream *streams[] = {&child->out, &child->error};

	child->pid = 0;
	ev_io_stop(child->loop, &child->io_in);
	ev_io_stop(child->loop, &child->io_end);
	if (child->in >= 0)
		close(child->in);
	child->in = -1;
	close(child->io_end.fd);
	for (size_t i = 0; i < 2; i++) {
		ev_io_stop(child->loop, &streams[i]->io);
		close(streams[i]->io.fd);
		buf_deinit(&streams[i]->line);
		streams[i]->cut = false;
	}
}

static void child_describe(int status, char text[64])
{
	if (WIFSIGNALED(status))
		snprintf(text, 64, "was ended by signal %d", WTERMSIG(status));
	else
		snprintf(text, 64, "ended with code %d", WEXITSTATUS(status));
}

static void child_on_end(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct child *child = watcher->data;
	struct child_stream *streams[] = {&child->error, &child->out};
	char text[64] = "ended";
	int status;

	(void)loop;
	(void)events;
	/* while it is not yet reaped the number of its group cannot be another's */
	kill(-child->pid, SIGKILL);
	child_stream_drain(&child->error);
	child_stream_drain(&child->out);
	for (size_t i = 0; child->secret && i < 2; i++)
		if (streams[i]->line.size > 0)
			child_stream_end_line(streams[i]);
	child->succeeded = false;
	if (waitpid(child->pid, &status, 0) == child->pid) {
		child_describe(status, text);
		child->succeeded = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	}
	child_forget(child);
	child->ended(text, child->userdata);
}

/* --- its beginning --- */

struct child_pipes {
	int in[2], out[2], error[2];
};

static void child_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

/* All six, or none. */
static bool child_pipes_open(struct child_pipes *pipes)
{
	*pipes = (struct child_pipes){{-1, -1}, {-1, -1}, {-1, -1}};
	if (pipe2(pipes->in, O_CLOEXEC) == 0 && pipe2(pipes->out, O_CLOEXEC) == 0 &&
		pipe2(pipes->error, O_CLOEXEC) == 0 &&
		fcntl(pipes->in[1], F_SETFL, O_NONBLOCK) == 0 &&
		fcntl(pipes->out[0], F_SETFL, O_NONBLOCK) == 0 &&
		fcntl(pipes->error[0], F_SETFL, O_NONBLOCK) == 0)
		return true;
	for (size_t i = 0; i < 2; i++) {
		child_close(pipes->in[i]);
		child_close(pipes->out[i]);
		child_close(pipes->error[i]);
	}
	return false;
}

/* In the child, between fork and exec: only calls that are safe there. It is killed when trawld
 * dies, however that ends: it would write beside the child of the next one. */
static _Noreturn void child_become(const struct child_pipes *pipes, pid_t parent, int report,
	char *const *argv, char *const *environment)
{
	struct sigaction action = {.sa_handler = SIG_DFL};
	sigset_t none;
	int error;

	sigemptyset(&none);
	for (int number = 1; number < NSIG; number++)
		sigaction(number, &action, NULL);
	setpgid(0, 0);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() != parent)
		_exit(1);
	/* libcurl and others open sockets without CLOEXEC; the report, which has it, goes last */
	if (dup2(pipes->in[0], STDIN_FILENO) >= 0 && dup2(pipes->out[1], STDOUT_FILENO) >= 0 &&
		dup2(pipes->error[1], STDERR_FILENO) >= 0 &&
		close_range(STDERR_FILENO + 1, UINT_MAX, CLOSE_RANGE_CLOEXEC) == 0) {
		sigprocmask(SIG_SETMASK, &none, NULL);
		execve(argv[0], argv, environment);
	}
	error = errno;
	if (write(report, &error, sizeof(error)) != sizeof(error))
		_exit(126);
	_exit(127);
}

/* 0 or an errno. */
static int child_spawn(
	pid_t *ret, const struct child_pipes *pipes, char *const *argv, char *const *environment)
{
	sigset_t all, before;
	pid_t parent = getpid();
	int report[2], error = 0;
	ssize_t n;

	if (pipe2(report, O_CLOEXEC) != 0)
		return errno;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before); /* no handler of ours runs in the child */
	*ret = fork();
	if (*ret == 0)
		child_become(pipes, parent, report[1], argv, environment);
	if (*ret < 0)
		error = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(report[1]);
	do
		n = *ret > 0 ? read(report[0], &error, sizeof(error)) : 0;
	while (n < 0 && errno == EINTR);
	close(report[0]);
	if (*ret > 0 && n == (ssize_t)sizeof(error))
		waitpid(*ret, NULL, 0);
	return error;
}

static int child_spawn_clean(pid_t *ret, const struct child_pipes *pipes, char *const *argv,
	const struct str_list *extra)
{
	char **environment = mem_array(N_CHILD_ENVIRONMENT + extra->n_items + 1, sizeof(char *));
	size_t n = 0;
	int r;

	for (size_t i = 0; i < N_CHILD_ENVIRONMENT; i++) {
		const char *value = getenv(child_environment[i]);

		if (value)
			environment[n++] = mem_printf("%s=%s", child_environment[i], value);
	}
	for (size_t i = 0; i < extra->n_items; i++)
		environment[n++] = mem_strdup(extra->items[i]);
	r = child_spawn(ret, pipes, argv, environment);
	while (n > 0)
		free(environment[--n]);
	free(environment);
	return r;
}

void child_init(struct child *child)
{
	struct child_stream *streams[] = {&child->out, &child->error};

	child->in = -1;
	for (size_t i = 0; i < 2; i++) {
		streams[i]->child = child;
		ev_io_init(&streams[i]->io, child_stream_on_text, -1, EV_READ);
		streams[i]->io.data = streams[i];
	}
	ev_io_init(&child->io_end, child_on_end, -1, EV_READ);
	child->io_end.data = child;
}

static void child_on_room(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct child *child = watcher->data;

	(void)events;
	ev_io_stop(loop, watcher);
	child->room(child->userdata);
}

static void child_watch(struct child *child, const struct child_pipes *pipes, int pidfd)
{
	child->killed = false;
	child->in = pipes->in[1];
	ev_io_init(&child->io_in, child_on_room, child->in, EV_WRITE);
	child->io_in.data = child;
	ev_io_set(&child->out.io, pipes->out[0], EV_READ);
	ev_io_set(&child->error.io, pipes->error[0], EV_READ);
	ev_io_set(&child->io_end, pidfd, EV_READ);
	ev_io_start(child->loop, &child->out.io);
	ev_io_start(child->loop, &child->error.io);
	ev_io_start(child->loop, &child->io_end);
}

int child_start(
	struct child *child, char *const *argv, const struct str_list *extra, struct fault *reterr)
{
	struct child_pipes pipes;
	int pidfd = -1;
	int error;

	if (!child_pipes_open(&pipes))
		return fault_set(reterr, FAULT_INTERNAL, "cannot make pipes: %s", strerror(errno));
	error = child_spawn_clean(&child->pid, &pipes, argv, extra);
	if (error == 0) {
		/* <sys/pidfd.h> is not part of musl and of glibc before 2.36 */
		pidfd = (int)syscall(SYS_pidfd_open, child->pid, 0);
		if (pidfd < 0) {
			error = errno;
			kill(-child->pid, SIGKILL);
			waitpid(child->pid, NULL, 0);
		}
	}
	close(pipes.in[0]);
	close(pipes.out[1]);
	close(pipes.error[1]);
	if (error != 0) {
		child->pid = 0;
		close(pipes.in[1]);
		close(pipes.out[0]);
		close(pipes.error[0]);
		return fault_set(
			reterr, FAULT_CONFIG, "cannot run %s: %s", argv[0], strerror(error));
	}
	child_watch(child, &pipes, pidfd);
	return 0;
}

ssize_t child_write(struct child *child, struct slice data)
{
	ssize_t n = write(child->in, data.data, data.size);

	if (n < 0 && errno == EAGAIN)
		ev_io_start(child->loop, &child->io_in);
	return n;
}

size_t child_unread(const struct child *child)
{
	int n = 0;

	return ioctl(child->in, FIONREAD, &n) == 0 ? (size_t)n : 0;
}

void child_kill(struct child *child)
{
	if (child->pid == 0)
		return;
	child->killed = true;
	ev_io_stop(child->loop, &child->io_in);
	kill(-child->pid, SIGKILL);
}

static bool child_wait(const struct child *child)
{
	struct pollfd end = {.fd = child->io_end.fd, .events = POLLIN};

	return poll(&end, 1, CHILD_WAIT_MS) == 1;
}

void child_stop(struct child *child, bool gently)
{
	if (child->pid == 0)
		return;
	ev_io_stop(child->loop, &child->io_in);
	if (gently) {
		close(child->in);
		child->in = -1;
		child_wait(child);
	}
	kill(-child->pid, SIGKILL);
	/* one that not even this ends hangs in the kernel: nobody can wait for it */
	if (child_wait(child))
		waitpid(child->pid, NULL, 0);
	child_forget(child);
}
