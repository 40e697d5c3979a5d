/* See curl_double.h. The handles hold what client and transfer set and ask for, and nothing else:
 * an option that is not known here is taken and has no effect. */
#include "curl_double.h"

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include <zlib.h>

#undef curl_easy_getinfo
#undef curl_easy_setopt
#undef curl_multi_setopt

#include "base/clock.h"
#include "base/mem.h"
#include "pattern.h"
#include "world.h"

#define CHUNK 16000

struct peer_request {
	struct peer_request *next; /* in the multi handle, in order */
	struct multi *multi;
	unsigned expected; /* 0: by no step; else the how-manieth */
	bool answered, reported, read;

	char *url, *method;
	bool is_post, is_head;
	const char *body;
	const struct curl_slist *headers;
	long timeout_ms;
	nsec_t deadline_at;
	void *owner;
	curl_write_callback on_header, on_body;
	void *header_owner, *body_owner;

	char *head, *answer_body;
	size_t answer_size;
	long long wire_size;
	long os_error;
	CURLcode result;
	CURLMsg message;
};

static struct multi {
	struct peer_request *first;
	curl_multi_timer_callback on_timer;
	void *timer_owner;
} the_multi;

/* --- the script's side --- */

static struct peer_request *first_unexpected(struct peer_request *request)
{
	while (request && request->expected)
		request = request->next;
	return request;
}

struct peer_request *peer_unexpected(void)
{
	return first_unexpected(the_multi.first);
}

struct peer_request *peer_unexpected_next(const struct peer_request *request)
{
	return first_unexpected(request->next);
}

struct peer_request *peer_unanswered(const char *pattern)
{
	struct peer_request *first = NULL;
	for (struct peer_request *at = the_multi.first; at; at = at->next)
		if (at->expected && !at->answered && pattern_matches(pattern, at->url) &&
			(!first || at->expected < first->expected))
			first = at;
	return first;
}

void peer_expect(struct peer_request *request)
{
	static unsigned n_expected;
	request->expected = ++n_expected;
}

const char *peer_method(const struct peer_request *request)
{
	return request->method    ? request->method
	       : request->is_post ? "POST"
	       : request->is_head ? "HEAD"
				  : "GET";
}

const char *peer_url(const struct peer_request *request)
{
	return request->url;
}

const char *peer_header(const struct peer_request *request, const char *name)
{
	size_t size = strlen(name);
	for (const struct curl_slist *line = request->headers; line; line = line->next) {
		if (strncasecmp(line->data, name, size) != 0)
			continue;
		if (line->data[size] == ';')
			return "";
		if (line->data[size] == ':')
			return line->data + size + 1 + strspn(line->data + size + 1, " ");
	}
	return NULL;
}

const char *peer_body(const struct peer_request *request)
{
	return request->body ? request->body : "";
}

/* libcurl's wish to be called: at once for an answer, else when the first request times out. */
static void set_timer(struct multi *multi)
{
	long wait_ms = -1;
	for (const struct peer_request *at = multi->first; at; at = at->next) {
		nsec_t left_ns = at->deadline_at - clock_monotonic();
		long left_ms =
			at->answered || left_ns < 0 ? 0 : (long)(left_ns / NSEC_PER_MSEC) + 1;
		if (!at->reported && (wait_ms < 0 || left_ms < wait_ms))
			wait_ms = left_ms;
	}
	if (multi->on_timer)
		multi->on_timer((CURLM *)multi, wait_ms, multi->timer_owner);
}

/* The script has the body in plain. */
static void compress_body(struct peer_request *request)
{
	z_stream stream = {0};
	deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
	size_t bound = deflateBound(&stream, request->answer_size);
	char *packed = mem_alloc(bound);
	stream.next_in = (unsigned char *)request->answer_body;
	stream.avail_in = (unsigned)request->answer_size;
	stream.next_out = (unsigned char *)packed;
	stream.avail_out = (unsigned)bound;
	deflate(&stream, Z_FINISH);
	request->answer_size = bound - stream.avail_out;
	deflateEnd(&stream);
	free(request->answer_body);
	request->answer_body = packed;
}

