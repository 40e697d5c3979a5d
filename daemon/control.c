/*
 * See control.h. A client's requests are taken one after another: the next line is looked at when
 * the answer to the one before is sent. Clients are freed only from their own watchers and at the
 * end, so that a command may answer other clients (a reload ends their waits).
 */
#include "control_internal.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/timer.h"
#include "listen_address.h"
#include "trawld.h"

#define PAUSE NSEC_PER_SEC /* until somebody may have closed a descriptor */
#define SILENCE 10. /* seconds in which a client says or takes nothing */

static void client_free(struct control_client *client)
{
	struct control *control = client->control;
	struct ev_loop *loop = control->parts->loop;
	ev_io_stop(loop, &client->reader);
	ev_io_stop(loop, &client->writer);
	ev_timer_stop(loop, &client->silence);
	epoll_ctl(control->ends.fd, EPOLL_CTL_DEL, client->fd, NULL); /* a child may have a copy */
	close(client->fd);
	buf_deinit(&client->in);
	buf_deinit(&client->out);
	free(client->tail_source);
	control_wait_end(&client->caller.wait);
	size_t at = 0;
	while (control->clients[at] != client)
		at++;
	for (; at + 1 < CONTROL_CLIENTS_MAX; at++)
		control->clients[at] = control->clients[at + 1];
	control->clients[at] = NULL;
	free(client);
}

static void answer(struct control_client *client, json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT);
	json_decref(value);
	control_wait_end(&client->caller.wait);
	buf_append_text(&client->out, text ? text : "{\"ok\":false,\"code\":70}");
	buf_append_char(&client->out, '\n');
	free(text);
	ev_io_start(client->control->parts->loop, &client->writer);
	ev_timer_again(client->control->parts->loop, &client->silence);
}

/* The next whole line that is there, unless an answer is under way. */
static void take_line(struct control_client *client)
{
	struct control *control = client->control;
	struct buf *in = &client->in;
	if (control_is_waiting(&client->caller.wait) || client->out.size || client->ends ||
		client->tails || in->size == 0)
		return;
	char *feed = memchr(in->data, '\n', in->size);
	if (!feed && in->size < CONTROL_REQUEST_MAX)
		return;
	if (!feed) {
		client->ends = true;
		answer(client, control_refusal(EX_USAGE, "the request is too long"));
		return;
	}
	size_t size = (size_t)(feed - in->data);
	json_t *value = control_command(&client->caller, (struct slice){in->data, size});
	in->size -= size + 1;
	memmove(in->data, feed + 1, in->size);
	if (value) {
		answer(client, value);
		return;
	}
	ev_timer_stop(control->parts->loop, &client->silence);
	ev_prepare_start(control->parts->loop, &control->waits);
}

/* Is there nothing left to do for a client that says no more? */
static bool is_done(const struct control_client *client)
{
	const struct buf *in = &client->in;
	if (client->out.size > 0)
		return false;
	return client->ends || (client->over && !control_is_waiting(&client->caller.wait) &&
				       (in->size == 0 || !memchr(in->data, '\n', in->size)));
}

/* CLIENT says no more, and waits for something: once it is gone altogether, its slot is free.
 * Without events, epoll reports EPOLLHUP and EPOLLERR only; libev would report the end that was
 * read, too.
 */
static void await_end(struct control_client *client)
{
	struct epoll_event event = {.data.ptr = client};
	epoll_ctl(client->control->ends.fd, EPOLL_CTL_ADD, client->fd, &event);
}

static void gone(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct epoll_event event;
	(void)loop;
	(void)events;
	if (epoll_wait(watcher->fd, &event, 1, 0) > 0)
		client_free(event.data.ptr);
}

static void readable(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct control_client *client = watcher->data;
	size_t room = CONTROL_REQUEST_MAX - client->in.size;
	(void)events;
	char *to = room ? buf_reserve(&client->in, room) : NULL;
	ssize_t n = to ? read(client->fd, to, room) : -1;
	if (n < 0 && to && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		client->in.size += (size_t)n;
		take_line(client);
		return;
	}
	/* the end, or more requests than anybody waits for: then only what is answered goes out */
	ev_io_stop(loop, &client->reader);
	client->over = true;
	client->ends |= n < 0 || client->tails;
	if (is_done(client))
		client_free(client);
	else
		await_end(client);
}

static void writable(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct control_client *client = watcher->data;
	struct buf *out = &client->out;
	(void)events;
	ssize_t n = send(
		client->fd, out->data + client->n_sent, out->size - client->n_sent, MSG_NOSIGNAL);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		client_free(client);
		return;
	}
	client->n_sent += (size_t)n;
	ev_timer_again(loop, &client->silence);
	if (client->n_sent < out->size)
		return;
	client->n_sent = 0;
	buf_clear(out);
	ev_io_stop(loop, &client->writer);
	if (is_done(client))
		client_free(client);
	else if (client->tails)
		ev_timer_stop(loop, &client->silence); /* until there is something to take */
	else
		take_line(client);
}

static void silent(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	client_free(timer->data);
}

static struct control_client **free_slot(struct control *control)
{
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (!control->clients[i])
			return &control->clients[i];
	return NULL;
}

