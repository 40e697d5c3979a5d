/* lib/net/outcome.c: every status, every way to ask for a pause, excerpts without secrets. */
#include "check_unit.h"
#include <stdio.h>

#include "base/mem.h"
#include "base/secret.h"

#include "net/outcome.h"

#define N(array) (int)(sizeof(array) / sizeof((array)[0]))
#define NOW (INT64_C(1757924100) * NSEC_PER_SEC) /* 2025-09-15T08:15:00Z */

/* Each status has a class: the first row that covers it says which. */
static const struct {
	int first;
	int last;
	enum fault_class class;
} classes[] = {
	{0, 99, FAULT_SERVER},
	{100, 199, FAULT_CONFIG},
	{200, 299, FAULT_NONE},
	{300, 399, FAULT_CONFIG},
	{401, 401, FAULT_AUTH},
	{403, 403, FAULT_AUTH},
	{408, 408, FAULT_SERVER},
	{421, 421, FAULT_SERVER},
	{425, 425, FAULT_SERVER},
	{429, 429, FAULT_THROTTLED},
	{400, 499, FAULT_CONFIG},
	{500, 599, FAULT_SERVER},
	{600, 999, FAULT_SERVER},
};

START_TEST(every_status)
{
	for (int status = 0; status <= 999; status++) {
		struct http_response response = {.status = status, .server_time = NSEC_NONE};
		struct fault fault = FAULT_NULL;
		char start[16];
		int i = 0;

		while (status < classes[i].first || status > classes[i].last)
			i++;
		ck_assert_msg(http_outcome(&response, SLICE_NULL, NOW, &fault) == classes[i].class,
			"status %d", status);
		ck_assert_msg(fault.class == classes[i].class, "status %d", status);
		ck_assert(http_outcome(&response, SLICE_NULL, NOW, NULL) == classes[i].class);
		if (fault.class == FAULT_NONE)
			continue;
		ck_assert_msg(fault.status == status && fault.wait_ns == 0, "status %d", status);
		snprintf(start, sizeof(start), "HTTP %d", status);
		ck_assert_msg(strncmp(fault.text, start, strlen(start)) == 0, "status %d: %s",
			status, fault.text);
	}
}
END_TEST

static const struct {
	int status;
	const char *body;
	const char *api;
	const char *text;
} texts[] = {
	{429, NULL, NULL, "HTTP 429 Too Many Requests"},
	{404, "gone", NULL, "HTTP 404 Not Found: gone"},
	{500, "<html>", "no disk", "HTTP 500 Internal Server Error: no disk"},
	{404, NULL, "No such log.", "HTTP 404 Not Found: No such log"},
	{403, "[write];\n", NULL, "HTTP 403 Forbidden: [write]"},
	{500, "wait...", NULL, "HTTP 500 Internal Server Error: wait..."},
	{599, "a\nb", NULL, "HTTP 599: a b"},
	{400, "\x1b[31mred\x01\xff\xc3\xa9", NULL, "HTTP 400 Bad Request: ?[31mred??\xc3\xa9"},
};

START_TEST(text_of_a_fault)
{
	struct http_response response = {.status = texts[_i].status, .server_time = NSEC_NONE};
	struct fault fault = FAULT_NULL;

	if (texts[_i].body)
		buf_append_text(&response.body, texts[_i].body);
	http_outcome(&response, slice_of(texts[_i].api), NOW, &fault);
	ck_assert_msg(strcmp(fault.text, texts[_i].text) == 0, "case %d: %s", _i, fault.text);
	buf_deinit(&response.body);
}
END_TEST

