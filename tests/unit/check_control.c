/* The control socket: who is answered what, over a real connection. */
#include "control.h"

#include <ev.h>
#include <jansson.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "store/coverage.h"
#include "daemon_fixture.h"

static int fd;

static void open_all(const char *text)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	daemon_open(text);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/control", daemon_directory);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

/* The answer to LINE, which is sent with its end. */
static json_t *request(const char *line)
{
	struct buf answer = BUF_NULL;
	char piece[4096];
	ck_assert_int_eq(send(fd, line, strlen(line), 0), (ssize_t)strlen(line));
	while (!answer.size || answer.data[answer.size - 1] != '\n') {
		ssize_t n = recv(fd, piece, sizeof(piece), 0);
		ck_assert_int_ne(n, 0);
		if (n > 0)
			buf_append(&answer, piece, (size_t)n);
		else
			ev_run(trawld_parts(trawld)->loop, EVRUN_ONCE);
	}
	json_t *value = json_loadb(answer.data, answer.size, 0, NULL);
	ck_assert(json_is_object(value));
	buf_deinit(&answer);
	return value;
}

static void assert_refused(const char *line, int code, const char *why)
{
	json_t *value = request(line);
	ck_assert(json_is_false(json_object_get(value, "ok")));
	ck_assert_int_eq(json_integer_value(json_object_get(value, "code")), code);
	const char *error = json_string_value(json_object_get(value, "error"));
	ck_assert_msg(strstr(error, why), "%s: %s", line, error);
	json_decref(value);
}

static void assert_fine(const char *line)
{
	json_t *value = request(line);
	char *text = json_dumps(value, 0);
	ck_assert_msg(json_is_true(json_object_get(value, "ok")), "%s: %s", line, text);
	free(text);
	json_decref(value);
}

START_TEST(refuses)
{
	static const struct {
		const char *line;
		int code;
		const char *why;
	} cases[] = {
		{"\n", EX_USAGE, "not a JSON object"},
		{"[1]\n", EX_USAGE, "not a JSON object"},
		{"{\"command\":1}\n", EX_USAGE, "not a JSON object"},
		{"{\"command\":\"fly\"}\n", EX_USAGE, "unknown command"},
		{"{\"command\":\"status\",\"name\":\"ab\"}\n", EX_USAGE, "no source or sink `ab`"},
		{"{\"command\":\"poll\",\"source\":\"ab\"}\n", EX_USAGE, "no source `ab`"},
		{"{\"command\":\"poll\",\"source\":\"b\"}\n", EX_TEMPFAIL, "disabled"},
		{"{\"command\":\"refill\"}\n", EX_USAGE, "needs a source"},
		{"{\"command\":\"refill\",\"source\":\"b\"}\n", EX_USAGE,
			"neither an ID nor a time"},
		{"{\"command\":\"rename\",\"name\":\"a\"}\n", EX_USAGE, "needs a name"},
		{"{\"command\":\"pause\"}\n", EX_USAGE, "needs a name"},
		{"{\"command\":\"skip\",\"source\":\"a\"}\n", EX_USAGE, ""},
		{"{\"command\":\"rewind\",\"source\":\"a\"}\n", EX_USAGE,
			"needs a source and a time"},
		{"{\"command\":\"rewind\",\"source\":\"a\",\"to\":\"x\"}\n", EX_USAGE,
			"not a time"},
		{"{\"command\":\"tail\",\"source\":\"ab\"}\n", EX_USAGE, "no source `ab`"},
		{"{\"command\":\"replay\",\"name\":\"out\"}\n", EX_USAGE, "a name and a span"},
		{"{\"command\":\"dead-letters-resend\",\"name\":\"ab\"}\n", EX_USAGE,
			"no sink `ab`"},
		{"{\"command\":\"status\",\"configuration\":\"/other\"}\n", EX_CONFIG,
			"not /other"},
	};
	open_all(SOURCE("a", "") SOURCE("b", "enabled = no\n") SINK("out"));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_refused(cases[i].line, cases[i].code, cases[i].why);
}
END_TEST

START_TEST(obeys)
{
	open_all(SOURCE("a", "") SINK("out"));
	assert_fine("{\"command\":\"status\"}\n");
	assert_fine("{\"command\":\"status\",\"name\":\"a\"}\n");
	assert_fine("{\"command\":\"poll\"}\n");
	assert_fine("{\"command\":\"pause\",\"name\":\"out\"}\n");
	assert_fine("{\"command\":\"resume\",\"name\":\"out\"}\n");
	assert_fine("{\"command\":\"acknowledge-gaps\",\"source\":\"a\"}\n");
	ck_assert(!daemon_logged("acknowledged by")); /* there was none */
	coverage_add_gap(trawld_parts(trawld)->store, "a", 1, 2, GAP_RETENTION);
	assert_fine("{\"command\":\"acknowledge-gaps\",\"source\":\"a\"}\n");
	ck_assert(daemon_logged("1 gap of source a acknowledged by"));
	assert_fine("{\"command\":\"rewind\",\"source\":\"a\",\"to\":\"-1h\"}\n");
	assert_fine("{\"command\":\"reload\"}\n");
	trawld_stop(trawld);
	assert_refused("{\"command\":\"reload\"}\n", EX_TEMPFAIL, "trawld is stopping");
}
END_TEST

/* A poll is waited for; its source goes meanwhile. */
START_TEST(forgets)
{
	open_all(SOURCE("a", "") SINK("out"));
	const char *line = "{\"command\":\"poll\",\"source\":\"a\"}\n";
	ck_assert_int_eq(send(fd, line, strlen(line), 0), (ssize_t)strlen(line));
	while (!pollers_find(&trawld_parts(trawld)->pollers, "a"))
		ev_run(trawld_parts(trawld)->loop, EVRUN_ONCE);
	for (int i = 0; i < 2; i++) /* accepted, then read */
		ev_run(trawld_parts(trawld)->loop, EVRUN_NOWAIT);
	daemon_configure(SOURCE("c", "") SINK("out"));
	trawld_read_again(trawld);
	assert_refused("", EX_TEMPFAIL, "");
}
END_TEST

/* One of more than the limit is told so, and goes. */
START_TEST(too_long)
{
	char *line = mem_alloc(5001);
	memset(line, 'x', 5000);
	line[5000] = '\0';
	open_all(SOURCE("a", "") SINK("out"));
	assert_refused(line, EX_USAGE, "too long");
	free(line);
}
END_TEST

DAEMON_MAIN("control", refuses, obeys, forgets, too_long)
