/* See web.h. All that a client can size has a bound: connections, the memory of each, its time. */
#include "web.h"

#include <ev.h>
#include <microhttpd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/timer.h"
#include "cluster_metrics.h"
#include "listen_address.h"
#include "metrics.h"
#include "overview.h"
#include "page_html.h"
#include "parts.h"
#include "sink/compressor.h"
#include "status_detail.h"
#include "status_json.h"
#include "trawld.h"
#include "web_guests.h"
#include "web_host.h"

#define CONNECTIONS 320u /* more than web_guests lets in, since those sent away go later */
/* An answer up to this size is made at once. */
#define WHOLE_SIZE ((size_t)128 << 10)
#define READ_SIZE ((size_t)64 << 10)
#define CONNECTION_MEMORY ((size_t)16 << 10)

struct web {
	const struct trawld *trawld;
	const struct parts *parts; /* of it */
	struct MHD_Daemon *daemon;
	struct web_guests *guests;
	ev_io io;
	ev_timer timer;
	char *path; /* of the socket, or NULL */
};

struct answer {
	unsigned status;
	const char *type;
	const char *policy; /* Content-Security-Policy */
	bool gzip; /* the body is compressed */
	struct buf body;
	struct rest *rest; /* what follows it; NULL: nothing */
};

/* Of metrics: a piece, and what is to come. */
struct rest {
	struct metrics metrics;
	struct compressor *compressor; /* NULL: plain */
	struct buf piece;
	size_t piece_at;
	bool last; /* the piece */
	bool failed;
};

/* What an answer depends on besides its path; NULL where the client did not say. */
struct question {
	const char *accept; /* the header */
	const char *encoding; /* Accept-Encoding */
	const char *name; /* of a source or sink: ?name= */
};

struct route {
	const char *path;
	void (*answer)(const struct trawld *trawld, const struct question *question,
		struct answer *answer);
};

/* PLAIN is the next piece, compressed if that is wanted. */
static void rest_add(struct rest *rest, struct slice plain)
{
	struct fault fault;
	if (!rest->compressor)
		buf_append(&rest->piece, plain.data, plain.size);
	else if (compressor_add(rest->compressor, plain, rest->last, &rest->piece, &fault) != 0)
		rest->failed = rest->last = true;
}

/* The piece is empty if the compressor keeps it to itself. */
static void rest_next(struct rest *rest)
{
	struct buf plain CLEANUP(buf_deinit) = BUF_NULL;
	buf_clear(&rest->piece);
	rest->piece_at = 0;
	rest->last = !metrics_next(&rest->metrics, &plain);
	rest_add(rest, buf_slice(&plain));
}

static ssize_t read_rest(void *userdata, uint64_t position, char *to, size_t size)
{
	struct rest *rest = userdata;
	(void)position;
	if (rest->piece_at == rest->piece.size && !rest->last) {
		if (metrics_stale(&rest->metrics))
			return MHD_CONTENT_READER_END_WITH_ERROR;
		rest_next(rest);
	}
	if (rest->failed)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (rest->piece_at == rest->piece.size)
		/* 0: libmicrohttpd asks again, after the loop has had its turn */
		return rest->last ? MHD_CONTENT_READER_END_OF_STREAM : 0;
	if (size > rest->piece.size - rest->piece_at)
		size = rest->piece.size - rest->piece_at;
	memcpy(to, rest->piece.data + rest->piece_at, size);
	rest->piece_at += size;
	return (ssize_t)size;
}

static void rest_free(void *userdata)
{
	struct rest *rest = userdata;
	metrics_end(&rest->metrics);
	compressor_free(rest->compressor);
	buf_deinit(&rest->piece);
	free(rest);
}

/* Prometheus does. */
static bool accepts_gzip(const struct question *question)
{
	return question->encoding && strcasestr(question->encoding, "gzip") &&
	       !strcasestr(question->encoding, "gzip;q=0");
}

static void answer_metrics(
	const struct trawld *trawld, const struct question *question, struct answer *answer)
{
	bool openmetrics = exposition_wants_openmetrics(question->accept);
	struct rest *rest = MEM_NEW(struct rest);
	struct buf plain CLEANUP(buf_deinit) = BUF_NULL;
	struct fault fault;
	answer->type = openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
				   : "text/plain; version=0.0.4; charset=utf-8";
	metrics_begin(&rest->metrics, trawld, openmetrics);
	answer->gzip = accepts_gzip(question) &&
		       compressor_new(&rest->compressor, COMPRESSION_GZIP, &fault) == 0;
	do
		rest->last = !metrics_next(&rest->metrics, &plain);
	while (!rest->last && plain.size < WHOLE_SIZE && !metrics_are_many(&rest->metrics));
	rest_add(rest, buf_slice(&plain));
	if (!rest->last || rest->failed) {
		answer->rest = rest;
		return;
	}
	answer->body = rest->piece;
	rest->piece = BUF_NULL;
	rest_free(rest);
}

