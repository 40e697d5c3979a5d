/*
 * lib/net/auth/auth_command.c: what programs print, how long it is used, when they run again, what
 * their failures say, and what is not a program.
 */
#include "check_unit.h"
#include <ev.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"

#include "net/auth/auth.h"

#define N(array) (int)(sizeof(array) / sizeof((array)[0]))
#define WALL (INT64_C(1796000000) * NSEC_PER_SEC)

static struct ev_loop *loop;
static struct http_client *client;
static nsec_t ahead_ns;

static nsec_t moved_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (nsec_t)now.tv_sec * NSEC_PER_SEC + now.tv_nsec + ahead_ns;
}

static nsec_t fixed_wall(void)
{
	return WALL;
}

static uint64_t longest(uint64_t bound)
{
	return bound - 1;
}

static void start(void)
{
	ahead_ns = 0;
	clock_set_source(moved_clock, fixed_wall);
	random_set_source(longest);
	loop = ev_loop_new(0);
	client = http_client_new(loop, "test");
}

static void stop(void)
{
	http_client_free(client);
	ev_loop_destroy(loop);
}

/* SETTINGS: key, value, ..., NULL after the command. */
static int make(struct auth **ret, const char *command, const char *const *settings,
	nsec_t timeout_ns, struct fault *reterr)
{
	struct option_pair pairs[8] = {{.name = (char *)"command", .value = (char *)command}};
	struct auth_setup setup = {.type = "command",
		.settings = pairs,
		.n_settings = 1,
		.client = client,
		.transport = {.timeout_ns = timeout_ns}};

	for (size_t i = 0; settings && settings[i]; i += 2)
		pairs[setup.n_settings++] = (struct option_pair){
			.name = (char *)settings[i], .value = (char *)settings[i + 1]};
	return auth_new(ret, &setup, reterr);
}

static struct auth *made(const char *command, const char *const *settings)
{
	struct fault fault = FAULT_NULL;
	struct auth *auth = NULL;

	ck_assert_msg(
		make(&auth, command, settings, 60 * NSEC_PER_SEC, &fault) == 0, "%s", fault.text);
	return auth;
}

struct waiting {
	int n_calls;
	struct fault fault;
	struct auth **frees;
};

static void on_ready(const struct fault *fault, void *userdata)
{
	struct waiting *waiting = userdata;

	waiting->n_calls++;
	waiting->fault = fault ? *fault : FAULT_NULL;
	if (waiting->frees) {
		auth_free(*waiting->frees);
		*waiting->frees = NULL;
	}
}

/* True: nothing had to be waited for. */
static bool prepare(struct auth *auth, struct waiting *waiting)
{
	*waiting = (struct waiting){0};
	if (!auth_prepare(auth, on_ready, waiting))
		return true;
	ck_assert_int_eq(waiting->n_calls, 0);
	while (waiting->n_calls == 0)
		ev_run(loop, EVRUN_ONCE);
	return false;
}

static char *applied(struct auth *auth, const char *header)
{
	struct http_message message = HTTP_MESSAGE_NULL;
	struct fault fault = FAULT_NULL;
	char *value;

	message.method = mem_strdup("GET");
	message.url = mem_strdup("https://example.com/log?a=1");
	ck_assert_msg(auth_apply(auth, &message, WALL, &fault) == 0, "%s", fault.text);
	ck_assert_msg(http_headers_get(&message.headers, header).data != NULL, "no %s", header);
	value = mem_strdup(http_headers_get(&message.headers, header).data);
	http_message_deinit(&message);
	return value;
}

