/*
 * One request as an easy handle: the message turned into options, the answer gathered under its
 * ceilings, redirects judged. Nothing of an answer that broke a rule is handed on: its body is
 * emptied and the fault says why. The multi handle, the loop and DONE are client.c's.
 */
#include "net/client_internal.h"

#include <strings.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "base/timestamp.h"

#include "net/decoding.h"
#include "net/outcome.h"
#include "net/permit.h"
#include "net/url.h"

#define TIMEOUT_NS (60 * NSEC_PER_SEC)
#define CONNECT_TIMEOUT_NS (15 * NSEC_PER_SEC)
#define BODY_SIZE_MAX ((size_t)64 * 1024 * 1024)
#define RATIO_MAX 100
#define RATIO_FROM ((size_t)1024 * 1024) /* small answers may compress as well as they like */
#define HEADER_SIZE_MAX ((size_t)64 * 1024)
#define HEADERS_SIZE_MAX ((size_t)256 * 1024)
#define N_REDIRECTS_MAX 5

static long to_ms(nsec_t duration_ns)
{
	return duration_ns <= 0 ? 1 : (long)((duration_ns + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC);
}

/* A new status line: what came before it (100 Continue, a redirect's answer) is not the answer. */
static void response_restart(struct http_request *request)
{
	struct http_response *response = &request->response;

	http_headers_deinit(&response->headers);
	buf_clear(&response->body);
	response->status = 0;
	response->server_time = NSEC_NONE;
	request->content_length = -1;
	request->content_encoded = false;
	decoding_free(request->decoding);
	request->decoding = NULL;
	request->headers_done = false;
}

static int parse_status(struct slice line)
{
	const char *blank = memchr(line.data, ' ', line.size);
	int status = 0;

	for (const char *at = blank ? blank + 1 : NULL;
		at && at < line.data + line.size && *at >= '0' && *at <= '9' && status < 1000; at++)
		status = status * 10 + (*at - '0');
	return status;
}

static void note_length(struct http_request *request, struct slice value)
{
	int64_t length = 0;

	for (size_t i = 0; i < value.size; i++) {
		if (value.data[i] < '0' || value.data[i] > '9' || length > INT64_MAX / 16)
			return;
		length = length * 10 + (value.data[i] - '0');
	}
	request->content_length = length;
}

static void add_header(struct http_request *request, struct slice line)
{
	const char *colon = memchr(line.data, ':', line.size);
	CLEANUP_FREE char *name = NULL;
	struct slice value;

	if (!colon)
		return;
	name = mem_strndup(line.data, (size_t)(colon - line.data));
	value = str_trim((struct slice){colon + 1, line.size - (size_t)(colon + 1 - line.data)});
	if (strcasecmp(name, "Date") == 0)
		(void)timestamp_parse_http(value, &request->response.server_time);
	else if (strcasecmp(name, "Content-Length") == 0)
		note_length(request, value);
	else if (strcasecmp(name, "Content-Encoding") == 0)
		request->content_encoded = !slice_is(value, "identity");
	http_headers_add(&request->response.headers, name, value);
}

static size_t on_header(char *data, size_t size, size_t n, void *userdata)
{
	struct http_request *request = userdata;
	struct slice line = {data, size * n};
	struct slice text = str_trim(line);

	if (line.size > 5 && memcmp(data, "HTTP/", 5) == 0) {
		response_restart(request);
		request->response.status = parse_status(line);
	}
	request->headers_size += line.size;
	if (line.size > HEADER_SIZE_MAX || request->headers_size > HEADERS_SIZE_MAX) {
		fault_set(&request->response.fault, FAULT_LIMIT,
			line.size > HEADER_SIZE_MAX
				? "a header of the answer is larger than 64 KiB"
				: "the headers of the answer are larger than 256 KiB");
		return 0;
	}
	if (text.size == 0)
		request->headers_done = true;
	else if (!request->headers_done) /* what follows a body (trailers) decides nothing */
		add_header(request, text);
	return line.size;
}

static void fault_too_large(struct http_request *request)
{
	CLEANUP_FREE char *size = curl_fault_size(request->transport.max_body);
	const char *key = request->transport.max_body_key;
	CLEANUP_FREE char *limit =
		key ? mem_printf("`%s` (%s)", key, size) : mem_printf("the limit of %s", size);

	if (request->content_length > 0 && !request->content_encoded)
		fault_set(&request->response.fault, FAULT_LIMIT,
			"the response is %lld bytes long, more than %s",
			(long long)request->content_length, limit);
	else
		fault_set(&request->response.fault, FAULT_LIMIT, "the response is larger than %s",
			limit);
}

static uint64_t wire_size(struct http_request *request)
{
	curl_off_t size = 0;

	curl_easy_getinfo(request->easy, CURLINFO_SIZE_DOWNLOAD_T, &size);
	return (uint64_t)size;
}

/* libcurl counts a read after it has passed it on, so while the body flows one read is granted;
 * at the end the count is exact and SLACK is 0. */
static bool ratio_exceeded(struct http_request *request, uint64_t slack)
{
	size_t size = request->response.body.size;

	if (!request->content_encoded || size < RATIO_FROM ||
		size / request->transport.max_ratio <= wire_size(request) + slack)
		return false;
	fault_set(&request->response.fault, FAULT_LIMIT,
		"the answer unpacks to more than %u times its size", request->transport.max_ratio);
	return true;
}

/* A body of known length gets its place at once; the kernel gives pages only as they are filled. */
static bool make_room(struct http_request *request)
{
	struct buf *body = &request->response.body;
	int64_t length = request->content_length;

	if (body->size > 0 || length <= 0 || request->content_encoded)
		return true;
	return (uint64_t)length <= body->limit && buf_reserve(body, (size_t)length);
}

/* The answer is in ENCODING, of which no more can be decoded. */
static bool fault_encoded(struct http_request *request, const char *what)
{
	CLEANUP(buf_deinit) struct buf name = BUF_NULL;

	http_excerpt(http_headers_get(&request->response.headers, "Content-Encoding"), 40, &name);
	fault_set(&request->response.fault, FAULT_BODY,
		"the compressed answer (%s) cannot be decoded: %s", buf_text(&name), what);
	return false;
}

static bool decode(struct http_request *request, struct slice piece)
{
	if (!request->decoding)
		request->decoding = decoding_new(
			http_headers_get(&request->response.headers, "Content-Encoding"));
	if (!request->decoding)
		return fault_encoded(request, "only " DECODING_ACCEPTED " was requested");
	switch (decoding_add(request->decoding, piece, &request->response.body)) {
	case 0:
		return true;
	case DECODING_E_FULL:
		fault_too_large(request);
		return false;
	default:
		return fault_encoded(request, "it is damaged");
	}
}

static size_t on_body(char *data, size_t size, size_t n, void *userdata)
{
	struct http_request *request = userdata;

	size *= n;
	if (size == 0)
		return 0;
	if (request->content_encoded) {
		if (!decode(request, (struct slice){data, size}))
			return 0;
	} else if (!make_room(request) || buf_append(&request->response.body, data, size) != 0) {
		fault_too_large(request);
		return 0;
	}
	return ratio_exceeded(request, TRANSFER_BUFFER_SIZE) ? 0 : size;
}

void transfer_check(struct http_request *request, const char *option, CURLcode result)
{
	if (result != CURLE_OK && request->response.fault.class == FAULT_NONE)
		fault_set(&request->response.fault, FAULT_CONFIG,
			"the request was not sent: libcurl does not take %s: %s", option,
			curl_easy_strerror(result));
}

static void set_defaults(struct http_transport *transport)
{
	if (transport->timeout_ns == 0)
		transport->timeout_ns = TIMEOUT_NS;
	if (transport->connect_timeout_ns == 0)
		transport->connect_timeout_ns = CONNECT_TIMEOUT_NS;
	if (transport->max_body == 0)
		transport->max_body = BODY_SIZE_MAX;
	if (transport->max_ratio == 0)
		transport->max_ratio = RATIO_MAX;
}

/* What a connection was opened with may change: addresses, authorities, certificates. */
static void set_reuse(struct http_request *request)
{
	struct http_client *client = request->client;

	client_look_at_files(client, &request->transport);
	SET(request, CURLOPT_CA_CACHE_TIMEOUT, 0L);
	SET(request, CURLOPT_MAXLIFETIME_CONN, client_lifetime_s(client));
	SET(request, CURLOPT_SHARE, client_sessions(client));
}

static CURLcode note_tls(CURL *easy, void *context, void *userdata)
{
	struct http_request *request = userdata;

	(void)easy;
	(void)context;
	request->tls_begun = true;
	return CURLE_OK;
}

void transfer_set_transport(struct http_request *request)
{
	const struct http_transport *transport = &request->transport;

	set_defaults(&request->transport);
	SET(request, CURLOPT_NOSIGNAL, 1L);
	SET(request, CURLOPT_QUICK_EXIT, 1L); /* a cancel does not wait for DNS */
	SET(request, CURLOPT_PROTOCOLS_STR, "http,https");
	SET(request, CURLOPT_FOLLOWLOCATION, 0L);
	SET(request, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(request, CURLOPT_PATH_AS_IS, 1L); /* what was signed is what is sent */
	SET(request, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	SET(request, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(request, CURLOPT_SSL_VERIFYPEER, 1L);
	SET(request, CURLOPT_SSL_VERIFYHOST, 2L);
	SET(request, CURLOPT_SSL_CTX_FUNCTION, note_tls);
	SET(request, CURLOPT_SSL_CTX_DATA, request);
	SET(request, CURLOPT_TCP_KEEPALIVE, 1L);
	/* The empty text also keeps the environment's proxies out. */
	SET(request, CURLOPT_PROXY, transport->proxy ? transport->proxy : "");
	SET(request, CURLOPT_NOPROXY, "");
	SET(request, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	SET(request, CURLOPT_TIMEOUT_MS, to_ms(transport->timeout_ns));
	SET(request, CURLOPT_CONNECTTIMEOUT_MS, to_ms(transport->connect_timeout_ns));
	if (transport->ca_file) {
		SET(request, CURLOPT_CAINFO, transport->ca_file);
		SET(request, CURLOPT_CAPATH, NULL); /* in place of, not besides */
	}
	if (transport->client_cert) {
		SET(request, CURLOPT_SSLCERT, transport->client_cert);
		SET(request, CURLOPT_SSLKEY,
			transport->client_key ? transport->client_key : transport->client_cert);
		/* without any, OpenSSL would ask for it on the terminal and wait */
		SET(request, CURLOPT_KEYPASSWD,
			transport->client_key_password ? transport->client_key_password : "");
	}
}

/* The body is copied: the caller's message may go. */
static void set_method(struct http_request *request, const struct http_message *message)
{
	const char *method = message->method ? message->method : "GET";
	bool is_post = strcmp(method, "POST") == 0;

	request->may_redirect =
		strcmp(method, "GET") == 0 && !message->has_body && !message->is_signed;
	if (message->has_body || is_post) {
		request->body_size = message->body.size;
		request->body = mem_alloc(request->body_size + 1);
		if (request->body_size > 0)
			memcpy(request->body, message->body.data, request->body_size);
		SET(request, CURLOPT_POST, 1L);
		SET(request, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_size);
		SET(request, CURLOPT_POSTFIELDS, request->body);
		if (!is_post)
			SET(request, CURLOPT_CUSTOMREQUEST, method);
	} else if (strcmp(method, "HEAD") == 0) {
		SET(request, CURLOPT_NOBODY, 1L);
	} else if (!request->may_redirect) {
		SET(request, CURLOPT_CUSTOMREQUEST, method);
	}
}

static void add_line(struct http_request *request, const char *line)
{
	request->header_lines = curl_slist_append(request->header_lines, line);
}

static bool set_headers(struct http_request *request, const struct http_message *message)
{
	for (size_t i = 0; i < message->headers.n_items; i++) {
		const struct http_header *header = &message->headers.items[i];
		char *line;

		if (!http_header_name_is_valid(header->name) ||
			!http_header_value_is_valid(header->value)) {
			/* Neither is shown: a value that broke out may be a token. */
			fault_set(&request->response.fault, FAULT_CONFIG,
				"header %zu of the request holds a line break or another character that no header can carry",
				i + 1);
			return false;
		}
		/* `Name;` is libcurl's spelling for an empty value, `Name:` would drop it. */
		line = header->value[0] ? mem_printf("%s: %s", header->name, header->value)
					: mem_printf("%s;", header->name);
		add_line(request, line);
		secret_wipe(line, strlen(line));
		free(line);
	}
	/* libcurl would call every body a web form. */
	if (request->body && request->body_size > 0 &&
		!http_headers_get(&message->headers, "Content-Type").data)
		add_line(request, "Content-Type: application/octet-stream");
	add_line(request, "Expect:"); /* asking first costs a second where nobody answers */
	SET(request, CURLOPT_HTTPHEADER, request->header_lines);
	return true;
}

/* A connection is there, and the request goes out. libcurl itself sends it again if a connection
 * that was used before turns out to be closed. */
static int on_send(void *userdata, char *peer_ip, char *own_ip, int peer_port, int own_port)
{
	struct http_request *request = userdata;

	(void)peer_ip;
	(void)own_ip;
	(void)peer_port;
	(void)own_port;
	if (permit_check(&request->response.fault))
		return CURL_PREREQFUNC_ABORT;
	request->response.resent = request->sent;
	request->sent = true;
	return CURL_PREREQFUNC_OK;
}

static void set_all(
	struct http_request *request, const struct http_message *message, const char *user_agent)
{
	CLEANUP_FREE char *origin = NULL;

	if (url_origin(message->url, &origin) != 0) {
		curl_fault(request, CURLE_URL_MALFORMAT);
		return;
	}
	transfer_set_transport(request);
	set_reuse(request);
	SET(request, CURLOPT_ACCEPT_ENCODING, DECODING_ACCEPTED);
	SET(request, CURLOPT_HTTP_CONTENT_DECODING, 0L);
	SET(request, CURLOPT_BUFFERSIZE, TRANSFER_BUFFER_SIZE);
	SET(request, CURLOPT_USERAGENT, user_agent);
	set_method(request, message);
	if (!set_headers(request, message))
		return;
	SET(request, CURLOPT_URL, request->url);
	SET(request, CURLOPT_PRIVATE, (void *)request);
	SET(request, CURLOPT_ERRORBUFFER, request->error);
	SET(request, CURLOPT_PREREQFUNCTION, on_send);
	SET(request, CURLOPT_PREREQDATA, (void *)request);
	SET(request, CURLOPT_HEADERFUNCTION, on_header);
	SET(request, CURLOPT_HEADERDATA, (void *)request);
	SET(request, CURLOPT_WRITEFUNCTION, on_body);
	SET(request, CURLOPT_WRITEDATA, (void *)request);
}

struct http_request *transfer_new(struct http_client *client, const struct http_message *message,
	const struct http_transport *transport, const char *user_agent)
{
	struct http_request *request = MEM_NEW(struct http_request);

	request->client = client;
	request->url = mem_strdup(message->url ? message->url : "");
	request->transport = transport ? *transport : (struct http_transport){0};
	set_defaults(&request->transport);
	request->response.body = BUF_LIMITED(request->transport.max_body);
	response_restart(request);
	request->started_at = clock_monotonic();
	request->easy = curl_easy_init();
	if (request->easy)
		set_all(request, message, user_agent);
	else
		fault_set(&request->response.fault, FAULT_INTERNAL, "cannot start a request");
	return request;
}

void transfer_close(struct http_request *request)
{
	curl_easy_cleanup(request->easy);
	request->easy = NULL;
	for (struct curl_slist *line = request->header_lines; line; line = line->next)
		secret_wipe(line->data, strlen(line->data));
	curl_slist_free_all(request->header_lines);
	request->header_lines = NULL;
	if (request->body)
		secret_wipe(request->body, request->body_size);
	free(request->body);
	request->body = NULL;
}

void transfer_free(struct http_request *request)
{
	transfer_close(request);
	http_headers_deinit(&request->response.headers);
	buf_deinit(&request->response.body);
	decoding_free(request->decoding);
	secret_wipe(request->url, strlen(request->url));
	free(request->url);
	free(request);
}

/* Once more, with what is left of the time. */
static enum transfer_next send_again(struct http_request *request)
{
	nsec_t left_ns = request->transport.timeout_ns - (clock_monotonic() - request->started_at);

	request->error[0] = '\0';
	request->headers_size = 0;
	response_restart(request);
	SET(request, CURLOPT_TIMEOUT_MS, to_ms(left_ns));
	return request->response.fault.class == FAULT_NONE ? TRANSFER_AGAIN : TRANSFER_DONE;
}

/* The server had ended the connection that was used again, and the request met that: neither was
 * at fault. */
static bool is_stale(const struct http_request *request, CURLcode result)
{
	long n_connects = 1;

	if (request->retried || request->response.status != 0 || request->headers_size > 0)
		return false;
	curl_easy_getinfo(request->easy, CURLINFO_NUM_CONNECTS, &n_connects);
	return n_connects == 0 && (result == CURLE_SEND_ERROR || result == CURLE_RECV_ERROR ||
					  result == CURLE_GOT_NOTHING || result == CURLE_HTTP2 ||
					  result == CURLE_HTTP2_STREAM);
}

static bool is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static bool origins_equal(const char *one, const char *other)
{
	CLEANUP_FREE char *a = NULL;
	CLEANUP_FREE char *b = NULL;

	return url_origin(one, &a) == 0 && url_origin(other, &b) == 0 && strcmp(a, b) == 0;
}

static enum transfer_next follow(struct http_request *request, const char *target)
{
	free(request->url);
	request->url = mem_strdup(target);
	request->n_redirects++;
	request->sent = false; /* what follows is another request */
	SET(request, CURLOPT_URL, request->url);
	return send_again(request);
}

/* The answer is whole. A redirect is followed only where the token may go anyway. */
static enum transfer_next judge_redirect(struct http_request *request)
{
	struct slice location = http_headers_get(&request->response.headers, "Location");
	CLEANUP_FREE char *target = NULL;
	CLEANUP_FREE char *origin = NULL;

	if (!is_redirect(request->response.status) || !request->transport.origin || !location.data)
		return TRANSFER_DONE;
	if (url_resolve(request->url, location.data, &target) != 0 ||
		url_origin(target, &origin) != 0) {
		fault_set(&request->response.fault, FAULT_ORIGIN,
			"redirected to something that is not an http or https URL");
	} else if (!origins_equal(target, request->transport.origin)) {
		fault_set(&request->response.fault, FAULT_ORIGIN,
			"redirected to %s, which is not the configured origin", origin);
	} else if (request->n_redirects == N_REDIRECTS_MAX) {
		fault_set(&request->response.fault, FAULT_ORIGIN,
			"redirected more than %d times, at last to %s", N_REDIRECTS_MAX, origin);
	} else if (request->may_redirect) {
		return follow(request, target);
	}
	return TRANSFER_DONE;
}

enum transfer_next transfer_end(struct http_request *request, CURLcode result)
{
	enum transfer_next next = TRANSFER_DONE;
	struct http_response *response = &request->response;

	response->wire_size += wire_size(request);
	if (response->fault.class == FAULT_NONE && is_stale(request, result)) {
		request->retried = true;
		SET(request, CURLOPT_FRESH_CONNECT, 1L);
		return send_again(request);
	}
	if (result != CURLE_OK)
		curl_fault(request, result);
	else if (response->fault.class == FAULT_NONE && request->decoding &&
		 !decoding_is_whole(request->decoding))
		fault_encoded(request, "it is cut short");
	else if (response->fault.class == FAULT_NONE && !ratio_exceeded(request, 0))
		next = judge_redirect(request);
	if (next == TRANSFER_AGAIN)
		return next;
	if (response->fault.class != FAULT_NONE)
		buf_deinit(&response->body);
	response->elapsed_ns = clock_monotonic() - request->started_at;
	transfer_close(request);
	return next;
}
