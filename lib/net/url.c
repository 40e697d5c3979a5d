/*
 * URLs. What host a URL leads to is asked of libcurl's own parser, because libcurl is what will
 * connect: a second opinion on `http://a\@b` or `127.1` is how tokens leak. Splitting and resolving
 * are done on the bytes, so that nothing is re-encoded and what was signed is what is sent.
 */
#include "net/url.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/mem.h"
#include "base/str.h"

#define URL_SIZE_MAX ((size_t)64 * 1024) /* a link is the peer's: it needs a ceiling */

static void cleanup_curl(char **text)
{
	curl_free(*text);
}

static void cleanup_handle(CURLU **handle)
{
	curl_url_cleanup(*handle);
}

/* No white space, no control characters and one of our two schemes, written out with `://`: libcurl
 * forgives more (`http:host`, blanks), we do not. */
static bool is_plain(const char *url)
{
	size_t scheme = strncasecmp(url, "http://", 7) == 0    ? 7
			: strncasecmp(url, "https://", 8) == 0 ? 8
							       : 0;
	size_t size = 0;

	if (scheme == 0 || strchr("/?#", url[scheme]))
		return false;
	for (const unsigned char *at = (const unsigned char *)url; *at; at++) {
		if (*at <= 0x20 || *at == 0x7f || ++size > URL_SIZE_MAX)
			return false;
	}
	return true;
}

static int url_parse(const char *url, CURLU **ret)
{
	CLEANUP(cleanup_handle) CURLU *handle = NULL;
	CLEANUP(cleanup_curl) char *zone = NULL;

	if (!url || !is_plain(url))
		return URL_E_SYNTAX;
	handle = curl_url();
	if (!handle)
		mem_exhausted();
	if (curl_url_set(handle, CURLUPART_URL, url, CURLU_DISALLOW_USER | CURLU_PATH_AS_IS) !=
		CURLUE_OK)
		return URL_E_SYNTAX;
	/* A zone is a way of this host, not a part of the name: two origins would look equal. */
	if (curl_url_get(handle, CURLUPART_ZONEID, &zone, 0) == CURLUE_OK)
		return URL_E_SYNTAX;
	*ret = handle;
	handle = NULL;
	return 0;
}

static void lower_case(char *text)
{
	for (; *text; text++) {
		if (*text >= 'A' && *text <= 'Z')
			*text = (char)(*text - 'A' + 'a');
	}
}

