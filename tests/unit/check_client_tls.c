/*
 * lib/net/client.c over TLS, while files are replaced and connections end: what is trusted, what is
 * used again, and what is said.
 */
#include "http_peer.h"

#include "base/cleanup.h"
#include "net/auth/auth.h"

static char directory[] = "/tmp/check_client_tls.XXXXXX";
static char *cert_file;
static char *key_file;
static char *other_cert_file;
static char *ca_file;

static char *in_directory(const char *name)
{
	return mem_printf("%s/%s", directory, name);
}

/* With arguments as openssl(1) takes them, at most 20 of them. */
static void openssl(const char *command)
{
	CLEANUP_FREE char *words = mem_strdup(command);
	char *arguments[24] = {(char *)"openssl"};
	int status = -1, n = 1;
	pid_t pid;

	for (char *rest = words, *word; (word = strsep(&rest, " "));)
		arguments[n++] = word;
	pid = fork();
	if (pid == 0) {
		ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
		execvp("openssl", arguments);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	ck_assert_int_eq(status, 0);
}

static void make_certificate(const char *cert, const char *key)
{
	CLEANUP_FREE char *command =
		mem_printf("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
			   "-days 2 -subj /CN=peer -addext subjectAltName=IP:127.0.0.1 -keyout %s "
			   "-out %s",
			key, cert);

	openssl(command);
}

static void start(void)
{
	CLEANUP_FREE char *other_key = NULL;

	ck_assert_ptr_nonnull(mkdtemp(directory));
	cert_file = in_directory("cert.pem");
	key_file = in_directory("key.pem");
	other_cert_file = in_directory("other.pem");
	other_key = in_directory("other-key.pem");
	ca_file = in_directory("ca.pem");
	make_certificate(cert_file, key_file);
	make_certificate(other_cert_file, other_key);
	unlink(other_key);
	peer_start(cert_file, key_file);
}

static void stop(void)
{
	char *const paths[] = {cert_file, key_file, other_cert_file, ca_file};

	peer_stop();
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		unlink(paths[i]);
		free(paths[i]);
	}
	rmdir(directory);
}

/* PATH gets what the file at FROM holds, as a program that rotates it does. */
static void replace(const char *path, const char *from)
{
	CLEANUP_FREE char *new = in_directory("new");
	CLEANUP_FREE char *command = mem_printf("x509 -in %s -out %s", from, new);

	openssl(command);
	ck_assert_int_eq(rename(new, path), 0);
}

static struct peer_answer get(const char *path, int port, const struct http_transport *transport)
{
	CLEANUP_FREE char *url = mem_printf("https://127.0.0.1:%d%s", port, path);

	return peer_get(url, transport);
}

static void expect(const char *path, const struct http_transport *transport, const char *text)
{
	struct peer_answer answer = get(path, peer.tls_port, transport);

	ck_assert_msg(answer.status == 200, "%s", answer.fault.text);
	ck_assert_ptr_nonnull(strstr(buf_text(&answer.body), text));
	peer_answer_deinit(&answer);
}

static void expect_refused(const char *path, const struct http_transport *transport)
{
	struct peer_answer answer = get(path, peer.tls_port, transport);

	ck_assert_int_eq(answer.status, 0);
	ck_assert_msg(strstr(answer.fault.text, "is not accepted"), "%s", answer.fault.text);
	peer_answer_deinit(&answer);
}

static const char *const paths[] = {"/tls", "/tls/close"};

START_TEST(authorities_that_are_replaced)
{
	struct http_transport transport = {.ca_file = ca_file};

	replace(ca_file, other_cert_file);
	expect_refused(paths[_i], &transport);
	replace(ca_file, cert_file);
	expect(paths[_i], &transport, "new");
	/* neither the open connection nor its session outlives the trust in it; both are counted
	 * in seconds */
	sleep(2);
	expect(paths[_i], &transport, " ");
	replace(ca_file, other_cert_file);
	expect_refused(paths[_i], &transport);
	replace(ca_file, cert_file);
	expect(paths[_i], &transport, "new");
}
END_TEST

START_TEST(sessions_are_resumed)
{
	struct http_transport transport = {.ca_file = cert_file};

	expect("/tls/close", &transport, "new");
	expect("/tls/close", &transport, "resumed");
	expect("/tls/close", &transport, "resumed");
}
END_TEST

START_TEST(a_client_certificate_that_is_missing)
{
	struct http_transport transport = {.ca_file = cert_file};
	struct peer_answer answer = get("/tls", peer.strict_port, &transport);

	ck_assert_int_eq(answer.fault.class, FAULT_NETWORK);
	/* its words may be lost, the hint is not */
	ck_assert_msg(strstr(answer.fault.text, "certificate required") ||
			      strstr(answer.fault.text, "may need a client certificate"),
		"%s", answer.fault.text);
	ck_assert_ptr_nonnull(strstr(answer.fault.text, "client_cert"));
	peer_answer_deinit(&answer);
	transport.client_cert = cert_file;
	transport.client_key = key_file;
	answer = get("/tls", peer.strict_port, &transport);
	ck_assert_msg(answer.status == 200, "%s", answer.fault.text);
	peer_answer_deinit(&answer);
}
END_TEST

