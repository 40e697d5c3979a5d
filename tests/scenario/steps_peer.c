/* Steps of the HTTP peer: which request comes, and what is answered. */
#include "step.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/str.h"
#include "curl_double.h"
#include "leftovers.h"
#include "pattern.h"

#define REQUEST_WAIT NSEC_PER_SEC /* "at once", with what timers round up */

/* --- blocks: header lines, then after an empty line, or what is not a header, the body --- */

static bool is_header(const char *line)
{
	size_t size = strcspn(line, ": \t\n{[<\"");
	return size > 0 && line[size] == ':' && (line[size + 1] == ' ' || line[size + 1] == '\n');
}

/* Where the body begins in BLOCK; the lines before it are headers. */
static const char *body_of(const char *block)
{
	while (is_header(block)) {
		const char *end = strchr(block, '\n');
		block = end + 1;
	}
	return *block == '\n' ? block + 1 : block;
}

/* Without its last line feed. */
static char *copy_body(const char *block)
{
	const char *body = body_of(block);
	size_t size = strlen(body);
	return mem_strndup(body, size > 0 ? size - 1 : 0);
}

/* Takes one header line off *AT. */
static bool next_header(const char **at, char **ret_name, char **ret_value)
{
	if (!is_header(*at))
		return false;
	size_t name_size = strcspn(*at, ":"), size = strcspn(*at, "\n");
	const char *value = *at + name_size + 1;
	value += *value == ' ';
	*ret_name = mem_strndup(*at, name_size);
	*ret_value = mem_strndup(value, (size_t)(*at + size - value));
	*at += size + 1;
	return true;
}

static bool has_header(const char *block, const char *wanted)
{
	char *name, *value;
	bool has = false;
	while (!has && next_header(&block, &name, &value)) {
		has = strcasecmp(name, wanted) == 0;
		free(name);
		free(value);
	}
	return has;
}

/* --- requests --- */

/* Takes `within DURATION ` off *REST. */
static nsec_t take_wait(const char **rest)
{
	static const char word[] = "within ";
	if (!str_starts(*rest, word))
		return REQUEST_WAIT;
	const char *text = *rest + strlen(word);
	size_t size = strcspn(text, " ");
	char *duration CLEANUP_FREE = mem_strndup(text, size);
	*rest = text + size + (text[size] == ' ');
	return step_duration(duration);
}

static void compare_headers(const struct peer_request *request, const char *block)
{
	char *name, *value;
	while (next_header(&block, &name, &value)) {
		const char *sent = peer_header(request, name);
		if (strcmp(value, "-") == 0 && sent)
			world_fail("no such header", "%s: %s", name, sent);
		else if (strcmp(value, "-") != 0 && !(sent && pattern_matches(value, sent)))
			world_fail(value, "%s: %s", name, sent ? sent : "(not sent)");
		free(name);
		free(value);
	}
}

static bool is_line(const struct peer_request *request, const char *line)
{
	char *got CLEANUP_FREE = mem_printf("%s %s", peer_method(request), peer_url(request));
	return pattern_matches(line, got);
}

static void compare_body(const struct peer_request *request, const char *block)
{
	char *body CLEANUP_FREE = copy_body(block);
	if (*body && !pattern_matches(body, peer_body(request)))
		world_fail(body, "%s", peer_body(request));
}

static enum step_result expect_request(const struct step *step)
{
	const char *line = step->argument;
	nsec_t wait = take_wait(&line);
	struct peer_request *first = peer_unexpected(), *request = first;
	while (request && !is_line(request, line))
		request = peer_unexpected_next(request);
	if (!request && step_waits(wait))
		return STEP_WAIT;
	if (!request && first)
		world_fail(line, "%s %s", peer_method(first), peer_url(first));
	if (!request)
		world_fail(line, "no request");
	if (step->block) {
		compare_headers(request, step->block);
		compare_body(request, step->block);
	}
	peer_expect(request);
	return STEP_DONE;
}

void steps_peer_leftovers(void)
{
	struct peer_request *request = peer_unexpected();
	if (request)
		world_fail("no request", "%s %s", peer_method(request), peer_url(request));
}

static enum step_result expect_no_request(const struct step *step)
{
	if (*step->argument && step_waits(step_duration(step->argument)) && !peer_unexpected())
		return STEP_WAIT;
	steps_peer_leftovers();
	return STEP_DONE;
}

/* --- answers --- */

/* OPTIONS may say `to=PATTERN`, of the URL. */
static struct peer_request *request_to_answer(const char *options)
{
	const char *to = strstr(options, " to=");
	char *pattern CLEANUP_FREE =
		to ? mem_strndup(to + 4, strcspn(to + 4, " ")) : mem_strdup("*");
	struct peer_request *request = peer_unanswered(pattern);
	if (!request)
		world_fail("`expect request` before its answer", "no request that waits for one");
	return request;
}

static void add_date(struct buf *head)
{
	char text[64];
	struct tm tm;
	time_t now = (time_t)((world->monotonic + world->server_ahead) / NSEC_PER_SEC);
	gmtime_r(&now, &tm);
	strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	buf_printf(head, "Date: %s\r\n", text);
}

struct answer_options {
	uint64_t status, pad, wire, cut; /* UINT64_MAX: not given */
};

