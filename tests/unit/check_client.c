/*
 * lib/net/client.c, transfer.c and curl_fault.c against a scripted peer: what comes back, what is
 * refused, and what is said. When callbacks come is in check_client_calls.c.
 */
#include "http_peer.h"

#include <sys/resource.h>

#include "base/cleanup.h"
#include "net/permit.h"

#define N(array) (int)(sizeof(array) / sizeof((array)[0]))
#define MIB (1024 * 1024)

static char directory[] = "/tmp/check_client.XXXXXX";
static char *cert_file;
static char *key_file;

static bool has(const char *text, const char *part)
{
	return strstr(text, part) != NULL;
}

static void make_certificate(void)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
		execlp("openssl", "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
			"ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=peer",
			"-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key_file, "-out",
			cert_file, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	ck_assert_int_eq(status, 0);
}

static void start(void)
{
	ck_assert_ptr_nonnull(mkdtemp(directory));
	cert_file = mem_printf("%s/cert.pem", directory);
	key_file = mem_printf("%s/key.pem", directory);
	make_certificate();
	peer_start(cert_file, key_file);
}

static void stop(void)
{
	peer_stop();
	unlink(cert_file);
	unlink(key_file);
	rmdir(directory);
	free(cert_file);
	free(key_file);
}

START_TEST(request_as_it_arrives)
{
	struct http_message message = HTTP_MESSAGE_NULL;
	struct peer_answer answer;
	const char *text;

	message.method = mem_strdup("POST");
	message.url = peer_url("/echo/../echo?q=a%2fb+c:d");
	message.has_body = true;
	buf_append(&message.body, "{\"a\":\0}", 7);
	http_headers_add(&message.headers, "Content-Type", SLICE("application/json"));
	http_headers_add(&message.headers, "X-Name", SLICE("J\xc3\xb6rg"));
	http_headers_add(&message.headers, "X-Empty", SLICE(""));
	answer = peer_send(&message, NULL);
	ck_assert_int_eq(answer.fault.class, FAULT_NONE);
	ck_assert_int_eq(answer.status, 200);
	text = buf_text(&answer.body);
	/* The peer answers dots in the path, too: what matters is that they arrive. */
	ck_assert_msg(has(text, "POST /echo/../echo?q=a%2fb+c:d HTTP/1.1\r\n"), "%s", text);
	ck_assert(has(text, "User-Agent: trawld/test\r\n"));
	ck_assert(has(text, "Content-Type: application/json\r\n"));
	ck_assert(has(text, "X-Name: J\xc3\xb6rg\r\n"));
	ck_assert(has(text, "X-Empty:"));
	ck_assert(has(text, "gzip"));
	ck_assert(has(text, "zstd"));
	ck_assert(has(text, "Content-Length: 7\r\n"));
	ck_assert(!has(text, "Expect"));
	ck_assert(memcmp(answer.body.data + answer.body.size - 7, "{\"a\":\0}", 7) == 0);
	ck_assert(slice_is(http_headers_get(&answer.headers, "content-type"), "text/plain"));
	ck_assert_int_eq(answer.server_time, INT64_C(1757924100) * NSEC_PER_SEC);
	peer_answer_deinit(&answer);
}
END_TEST

static const struct {
	const char *method;
	bool has_body;
	const char *body;
	const char *want[2];
} methods[] = {
	{"GET", false, "", {"GET /echo HTTP/1.1", "Accept"}},
	{"POST", false, "", {"POST /echo HTTP/1.1", "Content-Length: 0"}},
	{"POST", true, "x", {"POST /echo HTTP/1.1", "Content-Type: application/octet-stream"}},
	{"PUT", true, "xy", {"PUT /echo HTTP/1.1", "Content-Length: 2"}},
	{"DELETE", false, "", {"DELETE /echo HTTP/1.1", "Accept"}},
	{"GET", true, "{}", {"GET /echo HTTP/1.1", "\r\n\r\n{}"}},
};

