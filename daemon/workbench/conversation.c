/* See conversation.h: the text. */
#include "workbench/conversation.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/timestamp.h"

#define SIZE_MAX_FILE (16u << 20)

struct reader {
	struct conversation *conversation;
	struct findings *findings;
	struct buf source; /* [source] as INI, each line where it is in the file */
	unsigned line;
	nsec_t now_time; /* of the next exchange */
	bool login; /* the next exchange is one */
	bool answered; /* the last exchange has its status */
	bool in_body; /* of its answer */
	bool in_request_body;
};

static void wrong(struct reader *reader, const char *text)
{
	findings_add(reader->findings, reader->conversation->path, reader->line, "%s", text);
}

static struct exchange *last(struct reader *reader)
{
	struct conversation *conversation = reader->conversation;
	return conversation->n_items ? &conversation->items[conversation->n_items - 1] : NULL;
}

static void begin_exchange(struct reader *reader, struct slice method, struct slice url)
{
	struct conversation *conversation = reader->conversation;
	conversation->items = mem_grow(conversation->items, conversation->n_items,
		&conversation->capacity, sizeof(struct exchange));
	conversation->items[conversation->n_items++] = (struct exchange){
		.line = reader->line,
		.login = reader->login,
		.now_time = reader->login ? NSEC_NONE : reader->now_time,
		.method = mem_strndup(method.data, method.size),
		.url = mem_strndup(url.data, url.size),
		.n_records = -1,
		.watermark_time = NSEC_NONE,
	};
	if (!reader->login)
		reader->now_time = NSEC_NONE;
	reader->login = reader->answered = reader->in_body = reader->in_request_body = false;
}

/* `Name: value`, before a body. */
static bool add_header(struct http_headers *headers, struct slice text)
{
	const char *colon = memchr(text.data, ':', text.size);
	if (!colon || colon == text.data)
		return false;
	char *name CLEANUP_FREE = mem_strndup(text.data, (size_t)(colon - text.data));
	if (!str_is_token(name))
		return false;
	struct slice value = {colon + 1, text.size - (size_t)(colon + 1 - text.data)};
	http_headers_add(headers, name, str_trim(value));
	return true;
}

static void add_line(struct buf *body, struct slice text)
{
	if (body->size)
		buf_append_char(body, '\n');
	buf_append_slice(body, text);
}

static bool is_url(struct slice text)
{
	char *copy CLEANUP_FREE = mem_strndup(text.data, text.size);
	return str_starts(copy, "https://") || str_starts(copy, "http://");
}

static void read_request(struct reader *reader, struct slice text)
{
	struct exchange *exchange = last(reader);
	struct slice url = text, method;
	if (str_next_part(&url, ' ', &method) && is_url(str_trim(url))) {
		begin_exchange(reader, method, str_trim(url));
		return;
	}
	if (!exchange || reader->answered) {
		wrong(reader, "expected `> METHOD URL`");
		return;
	}
	if (!reader->in_request_body && text.size && add_header(&exchange->headers, text))
		return;
	if (reader->in_request_body || text.size)
		add_line(&exchange->body, text);
	reader->in_request_body = true;
}

static void read_answer(struct reader *reader, struct slice text)
{
	struct exchange *exchange = last(reader);
	int64_t status;
	if (!exchange) {
		wrong(reader, "a response before the first request (`> METHOD URL`)");
		return;
	}
	if (!reader->answered) {
		if (number_parse(text, 100, 599, &status) != 0)
			wrong(reader, "expected the status of the response, such as `< 200`");
		exchange->status = (int)status;
		reader->answered = true;
		return;
	}
	if (!reader->in_body && text.size && add_header(&exchange->answer_headers, text))
		return;
	if (reader->in_body || text.size)
		add_line(&exchange->answer, text);
	reader->in_body = true;
}

static bool read_time(struct slice text, const char *word, nsec_t *ret)
{
	size_t size = strlen(word);
	return text.size > size && memcmp(text.data, word, size) == 0 &&
	       timestamp_parse_rfc3339(
		       str_trim((struct slice){text.data + size, text.size - size}), ret) == 0;
}

static bool read_count(struct slice text, int64_t *ret)
{
	struct slice rest = text, number;
	return str_next_part(&rest, ' ', &number) && number_parse(number, 0, 1000000, ret) == 0 &&
	       (slice_is(str_trim(rest), "record") || slice_is(str_trim(rest), "records"));
}

static void read_outcome(struct reader *reader, struct slice text)
{
	static const char record[] = "record ";
	struct exchange *exchange = last(reader);
	struct slice part;
	if (!exchange || !reader->answered || exchange->login) {
		wrong(reader, "`=` follows the response to a request for records");
		return;
	}
	if (text.size > strlen(record) && memcmp(text.data, record, strlen(record)) == 0) {
		char *line CLEANUP_FREE =
			mem_strndup(text.data + strlen(record), text.size - strlen(record));
		str_list_add(&exchange->records, line);
		return;
	}
	while (str_next_part(&text, ',', &part)) {
		if (slice_is(part, "end"))
			exchange->end = true;
		else if (slice_is(part, "more"))
			exchange->more = true;
		else if (!read_count(part, &exchange->n_records) &&
			 !read_time(part, "watermark ", &exchange->watermark_time))
			wrong(reader,
				"expected `N records`, `record TIME ID`, `end`, `more` or `watermark TIME`");
	}
}

