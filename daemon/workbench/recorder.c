/* See recorder.h. */
#include "workbench/recorder.h"

#include <ev.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/timestamp.h"
#include "mask.h"
#include "source/runner.h"
#include "workbench/conversation.h"
#include "workbench/replace.h"

#define EXCHANGES_MAX 50

struct recorder {
	const struct source *source;
	bool raw;
	struct ev_loop *loop;
	struct runner *runner;
	struct buf body; /* the conversation without its head */
	struct buf request, answer; /* of the exchange under way, as text */
	struct buf facts;
	struct replacements replacements;
	size_t n_exchanges, n_records, n_new;
	bool pending; /* an exchange is to be written */
	size_t size_before; /* of the text, without it */
	unsigned n_failures; /* that pass by themselves */
	bool more; /* another request for records followed it */
	bool stopped;
	char *cursor;
	struct fault fault;
};

static nsec_t clock_begun, clock_begun_at;
static bool clock_frozen;

/* Whole seconds, and none passes before the first request: so the conversation can be played. */
static nsec_t read_wall(void)
{
	nsec_t elapsed = clock_frozen ? 0 : clock_monotonic() - clock_begun_at;
	return clock_begun + elapsed / NSEC_PER_SEC * NSEC_PER_SEC;
}

static void begin_clock(void)
{
	clock_frozen = true;
	clock_begun = clock_wall() / NSEC_PER_SEC * NSEC_PER_SEC;
	clock_begun_at = clock_monotonic();
	clock_set_source(NULL, read_wall);
}

/* The mark at the beginning of LINE; and an address up to its query, which says where a token comes
 * from: its parameter has a name like a secret's. */
static size_t plain_size(struct slice line)
{
	const char *scheme = memmem(line.data, line.size, " http", 5);
	const char *query =
		scheme ? memchr(scheme, '?', line.size - (size_t)(scheme - line.data)) : NULL;
	if (line.data[0] == '>' && scheme && memchr(line.data + 2, ' ', line.size - 2) == scheme)
		return query ? (size_t)(query - line.data) + 1 : line.size;
	return line.size < 2 ? line.size : 2;
}

/* TEXT, lines of a conversation, without registered secrets; of a login also without what only its
 * name makes a secret. */
static void append_masked(struct recorder *recorder, struct slice text, bool login, struct buf *out)
{
	while (text.size) {
		struct buf own CLEANUP(buf_deinit) = BUF_NULL;
		const char *end = memchr(text.data, '\n', text.size);
		size_t size = end ? (size_t)(end - text.data) : text.size;
		struct slice line = {text.data, size};
		size_t n_plain = plain_size(line);
		buf_append(out, line.data, n_plain);
		line = (struct slice){line.data + n_plain, size - n_plain};
		buf_append_slice(&own, line);
		secret_mask(&own);
		if (login)
			mask_body(buf_slice(&own), out);
		else if (recorder->source->definition->fetches)
			mask_url(buf_slice(&own), out);
		else
			buf_append_slice(out, buf_slice(&own));
		buf_append_char(out, '\n');
		size += end != NULL;
		text = (struct slice){text.data + size, text.size - size};
	}
}

static bool is_sent(const struct named_template *templates, size_t n_templates, const char *name)
{
	for (size_t i = 0; i < n_templates; i++)
		if (strcasecmp(templates[i].name, name) == 0)
			return true;
	return false;
}

/* The definition itself sends it: everything else proves who asks. */
static bool is_own_header(const struct source *source, const char *name)
{
	const struct definition *definition = source->definition;
	return is_sent(definition->first.headers, definition->first.n_headers, name) ||
	       is_sent(definition->next.headers, definition->next.n_headers, name);
}

static void asked(const struct http_message *message, void *userdata)
{
	struct recorder *recorder = userdata;
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	struct http_headers own = {0};
	clock_frozen = false;
	for (size_t i = 0; i < message->headers.n_items; i++)
		if (is_own_header(recorder->source, message->headers.items[i].name))
			http_headers_add(&own, message->headers.items[i].name,
				slice_of(message->headers.items[i].value));
	conversation_print_request(
		message->method, message->url, &own, buf_slice(&message->body), &text);
	http_headers_deinit(&own);
	buf_clear(&recorder->request);
	buf_append_slice(&recorder->request, buf_slice(&text));
}

/* Headers that a definition may read, and no others. */
static bool is_read(const struct source *source, const char *name)
{
	const struct definition *definition = source->definition;
	const struct cursor_definition *cursors[] = {
		&definition->page_cursor, &definition->resume_cursor};
	for (size_t i = 0; i < 2; i++) {
		if (cursors[i]->kind == CURSOR_LINK && strcasecmp(name, "Link") == 0)
			return true;
		if (cursors[i]->header && strcasecmp(name, cursors[i]->header) == 0)
			return true;
	}
	return strcasecmp(name, "Content-Type") == 0;
}