START_TEST(every_method)
{
	struct http_message message = HTTP_MESSAGE_NULL;
	struct peer_answer answer;

	message.method = mem_strdup(methods[_i].method);
	message.url = peer_url("/echo");
	message.has_body = methods[_i].has_body;
	buf_append_text(&message.body, methods[_i].body);
	answer = peer_send(&message, NULL);
	ck_assert_msg(answer.status == 200, "case %d: %s", _i, answer.fault.text);
	for (int i = 0; i < 2; i++)
		ck_assert_msg(has(buf_text(&answer.body), methods[_i].want[i]), "case %d: %s", _i,
			buf_text(&answer.body));
	peer_answer_deinit(&answer);
}
END_TEST

START_TEST(connections_are_reused)
{
	char first[32] = "";

	for (int i = 0; i < 5; i++) {
		struct peer_answer answer = peer_get("/connection", NULL);

		if (i == 0)
			snprintf(first, sizeof(first), "%s", buf_text(&answer.body));
		ck_assert_str_eq(buf_text(&answer.body), first);
		peer_answer_deinit(&answer);
	}
}
END_TEST

static bool answer_number(void *userdata)
{
	int *left = userdata;

	return (*left)-- > 0;
}

/* There is a connection, and the request does not go out; nor does what a redirect asks for. */
START_TEST(nothing_leaves_without_a_permit)
{
	struct http_transport transport = {0};
	struct peer_answer answer = peer_get("/connection", &transport);
	int n_allowed = 0;

	peer_answer_deinit(&answer);
	permit_set(answer_number, &n_allowed);
	answer = peer_get("/connection", &transport);
	ck_assert_int_eq(n_allowed, -1);
	ck_assert_int_eq(answer.status, 0);
	ck_assert_int_eq(answer.fault.class, FAULT_NETWORK);
	ck_assert_msg(has(answer.fault.text, "nothing was sent"), "%s", answer.fault.text);
	peer_answer_deinit(&answer);
	n_allowed = 1; /* not for what a redirect asks for */
	transport.origin = peer_url("");
	answer = peer_get("/redirect?to=/echo", &transport);
	ck_assert_int_eq(n_allowed, -1);
	ck_assert_msg(has(answer.fault.text, "nothing was sent"), "%s", answer.fault.text);
	peer_answer_deinit(&answer);
	permit_set(NULL, NULL);
	answer = peer_get("/connection", &transport);
	ck_assert_int_eq(answer.status, 200);
	peer_answer_deinit(&answer);
	free((char *)(uintptr_t)transport.origin);
}
END_TEST

static const struct {
	const char *path;
	size_t size;
	bool is_smaller; /* on the wire */
} bodies[] = {
	{"/size/0", 0, false},
	{"/size/1", 1, false},
	{"/size/3000000", 3000000, false},
	{"/size/3000000/chunked", 3000000, false},
	{"/size/0/chunked", 0, false},
	{"/gzip/1000000", 1000000, true},
	{"/gzip/1000000?chunked=1", 1000000, true},
	{"/gzip/900000/bomb", 900000, true}, /* small ones may */
	{"/deflated/5000", 5000, true},
	{"/zstd", 12000, true},
	{"/members/500000", 500000, true},
	{"/members/5500/padded", 5500, true},
	{"/members/2500/slow", 2500, true},
	{"/early", 4, false},
	{"/trailers", 2, false},
};

START_TEST(bodies_come_whole)
{
	struct peer_answer answer = peer_get(bodies[_i].path, NULL);

	ck_assert_msg(answer.fault.class == FAULT_NONE, "case %d: %s", _i, answer.fault.text);
	ck_assert_msg(answer.body.size == bodies[_i].size, "case %d: %zu", _i, answer.body.size);
	ck_assert_msg((answer.wire_size < answer.body.size) == bodies[_i].is_smaller,
		"case %d: %llu", _i, (unsigned long long)answer.wire_size);
	ck_assert_ptr_null(http_headers_get(&answer.headers, "X-Early").data);
	ck_assert_ptr_null(http_headers_get(&answer.headers, "Link").data);
	peer_answer_deinit(&answer);
}
END_TEST