static void answer_health(
	const struct trawld *trawld, const struct question *question, struct answer *answer)
{
	(void)trawld;
	(void)question;
	buf_append_text(&answer->body, "ok\n");
}

static void answer_ready(
	const struct trawld *trawld, const struct question *question, struct answer *answer)
{
	struct overview overview CLEANUP(overview_deinit);
	(void)question;
	overview_take(&overview, trawld);
	overview_print_reasons(&overview, &answer->body);
	if (answer->body.size > 0)
		answer->status = MHD_HTTP_SERVICE_UNAVAILABLE;
	else
		buf_append_text(&answer->body, "ready\n");
}

static void answer_status(
	const struct trawld *trawld, const struct question *question, struct answer *answer)
{
	struct overview overview CLEANUP(overview_deinit);
	overview_take(&overview, trawld);
	answer->type = "application/json";
	json_t *status = status_json(&overview, question->name);
	status_detail_hide(status);
	char *text = json_dumps(status, JSON_COMPACT | JSON_REAL_PRECISION(15));
	buf_printf(&answer->body, "%s\n", text ? text : "{}");
	free(text);
	json_decref(status);
}

static void answer_page(
	const struct trawld *trawld, const struct question *question, struct answer *answer)
{
	(void)trawld;
	(void)question;
	answer->type = "text/html; charset=utf-8";
	answer->policy = page_policy;
	buf_append(&answer->body, page_html, page_html_size);
}

static const struct route routes[] = {
	{"/", answer_page},
	{"/metrics", answer_metrics},
	{"/healthz", answer_health},
	{"/readyz", answer_ready},
	{"/status", answer_status},
};

/* Another process holds the state: this one is well, and has nothing else to tell. */
static void answer_standby(const struct trawld *trawld, const char *path, struct answer *answer)
{
	struct exposition exposition = {.out = &answer->body};
	if (strcmp(path, "/metrics") == 0) {
		answer->type = "text/plain; version=0.0.4; charset=utf-8";
		cluster_metrics_print(&exposition, trawld);
		return;
	}
	if (strcmp(path, "/healthz") != 0 && strcmp(path, "/readyz") != 0)
		answer->status = MHD_HTTP_SERVICE_UNAVAILABLE;
	buf_append_text(&answer->body, "standby\n");
}

static void find_answer(const struct web *web, const char *path, const struct question *question,
	struct answer *answer)
{
	if (!web->parts->store) {
		answer_standby(web->trawld, path, answer);
		return;
	}
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		if (strcmp(path, routes[i].path) != 0)
			continue;
		routes[i].answer(web->trawld, question, answer);
		return;
	}
	answer->status = MHD_HTTP_NOT_FOUND;
	buf_append_text(
		&answer->body, "Available paths: /, /metrics, /healthz, /readyz, /status\n");
}

static enum MHD_Result send_answer(struct MHD_Connection *connection, struct answer *answer)
{
	size_t size = answer->body.size;
	struct MHD_Response *response =
		answer->rest ? MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, READ_SIZE,
				       read_rest, answer->rest, rest_free)
			     : MHD_create_response_from_buffer(
				       size, buf_take(&answer->body), MHD_RESPMEM_MUST_FREE);
	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, "Content-Type", answer->type);
	MHD_add_response_header(response, "Content-Security-Policy", answer->policy);
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
	MHD_add_response_header(response, "Cache-Control", "no-store");
	if (answer->gzip) {
		MHD_add_response_header(response, "Content-Encoding", "gzip");
		MHD_add_response_header(response, "Vary", "Accept-Encoding");
	}
	if (answer->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, "Allow", "GET, HEAD");
	enum MHD_Result r = MHD_queue_response(connection, answer->status, response);
	MHD_destroy_response(response);
	return r;
}

static bool is_named_right(const struct web *web, struct MHD_Connection *connection)
{
	return web->path || web_host_is_ours(MHD_lookup_connection_value(connection,
						     MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST),
				    &web->parts->setup->config->daemon.listen_names);
}

static enum MHD_Result request_came(void *userdata, struct MHD_Connection *connection,
	const char *path, const char *method, const char *version, const char *upload,
	size_t *upload_size, void **request)
{
	struct answer answer = {.status = MHD_HTTP_OK,
		.type = "text/plain; charset=utf-8",
		.policy = "default-src 'none'"};
	(void)version;
	(void)upload;
	(void)upload_size;
	(void)request;
	if (!is_named_right(userdata, connection)) {
		answer.status = MHD_HTTP_MISDIRECTED_REQUEST;
		buf_append_text(&answer.body,
			"Use localhost or an address, or add this name to `listen_names` in [daemon].\n");
	} else if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0) {
		find_answer(userdata, path,
			&(struct question){
				MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Accept"),
				MHD_lookup_connection_value(
					connection, MHD_HEADER_KIND, "Accept-Encoding"),
				MHD_lookup_connection_value(
					connection, MHD_GET_ARGUMENT_KIND, "name")},
			&answer);
	} else {
		answer.status = MHD_HTTP_METHOD_NOT_ALLOWED;
		buf_append_text(&answer.body, "Only GET and HEAD are supported.\n");
	}
	return send_answer(connection, &answer);
}

