/*
 * What an answer means, decided from status and headers alone: no loop, no clock, no memory kept.
 * What to do about it (retry, refresh, give a cursor up) is the caller's.
 */
#include "net/outcome.h"

#include "base/utf8.h"
#include "base/cleanup.h"
#include "base/secret.h"
#include "base/timestamp.h"

#include "net/url.h"

#define WAIT_MAX_NS (NSEC_PER_DAY) /* a peer may not silence a source for longer */
#define EXCERPT_SIZE 200
#define SECRET_SIZE_MAX ((size_t)64 * 1024)

struct status_name {
	int status;
	const char *name;
};

static const struct status_name status_names[] = {
	{100, "Continue"},
	{101, "Switching Protocols"},
	{200, "OK"},
	{201, "Created"},
	{202, "Accepted"},
	{204, "No Content"},
	{206, "Partial Content"},
	{300, "Multiple Choices"},
	{301, "Moved Permanently"},
	{302, "Found"},
	{303, "See Other"},
	{304, "Not Modified"},
	{307, "Temporary Redirect"},
	{308, "Permanent Redirect"},
	{400, "Bad Request"},
	{401, "Unauthorized"},
	{402, "Payment Required"},
	{403, "Forbidden"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{406, "Not Acceptable"},
	{407, "Proxy Authentication Required"},
	{408, "Request Timeout"},
	{409, "Conflict"},
	{410, "Gone"},
	{411, "Length Required"},
	{412, "Precondition Failed"},
	{413, "Content Too Large"},
	{414, "URI Too Long"},
	{415, "Unsupported Media Type"},
	{416, "Range Not Satisfiable"},
	{417, "Expectation Failed"},
	{421, "Misdirected Request"},
	{422, "Unprocessable Content"},
	{423, "Locked"},
	{424, "Failed Dependency"},
	{425, "Too Early"},
	{426, "Upgrade Required"},
	{428, "Precondition Required"},
	{429, "Too Many Requests"},
	{431, "Request Header Fields Too Large"},
	{451, "Unavailable For Legal Reasons"},
	{500, "Internal Server Error"},
	{501, "Not Implemented"},
	{502, "Bad Gateway"},
	{503, "Service Unavailable"},
	{504, "Gateway Timeout"},
	{505, "HTTP Version Not Supported"},
	{507, "Insufficient Storage"},
	{508, "Loop Detected"},
	{511, "Network Authentication Required"},
};

static const char *status_to_string(int status)
{
	for (size_t i = 0; i < sizeof(status_names) / sizeof(status_names[0]); i++) {
		if (status_names[i].status == status)
			return status_names[i].name;
	}
	return NULL;
}

static enum fault_class status_class(int status)
{
	if (status >= 200 && status <= 299)
		return FAULT_NONE;
	switch (status) {
	case 401:
	case 403:
		return FAULT_AUTH;
	case 408: /* the server waited for our request */
	case 421: /* another connection may do */
	case 425: /* asked too early in a TLS session */
		return FAULT_SERVER;
	case 429:
		return FAULT_THROTTLED;
	default:
		/* Nothing that an HTTP status can be: a broken server, not a broken request. */
		return status >= 500 || status < 100 ? FAULT_SERVER : FAULT_CONFIG;
	}
}

/* Digits, with a fraction that is rounded up; beyond 10^15 nothing is told apart any more. */
static bool parse_seconds(struct slice text, int64_t *ret)
{
	int64_t value = 0;
	size_t i = 0;

	for (; i < text.size && text.data[i] >= '0' && text.data[i] <= '9'; i++) {
		if (value < INT64_C(1000000000000000))
			value = value * 10 + (text.data[i] - '0');
	}
	if (i == 0)
		return false;
	if (i < text.size && text.data[i] == '.') {
		value++;
		for (i++; i < text.size && text.data[i] >= '0' && text.data[i] <= '9'; i++)
			;
	}
	*ret = value;
	return i == text.size;
}

static nsec_t wait_clamp(nsec_t wait_ns)
{
	if (wait_ns < 0)
		return 0;
	return wait_ns > WAIT_MAX_NS ? WAIT_MAX_NS : wait_ns;
}

static nsec_t seconds_to_wait(int64_t seconds)
{
	return seconds > WAIT_MAX_NS / NSEC_PER_SEC ? WAIT_MAX_NS : seconds * NSEC_PER_SEC;
}

/* An instant of the server's clock is measured against the server's own Date where it gave one. */
static nsec_t until(nsec_t time, const struct http_response *response, nsec_t now_time)
{
	return wait_clamp(
		time - (response->server_time != NSEC_NONE ? response->server_time : now_time));
}

/* 2026-01-02T03:04Z: RFC 3339 without its seconds. */
static bool parse_minutes(struct slice text, nsec_t *ret_time)
{
	char whole[] = "0000-00-00T00:00:00Z";
	if (text.size != sizeof("0000-00-00T00:00Z") - 1 || text.data[text.size - 1] != 'Z')
		return false;
	memcpy(whole, text.data, text.size - 1);
	return timestamp_parse_rfc3339(slice_of(whole), ret_time) == 0;
}

/* Seconds from now, or seconds or milliseconds since 1970, or an HTTP-date, or a time of RFC 3339.
 * False: none of them. */
static bool read_wait(
	struct slice text, const struct http_response *response, nsec_t now_time, nsec_t *ret_ns)
{
	int64_t seconds;
	nsec_t time;

	if (!text.data)
		return false;
	if (!parse_seconds(text, &seconds)) {
		if (timestamp_parse_http(text, &time) && timestamp_parse_rfc3339(text, &time) &&
			!parse_minutes(text, &time))
			return false;
		*ret_ns = until(time, response, now_time);
		return true;
	}
	if (seconds > INT64_C(100000000000)) /* milliseconds since 1970 */
		seconds = (seconds + 999) / 1000;
	/* Past the year 2260 nanoseconds end; far sooner the ceiling does. */
	*ret_ns = seconds <= INT64_C(1000000000) ? seconds_to_wait(seconds)
		  : seconds > INT64_C(9000000000)
			  ? WAIT_MAX_NS
			  : until(seconds * NSEC_PER_SEC, response, now_time);
	return true;
}

/* The spellings of one header. */
static const char *const wait_headers[] = {
	"Retry-After", "X-RateLimit-RetryAfter", "X-Retry-After", NULL};
static const char *const remaining_headers[] = {
	"X-RateLimit-Remaining", "X-Rate-Limit-Remaining", "RateLimit-Remaining", NULL};
static const char *const reset_headers[] = {
	"X-RateLimit-Reset", "X-Rate-Limit-Reset", "RateLimit-Reset", NULL};

static struct slice any_header(const struct http_response *response, const char *const *names)
{
	struct slice text = SLICE_NULL;

	for (; *names && !text.data; names++)
		text = http_headers_get(&response->headers, *names);
	return text;
}

nsec_t http_reset_wait(const struct http_response *response, nsec_t now_time)
{
	bool used_up = slice_is(any_header(response, remaining_headers), "0");
	nsec_t wait_ns;

	if (response->status != 429 && !used_up)
		return 0;
	return read_wait(any_header(response, reset_headers), response, now_time, &wait_ns)
		       ? wait_ns
		       : 0;
}

static nsec_t asked_wait(const struct http_response *response, nsec_t now_time)
{
	nsec_t wait_ns;

	if (read_wait(any_header(response, wait_headers), response, now_time, &wait_ns))
		return wait_ns;
	return http_reset_wait(response, now_time);
}

/* Some APIs refuse with 403 where others do with 429, and say when it ends: that is no refusal of
 * the credential. */
static bool is_throttling(const struct http_response *response)
{
	return response->status == 403 &&
	       (any_header(response, wait_headers).data ||
		       slice_is(any_header(response, remaining_headers), "0"));
}

static void append_printable(struct slice text, size_t limit, struct buf *out)
{
	const char *at = text.data;
	size_t i = 0;
	size_t written = 0;

	while (i < text.size) {
		size_t size = utf8_size(at + i, text.size - i);
		bool bad = size == 0 || utf8_is_control(at + i, size);

		if (size == 0)
			size = 1;
		if (written + (bad ? 1 : size) > limit)
			return;
		if (at[i] == '\n' || at[i] == '\r' || at[i] == '\t')
			buf_append_char(out, ' ');
		else if (bad)
			buf_append_char(out, '?');
		else
			buf_append(out, at + i, size);
		written += bad ? 1 : size;
		i += size;
	}
}

void http_excerpt(struct slice body, size_t size, struct buf *out)
{
	CLEANUP(buf_deinit) struct buf masked = BUF_NULL;
	size_t taken = size + 2 * SECRET_SIZE_MAX;
	bool cut = body.size > taken;

	/* Masked before it is cut: half a secret would not be known as one. The tail of what was
	 * taken may hold such a half, so it is never shown. */
	buf_append(&masked, body.data ? body.data : "", cut ? taken : body.size);
	secret_mask(&masked);
	if (cut) {
		size_t sure = masked.size > SECRET_SIZE_MAX ? masked.size - SECRET_SIZE_MAX : 0;

		size = sure < size ? sure : size;
	}
	append_printable(buf_slice(&masked), size, out);
}

/* A redirect that was not followed: where to, without the path and query, which may carry a key. */
static void append_redirect(const struct http_response *response, struct buf *out)
{
	struct slice location = http_headers_get(&response->headers, "Location");
	CLEANUP_FREE char *origin = NULL;

	if (response->status < 300 || response->status > 399 || !location.data)
		return;
	if (url_origin(location.data, &origin) == 0)
		buf_printf(out, ": redirect to %s not followed", origin);
	else
		buf_append_text(out, ": redirect not followed");
}

enum fault_class http_outcome(const struct http_response *response, struct slice api_message,
	nsec_t now_time, struct fault *reterr)
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;
	enum fault_class class;
	const char *name;

	if (response->fault.class != FAULT_NONE) {
		if (reterr)
			*reterr = response->fault;
		return response->fault.class;
	}
	class = is_throttling(response) ? FAULT_THROTTLED : status_class(response->status);
	if (class == FAULT_NONE || !reterr)
		return class;
	name = status_to_string(response->status);
	buf_printf(&text, "HTTP %d%s%s", response->status, name ? " " : "", name ? name : "");
	append_redirect(response, &text);
	if (api_message.size > 0 || response->body.size > 0) {
		buf_append_text(&text, ": ");
		http_excerpt(api_message.size > 0 ? api_message : buf_slice(&response->body),
			EXCERPT_SIZE, &text);
	}
	*reterr = FAULT_NULL;
	fault_set(reterr, class, "%s", buf_text(&text));
	reterr->status = response->status;
	reterr->wait_ns = asked_wait(response, now_time);
	return class;
}
