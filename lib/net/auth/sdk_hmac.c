/*
 * See sdk_hmac.h. The canonical form is made of what the server will decode, not of how we happened
 * to write it: path and query are decoded and encoded anew, byte by byte.
 */
#include "net/auth/sdk_hmac.h"

#include <errno.h>
#include <strings.h>

#include "base/encode.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"

#include "net/query.h"
#include "net/url.h"

static char *lower_name(const char *name)
{
	char *lower = mem_strdup(name);

	for (char *at = lower; *at; at++) {
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at - 'A' + 'a');
	}
	return lower;
}

static bool is_signed(const struct http_headers *headers, size_t index)
{
	const char *name = headers->items[index].name;

	if (strcasecmp(name, "Host") != 0 && strcasecmp(name, "Content-Type") != 0 &&
		strncasecmp(name, "X-", 2) != 0)
		return false;
	if (strchr(name, '_'))
		return false;
	for (size_t i = 0; i < headers->n_items; i++) {
		if (i != index && strcasecmp(headers->items[i].name, name) == 0)
			return false;
	}
	return true;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void sdk_hmac_signed_headers(const struct http_headers *headers, struct buf *out)
{
	char **names = mem_array(headers->n_items + 1, sizeof(*names));
	size_t n_names = 0;

	for (size_t i = 0; i < headers->n_items; i++) {
		if (is_signed(headers, i))
			names[n_names++] = lower_name(headers->items[i].name);
	}
	qsort(names, n_names, sizeof(*names), compare_names);
	for (size_t i = 0; i < n_names; i++) {
		if (i > 0)
			buf_append_char(out, ';');
		buf_append_text(out, names[i]);
		free(names[i]);
	}
	free(names);
}

/* Always ends in '/', whatever is sent. */
static void append_path(struct slice path, struct buf *out)
{
	const char *at = path.data;
	const char *end = path.data + path.size;

	while (at < end) {
		const char *stop = memchr(at, '/', (size_t)(end - at));
		CLEANUP(buf_deinit) struct buf plain = BUF_NULL;

		decode_percent(
			(struct slice){at, (size_t)((stop ? stop : end) - at)}, false, &plain);
		encode_percent(buf_slice(&plain), out);
		if (!stop)
			break;
		buf_append_char(out, '/');
		at = stop + 1;
	}
	if (path.size == 0 || end[-1] != '/')
		buf_append_char(out, '/');
}

int sdk_hmac_canonical(const char *method, const char *url, const struct http_headers *headers,
	struct slice signed_headers, struct slice body, struct buf *out)
{
	struct slice rest = signed_headers;
	struct slice name;
	struct url_parts parts;
	uint8_t digest[DIGEST_SIZE];
	char hex[DIGEST_HEX_SIZE];

	if (url_split(url, &parts) != 0)
		return -EINVAL;
	buf_printf(out, "%s\n", method);
	append_path(parts.path, out);
	buf_append_char(out, '\n');
	query_canonical(parts.query, QUERY_ORDER_DECODED, out);
	buf_append_char(out, '\n');
	while (str_next_part(&rest, ';', &name)) {
		CLEANUP_FREE char *text = mem_strndup(name.data, name.size);
		struct slice value = http_headers_get(headers, text);

		buf_printf(out, "%s:", text);
		if (value.data)
			buf_append_slice(out, str_trim(value));
		buf_append_char(out, '\n');
	}
	buf_append_char(out, '\n');
	buf_append_slice(out, signed_headers);
	digest_sha256(body, digest);
	digest_hex(digest, sizeof(digest), hex);
	buf_printf(out, "\n%s", hex);
	return 0;
}

void sdk_hmac_signature(struct slice secret_key, struct slice date, struct slice canonical,
	char ret_hex[DIGEST_HEX_SIZE])
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;
	uint8_t digest[DIGEST_SIZE];
	char hex[DIGEST_HEX_SIZE];

	digest_sha256(canonical, digest);
	digest_hex(digest, sizeof(digest), hex);
	buf_append_text(&text, "SDK-HMAC-SHA256\n");
	buf_append_slice(&text, date);
	buf_printf(&text, "\n%s", hex);
	digest_hmac_sha256(secret_key, buf_slice(&text), digest);
	digest_hex(digest, sizeof(digest), ret_hex);
}