/* Nobody is asked for the password on a terminal. */
START_TEST(a_key_that_is_encrypted)
{
	CLEANUP_FREE char *encrypted = in_directory("encrypted.pem");
	CLEANUP_FREE char *command =
		mem_printf("pkcs8 -topk8 -in %s -passout pass:right -out %s", key_file, encrypted);
	static const char *const passwords[] = {NULL, "wrong", "", "right"};

	openssl(command);
	for (int i = 0; i < 4; i++) {
		struct http_transport transport = {.ca_file = cert_file,
			.client_cert = cert_file,
			.client_key = encrypted,
			.client_key_password = passwords[i]};
		struct peer_answer answer = get("/tls", peer.strict_port, &transport);

		if (i < 3)
			ck_assert_msg(answer.fault.class == FAULT_CONFIG &&
					      strstr(answer.fault.text, "client_key_password"),
				"%d: %s", i, answer.fault.text);
		else
			ck_assert_msg(answer.status == 200, "%s", answer.fault.text);
		peer_answer_deinit(&answer);
	}
	unlink(encrypted);
}
END_TEST

/* The password is as that of a source whose options are gone after the call. */
static struct auth *token_of(const char *key, const char *password)
{
	CLEANUP_FREE char *url =
		mem_printf("https://127.0.0.1:%d/oauth/tls?life=3600", peer.strict_port);
	CLEANUP_FREE char *gone = mem_strdup(password);
	struct option_pair pairs[] = {{.name = (char *)"token_url", .value = url},
		{.name = (char *)"client_id", .value = (char *)"the id"},
		{.name = (char *)"client_secret", .value = (char *)"the secret"}};
	struct auth_setup setup = {.type = "oauth2_client",
		.settings = pairs,
		.n_settings = sizeof(pairs) / sizeof(pairs[0]),
		.client = peer.client,
		.transport = {.ca_file = cert_file,
			.client_cert = cert_file,
			.client_key = key,
			.client_key_password = gone}};
	struct fault fault = FAULT_NULL;
	struct auth *auth = NULL;

	ck_assert_msg(auth_new(&auth, &setup, &fault) == 0, "%s", fault.text);
	memset(gone, 'x', strlen(gone));
	return auth;
}

struct waiting {
	bool done;
	struct fault fault;
};

static void on_ready(const struct fault *fault, void *userdata)
{
	struct waiting *waiting = userdata;

	waiting->done = true;
	waiting->fault = fault ? *fault : FAULT_NULL;
}

static struct fault fetch(struct auth *auth)
{
	struct waiting waiting = {0};

	ck_assert_ptr_nonnull(auth_prepare(auth, on_ready, &waiting));
	while (!waiting.done)
		ev_run(peer.loop, EVRUN_ONCE);
	return waiting.fault;
}

/* Credentials are shared where the passwords are equal, and outlive the source they came from. */
START_TEST(the_password_of_a_shared_credential)
{
	CLEANUP_FREE char *encrypted = in_directory("encrypted.pem");
	CLEANUP_FREE char *command =
		mem_printf("pkcs8 -topk8 -in %s -passout pass:right -out %s", key_file, encrypted);
	struct auth *wrong, *first, *second;
	struct fault fault;

	openssl(command);
	wrong = token_of(encrypted, "wrong");
	first = token_of(encrypted, "right");
	second = token_of(encrypted, "right");
	ck_assert_ptr_ne(wrong, first);
	ck_assert_ptr_eq(first, second);
	fault = fetch(wrong);
	ck_assert_ptr_nonnull(strstr(fault.text, "client_key_password"));
	auth_free(first);
	fault = fetch(second);
	ck_assert_msg(fault.class == FAULT_NONE, "%s", fault.text);
	auth_free(second);
	auth_free(wrong);
	unlink(encrypted);
}
END_TEST

/* The server ends each connection when its second request arrives. */
START_TEST(connections_that_end_meanwhile)
{
	struct http_transport transport = {.ca_file = cert_file};

	for (int i = 1; i <= 5; i++) {
		struct peer_answer answer = get("/", peer.http2_port, &transport);

		ck_assert_msg(answer.status == 200, "request %d: %s", i, answer.fault.text);
		ck_assert_int_eq(atoi(buf_text(&answer.body)), i);
		peer_answer_deinit(&answer);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client_tls");
	TCase *cases = tcase_create("client_tls");
	SRunner *runner;
	int n_failed;

	tcase_add_unchecked_fixture(cases, start, stop);
	tcase_add_checked_fixture(cases, peer_client_open, peer_client_close);
	tcase_set_timeout(cases, 60);
	tcase_add_loop_test(cases, authorities_that_are_replaced, 0, 2);
	tcase_add_test(cases, sessions_are_resumed);
	tcase_add_test(cases, a_client_certificate_that_is_missing);
	tcase_add_test(cases, a_key_that_is_encrypted);
	tcase_add_test(cases, the_password_of_a_shared_credential);
	tcase_add_test(cases, connections_that_end_meanwhile);
	suite_add_tcase(suite, cases);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed > 0;
}
