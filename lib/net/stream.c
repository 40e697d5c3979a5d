/*
 * See stream.h. A TCP, TLS or UDP stream has a client of its own: in a shared one libcurl closes
 * connections that were idle for two minutes, and this one is idle in its eyes from the moment it
 * stands. Once connected, plain bytes go straight to the socket and TLS through libcurl.
 *
 * UDP: libcurl resolves the name and calls connect() on the socket it is given; that this socket
 * is for datagrams it need not know.
 */
#include "net/stream.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/timer.h"

#include "net/client_internal.h"
#include "net/permit.h"

#define NO_BUFFERS_WAIT (5 * NSEC_PER_MSEC) /* the kernel gives no event for it */

struct http_stream {
	struct http_request request; /* for its easy handle; first, see stream_of */
	struct http_client *client; /* NULL for HTTP_STREAM_UNIX */
	struct ev_loop *loop;
	struct http_stream_setup setup;
	char *target;
	enum http_stream_state state;
	struct fault fault;
	bool datagram;
	int fd; /* -1: none; libcurl's unless HTTP_STREAM_UNIX */
	ev_io io;
	ev_timer kick; /* an event that no descriptor gives */
};

static struct http_stream *stream_of(struct http_request *request)
{
	return (struct http_stream *)request;
}

static void kick(struct http_stream *stream, nsec_t wait_ns)
{
	timer_start(stream->loop, &stream->kick, wait_ns);
}

static void watch(struct http_stream *stream, int events)
{
	if (ev_is_active(&stream->io) && (stream->io.events & (EV_READ | EV_WRITE)) == events)
		return;
	ev_io_stop(stream->loop, &stream->io);
	ev_io_set(&stream->io, stream->fd, events);
	ev_io_start(stream->loop, &stream->io);
}

static void on_kick(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct http_stream *stream = timer->data;

	(void)loop;
	(void)revents;
	stream->setup.event(stream->setup.userdata);
}

static void on_io(struct ev_loop *loop, ev_io *io, int revents)
{
	struct http_stream *stream = io->data;

	(void)loop;
	(void)revents;
	watch(stream, EV_READ);
	stream->setup.event(stream->setup.userdata);
}

static int stream_fail(struct http_stream *stream)
{
	stream->state = HTTP_STREAM_FAILED;
	ev_io_stop(stream->loop, &stream->io);
	return HTTP_STREAM_E_FAILED;
}

static void stream_connected(struct http_stream *stream, int fd)
{
	stream->fd = fd;
	stream->state = HTTP_STREAM_OPEN;
	watch(stream, EV_READ);
}

/* --- connecting --- */

static void on_connected(struct http_request *request, CURLcode result)
{
	struct http_stream *stream = stream_of(request);
	curl_socket_t fd = CURL_SOCKET_BAD;

	if (result == CURLE_OK)
		result = curl_easy_getinfo(request->easy, CURLINFO_ACTIVESOCKET, &fd);
	if (result == CURLE_OK && fd == CURL_SOCKET_BAD)
		result = CURLE_COULDNT_CONNECT;
	if (result == CURLE_OK) {
		stream_connected(stream, fd);
	} else {
		curl_fault(request, result);
		stream->fault = request->response.fault;
		stream_fail(stream);
	}
	kick(stream, 0);
}