/* `200 pad=N wire=N cut=N to=PATTERN` */
static void read_options(const char *text, struct answer_options *ret)
{
	struct slice rest = slice_of(text), part;
	*ret = (struct answer_options){0, UINT64_MAX, UINT64_MAX, UINT64_MAX};
	if (!str_next_part(&rest, ' ', &part) ||
		number_parse_size(part, 100, 599, &ret->status) != 0)
		world_fail("a status", "`%s`", text);
	while (str_next_part(&rest, ' ', &part)) {
		struct slice value = {part.data, part.size}, name;
		str_next_part(&value, '=', &name);
		if (slice_is(name, "to"))
			continue;
		uint64_t *to = slice_is(name, "pad")    ? &ret->pad
			       : slice_is(name, "wire") ? &ret->wire
			       : slice_is(name, "cut")  ? &ret->cut
							: NULL;
		if (!to || number_parse_size(value, 0, UINT64_MAX - 1, to) != 0)
			world_fail("pad=N, wire=N, cut=N or to=PATTERN", "`%.*s`", (int)part.size,
				part.data);
	}
}

/* What a server adds by itself, and the headers of BLOCK; one whose value is `-` is left out. */
static void write_head(
	struct buf *head, const struct answer_options *options, const char *block, size_t body_size)
{
	char *name, *value;
	buf_printf(head, "HTTP/1.1 %d Because\r\n", (int)options->status);
	if (!has_header(block, "Date"))
		add_date(head);
	if (!has_header(block, "Content-Length") && !has_header(block, "Content-Encoding"))
		buf_printf(head, "Content-Length: %zu\r\n", body_size);
	while (next_header(&block, &name, &value)) {
		if (strcmp(value, "-") != 0)
			buf_printf(head, "%s: %s\r\n", name, value);
		free(name);
		free(value);
	}
	buf_append_text(head, "\r\n");
}

/* OPTIONS_TEXT is what stands after the word `answer`. */
static void send_answer(struct peer_request *request, const char *options_text, const char *block)
{
	struct answer_options options;
	struct buf head CLEANUP(buf_deinit) = BUF_NULL, body CLEANUP(buf_deinit) = BUF_NULL;
	char *text CLEANUP_FREE = copy_body(block);
	read_options(options_text, &options);
	buf_append_text(&body, text);
	for (uint64_t i = 0; options.pad != UINT64_MAX && i < options.pad; i++)
		buf_append_char(&body, ' ');
	write_head(&head, &options, block, body.size);
	bool is_cut = options.cut < body.size;
	peer_answer(request,
		&(struct peer_answer){
			.head = buf_text(&head),
			.body = buf_text(&body),
			.body_size = is_cut ? (size_t)options.cut : body.size,
			.wire_size = options.wire == UINT64_MAX ? -1 : (long long)options.wire,
			.result = is_cut ? CURLE_PARTIAL_FILE : CURLE_OK,
		});
}

static enum step_result answer(const struct step *step)
{
	send_answer(
		request_to_answer(step->argument), step->argument, step->block ? step->block : "");
	return STEP_TURN;
}

/* `STATUS METHOD URL`: from now on every such request is answered so. */
static enum step_result serve(const struct step *step)
{
	size_t i = 0;
	while (i < WORLD_SERVED && world->served[i])
		i++;
	if (i == WORLD_SERVED)
		world_fail("fewer `serve`", "more than %d", WORLD_SERVED);
	world->served[i] = step;
	return STEP_TURN;
}

static enum step_result serve_nothing(const struct step *step)
{
	(void)step;
	memset(world->served, 0, sizeof(world->served));
	return STEP_DONE;
}

static bool serve_request(struct peer_request *request)
{
	for (size_t i = 0; i < WORLD_SERVED && world->served[i]; i++) {
		const struct step *step = world->served[i];
		char *status CLEANUP_FREE =
			mem_strndup(step->argument, strcspn(step->argument, " "));
		const char *line = step->argument + strlen(status);
		if (!is_line(request, line + (*line == ' ')))
			continue;
		peer_expect(request);
		send_answer(request, status, step->block ? step->block : "");
		return true;
	}
	return false;
}

bool steps_peer_serve(void)
{
	bool any = false;
	for (struct peer_request *at = peer_unexpected(); at; at = peer_unexpected_next(at))
		any |= serve_request(at);
	return any;
}

static enum step_result fail(const struct step *step)
{
	static const struct {
		const char *name;
		int result, os_error;
	} kinds[] = {
		{"refused", CURLE_COULDNT_CONNECT, ECONNREFUSED},
		{"dns", CURLE_COULDNT_RESOLVE_HOST, 0},
		{"reset", CURLE_RECV_ERROR, ECONNRESET},
		{"nothing", CURLE_GOT_NOTHING, 0},
		{"tls", CURLE_PEER_FAILED_VERIFICATION, 0},
		{"timeout", CURLE_OPERATION_TIMEDOUT, 0},
	};
	size_t size = strcspn(step->argument, " ");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strlen(kinds[i].name) == size &&
			strncmp(step->argument, kinds[i].name, size) == 0) {
			peer_answer(request_to_answer(step->argument),
				&(struct peer_answer){
					.body = "",
					.result = kinds[i].result,
					.os_error = kinds[i].os_error,
				});
			return STEP_TURN;
		}
	world_fail("refused, dns, reset, nothing, tls or timeout", "`%s`", step->argument);
}

const struct step_kind steps_peer[] = {
	{"expect request", expect_request},
	{"expect no request", expect_no_request},
	{"answer", answer},
	{"fail", fail},
	{"serve", serve},
	{"serve nothing", serve_nothing},
	{NULL, NULL},
};
