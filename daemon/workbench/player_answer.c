/* See player.h: the API's side. */
#include "workbench/player_internal.h"

#include <jansson.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/timestamp.h"

#define MARK "-empty" /* what the cursor of an empty page has more than the one it replaces */

static const char *const names[] = {
	[VARIATION_NONE] = "as recorded",
	[VARIATION_CUT] = "after a response that was cut",
	[VARIATION_SERVER_ERROR] = "after a 503",
	[VARIATION_UNAUTHORIZED] = "after a 401",
	[VARIATION_KILL] = "after a kill",
	[VARIATION_LOST] = "after the loss of its cursor",
	[VARIATION_EMPTY] = "after an empty page with a cursor",
	[VARIATION_TWICE] = "with the last pages twice",
};

const char *variation_to_string(enum variation_kind kind)
{
	return names[kind];
}

static size_t base_size(const struct exchange *exchange)
{
	return strcspn(exchange->url, "?");
}

static bool same_base(const struct exchange *a, const struct exchange *b)
{
	return base_size(a) == base_size(b) && strncmp(a->url, b->url, base_size(a)) == 0;
}

static size_t first_list(const struct conversation *conversation)
{
	size_t at = 0;
	while (conversation->items[at].login)
		at++;
	return at;
}

static bool is_given(const struct cursor_definition *cursor)
{
	return cursor->kind == CURSOR_POINTER || cursor->kind == CURSOR_HEADER ||
	       cursor->kind == CURSOR_LINK;
}

/* Does the request at INDEX use a cursor that the API gave, which it could refuse? */
static bool may_be_lost(
	const struct source *source, const struct conversation *conversation, size_t index)
{
	const struct definition *definition = source->definition;
	const struct exchange *exchange = &conversation->items[index];
	size_t first = first_list(conversation);
	if (definition->n_errors_lost == 0 || index == first ||
		!same_base(exchange, &conversation->items[first]))
		return false;
	return exchange->now_time == NSEC_NONE ? is_given(&definition->page_cursor)
					       : is_given(&definition->resume_cursor);
}

static bool may_be_empty(
	const struct source *source, const struct conversation *conversation, size_t index)
{
	const struct definition *definition = source->definition;
	struct player player = {.source = source, .conversation = conversation};
	struct http_response response = {.body = BUF_NULL};
	if (index + 1 >= conversation->n_items ||
		conversation->items[index + 1].now_time != NSEC_NONE ||
		!same_base(&conversation->items[index], &conversation->items[index + 1]) ||
		!is_given(&definition->page_cursor) ||
		definition->page_end & (END_EMPTY | END_SHORT | END_SAME))
		return false;
	bool possible = player_empty_page(&player, &conversation->items[index], &response);
	http_headers_deinit(&response.headers);
	buf_deinit(&response.body);
	return possible;
}

bool variation_applies(const struct variation *variation, const struct source *source,
	const struct conversation *conversation)
{
	const struct definition *definition = source->definition;
	const struct exchange *exchange = &conversation->items[variation->at];
	if (exchange->login)
		return false;
	switch (variation->kind) {
	case VARIATION_NONE:
		return false;
	case VARIATION_CUT:
		return exchange->status < 300; /* of another response the status is enough */
	case VARIATION_SERVER_ERROR:
	case VARIATION_UNAUTHORIZED:
	case VARIATION_KILL:
		return true;
	case VARIATION_LOST:
		return may_be_lost(source, conversation, variation->at);
	case VARIATION_EMPTY:
		return may_be_empty(source, conversation, variation->at);
	case VARIATION_TWICE:
		/* without an ID, what a gapless cursor brings is new */
		return variation->at + 1 == conversation->n_items &&
		       (definition->n_records_id || definition->resume.window);
	}
	return false;
}

static void respond(const struct exchange *exchange, struct http_response *response)
{
	const struct http_headers *headers = &exchange->answer_headers;
	struct slice date = http_headers_get(headers, "Date");
	response->status = exchange->status;
	response->server_time = clock_wall();
	if (date.data)
		timestamp_parse_http(date, &response->server_time);
	for (size_t i = 0; i < headers->n_items; i++)
		http_headers_add(&response->headers, headers->items[i].name,
			slice_of(headers->items[i].value));
	buf_append_slice(&response->body, buf_slice(&exchange->answer));
	response->wire_size = response->body.size;
}