static const struct {
	const char *path;
	size_t max_body; /* 0: the default */
	unsigned timeout_ms;
	enum fault_class class;
	const char *text; /* part of it */
} refusals[] = {
	{"/size/68157440", 0, 0, FAULT_LIMIT, "68157440 bytes long, more than the limit of 64 MiB"},
	{"/size/68157440/chunked", 0, 0, FAULT_LIMIT, "larger than the limit of 64 MiB"},
	{"/size/1001", 1000, 0, FAULT_LIMIT, "1001 bytes long, more than `max_page` (1000 bytes)"},
	{"/gzip/5000", 4096, 0, FAULT_LIMIT, "larger than `max_page` (4 KiB)"},
	{"/gzip/50000000/bomb", 0, 0, FAULT_LIMIT, "more than 100 times its size"},
	{"/gzip/50000000/bomb?chunked=1", 0, 0, FAULT_LIMIT, "more than 100 times its size"},
	{"/gzip/2000000/bomb", 0, 0, FAULT_LIMIT, "more than 100 times its size"},
	{"/garbled", 0, 0, FAULT_BODY, "(gzip) cannot be decoded: it is damaged"},
	{"/zstd/cut", 0, 0, FAULT_BODY, "(zstd) cannot be decoded: it is cut short"},
	{"/members/5000/cut", 0, 0, FAULT_BODY, "it is cut short"},
	{"/members/5000", 4096, 0, FAULT_LIMIT, "larger than `max_page` (4 KiB)"},
	{"/brotli", 0, 0, FAULT_BODY, "(br) cannot be decoded: only gzip, zstd was requested"},
	{"/cut/1000", 0, 0, FAULT_NETWORK, "cut short after 500 bytes"},
	{"/cut/1000/chunked", 0, 0, FAULT_NETWORK, "cut short"},
	{"/cut/5000000", 0, 0, FAULT_NETWORK, "cut short after 2500000 bytes"},
	{"/reset/1000", 0, 0, FAULT_NETWORK, "cut short"},
	{"/close", 0, 0, FAULT_NETWORK, "closed the connection without an answer"},
	{"/hang", 0, 150, FAULT_TIMEOUT, "waiting for an answer from 127.0.0.1:"},
	{"/hang/1000", 0, 150, FAULT_TIMEOUT, "in the middle of the answer"},
	{"/headers/70000", 0, 0, FAULT_LIMIT, "header of the answer is larger than 64 KiB"},
	{"/headers/200000", 0, 0, FAULT_LIMIT, "too large"},
	{"/headers/30000/9", 0, 0, FAULT_LIMIT, "larger than 256 KiB"},
};

START_TEST(what_is_refused)
{
	struct http_transport transport = {.max_body = refusals[_i].max_body,
		.max_body_key = refusals[_i].max_body ? "max_page" : NULL,
		.timeout_ns = refusals[_i].timeout_ms * NSEC_PER_MSEC};
	struct peer_answer answer = peer_get(refusals[_i].path, &transport);

	/* on a busy machine, even connecting can take longer */
	while (refusals[_i].timeout_ms && !has(answer.fault.text, refusals[_i].text) &&
		transport.timeout_ns < 30 * NSEC_PER_SEC) {
		peer_answer_deinit(&answer);
		transport.timeout_ns *= 2;
		answer = peer_get(refusals[_i].path, &transport);
	}
	ck_assert_msg(answer.fault.class == refusals[_i].class, "case %d: class %d %s", _i,
		answer.fault.class, answer.fault.text);
	ck_assert_msg(
		has(answer.fault.text, refusals[_i].text), "case %d: %s", _i, answer.fault.text);
	ck_assert_msg(answer.body.size == 0, "case %d", _i);
	peer_answer_deinit(&answer);
}
END_TEST