int url_origin(const char *url, char **ret_origin)
{
	CLEANUP(cleanup_handle) CURLU *handle = NULL;
	CLEANUP(cleanup_curl) char *scheme = NULL;
	CLEANUP(cleanup_curl) char *host = NULL;
	CLEANUP(cleanup_curl) char *port = NULL;
	int r = url_parse(url, &handle);

	if (r)
		return r;
	if (curl_url_get(handle, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
		curl_url_get(handle, CURLUPART_HOST, &host, 0) != CURLUE_OK || !*host ||
		curl_url_get(handle, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK)
		return URL_E_SYNTAX;
	/* libcurl has decoded the host: one with a `%` left would be another when it is read again
	 */
	if (strchr(host, '%'))
		return URL_E_SYNTAX;
	*ret_origin = mem_printf("%s://%s:%s", scheme, host, port);
	lower_case(*ret_origin);
	return 0;
}

bool url_is_https(const char *url)
{
	return url && strncasecmp(url, "https://", 8) == 0;
}

bool url_is_in_clear(const char *url)
{
	return !url_is_https(url) && !url_is_loopback(url);
}

bool url_is_loopback(const char *url)
{
	CLEANUP(cleanup_handle) CURLU *handle = NULL;
	CLEANUP(cleanup_curl) char *host = NULL;
	CLEANUP_FREE char *bare = NULL;
	struct in_addr four;
	struct in6_addr six;
	size_t size;

	if (url_parse(url, &handle) != 0 ||
		curl_url_get(handle, CURLUPART_HOST, &host, 0) != CURLUE_OK)
		return false;
	if (strcasecmp(host, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, host, &four) == 1)
		return (ntohl(four.s_addr) >> 24) == 127;
	size = strlen(host);
	if (size < 2 || host[0] != '[')
		return false;
	bare = mem_strndup(host + 1, size - 2);
	return inet_pton(AF_INET6, bare, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

/* Up to the first of ENDS, which *AT then points at. */
static struct slice take_until(const char **at, const char *ends)
{
	struct slice part = {*at, strcspn(*at, ends)};

	*at += part.size;
	return part;
}

int url_split(const char *url, struct url_parts *ret)
{
	struct url_parts parts = {0};
	const char *at = url;

	if (!url || !is_plain(url))
		return URL_E_SYNTAX;
	parts.scheme = take_until(&at, ":");
	at += 3;
	parts.authority = take_until(&at, "/?#");
	if (memchr(parts.authority.data, '@', parts.authority.size))
		return URL_E_SYNTAX;
	parts.path = take_until(&at, "?#");
	if (*at == '?') {
		at++;
		parts.query = take_until(&at, "#");
	}
	*ret = parts;
	return 0;
}

void url_password(const char *url, struct buf *out)
{
	const char *at = strstr(url, "://");
	struct slice part = at ? take_until(&(const char *){at + 3}, "/?#") : SLICE_NULL;
	const char *host = part.size ? memrchr(part.data, '@', part.size) : NULL;
	const char *colon = host ? memchr(part.data, ':', (size_t)(host - part.data)) : NULL;

	if (colon)
		decode_percent((struct slice){colon + 1, (size_t)(host - colon - 1)}, false, out);
}

bool url_is_proxy(const char *url, const char *const *schemes)
{
	CLEANUP(cleanup_handle) CURLU *handle = curl_url();
	CLEANUP(cleanup_curl) char *path = NULL;
	const char *rest = NULL;

	for (size_t i = 0; schemes[i] && !rest; i++)
		if (str_starts(url, schemes[i]))
			rest = url + strlen(schemes[i]);
	if (!handle)
		mem_exhausted();
	/* what follows a `/` would be a part of a password that is not encoded */
	return rest && *rest && !strpbrk(rest, " \t?#") &&
	       strchr(rest, '@') == strrchr(rest, '@') &&
	       curl_url_set(handle, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
	       (curl_url_get(handle, CURLUPART_PATH, &path, 0) != CURLUE_OK || strlen(path) <= 1);
}

void url_append_shown(const char *url, struct buf *out)
{
	const char *start = strstr(url, "://");
	const char *at = strrchr(url, '@');

	if (start && at && at > start)
		buf_printf(out, "%.*s***%s", (int)(start + 3 - url), url, at);
	else
		buf_append_text(out, url);
}

/* RFC 3986 section 5.2.4: `.` goes, `..` takes the segment before it along. OUT begins at START. */
static void append_without_dots(struct buf *out, struct slice path)
{
	size_t start = out->size;
	const char *at = path.data;
	const char *end = path.data + path.size;

	while (at < end) {
		const char *stop = memchr(at + 1, '/', (size_t)(end - at - 1));
		struct slice segment = {at, (size_t)((stop ? stop : end) - at)};
		bool last = !stop;

		at += segment.size;
		if (slice_is(segment, "/.") || slice_is(segment, "/..")) {
			if (segment.size == 3) {
				while (out->size > start && out->data[--out->size] != '/')
					;
			}
			if (last)
				buf_append_char(out, '/');
			continue;
		}
		buf_append_slice(out, segment);
	}
	if (out->data)
		out->data[out->size] = '\0';
}

/* RFC 3986 section 5.2.3: the reference stands beside the base's last segment. */
static void append_merged(struct buf *out, struct slice base_path, struct slice reference_path)
{
	CLEANUP(buf_deinit) struct buf merged = BUF_NULL;
	size_t keep = base_path.size;

	while (keep > 0 && base_path.data[keep - 1] != '/')
		keep--;
	if (keep > 0)
		buf_append(&merged, base_path.data, keep);
	else
		buf_append_char(&merged, '/');
	buf_append_slice(&merged, reference_path);
	append_without_dots(out, buf_slice(&merged));
}

static bool has_scheme(const char *reference)
{
	size_t size = strcspn(reference, ":/?#");

	return reference[size] == ':' && size > 0;
}

static void append_reference(struct buf *out, const struct url_parts *base, const char *reference)
{
	const char *at = reference;
	struct slice path;

	buf_append_slice(out, base->scheme);
	if (strncmp(reference, "//", 2) == 0) {
		buf_printf(out, ":%.*s", (int)strcspn(reference, "#"), reference);
		return;
	}
	buf_append_text(out, "://");
	buf_append_slice(out, base->authority);
	path = take_until(&at, "?#");
	if (path.size == 0)
		buf_append_slice(out, base->path);
	else if (path.data[0] == '/')
		append_without_dots(out, path);
	else
		append_merged(out, base->path, path);
	if (*at == '?') {
		buf_append_slice(out, take_until(&at, "#"));
	} else if (path.size == 0 && base->query.data) {
		buf_append_char(out, '?');
		buf_append_slice(out, base->query);
	}
}

/* Some APIs write their links without encoding what must be encoded. The name of a host does not
 * get better by that: it stays unreadable. */
static char *encode_reference(const char *reference)
{
	struct slice text = str_trim(slice_of(reference));
	struct buf out = BUF_NULL;

	for (size_t i = 0; i < text.size; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c == ' ' || c >= 0x80)
			buf_printf(&out, "%%%02X", c);
		else
			buf_append_char(&out, (char)c);
	}
	return buf_take(&out);
}

int url_resolve(const char *base, const char *reference, char **ret_url)
{
	CLEANUP(buf_deinit) struct buf out = BUF_NULL;
	CLEANUP_FREE char *origin = NULL;
	CLEANUP_FREE char *encoded = NULL;
	struct url_parts parts;
	int r = url_split(base, &parts);

	if (r)
		return r;
	if (!reference || strlen(reference) > URL_SIZE_MAX)
		return URL_E_SYNTAX;
	encoded = encode_reference(reference);
	if (has_scheme(encoded))
		buf_append_text(&out, encoded);
	else
		append_reference(&out, &parts, encoded);
	r = url_origin(
		buf_text(&out), &origin); /* refuses what libcurl could not or may not open */
	if (r)
		return r;
	*ret_url = buf_take(&out);
	return 0;
}

int url_replace_origin(const char *url, const char *endpoint, char **ret_url)
{
	CLEANUP(buf_deinit) struct buf out = BUF_NULL;
	CLEANUP_FREE char *origin = NULL;
	struct url_parts from;
	struct url_parts to;
	int r = url_split(url, &from);

	if (!r)
		r = url_split(endpoint, &to);
	if (r)
		return r;
	if (to.query.data)
		return URL_E_SYNTAX;
	while (to.path.size > 0 && to.path.data[to.path.size - 1] == '/')
		to.path.size--;
	buf_append_slice(&out, to.scheme);
	buf_append_text(&out, "://");
	buf_append_slice(&out, to.authority);
	buf_append_slice(&out, to.path);
	buf_append_slice(&out, from.path);
	if (from.query.data) {
		buf_append_char(&out, '?');
		buf_append_slice(&out, from.query);
	}
	r = url_origin(buf_text(&out), &origin);
	if (r)
		return r;
	*ret_url = buf_take(&out);
	return 0;
}
