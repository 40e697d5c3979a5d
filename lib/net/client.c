/*
 * libcurl's multi interface on libev: one watcher a socket, one timer, all completions read after
 * each step, and DONE called from a list afterwards, so that it never runs inside libcurl or inside
 * http_request_start. A callback may start requests, cancel any of them and free the client.
 * What one request is stands in transfer.c.
 */
#include "net/client.h"

#include <assert.h>

#include "base/file_watch.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/timer.h"

#include "net/client_internal.h"

#define N_IDLE_CONNECTIONS 64L
/* After it a name is resolved and a certificate is verified anew. */
#define LIFETIME (5 * NSEC_PER_MIN)

struct http_client {
	struct ev_loop *loop;
	CURLM *multi;
	char *user_agent;
	ev_timer timer; /* when libcurl wants to be called */
	ev_timer kick; /* delivers what ended without libcurl's help */
	struct socket_watch *watches;
	struct http_request_list running;
	struct http_request_list completed; /* libcurl is done with it; empty between turns */
	struct http_request_list ended; /* DONE is still to be called */
	struct http_request_list delivering; /* a snapshot of ENDED: each turn of the loop ends */
	bool *gone; /* set when the client is freed by a callback */
	struct http_watch watch;
	http_answer_fn answer; /* NULL: the network answers */
	void *answer_userdata;

	CURLSH *sessions; /* of TLS, to be resumed */
	CURLSH **old_sessions; /* whose requests may still run */
	size_t n_old_sessions;
	struct file_watch files; /* of authorities, certificates and keys */
	nsec_t files_changed_at; /* NSEC_NONE: they have not */
};

struct socket_watch {
	ev_io io;
	struct http_client *client;
	struct socket_watch *previous;
	struct socket_watch *next;
};

static void list_append(struct http_request_list *list, struct http_request *request)
{
	request->list = list;
	request->previous = list->last;
	request->next = NULL;
	if (list->last)
		list->last->next = request;
	else
		list->first = request;
	list->last = request;
}

static void list_remove(struct http_request *request)
{
	struct http_request_list *list = request->list;

	if (request->previous)
		request->previous->next = request->next;
	else
		list->first = request->next;
	if (request->next)
		request->next->previous = request->previous;
	else
		list->last = request->previous;
	request->list = NULL;
}

/* Calls DONE for all that have ended. What ends while this runs waits for the next turn. */
static void deliver(struct http_client *client)
{
	struct http_request *request;
	bool gone = false;

	while ((request = client->ended.first)) {
		list_remove(request);
		list_append(&client->delivering, request);
	}
	while ((request = client->delivering.first)) {
		bool *outer = client->gone;

		list_remove(request);
		client->gone = &gone;
		if (client->watch.answered)
			client->watch.answered(&request->response, client->watch.userdata);
		request->done(&request->response, request->userdata);
		transfer_free(request);
		if (gone) {
			if (outer)
				*outer = true;
			return;
		}
		client->gone = outer;
	}
}

static void end_later(struct http_client *client, struct http_request *request)
{
	transfer_close(request);
	list_append(&client->ended, request);
	timer_start(client->loop, &client->kick, 0);
}

static bool add_to_multi(struct http_client *client, struct http_request *request)
{
	CURLMcode code = curl_multi_add_handle(client->multi, request->easy);

	request->added = code == CURLM_OK;
	if (!request->added)
		fault_set(&request->response.fault, FAULT_INTERNAL, "cannot start a request: %s",
			curl_multi_strerror(code));
	return request->added;
}

/* Reads every completion there is. The handles leave the multi handle afterwards: each that does
 * makes libcurl walk over the completions that are not read yet. */
static void read_completions(struct http_client *client)
{
	CURLMsg *message;
	int n_left;

	while ((message = curl_multi_info_read(client->multi, &n_left))) {
		struct http_request *request;
		char *owner = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &owner);
		request = (struct http_request *)(void *)owner;
		if (request->connected) {
			request->connected(request, message->data.result);
			continue;
		}
		request->result = message->data.result;
		list_remove(request);
		list_append(&client->completed, request);
	}
}

static void collect(struct http_client *client)
{
	struct http_request *request;

	read_completions(client);
	while ((request = client->completed.first)) {
		curl_multi_remove_handle(client->multi, request->easy);
		request->added = false;
		list_remove(request);
		if (transfer_end(request, request->result) == TRANSFER_AGAIN &&
			add_to_multi(client, request))
			list_append(&client->running, request);
		else
			list_append(&client->ended, request);
	}
	deliver(client);
}