START_TEST(headers_below_the_ceilings)
{
	struct peer_answer answer = peer_get("/headers/60000/4", NULL);

	ck_assert_msg(answer.fault.class == FAULT_NONE, "%s", answer.fault.text);
	ck_assert_uint_eq(http_headers_get(&answer.headers, "X-Large").size, 60000);
	peer_answer_deinit(&answer);
}
END_TEST

/* The largest page that is allowed: memory stays near its size, though it arrives in pieces. */
START_TEST(largest_page)
{
	struct peer_answer answer = peer_get("/size/67108864/chunked", NULL);
	struct rusage usage;

	ck_assert_msg(answer.fault.class == FAULT_NONE, "%s", answer.fault.text);
	ck_assert_uint_eq(answer.body.size, 64 * MIB);
	getrusage(RUSAGE_SELF, &usage);
#if !defined(__SANITIZE_ADDRESS__)
	ck_assert_msg(usage.ru_maxrss < 110 * 1024, "%ld KiB", usage.ru_maxrss);
#endif
	peer_answer_deinit(&answer);
}
END_TEST

static const struct {
	const char *url;
	enum fault_class class;
	const char *text;
} unreachable[] = {
	{"http://127.0.0.1:1/p?key=QUERYSECRET", FAULT_NETWORK,
		"cannot connect to 127.0.0.1:1: Connection refused"},
	{"http://no-such-host.invalid/p?key=QUERYSECRET", FAULT_NETWORK,
		"the name no-such-host.invalid cannot be resolved"},
	{"ftp://127.0.0.1/QUERYSECRET", FAULT_CONFIG, "not an absolute http or https URL"},
	{"http://user:QUERYSECRET@127.0.0.1/", FAULT_CONFIG, "not an absolute http or https URL"},
	{"http://127.0.0.1/a b", FAULT_CONFIG, "not an absolute http or https URL"},
	{"", FAULT_CONFIG, "not an absolute http or https URL"},
};

START_TEST(what_cannot_be_reached)
{
	struct peer_answer answer = peer_get(unreachable[_i].url, NULL);

	ck_assert_int_eq(answer.status, 0);
	ck_assert_msg(
		answer.fault.class == unreachable[_i].class, "case %d: %s", _i, answer.fault.text);
	ck_assert_msg(
		has(answer.fault.text, unreachable[_i].text), "case %d: %s", _i, answer.fault.text);
	ck_assert_msg(!has(answer.fault.text, "QUERYSECRET"), "case %d", _i);
	peer_answer_deinit(&answer);
}
END_TEST

static const struct {
	const char *name;
	const char *value;
} bad_headers[] = {
	{"X-A", "a\r\nX-Evil: 1"},
	{"X-A", "a\n"},
	{"X A", "a"},
	{"X-A:", "a"},
	{"", "a"},
};

START_TEST(headers_that_would_break_out)
{
	struct http_message message = HTTP_MESSAGE_NULL;
	struct peer_answer answer;

	message.url = peer_url("/echo");
	http_headers_add(&message.headers, bad_headers[_i].name, slice_of(bad_headers[_i].value));
	answer = peer_send(&message, NULL);
	ck_assert_msg(answer.fault.class == FAULT_CONFIG, "case %d: %s", _i, answer.fault.text);
	peer_answer_deinit(&answer);
}
END_TEST

