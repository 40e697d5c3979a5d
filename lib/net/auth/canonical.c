/* See canonical.h. */
#include "net/auth/canonical.h"

#include <strings.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"

#include "net/url.h"

static void set_host(struct http_message *message, const struct url_parts *parts)
{
	CLEANUP_FREE char *host = mem_strndup(parts->authority.data, parts->authority.size);
	const char *port = url_is_https(message->url) ? ":443" : ":80";

	if (str_ends(host, port))
		host[strlen(host) - strlen(port)] = '\0';
	http_headers_set(&message->headers, "Host", slice_of(host));
}

int canonical_host(struct http_message *message, struct fault *reterr)
{
	struct url_parts parts;

	if (url_split(message->url, &parts) != 0)
		return fault_set(
			reterr, FAULT_CONFIG, "the URL is not an absolute http or https URL");
	set_host(message, &parts);
	return 0;
}

int canonical_stamp(struct http_message *message, const char *date_header, nsec_t now_time,
	struct fault *reterr)
{
	time_t seconds = (time_t)(now_time / NSEC_PER_SEC);
	char date[32];
	struct tm tm;
	int r = canonical_host(message, reterr);

	if (r)
		return r;
	if (!gmtime_r(&seconds, &tm) || strftime(date, sizeof(date), "%Y%m%dT%H%M%SZ", &tm) == 0)
		return fault_set(reterr, FAULT_INTERNAL, "the time cannot be written");
	http_headers_set(&message->headers, date_header, slice_of(date));
	return 0;
}

static char *lower_name(const char *name)
{
	char *lower = mem_strdup(name);

	for (char *at = lower; *at; at++) {
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at - 'A' + 'a');
	}
	return lower;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void canonical_names(
	const struct canonical_rules *rules, const struct http_headers *headers, struct buf *out)
{
	char **names = mem_array(headers->n_items + 1, sizeof(*names));
	size_t n_names = 0;

	for (size_t i = 0; i < headers->n_items; i++) {
		if (rules->is_signed(headers, i))
			names[n_names++] = lower_name(headers->items[i].name);
	}
	qsort(names, n_names, sizeof(*names), compare_names);
	for (size_t i = 0; i < n_names; i++) {
		if (i > 0 && strcmp(names[i - 1], names[i]) == 0)
			continue;
		if (i > 0)
			buf_append_char(out, ';');
		buf_append_text(out, names[i]);
	}
	for (size_t i = 0; i < n_names; i++)
		free(names[i]);
	free(names);
}

static void append_folded(struct slice value, struct buf *out)
{
	value = str_trim(value);
	for (size_t i = 0; i < value.size; i++) {
		bool blank = strchr(" \t\r\n", value.data[i]);

		if (!blank)
			buf_append_char(out, value.data[i]);
		else if (!strchr(" \t\r\n", value.data[i - 1]))
			buf_append_char(out, ' ');
	}
}

static void append_header(const struct canonical_rules *rules, const struct http_headers *headers,
	struct slice name, struct buf *out)
{
	CLEANUP_FREE char *text = mem_strndup(name.data, name.size);
	unsigned n_values = 0;

	buf_printf(out, "%s:", text);
	for (size_t i = 0; i < headers->n_items; i++) {
		struct slice value = slice_of(headers->items[i].value);

		if (strcasecmp(headers->items[i].name, text) != 0)
			continue;
		if (n_values++ > 0 && !rules->folds_values)
			break;
		if (n_values > 1)
			buf_append_char(out, ',');
		if (rules->folds_values)
			append_folded(value, out);
		else
			buf_append_slice(out, str_trim(value));
	}
	buf_append_char(out, '\n');
}

int canonical_request(const struct canonical_rules *rules, const char *method, const char *url,
	const struct http_headers *headers, struct slice names, struct slice body, struct buf *out)
{
	struct slice rest = names;
	struct slice name;
	struct url_parts parts;
	uint8_t digest[DIGEST_SIZE];
	char hex[DIGEST_HEX_SIZE];

	if (url_split(url, &parts) != 0)
		return -1;
	buf_printf(out, "%s\n", method);
	rules->append_path(parts.path, out);
	buf_append_char(out, '\n');
	query_canonical(parts.query, rules->query_order, out);
	buf_append_char(out, '\n');
	while (str_next_part(&rest, ';', &name))
		append_header(rules, headers, name, out);
	buf_append_char(out, '\n');
	buf_append_slice(out, names);
	digest_sha256(body, digest);
	digest_hex(digest, sizeof(digest), hex);
	buf_printf(out, "\n%s", hex);
	return 0;
}