static const struct {
	int status;
	const char *retry_after;
	const char *reset;
	const char *remaining;
	bool has_date; /* the server's Date is a minute behind NOW */
	nsec_t wait_ns;
} waits[] = {
	{429, "120", NULL, NULL, false, 120 * NSEC_PER_SEC},
	{503, "0", NULL, NULL, false, 0},
	{503, "1.2", NULL, NULL, false, 2 * NSEC_PER_SEC},
	{503, "Mon, 15 Sep 2025 08:16:30 GMT", NULL, NULL, false, 90 * NSEC_PER_SEC},
	{503, "Mon, 15 Sep 2025 08:16:30 GMT", NULL, NULL, true, 150 * NSEC_PER_SEC},
	{503, "Mon, 15 Sep 2025 08:10:00 GMT", NULL, NULL, false, 0},
	{503, "Mon, 15 Sep 2098 08:10:00 GMT", NULL, NULL, false, NSEC_PER_DAY},
	{503, "99999999999999999999999", NULL, NULL, false, NSEC_PER_DAY},
	{503, "-5", NULL, NULL, false, 0},
	{503, "soon", NULL, NULL, false, 0},
	{503, "", NULL, NULL, false, 0},
	{429, "5", "60", NULL, false, 5 * NSEC_PER_SEC},
	{429, "soon", "60", NULL, false, 60 * NSEC_PER_SEC},
	{429, "1757924160", NULL, NULL, false, 60 * NSEC_PER_SEC},
	{503, "1757924160000", NULL, NULL, true, 120 * NSEC_PER_SEC},
	{429, NULL, "Mon, 15 Sep 2025 08:16:30 GMT", NULL, false, 90 * NSEC_PER_SEC},
	{429, NULL, "60", NULL, false, 60 * NSEC_PER_SEC},
	{429, NULL, "1757924160", NULL, false, 60 * NSEC_PER_SEC},
	{429, NULL, "1757924160", NULL, true, 120 * NSEC_PER_SEC},
	{429, NULL, "1757924160000", NULL, false, 60 * NSEC_PER_SEC},
	{429, NULL, "1757924000", NULL, false, 0},
	{429, NULL, "99999999999", NULL, false, NSEC_PER_DAY},
	{429, NULL, "99999999999999999999", NULL, false, NSEC_PER_DAY},
	{403, NULL, "60", "0", false, 60 * NSEC_PER_SEC},
	{403, NULL, "60", "10", false, 0},
	{500, NULL, "60", NULL, false, 0},
	{200, "60", NULL, NULL, false, 0},
	{429, "2025-09-15T08:16:30Z", NULL, NULL, false, 90 * NSEC_PER_SEC},
	{429, "2025-09-15T10:16:30.5+02:00", NULL, NULL, true, 150500 * NSEC_PER_MSEC},
	{429, NULL, "2025-09-15T08:17Z", NULL, false, 2 * NSEC_PER_MIN},
	{429, NULL, "2025-09-15T08:17", NULL, false, 0},
};

START_TEST(wait_that_was_asked_for)
{
	struct http_response response = {.status = waits[_i].status, .server_time = NSEC_NONE};
	struct fault fault = FAULT_NULL;

	if (waits[_i].has_date)
		response.server_time = NOW - NSEC_PER_MIN;
	if (waits[_i].retry_after)
		http_headers_add(&response.headers, "retry-after", slice_of(waits[_i].retry_after));
	static const char *const names[][2] = {{"X-RateLimit-Reset", "X-RateLimit-Remaining"},
		{"X-Rate-Limit-Reset", "X-Rate-Limit-Remaining"},
		{"RateLimit-Reset", "ratelimit-remaining"}};
	const char *const *name = names[_i % 3];
	if (waits[_i].reset)
		http_headers_add(&response.headers, name[0], slice_of(waits[_i].reset));
	if (waits[_i].remaining)
		http_headers_add(&response.headers, name[1], slice_of(waits[_i].remaining));
	http_outcome(&response, SLICE_NULL, NOW, &fault);
	ck_assert_msg(
		fault.wait_ns == waits[_i].wait_ns, "case %d: %lld", _i, (long long)fault.wait_ns);
	http_headers_deinit(&response.headers);
}
END_TEST

/* A 403 with a time at which it ends is not about the credential. */
START_TEST(a_403_that_is_a_429)
{
	static const struct {
		const char *name, *value;
		enum fault_class class;
		nsec_t wait_ns;
	} cases[] = {
		{"Retry-After", "60", FAULT_THROTTLED, NSEC_PER_MIN},
		{"X-RateLimit-RetryAfter", "1757924160", FAULT_THROTTLED, NSEC_PER_MIN},
		{"X-Retry-After", "5", FAULT_THROTTLED, 5 * NSEC_PER_SEC},
		{"x-ratelimit-remaining", "0", FAULT_THROTTLED, 0},
		{"X-RateLimit-Remaining", "12", FAULT_AUTH, 0},
		{"X-RateLimit-Reset", "60", FAULT_AUTH, 0},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct http_response response = {.status = 403, .server_time = NSEC_NONE};
		struct fault fault = FAULT_NULL;
		http_headers_add(&response.headers, cases[i].name, slice_of(cases[i].value));
		http_outcome(&response, SLICE_NULL, NOW, &fault);
		ck_assert_msg(fault.class == cases[i].class && fault.wait_ns == cases[i].wait_ns,
			"case %zu: %d, %lld", i, fault.class, (long long)fault.wait_ns);
		http_headers_deinit(&response.headers);
	}
}
END_TEST