static const struct {
	const char *method;
	const char *path;
	bool has_origin;
	int status;
	enum fault_class class;
	const char *text;
} redirects[] = {
	{"GET", "/redirect?to=/echo", true, 200, FAULT_NONE, ""},
	{"GET", "/redirect?to=echo%3Fa%3Db&status=308", true, 200, FAULT_NONE, ""},
	{"GET", "/redirects/5", true, 200, FAULT_NONE, ""},
	{"GET", "/redirects/6", true, 307, FAULT_ORIGIN, "more than 5 times"},
	{"GET", "/redirect?to=/echo", false, 302, FAULT_NONE, ""},
	{"GET", "/redirect?to=http://evil.example/p%3Fkey%3DQUERYSECRET", true, 302, FAULT_ORIGIN,
		"redirected to http://evil.example:80, which is not"},
	{"GET", "/redirect?to=http://localhost/", true, 302, FAULT_ORIGIN, "http://localhost:80"},
	{"GET", "/redirect?to=//evil.example/", true, 302, FAULT_ORIGIN, "evil.example"},
	{"GET", "/redirect?to=file:///etc/passwd", true, 302, FAULT_ORIGIN, "not an http or https"},
	{"POST", "/redirect?to=/echo", true, 302, FAULT_NONE, ""},
	{"POST", "/redirect?to=https://evil.example/", true, 302, FAULT_ORIGIN, "evil.example"},
};

START_TEST(redirects_stay_at_home)
{
	CLEANUP_FREE char *origin = peer_url("");
	struct http_transport transport = {.origin = redirects[_i].has_origin ? origin : NULL};
	struct http_message message = HTTP_MESSAGE_NULL;
	struct peer_answer answer;

	message.method = mem_strdup(redirects[_i].method);
	message.url = peer_url(redirects[_i].path);
	http_headers_add(&message.headers, "Authorization", SLICE("Bearer t"));
	answer = peer_send(&message, &transport);
	ck_assert_msg(
		answer.fault.class == redirects[_i].class, "case %d: %s", _i, answer.fault.text);
	ck_assert_msg(answer.status == redirects[_i].status, "case %d: %d", _i, answer.status);
	ck_assert_msg(
		has(answer.fault.text, redirects[_i].text), "case %d: %s", _i, answer.fault.text);
	ck_assert_msg(!has(answer.fault.text, "QUERYSECRET"), "case %d", _i);
	if (answer.status == 200)
		ck_assert(has(buf_text(&answer.body), "Authorization: Bearer t"));
	peer_answer_deinit(&answer);
}
END_TEST

static void tls_url(char *url, size_t size, const char *host)
{
	snprintf(url, size, "https://%s:%d/echo", host, peer.tls_port);
}

START_TEST(tls_with_a_private_authority)
{
	struct http_transport transport = {.ca_file = cert_file};
	struct peer_answer answer;
	char url[64];

	tls_url(url, sizeof(url), "127.0.0.1");
	answer = peer_get(url, &transport);
	ck_assert_msg(answer.status == 200, "%s", answer.fault.text);
	peer_answer_deinit(&answer);

	answer = peer_get(url, NULL);
	ck_assert_int_eq(answer.fault.class, FAULT_NETWORK);
	ck_assert_msg(has(answer.fault.text, "TLS certificate of 127.0.0.1") &&
			      has(answer.fault.text, "CA's file"),
		"%s", answer.fault.text);
	peer_answer_deinit(&answer);

	tls_url(url, sizeof(url), "localhost"); /* not in the certificate */
	answer = peer_get(url, &transport);
	ck_assert_int_eq(answer.fault.class, FAULT_NETWORK);
	ck_assert_msg(
		has(answer.fault.text, "TLS certificate of localhost"), "%s", answer.fault.text);
	ck_assert(!has(answer.fault.text, "CA's file"));
	peer_answer_deinit(&answer);
}
END_TEST

/* http where https is spoken, and the other way round. */
START_TEST(the_other_scheme)
{
	struct http_transport transport = {.timeout_ns = NSEC_PER_SEC};
	struct peer_answer answer;
	char url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%d/echo", peer.tls_port);
	answer = peer_get(url, &transport);
	ck_assert_int_eq(answer.fault.class, FAULT_NETWORK);
	ck_assert_msg(has(answer.fault.text, "(does it expect https?)"), "%s", answer.fault.text);
	peer_answer_deinit(&answer);

	snprintf(url, sizeof(url), "https://127.0.0.1:%d/echo", peer.port);
	answer = peer_get(url, &transport);
	ck_assert_int_eq(answer.fault.class, FAULT_TIMEOUT);
	ck_assert_msg(has(answer.fault.text, "in the TLS handshake with 127.0.0.1") &&
			      has(answer.fault.text, "(does it speak http?)"),
		"%s", answer.fault.text);
	peer_answer_deinit(&answer);
}
END_TEST