static void answered(const struct http_response *response, void *userdata)
{
	struct recorder *recorder = userdata;
	struct buf body CLEANUP(buf_deinit) = BUF_NULL;
	buf_clear(&recorder->answer);
	if (response->status == 0)
		return;
	buf_printf(&recorder->answer, "< %d\n", response->status);
	for (size_t i = 0; i < response->headers.n_items; i++)
		if (is_read(recorder->source, response->headers.items[i].name))
			buf_printf(&recorder->answer, "< %s: %s\n", response->headers.items[i].name,
				response->headers.items[i].value);
	if (recorder->raw)
		buf_append_slice(&body, buf_slice(&response->body));
	else
		replace_strings(&recorder->replacements, recorder->source,
			buf_slice(&response->body), &body);
	conversation_print_lines('<', buf_slice(&body), &recorder->answer);
}

/* --- the runner's callbacks --- */

/* What the last exchange led to, now that this is clear. */
static void end_exchange(struct recorder *recorder, bool end)
{
	if (!recorder->pending)
		return;
	recorder->pending = false;
	const char *after = end ? "end" : "more";
	if (!end && recorder->n_new == 0) /* they come with the last page, or there are none */
		buf_printf(&recorder->body, "= %s\n", after);
	else
		buf_printf(&recorder->body, "= %zu record%s, %s\n", recorder->n_new,
			str_plural(recorder->n_new), after);
	buf_append_slice(&recorder->body, buf_slice(&recorder->facts));
	buf_clear(&recorder->facts);
	recorder->n_new = 0;
}

static void write_exchange(struct recorder *recorder, bool login)
{
	if (recorder->answer.size == 0)
		return;
	if (!login)
		end_exchange(recorder, false);
	recorder->size_before = recorder->body.size;
	buf_append_text(&recorder->body, login ? "\nlogin\n" : "\n");
	append_masked(recorder, buf_slice(&recorder->request), login, &recorder->body);
	append_masked(recorder, buf_slice(&recorder->answer), login, &recorder->body);
	buf_clear(&recorder->answer);
	recorder->pending = !login;
	recorder->n_exchanges++;
}

/* With no more digits than it needs. */
static void print_time(nsec_t time, struct buf *out)
{
	unsigned digits = 0;
	for (nsec_t unit = NSEC_PER_SEC; digits < 9 && time % unit != 0; unit /= 1000)
		digits += 3;
	timestamp_print_rfc3339(time, digits, out);
}

static void accept(const struct record_batch *batch, void *userdata)
{
	struct recorder *recorder = userdata;
	for (size_t i = 0; i < batch->records.n_items; i++) {
		const struct record *record = &batch->records.items[i];
		buf_append_text(&recorder->facts, "= record ");
		if (record->time == NSEC_NONE)
			buf_append_char(&recorder->facts, '-');
		else
			print_time(record->time, &recorder->facts);
		buf_append_char(&recorder->facts, ' ');
		buf_append_slice(
			&recorder->facts, record->id_text.data ? record->id_text : SLICE("-"));
		buf_append_char(&recorder->facts, '\n');
	}
	recorder->n_new += batch->records.n_items;
	recorder->n_records += batch->records.n_items;
	if (batch->cursor) {
		free(recorder->cursor);
		recorder->cursor = mem_strdup(batch->cursor);
	}
}

static bool is_known(const struct record *record, void *userdata)
{
	(void)record;
	(void)userdata;
	return false;
}

static enum runner_leave may_poll(bool needs_window, void *userdata)
{
	(void)needs_window;
	(void)userdata;
	return RUNNER_LEAVE;
}

static void stop(struct recorder *recorder)
{
	recorder->stopped = true;
	ev_break(recorder->loop, EVBREAK_ALL);
}

static void rested(const struct fault *fault, void *userdata)
{
	struct recorder *recorder = userdata;
	if (fault)
		recorder->fault = *fault;
	stop(recorder);
}

static void requested(nsec_t elapsed_ns, size_t body_size, void *userdata)
{
	struct recorder *recorder = userdata;
	(void)elapsed_ns;
	(void)body_size;
	write_exchange(recorder, false);
	if (recorder->n_exchanges < EXCHANGES_MAX)
		return;
	fault_set(&recorder->fault, FAULT_LIMIT,
		"more than %d exchanges up to now: record a shorter time, with a later `start`",
		EXCHANGES_MAX);
	stop(recorder);
}

static bool is_passing(const struct fault *fault)
{
	return fault->class == FAULT_SERVER || fault->class == FAULT_THROTTLED ||
	       fault->class == FAULT_INCOMPLETE;
}

/* What passes by itself is not part of the conversation. */
static void failed(const struct fault *fault, void *userdata)
{
	struct recorder *recorder = userdata;
	if (is_passing(fault) && recorder->n_failures++ < 3) {
		if (recorder->pending)
			recorder->body.size = recorder->size_before;
		recorder->n_exchanges -= recorder->pending;
		recorder->pending = false;
		return;
	}
	recorder->fault = *fault;
	stop(recorder);
}