void peer_answer(struct peer_request *request, const struct peer_answer *answer)
{
	request->answered = true;
	request->head = mem_strdup(answer->head);
	request->answer_body = mem_strndup(answer->body, answer->body_size);
	request->answer_size = answer->body_size;
	if (answer->head && strstr(answer->head, "Content-Encoding: gzip"))
		compress_body(request);
	request->wire_size =
		answer->wire_size < 0 ? (long long)request->answer_size : answer->wire_size;
	request->os_error = answer->os_error;
	request->result = (CURLcode)answer->result;
	set_timer(request->multi);
}

/* --- the easy interface --- */

CURL *curl_easy_init(void)
{
	return MEM_NEW(struct peer_request);
}

void curl_easy_cleanup(CURL *handle)
{
	struct peer_request *request = handle;
	if (!request)
		return;
	free(request->url);
	free(request->method);
	free(request->head);
	free(request->answer_body);
	free(request);
}

static void set_text(char **field, const char *text)
{
	free(*field);
	*field = mem_strdup(text);
}

static void set_pointer(struct peer_request *request, CURLoption option, void *value)
{
	if (option == CURLOPT_URL)
		set_text(&request->url, value);
	else if (option == CURLOPT_CUSTOMREQUEST)
		set_text(&request->method, value);
	else if (option == CURLOPT_POSTFIELDS)
		request->body = value;
	else if (option == CURLOPT_HTTPHEADER)
		request->headers = value;
	else if (option == CURLOPT_PRIVATE)
		request->owner = value;
	else if (option == CURLOPT_HEADERDATA)
		request->header_owner = value;
	else if (option == CURLOPT_WRITEDATA)
		request->body_owner = value;
}

CURLcode curl_easy_setopt(CURL *handle, CURLoption option, ...)
{
	struct peer_request *request = handle;
	va_list args;
	va_start(args, option);
	if (option < CURLOPTTYPE_OBJECTPOINT) {
		long value = va_arg(args, long);
		if (option == CURLOPT_TIMEOUT_MS)
			request->timeout_ms = value;
		else if (option == CURLOPT_POST)
			request->is_post = value != 0;
		else if (option == CURLOPT_NOBODY)
			request->is_head = value != 0;
	} else if (option == CURLOPT_HEADERFUNCTION) {
		request->on_header = va_arg(args, curl_write_callback);
	} else if (option == CURLOPT_WRITEFUNCTION) {
		request->on_body = va_arg(args, curl_write_callback);
	} else if (option < CURLOPTTYPE_FUNCTIONPOINT) {
		set_pointer(request, option, va_arg(args, void *));
	}
	va_end(args);
	return CURLE_OK;
}

CURLcode curl_easy_getinfo(CURL *handle, CURLINFO info, ...)
{
	struct peer_request *request = handle;
	CURLcode result = CURLE_OK;
	va_list args;
	va_start(args, info);
	if (info == CURLINFO_PRIVATE)
		*va_arg(args, void **) = request->owner;
	else if (info == CURLINFO_SIZE_DOWNLOAD_T)
		*va_arg(args, curl_off_t *) = request->wire_size;
	else if (info == CURLINFO_PRETRANSFER_TIME_T || info == CURLINFO_NAMELOOKUP_TIME_T)
		*va_arg(args, curl_off_t *) = 1;
	else if (info == CURLINFO_OS_ERRNO)
		*va_arg(args, long *) = request->os_error;
	else
		result = CURLE_UNKNOWN_OPTION;
	va_end(args);
	return result;
}

/* Byte streams have a peer in other tests. */
CURLcode curl_easy_send(CURL *handle, const void *data, size_t size, size_t *ret_n)
{
	(void)handle;
	(void)data;
	(void)size;
	*ret_n = 0;
	return CURLE_UNSUPPORTED_PROTOCOL;
}

CURLcode curl_easy_recv(CURL *handle, void *data, size_t size, size_t *ret_n)
{
	(void)handle;
	(void)data;
	(void)size;
	*ret_n = 0;
	return CURLE_UNSUPPORTED_PROTOCOL;
}