static const struct {
	struct http_transport transport;
	const char *text;
} bad_files[] = {
	{{.ca_file = "/nonexistent/ca.pem"}, "CA file /nonexistent/ca.pem cannot be used"},
	{{.client_cert = "/nonexistent/cert.pem"}, "client certificate or its key"},
};

START_TEST(tls_files_that_are_not_there)
{
	struct peer_answer answer;
	char url[64];

	tls_url(url, sizeof(url), "127.0.0.1");
	answer = peer_get(url, &bad_files[_i].transport);
	ck_assert_int_eq(answer.fault.class, FAULT_CONFIG);
	ck_assert_msg(has(answer.fault.text, bad_files[_i].text), "%s", answer.fault.text);
	peer_answer_deinit(&answer);
}
END_TEST

/* Proxies come from the configuration only. */
START_TEST(the_environment_is_not_asked)
{
	CLEANUP_FREE char *proxy = peer_url("");
	struct http_transport transport = {.proxy = proxy};
	struct peer_answer answer;

	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	setenv("no_proxy", "*", 1);
	answer = peer_get("/echo", NULL);
	ck_assert_msg(answer.status == 200, "%s", answer.fault.text);
	peer_answer_deinit(&answer);
	answer = peer_get("http://api.example/path", &transport);
	ck_assert_msg(has(buf_text(&answer.body), "GET http://api.example/path HTTP/1.1"), "%s",
		answer.fault.text);
	peer_answer_deinit(&answer);
	answer = peer_get("https://api.example/path?key=QUERYSECRET", &transport);
	ck_assert_int_eq(answer.fault.class, FAULT_NETWORK);
	ck_assert_str_eq(answer.fault.text, "the proxy does not connect to api.example:443: "
					    "HTTP 407 Proxy Authentication Required");
	peer_answer_deinit(&answer);
	transport.proxy = "http://127.0.0.1:1";
	answer = peer_get("http://api.example/path", &transport);
	ck_assert_str_eq(answer.fault.text, "cannot connect to api.example:80 through the proxy "
					    "127.0.0.1:1: Connection refused");
	peer_answer_deinit(&answer);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client");
	TCase *cases = tcase_create("client");
	SRunner *runner;
	int n_failed;

	tcase_add_unchecked_fixture(cases, start, stop);
	tcase_add_checked_fixture(cases, peer_client_open, peer_client_close);
	tcase_set_timeout(cases, 60);
	tcase_add_test(cases, request_as_it_arrives);
	tcase_add_loop_test(cases, every_method, 0, N(methods));
	tcase_add_test(cases, connections_are_reused);
	tcase_add_test(cases, nothing_leaves_without_a_permit);
	tcase_add_loop_test(cases, bodies_come_whole, 0, N(bodies));
	tcase_add_loop_test(cases, what_is_refused, 0, N(refusals));
	tcase_add_test(cases, headers_below_the_ceilings);
	tcase_add_test(cases, largest_page);
	tcase_add_loop_test(cases, what_cannot_be_reached, 0, N(unreachable));
	tcase_add_loop_test(cases, headers_that_would_break_out, 0, N(bad_headers));
	tcase_add_loop_test(cases, redirects_stay_at_home, 0, N(redirects));
	tcase_add_test(cases, tls_with_a_private_authority);
	tcase_add_test(cases, the_other_scheme);
	tcase_add_loop_test(cases, tls_files_that_are_not_there, 0, N(bad_files));
	tcase_add_test(cases, the_environment_is_not_asked);
	suite_add_tcase(suite, cases);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed > 0;
}