/* What is not an exchange: keys of the source, and words between exchanges. */
static void read_word(struct reader *reader, struct slice text)
{
	struct buf *source = &reader->source;
	if (slice_is(text, "login") || slice_is(text, "watch")) {
		reader->login = true;
	} else if (read_time(text, "now ", &reader->now_time)) {
		return;
	} else if (reader->conversation->n_items) {
		wrong(reader, "expected `> METHOD URL`, `now TIME`, `login` or `watch`");
	} else if (text.size > 6 && memcmp(text.data, "start ", 6) == 0 &&
		   !memchr(text.data, '=', text.size)) {
		buf_append_text(source, "start = ");
		buf_append(source, text.data + 6, text.size - 6);
	} else {
		buf_append_slice(source, text);
	}
}

static void read_line(struct reader *reader, struct slice line)
{
	struct slice text = str_trim(line), rest = SLICE_NULL;
	char mark = text.size ? text.data[0] : '\0';
	if (line.size && strchr("><=", line.data[0]) && (line.size == 1 || line.data[1] == ' '))
		rest = line.size > 2 ? (struct slice){line.data + 2, line.size - 2} : SLICE("");
	else
		mark = mark == '#' ? '#' : '\0';
	if (mark == '>')
		read_request(reader, rest);
	else if (mark == '<')
		read_answer(reader, rest);
	else if (mark == '=')
		read_outcome(reader, rest);
	else if (mark != '#' && text.size)
		read_word(reader, text);
}

static void check(struct reader *reader)
{
	struct conversation *conversation = reader->conversation;
	size_t n = 0;
	reader->line = 0;
	for (size_t i = 0; i < conversation->n_items; i++) {
		struct exchange *exchange = &conversation->items[i];
		reader->line = exchange->line;
		if (exchange->status == 0)
			wrong(reader, "this request has no response (`< STATUS`)");
		if (!exchange->login && n++ == 0 && exchange->now_time == NSEC_NONE)
			wrong(reader, "`now TIME` is missing before the first request");
	}
	reader->line = 0;
	if (n == 0)
		wrong(reader, "a conversation needs at least one request for records");
}

static void read_text(struct reader *reader, struct slice rest)
{
	struct conversation *conversation = reader->conversation;
	if (rest.size == 0 || rest.data[0] != '#') {
		reader->line = 1;
		wrong(reader, "the first line is a comment that says what the conversation shows");
		return;
	}
	while (rest.size) {
		const char *end = memchr(rest.data, '\n', rest.size);
		size_t size = end ? (size_t)(end - rest.data) : rest.size;
		struct slice line = {rest.data, size};
		if (size && line.data[size - 1] == '\r')
			line.size--;
		reader->line++;
		if (reader->line == 1)
			conversation->title = mem_strndup(line.data + 1, line.size - 1);
		else
			read_line(reader, line);
		if (reader->line > 1 && conversation->n_items == 0)
			buf_append_char(&reader->source, '\n');
		rest = (struct slice){rest.data + size + (end != NULL), rest.size - size};
		rest.size -= end != NULL;
	}
	check(reader);
}

struct conversation *conversation_parse(
	const char *path, struct slice text, const char *provider, struct findings *findings)
{
	struct conversation *conversation = MEM_NEW(struct conversation);
	struct reader reader = {
		.conversation = conversation, .findings = findings, .now_time = NSEC_NONE};
	size_t n_before = findings->n_items;
	conversation->path = mem_strdup(path);
	buf_append_text(&reader.source, "[source conversation]\n");
	read_text(&reader, text);
	buf_printf(&reader.source, "provider = %s\n", provider);
	if (!strstr(buf_text(&reader.source), "\nrate ")) /* waiting for it shows nothing */
		buf_append_text(&reader.source, "rate = off\n");
	ini_read_text(
		&conversation->ini, path, buf_text(&reader.source), reader.source.size, findings);
	buf_deinit(&reader.source);
	if (findings->n_items == n_before)
		return conversation;
	conversation_free(conversation);
	return NULL;
}

struct conversation *conversation_read(
	const char *path, const char *provider, struct findings *findings)
{
	struct buf text CLEANUP(buf_deinit) = BUF_LIMITED(SIZE_MAX_FILE);
	int r = file_read(&text, path);
	if (!r)
		return conversation_parse(path, buf_slice(&text), provider, findings);
	findings_add(findings, path, 0, "cannot read: %s", strerror(-r));
	return NULL;
}

void conversation_free(struct conversation *conversation)
{
	if (!conversation)
		return;
	for (size_t i = 0; i < conversation->n_items; i++) {
		struct exchange *exchange = &conversation->items[i];
		free(exchange->method);
		free(exchange->url);
		http_headers_deinit(&exchange->headers);
		http_headers_deinit(&exchange->answer_headers);
		buf_deinit(&exchange->body);
		buf_deinit(&exchange->answer);
		str_list_deinit(&exchange->records);
	}
	free(conversation->items);
	ini_deinit(&conversation->ini);
	free(conversation->path);
	free(conversation->title);
	free(conversation);
}
