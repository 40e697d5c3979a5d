/* See conversation.h: which request is meant, and requests as text. */
#include "workbench/conversation.h"

#include <jansson.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/mem.h"
#include "net/url.h"

#define ANY "***"

struct pair {
	char *name, *value;
};

struct pairs {
	struct pair *items;
	size_t n_items, capacity;
};

/* PATTERN with ANY in it. What is between two of them is looked for from the left, once. */
static bool text_matches(const char *pattern, const char *text)
{
	const char *any = strstr(pattern, ANY);
	if (!any)
		return strcmp(pattern, text) == 0;
	size_t size = (size_t)(any - pattern);
	if (strncmp(pattern, text, size) != 0)
		return false;
	text += size;
	pattern = any + strlen(ANY);
	while ((any = strstr(pattern, ANY))) {
		char *part CLEANUP_FREE = mem_strndup(pattern, (size_t)(any - pattern));
		text = strstr(text, part);
		if (!text)
			return false;
		text += any - pattern;
		pattern = any + strlen(ANY);
	}
	size_t left = strlen(text), end = strlen(pattern);
	return left >= end && strcmp(text + left - end, pattern) == 0;
}

static char *decode(struct slice text)
{
	struct buf out = BUF_NULL;
	decode_percent(text, true, &out);
	return buf_take(&out);
}

static void pairs_read(struct pairs *pairs, struct slice text)
{
	struct slice part;
	while (str_next_part(&text, '&', &part)) {
		const char *equals = memchr(part.data, '=', part.size);
		size_t size = equals ? (size_t)(equals - part.data) : part.size;
		struct slice value =
			equals ? (struct slice){equals + 1, part.size - size - 1} : SLICE("");
		if (part.size == 0)
			continue;
		pairs->items = mem_grow(
			pairs->items, pairs->n_items, &pairs->capacity, sizeof(struct pair));
		pairs->items[pairs->n_items++] =
			(struct pair){decode((struct slice){part.data, size}), decode(value)};
	}
}

static void pairs_deinit(struct pairs *pairs)
{
	for (size_t i = 0; i < pairs->n_items; i++) {
		free(pairs->items[i].name);
		free(pairs->items[i].value);
	}
	free(pairs->items);
}

/* NAMES_ONLY: values may differ. */
static bool pairs_match(struct slice pattern, struct slice text, bool names_only)
{
	struct pairs wanted CLEANUP(pairs_deinit) = {0}, got CLEANUP(pairs_deinit) = {0};
	pairs_read(&wanted, pattern);
	pairs_read(&got, text);
	size_t n = got.n_items;
	if (wanted.n_items != n)
		return false;
	for (size_t i = 0; i < wanted.n_items; i++) {
		size_t at = 0;
		for (; at < n; at++)
			if (strcmp(got.items[at].name, wanted.items[i].name) == 0 &&
				(names_only ||
					text_matches(wanted.items[i].value, got.items[at].value)))
				break;
		if (at == n)
			return false;
		struct pair used = got.items[at]; /* each counts once */
		got.items[at] = got.items[--n];
		got.items[n] = used;
	}
	return true;
}

static bool json_matches(const json_t *pattern, const json_t *value, bool names_only)
{
	const char *key;
	json_t *member;
	if (json_is_string(pattern) && json_is_string(value))
		return names_only ||
		       text_matches(json_string_value(pattern), json_string_value(value));
	if (json_typeof(pattern) != json_typeof(value))
		return false;
	if (json_is_array(pattern)) {
		if (json_array_size(pattern) != json_array_size(value))
			return false;
		for (size_t i = 0; i < json_array_size(pattern); i++)
			if (!json_matches(json_array_get(pattern, i), json_array_get(value, i),
				    names_only))
				return false;
		return true;
	}
	if (!json_is_object(pattern))
		return names_only || json_equal(pattern, value);
	if (json_object_size(pattern) != json_object_size(value))
		return false;
	json_object_foreach((json_t *)pattern, key, member)
	{
		const json_t *other = json_object_get(value, key);
		if (!other || !json_matches(member, other, names_only))
			return false;
	}
	return true;
}

static bool body_matches(struct slice pattern, struct slice body, bool names_only)
{
	json_t *wanted = json_loadb(pattern.data, pattern.size, JSON_DECODE_ANY, NULL);
	json_t *got = json_loadb(body.data, body.size, JSON_DECODE_ANY, NULL);
	bool matches;
	if (slice_is(pattern, ANY))
		matches = true;
	else if (wanted && got)
		matches = json_matches(wanted, got, names_only);
	else
		matches = !wanted && !got && pairs_match(pattern, body, names_only);
	json_decref(wanted);
	json_decref(got);
	return matches;
}

static bool headers_match(const struct http_headers *pattern, const struct http_headers *headers)
{
	for (size_t i = 0; i < pattern->n_items; i++) {
		struct slice value = http_headers_get(headers, pattern->items[i].name);
		if (!value.data || !text_matches(pattern->items[i].value, value.data))
			return false;
	}
	return true;
}

static bool matches(
	const struct exchange *exchange, const struct http_message *message, bool names_only)
{
	const char *method = message->method ? message->method : "GET";
	size_t size = strcspn(exchange->url, "?"), own_size = strcspn(message->url, "?");
	char *wanted CLEANUP_FREE = mem_strndup(exchange->url, size);
	char *got CLEANUP_FREE = mem_strndup(message->url, own_size);
	struct slice query = slice_of(exchange->url + size),
		     own = slice_of(message->url + own_size);
	if (strcmp(exchange->method, method) != 0 || !text_matches(wanted, got))
		return false;
	query = query.size ? (struct slice){query.data + 1, query.size - 1} : query;
	own = own.size ? (struct slice){own.data + 1, own.size - 1} : own;
	return pairs_match(query, own, names_only) &&
	       (names_only || headers_match(&exchange->headers, &message->headers)) &&
	       body_matches(buf_slice(&exchange->body), buf_slice(&message->body), names_only);
}

bool conversation_matches(const struct exchange *exchange, const struct http_message *message)
{
	return matches(exchange, message, false);
}

bool conversation_resembles(const struct exchange *exchange, const struct http_message *message)
{
	return matches(exchange, message, true);
}

void conversation_print_lines(char mark, struct slice text, struct buf *out)
{
	while (text.size) {
		const char *end = memchr(text.data, '\n', text.size);
		size_t size = end ? (size_t)(end - text.data) : text.size;
		buf_printf(out, "%c ", mark);
		buf_append(out, text.data, size);
		buf_append_char(out, '\n');
		size += end != NULL;
		text = (struct slice){text.data + size, text.size - size};
	}
}

void conversation_print_request(const char *method, const char *url,
	const struct http_headers *headers, struct slice body, struct buf *out)
{
	buf_printf(out, "> %s %s\n", method ? method : "GET", url);
	for (size_t i = 0; headers && i < headers->n_items; i++)
		buf_printf(out, "> %s: %s\n", headers->items[i].name, headers->items[i].value);
	conversation_print_lines('>', body, out);
}