static void step(struct http_client *client, curl_socket_t fd, int events)
{
	int n_running;
	CURLMcode code = curl_multi_socket_action(client->multi, fd, events, &n_running);

	if (code != CURLM_OK)
		log_debug(NULL, "libcurl: %s", curl_multi_strerror(code));
	collect(client);
}

static void on_socket(struct ev_loop *loop, ev_io *io, int revents)
{
	struct socket_watch *watch = (struct socket_watch *)io;
	int events = (revents & EV_READ ? CURL_CSELECT_IN : 0) |
		     (revents & EV_WRITE ? CURL_CSELECT_OUT : 0) |
		     (revents & EV_ERROR ? CURL_CSELECT_ERR : 0);

	(void)loop;
	step(watch->client, io->fd, events); /* WATCH may be gone afterwards */
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop;
	(void)revents;
	step(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static void on_kick(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop;
	(void)revents;
	deliver(timer->data);
}

/* libcurl asks for a call in TIMEOUT_MS. Zero arms the timer like any other: libcurl must not be
 * entered from here. */
static int set_timer(CURLM *multi, long timeout_ms, void *userdata)
{
	struct http_client *client = userdata;

	(void)multi;
	ev_timer_stop(client->loop, &client->timer);
	if (timeout_ms < 0)
		return 0;
	timer_start(client->loop, &client->timer, timeout_ms * NSEC_PER_MSEC);
	return 0;
}

static void watch_free(struct socket_watch *watch)
{
	struct http_client *client = watch->client;

	ev_io_stop(client->loop, &watch->io);
	if (watch->previous)
		watch->previous->next = watch->next;
	else
		client->watches = watch->next;
	if (watch->next)
		watch->next->previous = watch->previous;
	free(watch);
}

static struct socket_watch *watch_new(struct http_client *client)
{
	struct socket_watch *watch = MEM_NEW(struct socket_watch);

	watch->client = client;
	watch->next = client->watches;
	if (watch->next)
		watch->next->previous = watch;
	client->watches = watch;
	ev_init(&watch->io, on_socket);
	return watch;
}

static int set_socket(CURL *easy, curl_socket_t fd, int what, void *userdata, void *socket_data)
{
	struct http_client *client = userdata;
	struct socket_watch *watch = socket_data;
	int events = (what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0);

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (watch)
			watch_free(watch);
		curl_multi_assign(client->multi, fd, NULL);
		return 0;
	}
	if (!watch) {
		watch = watch_new(client);
		curl_multi_assign(client->multi, fd, watch);
	}
	/* Always ev_io_set: a number that was closed and came back is a new descriptor to epoll. */
	ev_io_stop(client->loop, &watch->io);
	ev_io_set(&watch->io, fd, events);
	ev_io_start(client->loop, &watch->io);
	return 0;
}

/* --- what connections rely on --- */

static CURLSH *sessions_new(void)
{
	CURLSH *sessions = curl_share_init();
	CURLSHcode code = curl_share_setopt(sessions, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);

	assert(sessions && code == CURLSHE_OK);
	return sessions;
}

static void sessions_free_old(struct http_client *client)
{
	size_t n = 0;

	for (size_t i = 0; i < client->n_old_sessions; i++)
		if (curl_share_cleanup(client->old_sessions[i]) != CURLSHE_OK)
			client->old_sessions[n++] = client->old_sessions[i];
	client->n_old_sessions = n;
}

/* Resuming a session, or using a connection again, would skip the new files. */
static void forget_sessions(struct http_client *client)
{
	sessions_free_old(client);
	client->old_sessions =
		mem_resize(client->old_sessions, (client->n_old_sessions + 1) * sizeof(CURLSH *));
	client->old_sessions[client->n_old_sessions++] = client->sessions;
	client->sessions = sessions_new();
	client->files_changed_at = clock_monotonic();
}

void client_look_at_files(struct http_client *client, const struct http_transport *transport)
{
	const char *const paths[] = {transport->ca_file
					     ? transport->ca_file
					     : curl_version_info(CURLVERSION_NOW)->cainfo,
		transport->client_cert, transport->client_key};
	bool changed = false;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		changed |= paths[i] && file_watch_look(&client->files, paths[i]);
	if (changed)
		forget_sessions(client);
}

long client_lifetime_s(const struct http_client *client)
{
	nsec_t lifetime = LIFETIME;

	if (client->files_changed_at != NSEC_NONE &&
		clock_monotonic() - client->files_changed_at < LIFETIME)
		lifetime = clock_monotonic() - client->files_changed_at;
	return lifetime < NSEC_PER_SEC ? 1 : (long)(lifetime / NSEC_PER_SEC);
}

CURLSH *client_sessions(const struct http_client *client)
{
	return client->sessions;
}

/* Every libcurl has these options: only a wrong call fails. */
#define MULTI_SET(client, option, value)                                                           \
	do {                                                                                       \
		CURLMcode code = curl_multi_setopt((client)->multi, option, value);                \
		assert(code == CURLM_OK);                                                          \
	} while (0)

/* If libcurl continued without memory, nobody would watch a socket, or a request would lack a
 * header. */
static void *take(size_t size)
{
	return mem_resize(NULL, size);
}

struct http_client *http_client_new(struct ev_loop *loop, const char *user_agent)
{
	struct http_client *client = MEM_NEW(struct http_client);

	curl_global_init_mem(CURL_GLOBAL_DEFAULT, take, free, mem_resize, mem_strdup,
		mem_array); /* counted by libcurl */
	client->loop = loop;
	client->user_agent = mem_strdup(user_agent);
	client->multi = curl_multi_init();
	client->sessions = sessions_new();
	client->files_changed_at = NSEC_NONE;
	assert(client->multi);
	ev_init(&client->timer, on_timer);
	client->timer.data = client;
	ev_init(&client->kick, on_kick);
	client->kick.data = client;
	MULTI_SET(client, CURLMOPT_SOCKETFUNCTION, set_socket);
	MULTI_SET(client, CURLMOPT_SOCKETDATA, client);
	MULTI_SET(client, CURLMOPT_TIMERFUNCTION, set_timer);
	MULTI_SET(client, CURLMOPT_TIMERDATA, client);
	MULTI_SET(client, CURLMOPT_MAXCONNECTS, N_IDLE_CONNECTIONS);
	return client;
}

static void drop(struct http_request *request)
{
	if (request->added)
		curl_multi_remove_handle(request->client->multi, request->easy);
	list_remove(request);
	transfer_free(request);
}

void http_client_free(struct http_client *client)
{
	if (!client)
		return;
	while (client->running.first)
		drop(client->running.first);
	while (client->ended.first)
		drop(client->ended.first);
	while (client->delivering.first)
		drop(client->delivering.first);
	/* Closing the idle connections calls set_socket, and may call set_timer. */
	curl_multi_cleanup(client->multi);
	for (struct socket_watch *watch = client->watches, *next; watch; watch = next) {
		next = watch->next;
		watch_free(watch);
	}
	sessions_free_old(client);
	free(client->old_sessions);
	curl_share_cleanup(client->sessions);
	file_watch_deinit(&client->files);
	ev_timer_stop(client->loop, &client->timer);
	ev_timer_stop(client->loop, &client->kick);
	if (client->gone)
		*client->gone = true;
	free(client->user_agent);
	free(client);
	curl_global_cleanup();
}

void http_client_watch(struct http_client *client, const struct http_watch *watch)
{
	client->watch = *watch;
}

void http_client_answer(struct http_client *client, http_answer_fn answer, void *userdata)
{
	client->answer = answer;
	client->answer_userdata = userdata;
}

bool client_connect(struct http_client *client, struct http_request *request)
{
	return add_to_multi(client, request);
}

void client_disconnect(struct http_client *client, struct http_request *request)
{
	if (request->added)
		curl_multi_remove_handle(client->multi, request->easy);
	request->added = false;
}

struct ev_loop *http_client_loop(struct http_client *client)
{
	return client->loop;
}

struct http_request *http_request_start(struct http_client *client,
	const struct http_message *message, const struct http_transport *transport,
	http_done_fn done, void *userdata)
{
	struct http_request *request = transfer_new(client, message, transport, client->user_agent);

	request->done = done;
	request->userdata = userdata;
	if (client->watch.asked)
		client->watch.asked(message, client->watch.userdata);
	if (client->answer) {
		client->answer(message, &request->response, client->answer_userdata);
		end_later(client, request);
	} else if (request->response.fault.class == FAULT_NONE && add_to_multi(client, request)) {
		list_append(&client->running, request);
	} else {
		end_later(client, request);
	}
	return request;
}

void http_request_cancel(struct http_request *request)
{
	/* Without a list its own DONE is running: it goes when that returns. */
	if (request && request->list)
		drop(request);
}