static const struct {
	const char *command;
	const char *settings[5];
	const char *header, *value;
} outputs[] = {
	{"/bin/echo tok-1", {0}, "Authorization", "Bearer tok-1"},
	{"/usr/bin/printf tok-2", {0}, "Authorization", "Bearer tok-2"}, /* no line feed */
	{"/usr/bin/printf '\\n  tok-3 \\n\\n'", {0}, "Authorization", "Bearer tok-3"},
	{"/bin/echo '{\"token\": \"tok-4\"}'", {"for", "bearer"}, "Authorization", "Bearer tok-4"},
	{"/usr/bin/printf '{\\n\"accessToken\":\\n\"tok-5\"}'", {0}, "Authorization",
		"Bearer tok-5"},
	{"/bin/echo key-6", {"for", "header", "name", "X-Key"}, "X-Key", "key-6"},
	{"/bin/echo p-7", {"for", "basic", "user", "me"}, "Authorization", "Basic bWU6cC03"},
	{"/bin/echo '{\"user\": \"me\", \"password\": \"p-7\", \"other\": 7}'", {"for", "basic"},
		"Authorization", "Basic bWU6cC03"},
};

START_TEST(what_programs_print)
{
	struct auth *auth = made(outputs[_i].command, outputs[_i].settings);
	struct waiting waiting;
	CLEANUP_FREE char *value = NULL;

	ck_assert(!prepare(auth, &waiting));
	ck_assert_msg(waiting.fault.class == FAULT_NONE, "case %d: %s", _i, waiting.fault.text);
	value = applied(auth, outputs[_i].header);
	ck_assert_msg(strcmp(value, outputs[_i].value) == 0, "case %d: %s", _i, value);
	auth_free(auth);
}
END_TEST

/* The same signature as with keys that are configured; both common forms. */
START_TEST(keys_of_a_role)
{
	static const char *const programs[] = {
		"/bin/echo '{\"access_key\": \"AK\", \"secret_key\": \"SK\", "
		"\"security_token\": \"ST\"}'",
		"/bin/echo '{\"Version\": 1, \"AccessKeyId\": \"AK\", \"SecretAccessKey\": \"SK\", "
		"\"SessionToken\": \"ST\", \"Expiration\": \"2036-11-28T10:00:00Z\"}'",
	};
	static const char *const settings[] = {
		"for", "sigv4", "provider", "aws", "region", "eu-central-1", "service", "x", NULL};
	struct option_pair pairs[] = {
		{.name = (char *)"provider", .value = (char *)"aws"},
		{.name = (char *)"region", .value = (char *)"eu-central-1"},
		{.name = (char *)"service", .value = (char *)"x"},
		{.name = (char *)"access_key", .value = (char *)"AK"},
		{.name = (char *)"secret_key", .value = (char *)"SK"},
		{.name = (char *)"security_token", .value = (char *)"ST"},
	};
	struct auth_setup setup = {.type = "sigv4", .settings = pairs, .n_settings = N(pairs)};
	struct auth *plain = NULL, *auth = made(programs[_i], settings);
	struct waiting waiting;
	CLEANUP_FREE char *want = NULL, *value = NULL, *token = NULL;

	ck_assert_int_eq(auth_new(&plain, &setup, NULL), 0);
	ck_assert(!prepare(auth, &waiting));
	ck_assert_msg(waiting.fault.class == FAULT_NONE, "%s", waiting.fault.text);
	want = applied(plain, "Authorization");
	value = applied(auth, "Authorization");
	token = applied(auth, "X-Amz-Security-Token");
	ck_assert_str_eq(value, want);
	ck_assert_str_eq(token, "ST");
	auth_free(plain);
	auth_free(auth);
}
END_TEST

/* A program that prints how often it has run, within RET_COMMAND; the caller unlinks RET_FILE. */
static void counting(const char *format, char **ret_command, char **ret_file)
{
	char file[] = "/tmp/check_auth_command.XXXXXX";
	int fd = mkstemp(file);

	ck_assert_int_ge(fd, 0);
	close(fd);
	*ret_file = mem_strdup(file);
	*ret_command = mem_printf(
		"/bin/sh -c 'echo >> %s; printf \"%s\" $(wc -l < %s)'", file, format, file);
}

