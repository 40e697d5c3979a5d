/*
 * lib/net/auth/auth_sigv4.c with libcurl's signature, seen from the other end: the request goes to
 * a peer that plays the proxy and sends back what arrived, so host names and dates can be those of
 * published examples. Every signature is recomputed here from what arrived, with digest.h alone.
 */
#include "http_peer.h"

#include <ctype.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/str.h"

#include "net/auth/auth.h"

#define N(array) (int)(sizeof(array) / sizeof((array)[0]))
#define N_HEADERS 4
#define OSC_SECRET "abcdefghijABCDEFGHIJ0123456789abcdefghij"
#define AWS_SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define AWS_SCOPE "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request"

static const struct example {
	const char *settings[5]; /* provider, service, region, access_key, secret_key */
	const char *method;
	const char *url;
	const char *headers[N_HEADERS][2];
	const char *body; /* NULL: none */
	const char *date; /* NULL: now */
	const char *authorization; /* NULL: only recomputed */
} examples[] = {
	/* computed independently from the rules of OUTSCALE's own SDK (authentication.py) */
	{{"osc", "api", "eu-west-2", "ABCDEFGHIJ0123456789", OSC_SECRET}, "POST",
		"http://api.eu-west-2.outscale.com/api/v1/ReadApiLogs",
		{{"Content-Type", "application/json"}},
		"{\"Filters\":{\"QueryDateAfter\":\"2026-01-15T09:00:00.000000Z\","
		"\"QueryDateBefore\":\"2026-01-15T09:25:00.000000Z\"},\"ResultsPerPage\":1000}",
		"20260115T093000Z",
		"OSC4-HMAC-SHA256 Credential=ABCDEFGHIJ0123456789/20260115/eu-west-2/api/"
		"osc4_request, SignedHeaders=content-type;host;x-osc-date, Signature="
		"ee6107344c8b73e8c7e516f340984fe5126430f34182652b720996c5a379e576"},
	/* the AWS Signature Version 4 test suite: get-vanilla */
	{{"aws", "service", "us-east-1", "AKIDEXAMPLE", AWS_SECRET}, "GET",
		"http://example.amazonaws.com/", {{0}}, NULL, "20150830T123600Z",
		"AWS4-HMAC-SHA256 Credential=" AWS_SCOPE
		", SignedHeaders=host;x-amz-date, Signature="
		"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	/* the same suite: post-vanilla */
	{{"aws", "service", "us-east-1", "AKIDEXAMPLE", AWS_SECRET}, "POST",
		"http://example.amazonaws.com/", {{0}}, NULL, "20150830T123600Z",
		"AWS4-HMAC-SHA256 Credential=" AWS_SCOPE
		", SignedHeaders=host;x-amz-date, Signature="
		"5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
	/* the same suite: get-vanilla-query-order-key-case, asked in the wrong order */
	{{"aws", "service", "us-east-1", "AKIDEXAMPLE", AWS_SECRET}, "GET",
		"http://example.amazonaws.com/?Param2=value2&Param1=value1", {{0}}, NULL,
		"20150830T123600Z",
		"AWS4-HMAC-SHA256 Credential=" AWS_SCOPE
		", SignedHeaders=host;x-amz-date, Signature="
		"b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
	/* recomputed only */
	{{"osc", "api", "eu-west-2", "AK", "S3cr3t/+="}, "POST", "http://h.example/p",
		{{"Content-Type", "application/json; charset=utf-8"}, {"X-Zeta", "z"},
			{"X-Alpha", "a b"}, {"Accept", "application/json"}},
		"", NULL, NULL},
	{{"osc", "api", "eu-west-2", "AK", "S3cr3t/+="}, "GET",
		"http://h.example:8080/p?z=a+b&t=12:30%2B0800&e&u=%c3%a9/&A=1", {{0}}, NULL, NULL,
		NULL},
	{{"aws", "es", "eu-west-1", "AK", "S3cr3t/+="}, "PUT", "http://h.example/p",
		{{"X-Name", "J\xc3\xb6rg"}, {"Content-Type", "text/plain"}}, "body", NULL, NULL},
	{{"aws", "es", "eu-west-1", "AK", "S3cr3t/+="}, "POST", "http://h.example/p", {{0}}, "body",
		"20991231T235959Z", NULL},
};

static void start(void)
{
	peer_start(NULL, NULL);
}

/* The part of TEXT between BEFORE and the next of ENDS. */
static char *part(const char *text, const char *before, const char *ends)
{
	const char *at = strstr(text, before);

	ck_assert_msg(at, "no \"%s\" in %s", before, text);
	at += strlen(before);
	return mem_strndup(at, strcspn(at, ends));
}

/* A header of the request that arrived, found without case. */
static char *arrived_header(const char *request, const char *name)
{
	size_t size = strlen(name);

	for (const char *line = strchr(request, '\n'); line; line = strchr(line + 1, '\n')) {
		if (strncasecmp(line + 1, name, size) == 0 && line[1 + size] == ':') {
			struct slice value = {line + 2 + size, strcspn(line + 2 + size, "\r")};

			value = str_trim(value);
			return mem_strndup(value.data, value.size);
		}
	}
	ck_abort_msg("no header %s in %s", name, request);
	return NULL;
}

static void hash_hex(struct slice data, char *hex)
{
	uint8_t digest[DIGEST_SIZE];

	digest_sha256(data, digest);
	digest_hex(digest, sizeof(digest), hex);
}

/* The canonical request of what arrived: the path and query as sent, the headers that it names. */
static void canonical(const char *request, const char *names, struct buf *out)
{
	CLEANUP_FREE char *method = part(request, "", " ");
	CLEANUP_FREE char *path = part(request, "http://", " "); /* absolute form: we are a proxy */
	const char *slash = strchr(path, '/');
	const char *query = strchr(path, '?');
	struct slice rest = slice_of(names);
	struct slice name;
	char hex[DIGEST_HEX_SIZE];

	buf_printf(out, "%s\n%.*s\n%s\n", method,
		(int)(query ? (size_t)(query - slash) : strlen(slash)), slash,
		query ? query + 1 : "");
	while (str_next_part(&rest, ';', &name)) {
		CLEANUP_FREE char *text = mem_strndup(name.data, name.size);
		CLEANUP_FREE char *value = arrived_header(request, text);

		buf_printf(out, "%s:%s\n", text, value);
	}
	hash_hex(slice_of(strstr(request, "\r\n\r\n") + 4), hex);
	buf_printf(out, "\n%s\n%s", names, hex);
}

static void recompute(const struct example *example, const char *request, char *ret_hex)
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;
	CLEANUP(buf_deinit) struct buf key = BUF_NULL;
	CLEANUP_FREE char *names = part(request, "SignedHeaders=", ",");
	CLEANUP_FREE char *scope = part(request, "Credential=", ",");
	const char *algorithm = strcmp(example->settings[0], "osc") == 0 ? "OSC4" : "AWS4";
	CLEANUP_FREE char *date =
		arrived_header(request, *algorithm == 'O' ? "X-Osc-Date" : "X-Amz-Date");
	struct slice rest = slice_of(strchr(scope, '/') + 1);
	struct slice word;
	uint8_t digest[DIGEST_SIZE];

	canonical(request, names, &text);
	hash_hex(buf_slice(&text), ret_hex);
	buf_clear(&text);
	buf_printf(&text, "%s-HMAC-SHA256\n%s\n%s\n%s", algorithm, date, strchr(scope, '/') + 1,
		ret_hex);
	buf_printf(&key, "%s%s", algorithm, example->settings[4]);
	while (str_next_part(&rest, '/', &word)) {
		digest_hmac_sha256(buf_slice(&key), word, digest);
		buf_clear(&key);
		buf_append(&key, digest, sizeof(digest));
	}
	digest_hmac_sha256(buf_slice(&key), buf_slice(&text), digest);
	digest_hex(digest, sizeof(digest), ret_hex);
}

static struct auth *make(const struct example *example)
{
	static const char *const names[] = {
		"provider", "service", "region", "access_key", "secret_key"};
	struct option_pair pairs[5] = {0};
	struct auth_setup setup = {.type = "sigv4", .settings = pairs, .n_settings = 5};
	struct auth *auth = NULL;

	for (int i = 0; i < 5; i++) {
		pairs[i].name = (char *)names[i];
		pairs[i].value = (char *)example->settings[i];
	}
	ck_assert_int_eq(auth_new(&auth, &setup, NULL), 0);
	return auth;
}

static void fill(const struct example *example, struct http_message *message)
{
	message->method = mem_strdup(example->method);
	message->url = mem_strdup(example->url);
	message->has_body = example->body != NULL;
	if (example->body)
		buf_append_text(&message->body, example->body);
	for (int i = 0; i < N_HEADERS && example->headers[i][0]; i++)
		http_headers_add(&message->headers, example->headers[i][0],
			slice_of(example->headers[i][1]));
}

START_TEST(signatures_that_arrive)
{
	const struct example *example = &examples[_i];
	CLEANUP_FREE char *proxy = peer_url("");
	struct http_transport transport = {.proxy = proxy};
	struct http_message message = HTTP_MESSAGE_NULL;
	struct auth *auth = make(example);
	nsec_t now_time = clock_wall();
	struct peer_answer answer;
	struct tm tm = {0};
	char hex[DIGEST_HEX_SIZE];

	if (example->date) {
		ck_assert_ptr_nonnull(strptime(example->date, "%Y%m%dT%H%M%SZ", &tm));
		now_time = (nsec_t)timegm(&tm) * NSEC_PER_SEC;
	}
	fill(example, &message);
	/* twice, as a retry: the second replaces the first */
	ck_assert_int_eq(auth_apply(auth, &message, now_time - 40 * NSEC_PER_DAY, NULL), 0);
	ck_assert_int_eq(auth_apply(auth, &message, now_time, NULL), 0);
	answer = peer_send(&message, &transport);
	ck_assert_msg(answer.status == 200, "case %d: %s", _i, answer.fault.text);

	CLEANUP_FREE char *authorization = arrived_header(answer.body.data, "Authorization");
	CLEANUP_FREE char *signature = part(authorization, "Signature=", "\r");

	recompute(example, answer.body.data, hex);
	ck_assert_msg(strcmp(signature, hex) == 0, "case %d: %s", _i, answer.body.data);
	if (example->authorization)
		ck_assert_msg(strcmp(authorization, example->authorization) == 0, "case %d: %s", _i,
			authorization);
	for (int i = 0; i < N_HEADERS && example->headers[i][0]; i++) {
		CLEANUP_FREE char *names = part(authorization, "SignedHeaders=", ",");
		CLEANUP_FREE char *lower = mem_strdup(example->headers[i][0]);

		for (char *at = lower; *at; at++)
			*at = (char)tolower((unsigned char)*at);
		ck_assert_msg(strstr(names, lower), "case %d: %s", _i, names);
	}
	peer_answer_deinit(&answer);
	auth_free(auth);
}
END_TEST

/* With a right clock the date is libcurl's own and stands there once. */
START_TEST(date_is_sent_once)
{
	const struct example *example = &examples[4];
	CLEANUP_FREE char *proxy = peer_url("");
	struct http_transport transport = {.proxy = proxy};
	struct http_message message = HTTP_MESSAGE_NULL;
	struct auth *auth = make(example);
	struct peer_answer answer;
	const char *at;

	fill(example, &message);
	ck_assert_int_eq(auth_apply(auth, &message, clock_wall() + 30 * NSEC_PER_SEC, NULL), 0);
	answer = peer_send(&message, &transport);
	ck_assert_int_eq(answer.status, 200);
	at = strstr(answer.body.data, "\r\nX-Osc-Date: ");
	ck_assert_ptr_nonnull(at);
	ck_assert_ptr_null(strstr(at + 2, "\r\nX-Osc-Date: "));
	peer_answer_deinit(&answer);
	auth_free(auth);
}
END_TEST

START_TEST(message_after_apply)
{
	struct http_message message = HTTP_MESSAGE_NULL;
	struct auth *auth = make(&examples[5]);

	message.url = mem_strdup("https://h/p?b=2&a=1 "); /* not a URL */
	ck_assert_int_eq(auth_apply(auth, &message, clock_wall(), NULL), FAULT_CONFIG);
	free(message.url);
	message.url = mem_strdup("https://h/p?b=2&a=x+y#f");
	ck_assert_int_eq(auth_apply(auth, &message, clock_wall(), NULL), 0);
	ck_assert_str_eq(message.url, "https://h/p?a=x%20y&b=2");
	ck_assert_str_eq(message.sigv4, "osc:osc:eu-west-2:api");
	ck_assert_str_eq(message.sigv4_user, "AK");
	ck_assert_str_eq(message.sigv4_secret, "S3cr3t/+=");
	ck_assert_uint_eq(message.headers.n_items, 0);
	http_message_deinit(&message);
	auth_free(auth);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("auth_sigv4");
	TCase *cases = tcase_create("auth_sigv4");
	SRunner *runner;
	int n_failed;

	tcase_add_unchecked_fixture(cases, start, peer_stop);
	tcase_add_checked_fixture(cases, peer_client_open, peer_client_close);
	tcase_set_timeout(cases, 60);
	tcase_add_loop_test(cases, signatures_that_arrive, 0, N(examples));
	tcase_add_test(cases, date_is_sent_once);
	tcase_add_test(cases, message_after_apply);
	suite_add_tcase(suite, cases);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed > 0;
}