static void run(struct web *web)
{
	struct ev_loop *loop = web->parts->loop;
	MHD_UNSIGNED_LONG_LONG wait_ms;
	MHD_run(web->daemon);
	ev_timer_stop(loop, &web->timer);
	if (MHD_get_timeout(web->daemon, &wait_ms) != MHD_YES)
		return;
	timer_start(loop, &web->timer, (nsec_t)wait_ms * NSEC_PER_MSEC);
}

static void readable(struct ev_loop *loop, ev_io *io, int events)
{
	(void)loop;
	(void)events;
	run(io->data);
}

static void timer_fired(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	run(timer->data);
}

static void came(int fd, const struct sockaddr *address, socklen_t size, void *userdata)
{
	struct web *web = userdata;
	MHD_add_connection(web->daemon, fd, address, size); /* closes FD where it fails */
}

static void turn(void *userdata)
{
	run(userdata);
}

static void connection_changed(void *userdata, struct MHD_Connection *connection, void **context,
	enum MHD_ConnectionNotificationCode code)
{
	struct web *web = userdata;
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		*context = web_guests_enter(web->guests,
			MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)
				->connect_fd);
	else
		web_guests_leave(*context);
}

static void request_completed(void *userdata, struct MHD_Connection *connection, void **request,
	enum MHD_RequestTerminationCode code)
{
	(void)userdata;
	(void)request;
	(void)code;
	web_guests_stay(MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
				->socket_context);
}

static bool start(struct web *web, int fd)
{
	web->guests = web_guests_new(&(struct web_guests_setup){
		.loop = web->parts->loop, .fd = fd, .came = came, .turn = turn, .userdata = web});
	web->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL,
		request_came, web, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, MHD_OPTION_NOTIFY_CONNECTION,
		connection_changed, web, MHD_OPTION_NOTIFY_COMPLETED, request_completed, web,
		MHD_OPTION_END);
	if (!web->daemon)
		return false;
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(web->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	ev_io_init(&web->io, readable, info->epoll_fd, EV_READ);
	web->io.data = web;
	ev_io_start(web->parts->loop, &web->io);
	ev_init(&web->timer, timer_fired);
	web->timer.data = web;
	return true;
}

static void tell(const struct listen_address *address, const char *text, unsigned port)
{
	if (address->socket.any.sa_family == AF_UNIX)
		log_info(NULL, "status and metrics at %s", text);
	else
		log_info(NULL, "status and metrics at http://%.*s:%u/",
			(int)(strrchr(text, ':') - text), text, port);
	if (!listen_address_is_local(address))
		log_notice(NULL,
			"listen = %s is not a loopback address: everyone who can connect can read the names, errors and last log lines of sources and sinks (no secrets)",
			text);
}

int web_open(struct web **ret, const struct trawld *trawld, const char *text, struct fault *reterr)
{
	struct listen_address address;
	unsigned port;
	int fd, r;
	*ret = NULL;
	r = listen_address_parse(&address, text, reterr);
	if (r || address.size == 0)
		return r;
	r = listen_address_open(&address, &fd, &port, reterr);
	if (r)
		return r;
	struct web *web = MEM_NEW(struct web);
	web->trawld = trawld;
	web->parts = trawld_parts(trawld);
	if (address.socket.any.sa_family == AF_UNIX)
		web->path = mem_strdup(address.socket.un.sun_path);
	if (!start(web, fd)) {
		web_free(web);
		return fault_set(reterr, FAULT_NETWORK, "the HTTP server cannot be started");
	}
	tell(&address, text, port);
	*ret = web;
	return 0;
}

void web_free(struct web *web)
{
	if (!web)
		return;
	if (web->daemon) {
		ev_io_stop(web->parts->loop, &web->io);
		ev_timer_stop(web->parts->loop, &web->timer);
		MHD_stop_daemon(web->daemon);
	}
	web_guests_free(web->guests);
	if (web->path)
		unlink(web->path);
	free(web->path);
	free(web);
}

void web_change(
	struct web **web, const struct trawld *trawld, char **old, struct findings *findings)
{
	char **new = &trawld_parts(trawld)->setup->config->daemon.listen;
	struct fault fault = FAULT_NULL;
	if (strcmp(*old, *new) == 0)
		return;
	/* first the old one ends: the two may be one port */
	web_free(*web);
	if (web_open(web, trawld, *new, &fault) == 0)
		return;
	findings_add(findings, NULL, 0,
		"cannot listen on %s: %s; %s stays in use until the next reload", *new, fault.text,
		*old);
	log_error(NULL, "%s", findings->items[findings->n_items - 1].text);
	char *kept = *old;
	*old = *new;
	*new = kept;
	if (web_open(web, trawld, *new, &fault) != 0)
		log_error(NULL,
			"cannot listen on %s again: %s; status and metrics are not available", *new,
			fault.text);
}