START_TEST(transport_faults_pass_through)
{
	struct http_response response = {.status = 200, .server_time = NSEC_NONE};
	struct fault fault = FAULT_NULL;

	fault_set(&response.fault, FAULT_TIMEOUT, "timed out after 2s");
	ck_assert(http_outcome(&response, SLICE_NULL, NOW, &fault) == FAULT_TIMEOUT);
	ck_assert_str_eq(fault.text, "timed out after 2s");
}
END_TEST

START_TEST(redirect_that_came_through)
{
	struct http_response response = {.status = 302, .server_time = NSEC_NONE};
	struct fault fault = FAULT_NULL;

	http_headers_add(
		&response.headers, "Location", SLICE("https://Other.example/p?key=QUERYSECRET"));
	ck_assert(http_outcome(&response, SLICE_NULL, NOW, &fault) == FAULT_CONFIG);
	ck_assert_str_eq(
		fault.text, "HTTP 302 Found: redirect to https://other.example:443 not followed");
	http_headers_deinit(&response.headers);
}
END_TEST

START_TEST(excerpt_is_cut_between_characters)
{
	struct buf out = BUF_NULL;

	http_excerpt(SLICE("abc\xc3\xa9"), 4, &out);
	ck_assert_str_eq(buf_text(&out), "abc");
	buf_clear(&out);
	http_excerpt(SLICE("abc\xc3\xa9"), 5, &out);
	ck_assert_str_eq(buf_text(&out), "abc\xc3\xa9");
	buf_clear(&out);
	/* overlong, surrogate, beyond U+10FFFF, C1 control, cut sequence, DEL, NUL */
	http_excerpt(
		(struct slice){
			"\xc0\xaf|\xed\xa0\x80|\xf4\x90\x80\x80|\xc2\x9b|\xe2\x82|\x7f|\0", 21},
		100, &out);
	ck_assert_str_eq(buf_text(&out), "\?\?|\?\?\?|\?\?\?\?|\?|\?\?|\?|\?");
	buf_clear(&out);
	http_excerpt(SLICE_NULL, 10, &out);
	ck_assert_uint_eq(out.size, 0);
	buf_deinit(&out);
}
END_TEST

/* A secret that lies across the cut must not show its first half. */
START_TEST(excerpt_is_masked_before_it_is_cut)
{
	struct secret secret = SECRET_NULL;
	struct buf out = BUF_NULL;
	struct buf body = BUF_NULL;

	secret_set(&secret, SLICE("correct-horse-battery"));
	http_excerpt(SLICE("token correct-horse-battery is bad"), 12, &out);
	ck_assert_ptr_null(strstr(buf_text(&out), "corr"));
	buf_clear(&out);
	while (body.size < 200000) /* so many that what was taken ends in half a secret */
		buf_append_text(&body, "correct-horse-battery ");
	http_excerpt(buf_slice(&body), 60000, &out);
	ck_assert_ptr_null(strstr(buf_text(&out), "corr"));
	buf_clear(&body);
	buf_clear(&out);
	buf_append_text(&body, "correct-horse-battery ");
	while (body.size < 300000)
		buf_append_char(&body, 'x');
	http_excerpt(buf_slice(&body), 10, &out);
	ck_assert_str_eq(buf_text(&out), "*** xxxxxx");
	secret_deinit(&secret);
	buf_deinit(&out);
	buf_deinit(&body);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("outcome");
	TCase *cases = tcase_create("outcome");
	SRunner *runner;
	int n_failed;

	tcase_add_test(cases, every_status);
	tcase_add_loop_test(cases, text_of_a_fault, 0, N(texts));
	tcase_add_loop_test(cases, wait_that_was_asked_for, 0, N(waits));
	tcase_add_test(cases, a_403_that_is_a_429);
	tcase_add_test(cases, transport_faults_pass_through);
	tcase_add_test(cases, redirect_that_came_through);
	tcase_add_test(cases, excerpt_is_cut_between_characters);
	tcase_add_test(cases, excerpt_is_masked_before_it_is_cut);
	suite_add_tcase(suite, cases);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed > 0;
}