static void respond_status(struct http_response *response, int status)
{
	response->status = status;
	response->server_time = clock_wall();
}

/* One document: of lines, a part is as good as the whole. */
static bool is_json(const struct buf *body)
{
	json_t *root = json_loadb(buf_text(body), body->size, 0, NULL);
	json_decref(root);
	return root != NULL;
}

/* First the connection ends in the middle; then the body does, and nothing says so but the JSON. */
static bool cut(
	const struct exchange *exchange, struct http_response *response, unsigned n_injected)
{
	size_t half = exchange->answer.size / 2;
	if (n_injected > 1 || (n_injected == 1 && !(half && is_json(&exchange->answer))))
		return false;
	respond(exchange, response);
	response->body.size = half;
	if (half)
		response->body.data[half] = '\0';
	if (n_injected == 0)
		fault_set(&response->fault, FAULT_NETWORK, "the response was cut short");
	return true;
}

/* The value at POINTER gets MARK. */
static bool mark_member(json_t *root, const struct pointer *pointer)
{
	json_t *value = pointer_find(pointer, root);
	if (!json_is_string(value) || json_string_length(value) == 0)
		return false;
	char *text CLEANUP_FREE = mem_printf("%s%s", json_string_value(value), MARK);
	return json_string_set(value, text) == 0;
}

/* The same of a header, or of the next page's link in it. */
static bool mark_header(struct http_headers *headers, const char *name, bool link)
{
	struct slice value = http_headers_get(headers, name);
	const char *rel = link && value.data ? strstr(value.data, "rel=\"next\"") : NULL;
	size_t size = value.size;
	if (link)
		size = rel ? (size_t)(rel - value.data) : 0;
	while (link && size > 0 && value.data[size] != '>')
		size--;
	if (size == 0)
		return false;
	char *text CLEANUP_FREE =
		mem_printf("%.*s%s%s", (int)size, value.data, MARK, value.data + size);
	http_headers_set(headers, name, slice_of(text));
	return true;
}

static void empty_array(json_t *value, void *userdata)
{
	bool *made = userdata;
	*made |= json_array_size(value) > 0;
	json_array_clear(value);
}

bool player_empty_page(const struct player *player, const struct exchange *exchange,
	struct http_response *response)
{
	const struct definition *definition = player->source->definition;
	const struct cursor_definition *cursor = &definition->page_cursor;
	respond(exchange, response);
	json_t *root =
		json_loadb(buf_text(&response->body), response->body.size, JSON_DECODE_ANY, NULL);
	bool made = false;
	for (size_t i = 0; i < definition->n_records_at; i++)
		pointer_find_each(&definition->records_at[i], root, empty_array, &made);
	if (made && cursor->kind == CURSOR_POINTER)
		made = mark_member(root, &cursor->pointer);
	else if (made)
		made = mark_header(&response->headers, cursor->header ? cursor->header : "Link",
			cursor->kind == CURSOR_LINK);
	if (made) {
		char *text CLEANUP_FREE = json_dumps(root, JSON_COMPACT | JSON_ENCODE_ANY);
		buf_clear(&response->body);
		buf_append_text(&response->body, text);
	}
	json_decref(root);
	return made;
}

/* True: a failure took the place of the answer of exchange INDEX. */
static bool inject(struct player *player, size_t index, struct http_response *response)
{
	const struct exchange *exchange = &player->conversation->items[index];
	const struct variation *variation = player->variation;
	unsigned n_injected = player->n_injected;
	if (index != variation->at)
		return false;
	switch (variation->kind) {
	case VARIATION_NONE:
	case VARIATION_TWICE:
		return false;
	case VARIATION_KILL:
		player->kill = n_injected == 0;
		player->n_injected++;
		return false;
	case VARIATION_CUT:
		player->n_injected++;
		return cut(exchange, response, n_injected);
	case VARIATION_SERVER_ERROR:
	case VARIATION_UNAUTHORIZED:
	case VARIATION_LOST:
		player->n_injected++;
		if (n_injected)
			return false;
		respond_status(response, variation->kind == VARIATION_SERVER_ERROR ? 503
					 : variation->kind == VARIATION_UNAUTHORIZED
						 ? 401
						 : player->source->definition->errors_lost[0]);
		return true;
	case VARIATION_EMPTY:
		player->n_injected++;
		return n_injected == 0 && player_empty_page(player, exchange, response);
	}
	return false;
}