static const struct {
	const char *format;
	const char *settings[3];
	nsec_t before_ns, after_ns; /* still the first one; another one */
} lives[] = {
	{"%s", {0}, 29 * NSEC_PER_MIN, 31 * NSEC_PER_MIN},
	{"%s", {"life", "10m"}, 4 * NSEC_PER_MIN, 6 * NSEC_PER_MIN},
	{"{\\\"token\\\": \\\"%s\\\", \\\"expires\\\": 7200}", {0}, 89 * NSEC_PER_MIN,
		91 * NSEC_PER_MIN},
	/* 7,200 seconds after fixed_wall */
	{"{\\\"token\\\": \\\"%s\\\", \\\"expires_on\\\": 1796007200}", {"life", "1d"},
		89 * NSEC_PER_MIN, 91 * NSEC_PER_MIN},
	{"{\\\"token\\\": \\\"%s\\\", \\\"expires\\\": \\\"2026-11-30T02:53:20Z\\\"}", {0},
		89 * NSEC_PER_MIN, 91 * NSEC_PER_MIN},
};

static void assert_bearer(struct auth *auth, const char *want)
{
	CLEANUP_FREE char *value = applied(auth, "Authorization");

	ck_assert_msg(strcmp(value, want) == 0, "%s instead of %s", value, want);
}

START_TEST(run_again_before_its_end)
{
	CLEANUP_FREE char *command = NULL, *file = NULL;
	struct waiting waiting;
	struct auth *auth;

	counting(lives[_i].format, &command, &file);
	auth = made(command, lives[_i].settings);
	ck_assert(!prepare(auth, &waiting));
	ck_assert_msg(waiting.fault.class == FAULT_NONE, "case %d: %s", _i, waiting.fault.text);
	assert_bearer(auth, "Bearer 1");
	ahead_ns = lives[_i].before_ns;
	ck_assert_msg(prepare(auth, &waiting), "case %d: too early", _i);
	ahead_ns = lives[_i].after_ns;
	ck_assert_msg(!prepare(auth, &waiting), "case %d: too late", _i);
	assert_bearer(auth, "Bearer 2");
	auth_free(auth);
	unlink(file);
}
END_TEST

START_TEST(run_again_after_a_401)
{
	CLEANUP_FREE char *command = NULL, *file = NULL;
	struct waiting waiting;
	struct auth *auth;

	counting("%s", &command, &file);
	auth = made(command, NULL);
	ck_assert(!prepare(auth, &waiting));
	ck_assert(auth_reject(auth, auth_epoch(auth)));
	ck_assert(!prepare(auth, &waiting));
	assert_bearer(auth, "Bearer 2");
	auth_free(auth);
	unlink(file);
}
END_TEST

static const struct {
	const char *command;
	const char *settings[9];
	enum fault_class class;
	const char *words;
} failures[] = {
	{"/bin/false", {0}, FAULT_SERVER, "no token from /bin/false: it ended with code 1"},
	{"/bin/sh -c 'echo s3cr3t-tok; echo no login: s3cr3t-tok >&2; exit 3'", {0}, FAULT_SERVER,
		"it ended with code 3: no login: ***"},
	{"/bin/sh -c 'echo first >&2; printf last >&2; kill -9 $$'", {0}, FAULT_SERVER,
		"it was ended by signal 9: last"},
	{"/bin/true", {0}, FAULT_BODY, "it printed nothing"},
	{"/bin/echo '{\"token\": '", {0}, FAULT_BODY, "not a JSON object"},
	{"/bin/echo '{\"tokens\": \"s3cr3t-tok\"}'", {0}, FAULT_BODY, "needs `token`"},
	{"/usr/bin/printf 's3cr3t-tok\\nb'", {0}, FAULT_BODY, "line break"},
	{"/bin/echo s3cr3t-tok", {"for", "sigv4", "provider", "aws", "region", "r", "service", "s"},
		FAULT_BODY, "not a JSON object"},
	{"/bin/sh -c 'head -c 70000 /dev/zero | tr \"\\0\" x'", {0}, FAULT_LIMIT,
		"more than 64 KiB"},
};