static void gap(nsec_t start_time, nsec_t end_time, enum gap_reason reason, void *userdata)
{
	(void)start_time;
	(void)end_time;
	(void)reason;
	(void)userdata;
}

/* An answer that no request for records has taken was one to a login. */
static void watch_asked(const struct http_message *message, void *userdata)
{
	write_exchange(userdata, true);
	asked(message, userdata);
}

static const struct runner_callbacks callbacks = {
	.accept = accept,
	.known = is_known,
	.may_poll = may_poll,
	.rested = rested,
	.requested = requested,
	.failed = failed,
	.gap = gap,
};

static void write_key(const struct source *source, const struct ini_entry *entry, struct buf *out)
{
	const struct definition *definition = source->definition;
	bool secret = entry->secret;
	for (size_t i = 0; i < definition->n_parameters; i++)
		secret |= definition->parameters[i].secret &&
			  strcmp(definition->parameters[i].name, entry->key) == 0;
	if (secret && strstr(entry->value, "-----BEGIN"))
		buf_printf(out, "%s = ${key:%s}\n", entry->key,
			strstr(entry->value, "BEGIN EC ") ? "ec" : "rsa");
	else if (secret)
		buf_printf(out, "%s = example-%s\n", entry->key, entry->key);
	else
		buf_printf(out, "%s = %s\n", entry->key, entry->value);
}

static void write_head(
	const struct source *source, const struct ini_section *section, struct buf *out)
{
	static const char *const left_out[] = {"provider", "start", "sinks", "interval", "enabled",
		"retry_max", "timeout", "ca_file", "client_cert", "client_key", "proxy", "rate"};
	nsec_t start;
	buf_printf(out, "# %s\n", source->name);
	if (timestamp_parse_point(slice_of(source->options.start), clock_begun, &start) == 0 &&
		start != NSEC_NONE) {
		buf_append_text(out, "start ");
		print_time(start, out);
		buf_append_char(out, '\n');
	} else {
		buf_printf(out, "start %s\n", source->options.start);
	}
	buf_append_text(out, "now ");
	timestamp_print_rfc3339(clock_begun, 0, out);
	buf_append_char(out, '\n');
	for (size_t i = 0; i < section->n_entries; i++) {
		bool skip = false;
		for (size_t j = 0; j < sizeof(left_out) / sizeof(left_out[0]); j++)
			skip |= strcmp(section->entries[i].key, left_out[j]) == 0;
		if (!skip)
			write_key(source, &section->entries[i], out);
	}
}

static void write_watermark(const struct recorder *recorder, struct buf *out)
{
	struct cursor cursor CLEANUP(cursor_deinit) = CURSOR_NULL;
	if (!recorder->cursor || cursor_parse(&cursor, recorder->cursor) != 0 ||
		cursor.watermark_time == NSEC_NONE)
		return;
	buf_append_text(out, "= watermark ");
	print_time(cursor.watermark_time, out);
	buf_append_char(out, '\n');
}

static void run(struct recorder *recorder, struct fault *reterr)
{
	struct http_client *client = http_client_new(recorder->loop, "trawld/" TRAWLD_VERSION);
	struct http_watch watch = {watch_asked, answered, recorder};
	struct runner_setup setup = {
		.loop = recorder->loop,
		.client = client,
		.source = recorder->source,
		.callbacks = &callbacks,
		.userdata = recorder,
		.give_up = true,
	};
	http_client_watch(client, &watch);
	if (runner_new(&recorder->runner, &setup, reterr) == 0) {
		ev_run(recorder->loop, 0);
		*reterr = recorder->fault;
	}
	runner_free(recorder->runner);
	http_client_free(client);
}

int recorder_run(const struct source *source, const struct ini_section *section, bool raw,
	struct recorded *ret, struct fault *reterr)
{
	struct recorder recorder = {.source = source, .raw = raw};
	*reterr = FAULT_NULL;
	begin_clock();
	recorder.loop = ev_loop_new(EVFLAG_AUTO);
	run(&recorder, reterr);
	end_exchange(&recorder, true);
	write_head(source, section, &ret->text);
	buf_append_slice(&ret->text, buf_slice(&recorder.body));
	write_watermark(&recorder, &ret->text);
	ret->n_exchanges = recorder.n_exchanges;
	ret->n_records = recorder.n_records;
	clock_set_source(NULL, NULL);
	ev_loop_destroy(recorder.loop);
	replacements_deinit(&recorder.replacements);
	buf_deinit(&recorder.body);
	buf_deinit(&recorder.request);
	buf_deinit(&recorder.answer);
	buf_deinit(&recorder.facts);
	free(recorder.cursor);
	return reterr->class == FAULT_NONE ? 0 : -1;
}

void recorded_deinit(struct recorded *recorded)
{
	buf_deinit(&recorded->text);
}