static bool find(const struct player *player, const struct http_message *message, size_t from,
	size_t to, bool (*fits)(const struct exchange *, const struct http_message *),
	size_t *ret_index)
{
	for (size_t i = from; i < to; i++)
		if (!player->conversation->items[i].login &&
			fits(&player->conversation->items[i], message)) {
			*ret_index = i;
			return true;
		}
	return false;
}

/* Where the poll begins that the exchange before NEXT is of. */
static size_t begin_of_poll(const struct conversation *conversation, size_t next)
{
	size_t at = next > 0 ? next - 1 : 0;
	while (at > 0 &&
		(conversation->items[at].login || conversation->items[at].now_time == NSEC_NONE))
		at--;
	return at;
}

static bool has_mark(const struct http_message *message)
{
	return strstr(message->url, MARK) || strstr(buf_text(&message->body), MARK);
}

/* Which exchange MESSAGE begins. A failure may make trawld request again what it requested before,
 * and, where it lost its cursor, by other times. */
static bool find_exchange(
	struct player *player, const struct http_message *message, size_t *ret_index)
{
	const struct conversation *conversation = player->conversation;
	size_t next = player->next, n = conversation->n_items;
	while (next < n && conversation->items[next].login)
		next++;
	if (player->repeating) {
		/* documents are not requested a second time: exchanges are left out */
		size_t from =
			player->n_extra++ ? player->current + 1 : begin_of_poll(conversation, n);
		return find(player, message, from, n, conversation_resembles, ret_index);
	}
	if (next < n && conversation_matches(&conversation->items[next], message)) {
		*ret_index = next;
		return true;
	}
	if (player->n_injected == 0)
		return false;
	if (player->variation->kind == VARIATION_EMPTY && has_mark(message)) {
		*ret_index = player->variation->at;
		return true;
	}
	size_t from = begin_of_poll(conversation, player->next);
	return find(player, message, from, next, conversation_matches, ret_index) ||
	       find(player, message, 0, next, conversation_matches, ret_index) ||
	       (player->variation->kind == VARIATION_LOST &&
		       find(player, message, 0, next, conversation_resembles, ret_index));
}

static void tell_mismatch(struct player *player, const struct http_message *message)
{
	const struct conversation *conversation = player->conversation;
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	size_t next = player->next;
	while (next < conversation->n_items && conversation->items[next].login)
		next++;
	if (next < conversation->n_items) {
		const struct exchange *exchange = &conversation->items[next];
		player->current = next;
		conversation_print_request(exchange->method, exchange->url, &exchange->headers,
			buf_slice(&exchange->body), &text);
		buf_append_text(&text, "instead of this, trawld requests\n");
	}
	conversation_print_request(
		message->method, message->url, NULL, buf_slice(&message->body), &text);
	player->played->mismatch = true;
	player_fail(player, "%s:\n%s",
		next < conversation->n_items ? "another request than recorded"
					     : "one more request than recorded",
		buf_text(&text));
}

void player_answer(
	const struct http_message *message, struct http_response *response, void *userdata)
{
	struct player *player = userdata;
	const struct conversation *conversation = player->conversation;
	size_t index;
	if (player->kill && player->delivered) { /* it is dead already */
		fault_set(&response->fault, FAULT_NETWORK, "killed");
		return;
	}
	player->delivered = false;
	for (size_t i = 0; i < conversation->n_items; i++)
		if (conversation->items[i].login &&
			conversation_matches(&conversation->items[i], message)) {
			respond(&conversation->items[i], response);
			return;
		}
	if (player->played->error.size || !find_exchange(player, message, &index)) {
		/* a process that starts polls at once */
		player->over = player->variation->kind == VARIATION_KILL && player->n_injected &&
			       player->next == conversation->n_items;
		if (!player->over)
			tell_mismatch(player, message);
		fault_set(&response->fault, FAULT_NETWORK, "there is no such exchange");
		return;
	}
	if (inject(player, index, response))
		return;
	respond(&conversation->items[index], response);
	player->current = index;
	player->next = index + 1;
}