/* --- the multi interface --- */

CURLM *curl_multi_init(void)
{
	the_multi = (struct multi){NULL};
	return (CURLM *)&the_multi;
}

CURLMcode curl_multi_cleanup(CURLM *handle)
{
	(void)handle;
	return CURLM_OK;
}

CURLMcode curl_multi_setopt(CURLM *handle, CURLMoption option, ...)
{
	struct multi *multi = (struct multi *)handle;
	va_list args;
	va_start(args, option);
	if (option == CURLMOPT_TIMERFUNCTION)
		multi->on_timer = va_arg(args, curl_multi_timer_callback);
	else if (option == CURLMOPT_TIMERDATA)
		multi->timer_owner = va_arg(args, void *);
	va_end(args);
	return CURLM_OK;
}

CURLMcode curl_multi_assign(CURLM *handle, curl_socket_t fd, void *owner)
{
	(void)handle;
	(void)fd;
	(void)owner;
	return CURLM_OK;
}

CURLMcode curl_multi_add_handle(CURLM *handle, CURL *easy)
{
	struct multi *multi = (struct multi *)handle;
	struct peer_request *request = easy, **end = &multi->first;
	while (*end)
		end = &(*end)->next;
	*end = request;
	request->next = NULL;
	request->multi = multi;
	set_text(&request->head, NULL); /* redirected: the handle comes again */
	set_text(&request->answer_body, NULL);
	request->expected = 0;
	request->answered = request->reported = request->read = false;
	request->deadline_at = clock_monotonic() + request->timeout_ms * NSEC_PER_MSEC;
	set_timer(multi);
	return CURLM_OK;
}

CURLMcode curl_multi_remove_handle(CURLM *handle, CURL *easy)
{
	struct multi *multi = (struct multi *)handle;
	struct peer_request **link = &multi->first;
	while (*link && *link != easy)
		link = &(*link)->next;
	if (*link)
		*link = (*link)->next;
	set_timer(multi);
	return CURLM_OK;
}

/* False: the client has refused it. */
static bool give(curl_write_callback callback, char *data, size_t size, void *owner)
{
	return callback(data, 1, size, owner) == size;
}

static CURLcode deliver(struct peer_request *request)
{
	for (char *line = request->head; line && *line;) {
		size_t size = (size_t)(strstr(line, "\r\n") + 2 - line);
		if (!give(request->on_header, line, size, request->header_owner))
			return CURLE_WRITE_ERROR;
		line += size;
	}
	for (size_t at = 0; at < request->answer_size; at += CHUNK) {
		size_t left = request->answer_size - at;
		if (!give(request->on_body, request->answer_body + at, left < CHUNK ? left : CHUNK,
			    request->body_owner))
			return CURLE_WRITE_ERROR;
	}
	return request->result;
}

CURLMcode curl_multi_socket_action(CURLM *handle, curl_socket_t fd, int events, int *ret_n)
{
	struct multi *multi = (struct multi *)handle;
	(void)fd;
	(void)events;
	*ret_n = 0;
	for (struct peer_request *at = multi->first; at; at = at->next) {
		bool late = clock_monotonic() >= at->deadline_at;
		if (at->reported || (!at->answered && !late))
			continue;
		if (!at->expected)
			world_fail("no request", "%s %s, which timed out", peer_method(at),
				peer_url(at));
		at->reported = true;
		at->message.msg = CURLMSG_DONE;
		at->message.easy_handle = at;
		at->message.data.result = at->answered ? deliver(at) : CURLE_OPERATION_TIMEDOUT;
	}
	set_timer(multi);
	return CURLM_OK;
}

CURLMsg *curl_multi_info_read(CURLM *handle, int *ret_n_left)
{
	struct multi *multi = (struct multi *)handle;
	*ret_n_left = 0;
	for (struct peer_request *at = multi->first; at; at = at->next)
		if (at->reported && !at->read) {
			at->read = true;
			return &at->message;
		}
	return NULL;
}
