/*
 * Requests as data: the headers and the wiping. What is added is copied; what is dropped is wiped
 * first, since a header may hold a token and a body a password.
 */
#include "net/message.h"

#include <strings.h>

#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"

static void wipe_text(char **text)
{
	if (*text)
		secret_wipe(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

void http_headers_add(struct http_headers *headers, const char *name, struct slice value)
{
	struct http_header *header;

	headers->items = mem_grow(
		headers->items, headers->n_items, &headers->capacity, sizeof(*headers->items));
	header = &headers->items[headers->n_items++];
	header->name = mem_strdup(name);
	/* A NUL would cut the value unseen. As a line feed it stays: the client refuses it. */
	if (value.size > 0 && memchr(value.data, '\0', value.size))
		value = SLICE("\n");
	header->value = mem_strndup(value.data ? value.data : "", value.size);
}

/* All of that name but the one at KEEP. */
static void remove_named(struct http_headers *headers, const char *name, size_t keep)
{
	size_t n_kept = 0;

	for (size_t i = 0; i < headers->n_items; i++) {
		struct http_header *header = &headers->items[i];

		if (i == keep || strcasecmp(header->name, name) != 0) {
			headers->items[n_kept++] = *header;
			continue;
		}
		free(header->name);
		wipe_text(&header->value);
	}
	headers->n_items = n_kept;
}

void http_headers_set(struct http_headers *headers, const char *name, struct slice value)
{
	http_headers_add(headers, name, value); /* first: VALUE may be a value that goes */
	remove_named(headers, name, headers->n_items - 1);
}

void http_headers_remove(struct http_headers *headers, const char *name)
{
	remove_named(headers, name, SIZE_MAX);
}

bool http_header_name_is_valid(const char *name)
{
	return str_is_token(name);
}

bool http_header_value_is_valid(const char *value)
{
	for (; *value; value++) {
		if (((unsigned char)*value < 0x20 && *value != '\t') || *value == 0x7f)
			return false;
	}
	return true;
}

struct slice http_headers_get(const struct http_headers *headers, const char *name)
{
	for (size_t i = 0; i < headers->n_items; i++) {
		if (strcasecmp(headers->items[i].name, name) == 0)
			return slice_of(headers->items[i].value);
	}
	return SLICE_NULL;
}

void http_headers_deinit(struct http_headers *headers)
{
	for (size_t i = 0; i < headers->n_items; i++) {
		free(headers->items[i].name);
		wipe_text(&headers->items[i].value);
	}
	free(headers->items);
	*headers = (struct http_headers){0};
}

void http_message_deinit(struct http_message *message)
{
	free(message->method);
	wipe_text(&message->url);
	http_headers_deinit(&message->headers);
	if (message->body.data)
		secret_wipe(message->body.data, message->body.size);
	buf_deinit(&message->body);
	*message = HTTP_MESSAGE_NULL;
}