START_TEST(programs_that_fail)
{
	struct auth *auth = made(failures[_i].command, failures[_i].settings);
	struct waiting waiting;

	ck_assert(!prepare(auth, &waiting));
	ck_assert_msg(waiting.fault.class == failures[_i].class, "case %d: %d, %s", _i,
		(int)waiting.fault.class, waiting.fault.text);
	ck_assert_msg(strstr(waiting.fault.text, failures[_i].words) != NULL, "case %d: %s", _i,
		waiting.fault.text);
	ck_assert_msg(!strstr(waiting.fault.text, "s3cr3t"), "%s", waiting.fault.text);
	ck_assert_int_eq(
		auth_apply(auth, &(struct http_message){.url = (char *)"https://a/"}, 0, NULL), -1);
	auth_free(auth);
}
END_TEST

START_TEST(slow)
{
	struct fault fault = FAULT_NULL;
	struct waiting waiting;
	struct auth *auth = NULL;

	ck_assert_int_eq(make(&auth, "/bin/sleep 600", NULL, 50 * NSEC_PER_MSEC, &fault), 0);
	ck_assert(!prepare(auth, &waiting));
	ck_assert_int_eq(waiting.fault.class, FAULT_TIMEOUT);
	ck_assert_ptr_nonnull(strstr(waiting.fault.text, "did not end within timeout"));
	auth_free(auth);
}
END_TEST

START_TEST(freed)
{
	struct auth *auth = made("/bin/sleep 600", NULL);
	struct waiting waiting = {0};

	ck_assert_ptr_nonnull(auth_prepare(auth, on_ready, &waiting));
	auth_free(auth); /* while it runs */
	ck_assert_int_eq(waiting.n_calls, 0);
	auth = made("/bin/echo tok", NULL);
	waiting = (struct waiting){.frees = &auth}; /* in the callback */
	ck_assert_ptr_nonnull(auth_prepare(auth, on_ready, &waiting));
	while (waiting.n_calls == 0)
		ev_run(loop, EVRUN_ONCE);
	ck_assert_ptr_null(auth);
}
END_TEST

static const struct {
	const char *command;
	const char *settings[7];
	const char *words;
} mistakes[] = {
	{"", {0}, "needs `command`"},
	{"echo x", {0}, "absolute path"},
	{"/bin/echo 'x", {0}, "a quote does not end"},
	{"/nonexistent/program", {0}, "cannot run /nonexistent/program: No such file"},
	{"/bin/echo x", {"for", "login"}, "expected bearer, header"},
	{"/bin/echo x", {"for", "header"}, "needs `name`"},
	{"/bin/echo x", {"for", "bearer", "name", "X"}, "does not take `name`"},
	{"/bin/echo x", {"for", "sigv4", "provider", "aws"}, "requires service:"},
	{"/bin/echo x", {"life", "1s"}, "`life`"},
	{"/bin/echo x", {"token", "x"}, "no key `token`"},
};

START_TEST(what_is_not_a_program)
{
	struct fault fault = FAULT_NULL;
	struct auth *auth = NULL;

	ck_assert_int_eq(
		unit_class(make(&auth, mistakes[_i].command, mistakes[_i].settings, 0, &fault),
			&fault),
		FAULT_CONFIG);
	ck_assert_msg(
		strstr(fault.text, mistakes[_i].words) != NULL, "case %d: %s", _i, fault.text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("auth_command");
	TCase *cases = tcase_create("auth_command");
	SRunner *runner;
	int n_failed;

	tcase_add_checked_fixture(cases, start, stop);
	tcase_set_timeout(cases, 60);
	tcase_add_loop_test(cases, what_programs_print, 0, N(outputs));
	tcase_add_loop_test(cases, keys_of_a_role, 0, 2);
	tcase_add_loop_test(cases, run_again_before_its_end, 0, N(lives));
	tcase_add_test(cases, run_again_after_a_401);
	tcase_add_loop_test(cases, programs_that_fail, 0, N(failures));
	tcase_add_test(cases, slow);
	tcase_add_test(cases, freed);
	tcase_add_loop_test(cases, what_is_not_a_program, 0, N(mistakes));
	suite_add_tcase(suite, cases);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed > 0;
}