/* Said if the socket takes it at once. */
static void turn_away(int fd, int code, const char *text)
{
	json_t *value = control_refusal(code, text);
	char *line = json_dumps(value, JSON_COMPACT);
	if (line) {
		send(fd, line, strlen(line), MSG_NOSIGNAL | MSG_MORE);
		send(fd, "\n", 1, MSG_NOSIGNAL);
	}
	free(line);
	json_decref(value);
	close(fd);
}

static void connected(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct control *control = watcher->data;
	(void)events;
	int fd = accept4(watcher->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0 && listen_is_exhausted(errno)) {
		/* whoever waits to be accepted would be reported without end */
		ev_io_stop(loop, watcher);
		timer_start(loop, &control->pause, PAUSE);
	}
	if (fd < 0)
		return;
	struct control_client **slot = free_slot(control);
	if (!control_socket_allows(control, fd)) {
		turn_away(fd, EX_NOPERM,
			"permission denied: only root, trawld's own user and members of its group may do this");
		return;
	}
	if (!slot) {
		turn_away(fd, EX_TEMPFAIL, "too many clients; try again");
		return;
	}
	struct control_client *client = MEM_NEW(struct control_client);
	client->control = control;
	client->fd = fd;
	client->caller = (struct control_caller){
		.trawld = control->trawld, .parts = control->parts, .client = client};
	client->in = BUF_LIMITED(CONTROL_REQUEST_MAX);
	ev_io_init(&client->reader, readable, fd, EV_READ);
	ev_io_init(&client->writer, writable, fd, EV_WRITE);
	ev_init(&client->silence, silent);
	client->silence.repeat = SILENCE;
	client->reader.data = client->writer.data = client->silence.data = client;
	ev_io_start(loop, &client->reader);
	ev_timer_again(loop, &client->silence);
	*slot = client;
}

static void pause_over(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct control *control = timer->data;
	(void)events;
	ev_io_start(loop, &control->acceptor);
}

/* Before the loop sleeps: who has waited long enough? Whoever came first is first. */
static void look_at_waits(struct ev_loop *loop, ev_prepare *watcher, int events)
{
	struct control *control = watcher->data;
	bool any = false;
	(void)events;
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		struct control_client *client = control->clients[i];
		if (!client || !control_is_waiting(&client->caller.wait))
			continue;
		json_t *value = control_wait_over(&client->caller);
		if (value)
			answer(client, value);
		else
			any = true;
	}
	if (!any)
		ev_prepare_stop(loop, watcher);
}

/* trawld ends: CLIENT gets as much of its answer as it takes at once. */
static void end(struct control_client *client)
{
	const struct buf *out = &client->out;
	if (out->size > 0)
		send(client->fd, out->data + client->n_sent, out->size - client->n_sent,
			MSG_NOSIGNAL);
	client_free(client);
}

struct control *control_new(struct trawld *trawld)
{
	const char *path = trawld_parts(trawld)->setup->config->daemon.control;
	if (strcmp(path, "off") == 0)
		return NULL;
	struct control *control = MEM_NEW(struct control);
	control->trawld = trawld;
	control->parts = trawld_parts(trawld);
	control->path = mem_strdup(path);
	control->fd = -1;
	ev_init(&control->acceptor, connected);
	ev_prepare_init(&control->waits, look_at_waits);
	ev_init(&control->pause, pause_over);
	ev_io_init(&control->ends, gone, epoll_create1(EPOLL_CLOEXEC), EV_READ);
	control->acceptor.data = control->waits.data = control->pause.data = control;
	if (control_socket_open(control)) {
		control_free(control);
		return NULL;
	}
	ev_io_set(&control->acceptor, control->fd, EV_READ);
	ev_io_start(control->parts->loop, &control->acceptor);
	ev_io_start(control->parts->loop, &control->ends);
	fanout_on_committed(control->parts->fanout, control_tail, control);
	return control;
}

void control_free(struct control *control)
{
	struct stat file;
	if (!control)
		return;
	while (control->clients[0])
		end(control->clients[0]);
	fanout_on_committed(control->parts->fanout, NULL, NULL);
	ev_prepare_stop(control->parts->loop, &control->waits);
	ev_io_stop(control->parts->loop, &control->acceptor);
	ev_io_stop(control->parts->loop, &control->ends);
	ev_timer_stop(control->parts->loop, &control->pause);
	if (control->file.st_ino && lstat(control->path, &file) == 0 &&
		file.st_ino == control->file.st_ino && file.st_dev == control->file.st_dev)
		unlink(control->path);
	if (control->fd >= 0)
		close(control->fd);
	if (control->ends.fd >= 0)
		close(control->ends.fd);
	free(control->path);
	free(control);
}

void control_forget(struct control *control, const struct poller *poller)
{
	for (size_t i = 0; control && i < CONTROL_CLIENTS_MAX; i++)
		if (control->clients[i] && control->clients[i]->caller.wait.poller == poller)
			answer(control->clients[i],
				control_refusal(EX_TEMPFAIL,
					"a reload changed or removed the source meanwhile"));
}