static curl_socket_t open_datagram(
	void *userdata, curlsocktype purpose, struct curl_sockaddr *address)
{
	(void)userdata;
	(void)purpose;
	return socket(address->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static void connect_peer(struct http_stream *stream)
{
	struct http_request *request = &stream->request;
	bool tls = stream->setup.kind == HTTP_STREAM_TLS;

	request->url = mem_printf("%s://%s", tls ? "https" : "http", stream->target);
	request->transport = stream->setup.transport;
	request->started_at = clock_monotonic();
	request->connected = on_connected;
	request->easy = curl_easy_init();
	if (!request->easy) {
		fault_set(&request->response.fault, FAULT_INTERNAL, "cannot make a connection");
	} else {
		transfer_set_transport(request);
		SET(request, CURLOPT_TIMEOUT_MS, 0L);
		SET(request, CURLOPT_URL, request->url);
		SET(request, CURLOPT_PRIVATE, (void *)request);
		SET(request, CURLOPT_ERRORBUFFER, request->error);
		SET(request, CURLOPT_CONNECT_ONLY, 1L);
		SET(request, CURLOPT_SSL_ENABLE_ALPN, 0L);
		if (stream->datagram)
			SET(request, CURLOPT_OPENSOCKETFUNCTION, open_datagram);
	}
	if (request->response.fault.class != FAULT_NONE ||
		!client_connect(stream->client, request)) {
		stream->fault = request->response.fault;
		stream_fail(stream);
		kick(stream, 0);
	}
}

static int unix_socket(const char *path, int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error;

	if (fd < 0)
		return -1;
	memcpy(address.sun_path, path, strnlen(path, sizeof(address.sun_path) - 1));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static void connect_path(struct http_stream *stream)
{
	int fd = unix_socket(stream->target, SOCK_DGRAM);

	stream->datagram = fd >= 0;
	if (fd < 0 && errno == EPROTOTYPE)
		fd = unix_socket(stream->target, SOCK_STREAM);
	if (fd >= 0) {
		stream_connected(stream, fd);
	} else {
		fault_set(&stream->fault, FAULT_NETWORK, "cannot connect to %s: %s", stream->target,
			strerror(errno));
		stream_fail(stream);
	}
	kick(stream, 0);
}

struct http_stream *http_stream_open(struct ev_loop *loop, const struct http_stream_setup *setup)
{
	struct http_stream *stream = MEM_NEW(struct http_stream);

	stream->loop = loop;
	stream->setup = *setup;
	stream->target = mem_strdup(setup->target);
	stream->fd = -1;
	stream->datagram = setup->kind == HTTP_STREAM_UDP;
	ev_init(&stream->io, on_io);
	stream->io.data = stream;
	ev_init(&stream->kick, on_kick);
	stream->kick.data = stream;
	if (setup->kind == HTTP_STREAM_UNIX) {
		connect_path(stream);
	} else {
		stream->client = http_client_new(loop, "");
		connect_peer(stream);
	}
	return stream;
}

void http_stream_close(struct http_stream *stream)
{
	if (!stream)
		return;
	ev_io_stop(stream->loop, &stream->io);
	ev_timer_stop(stream->loop, &stream->kick);
	if (stream->client) {
		client_disconnect(stream->client, &stream->request);
		curl_easy_cleanup(stream->request.easy);
		http_client_free(stream->client);
	} else if (stream->fd >= 0) {
		close(stream->fd);
	}
	free(stream->request.url);
	free(stream->target);
	free(stream);
}

enum http_stream_state http_stream_state(const struct http_stream *stream)
{
	return stream->state;
}

const struct fault *http_stream_fault(const struct http_stream *stream)
{
	return &stream->fault;
}

bool http_stream_is_datagram(const struct http_stream *stream)
{
	return stream->datagram;
}

/* --- bytes --- */

static int fail_errno(struct http_stream *stream, int error)
{
	if (error == EPIPE || error == ECONNRESET)
		fault_set(&stream->fault, FAULT_NETWORK, "%s broke the connection off",
			stream->target);
	else if (stream->datagram && error == ECONNREFUSED)
		fault_set(&stream->fault, FAULT_NETWORK, "nothing receives at %s", stream->target);
	else
		fault_set(&stream->fault, FAULT_NETWORK, "the connection to %s failed: %s",
			stream->target, strerror(error));
	return stream_fail(stream);
}

static int fail_closed(struct http_stream *stream)
{
	fault_set(&stream->fault, FAULT_NETWORK, "%s closed the connection", stream->target);
	return stream_fail(stream);
}

static int fail_tls(struct http_stream *stream, CURLcode result)
{
	const char *why =
		stream->request.error[0] ? stream->request.error : curl_easy_strerror(result);

	fault_set(&stream->fault, FAULT_NETWORK, "the TLS connection to %s was broken off: %s",
		stream->target, why);
	return stream_fail(stream);
}

ssize_t http_stream_send(struct http_stream *stream, struct slice bytes)
{
	ssize_t n;

	if (stream->state != HTTP_STREAM_OPEN)
		return stream->state == HTTP_STREAM_FAILED ? HTTP_STREAM_E_FAILED : 0;
	if (permit_check(&stream->fault))
		return stream_fail(stream);
	if (stream->setup.kind == HTTP_STREAM_TLS) {
		size_t sent = 0;
		CURLcode result =
			curl_easy_send(stream->request.easy, bytes.data, bytes.size, &sent);

		if (result != CURLE_OK && result != CURLE_AGAIN)
			return fail_tls(stream, result);
		if (result == CURLE_AGAIN)
			watch(stream, EV_READ | EV_WRITE);
		return result == CURLE_OK ? (ssize_t)sent : 0;
	}
	do {
		n = send(stream->fd, bytes.data, bytes.size, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	if (errno == EMSGSIZE && stream->datagram)
		return HTTP_STREAM_E_SIZE;
	if (errno == ENOBUFS)
		kick(stream, NO_BUFFERS_WAIT);
	else if (errno == EAGAIN)
		watch(stream, EV_READ | EV_WRITE);
	else
		return fail_errno(stream, errno);
	return 0;
}

ssize_t http_stream_receive(struct http_stream *stream, void *data, size_t size)
{
	ssize_t n;

	if (stream->state != HTTP_STREAM_OPEN)
		return stream->state == HTTP_STREAM_FAILED ? HTTP_STREAM_E_FAILED : 0;
	if (stream->setup.kind == HTTP_STREAM_TLS) {
		size_t received = 0;
		CURLcode result = curl_easy_recv(stream->request.easy, data, size, &received);

		if (result == CURLE_AGAIN)
			return 0;
		if (result != CURLE_OK)
			return fail_tls(stream, result);
		return received > 0 ? (ssize_t)received : fail_closed(stream);
	}
	do {
		n = recv(stream->fd, data, size, MSG_DONTWAIT);
	} while ((n < 0 && errno == EINTR) || (n == 0 && stream->datagram));
	if (n > 0)
		return n;
	if (n == 0)
		return fail_closed(stream);
	return errno == EAGAIN ? 0 : fail_errno(stream, errno);
}

size_t http_stream_unacknowledged(const struct http_stream *stream)
{
	int size = 0;

	if (stream->state != HTTP_STREAM_OPEN || stream->setup.kind == HTTP_STREAM_UDP ||
		ioctl(stream->fd, SIOCOUTQ, &size) < 0)
		return 0;
	return (size_t)size;
}
