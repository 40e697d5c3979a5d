/*
 * lib/net/auth/auth_token.c, token_answer.c, auth_oauth2.c, auth_login.c: one fetch for many,
 * renewal before the end by a clock that the test moves, back-off, rejection, and who is called
 * when.
 */
#include "http_peer.h"

#include <time.h>

#include "base/cleanup.h"
#include "base/random.h"
#include "base/timestamp.h"

#include "net/auth/auth_token.h"

#define N(array) (int)(sizeof(array) / sizeof((array)[0]))

static nsec_t ahead_ns; /* how far the test has moved the monotonic clock */

static nsec_t moved_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (nsec_t)now.tv_sec * NSEC_PER_SEC + now.tv_nsec + ahead_ns;
}

static nsec_t fixed_wall(void)
{
	return INT64_C(1000000000) * NSEC_PER_SEC; /* 2001: nothing may depend on it */
}

static uint64_t longest(uint64_t bound)
{
	return bound - 1;
}

static void start(void)
{
	peer_start(NULL, NULL);
}

static void open_client(void)
{
	ahead_ns = 0;
	clock_set_source(moved_clock, fixed_wall);
	random_set_source(longest);
	peer_client_open();
}

/* Who waits, and what they were told. */
struct waiting {
	int n_calls;
	struct fault fault;
	struct auth_waiter *waiter;
	struct auth_waiter *cancels; /* in the callback */
	struct auth **frees; /* in the callback */
};

static void on_ready(const struct fault *fault, void *userdata)
{
	struct waiting *waiting = userdata;

	waiting->n_calls++;
	waiting->waiter = NULL;
	waiting->fault = fault ? *fault : FAULT_NULL;
	auth_prepare_cancel(waiting->cancels);
	if (waiting->frees) {
		auth_free(*waiting->frees);
		*waiting->frees = NULL;
	}
}

/* Prepares and turns the loop until it is ready. True: nothing had to be waited for. */
static bool prepare(struct auth *auth, struct waiting *waiting)
{
	*waiting = (struct waiting){0};
	waiting->waiter = auth_prepare(auth, on_ready, waiting);
	ck_assert_msg(waiting->n_calls == 0, "called inside auth_prepare");
	if (!waiting->waiter)
		return true;
	while (waiting->n_calls == 0)
		ev_run(peer.loop, EVRUN_ONCE);
	return false;
}

static char *applied(struct auth *auth, const char *header)
{
	struct http_message message = HTTP_MESSAGE_NULL;
	char *value;

	message.url = mem_strdup("https://example.com/");
	ck_assert_int_eq(auth_apply(auth, &message, 0, NULL), 0);
	value = mem_strdup(http_headers_get(&message.headers, header).data);
	http_message_deinit(&message);
	return value;
}

static void assert_applied(struct auth *auth, const char *header, const char *want)
{
	CLEANUP_FREE char *value = applied(auth, header);

	ck_assert_msg(value && strcmp(value, want) == 0, "%s instead of %s",
		value ? value : "nothing", want);
}

static struct auth *oauth2(const char *path, const char *key, const char *value)
{
	CLEANUP_FREE char *url = path[0] == '/' ? peer_url(path) : mem_strdup(path);
	struct option_pair pairs[] = {
		{.name = (char *)"token_url", .value = url},
		{.name = (char *)"client_id", .value = (char *)"the id"},
		{.name = (char *)"client_secret", .value = (char *)"s&cret=+\xc3\xa9"},
		{.name = (char *)(key ? key : "scope"), .value = (char *)(value ? value : "a b")},
	};
	struct auth_setup setup = {.type = "oauth2_client",
		.settings = pairs,
		.n_settings = N(pairs),
		.client = peer.client,
		.transport = {.timeout_ns = 5 * NSEC_PER_SEC}};
	struct fault fault = FAULT_NULL;
	struct auth *auth = NULL;

	ck_assert_msg(auth_new(&auth, &setup, &fault) == 0, "%s", fault.text);
	return auth;
}

static void assert_fetches(const char *name, const char *want)
{
	CLEANUP_FREE char *path = mem_printf("/count/%s", name);
	struct peer_answer answer = peer_get(path, NULL);

	ck_assert_msg(strcmp(buf_text(&answer.body), want) == 0, "%s fetches of %s, not %s",
		buf_text(&answer.body), name, want);
	peer_answer_deinit(&answer);
}

START_TEST(oauth2_asks_and_keeps)
{
	struct auth *auth = oauth2("/oauth/keep?life=3600", NULL, NULL);
	struct waiting waiting;
	struct fault fault = FAULT_NULL;
	struct http_message message = HTTP_MESSAGE_NULL;
	struct peer_answer answer;

	message.url = mem_strdup("https://example.com/");
	ck_assert_int_eq(unit_class(auth_apply(auth, &message, 0, &fault), &fault), FAULT_AUTH);
	http_message_deinit(&message);
	ck_assert(!prepare(auth, &waiting));
	ck_assert_msg(waiting.fault.class == FAULT_NONE, "%s", waiting.fault.text);
	assert_applied(auth, "Authorization", "Bearer keep-1");
	ck_assert(prepare(auth, &waiting));
	answer = peer_get("/sent/keep", NULL);
	ck_assert_ptr_nonnull(strstr(buf_text(&answer.body),
		"\r\n\r\ngrant_type=client_credentials&scope=a%20b&client_id=the%20id"
		"&client_secret=s%26cret%3D%2B%C3%A9"));
	ck_assert_ptr_nonnull(strstr(
		buf_text(&answer.body), "Content-Type: application/x-www-form-urlencoded\r\n"));
	ck_assert_ptr_null(strstr(buf_text(&answer.body), "Authorization"));
	peer_answer_deinit(&answer);
	assert_fetches("keep", "1");
	auth_free(auth);
}
END_TEST

START_TEST(oauth2_by_basic_and_another_header)
{
	struct auth *auth = oauth2("/oauth/basic", "client_auth", "basic");
	struct waiting waiting;
	struct peer_answer answer;

	ck_assert(!prepare(auth, &waiting));
	assert_applied(auth, "Authorization", "Bearer basic-1");
	answer = peer_get("/sent/basic", NULL);
	/* base64 of the%20id:s%26cret%3D%2B%C3%A9 */
	ck_assert_ptr_nonnull(strstr(buf_text(&answer.body),
		"Authorization: Basic dGhlJTIwaWQ6cyUyNmNyZXQlM0QlMkIlQzMlQTk=\r\n"));
	ck_assert_ptr_null(strstr(buf_text(&answer.body), "client_secret"));
	peer_answer_deinit(&answer);
	auth_free(auth);

	auth = oauth2("/oauth/other", "header", "X-Token");
	ck_assert(!prepare(auth, &waiting));
	assert_applied(auth, "X-Token", "other-1");
	auth_free(auth);
}
END_TEST

static const struct {
	const char *life; /* in the query */
	nsec_t before_ns; /* still the first token */
	nsec_t after_ns; /* renewed */
} lives[] = {
	{"?life=3600", 29 * NSEC_PER_MIN, 31 * NSEC_PER_MIN},
	{"?life=86400", 22 * NSEC_PER_HOUR + 45 * NSEC_PER_MIN,
		22 * NSEC_PER_HOUR + 50 * NSEC_PER_MIN},
	{"?life=600", 4 * NSEC_PER_MIN, 6 * NSEC_PER_MIN},
	{"", 29 * NSEC_PER_MIN, 31 * NSEC_PER_MIN}, /* one hour */
};

START_TEST(renewed_before_its_end)
{
	CLEANUP_FREE char *name = mem_printf("renew%d", _i);
	CLEANUP_FREE char *path = mem_printf("/oauth/%s%s", name, lives[_i].life);
	CLEANUP_FREE char *first = mem_printf("Bearer %s-1", name);
	CLEANUP_FREE char *second = mem_printf("Bearer %s-2", name);
	struct auth *auth = oauth2(path, NULL, NULL);
	struct waiting waiting;

	ck_assert(!prepare(auth, &waiting));
	ahead_ns = lives[_i].before_ns;
	ck_assert_msg(prepare(auth, &waiting), "case %d: too early", _i);
	assert_applied(auth, "Authorization", first);
	ahead_ns = lives[_i].after_ns;
	ck_assert_msg(!prepare(auth, &waiting), "case %d: too late", _i);
	ck_assert_int_eq(waiting.fault.class, FAULT_NONE);
	assert_applied(auth, "Authorization", second);
	auth_free(auth);
}
END_TEST

/* The second fetch fails while the first token still lives: it serves to its end. */
START_TEST(the_old_one_serves_while_renewing_fails)
{
	struct auth *auth = oauth2("/oauth/old?life=3600&fail=2,3&status=500", NULL, NULL);
	struct waiting waiting;

	ck_assert(!prepare(auth, &waiting));
	ahead_ns = 40 * NSEC_PER_MIN;
	ck_assert(!prepare(auth, &waiting));
	ck_assert_int_eq(waiting.fault.class, FAULT_NONE);
	assert_applied(auth, "Authorization", "Bearer old-1");
	ck_assert_msg(prepare(auth, &waiting), "asked again without a pause");
	assert_fetches("old", "2");
	ahead_ns = 61 * NSEC_PER_MIN; /* dead, and the pause is over */
	ck_assert(!prepare(auth, &waiting));
	ck_assert_int_eq(waiting.fault.class, FAULT_SERVER);
	ahead_ns += 10 * NSEC_PER_MIN;
	ck_assert(!prepare(auth, &waiting));
	ck_assert_int_eq(waiting.fault.class, FAULT_NONE);
	assert_applied(auth, "Authorization", "Bearer old-4");
	auth_free(auth);
}
END_TEST

START_TEST(one_fetch_for_many)
{
	enum { N_WAITERS = 20 };
	struct auth *auth = oauth2("/oauth/many?life=3600", NULL, NULL);
	struct waiting waiting[N_WAITERS] = {0};
	int n_called = 0;

	for (int i = 0; i < N_WAITERS; i++)
		waiting[i].waiter = auth_prepare(auth, on_ready, &waiting[i]);
	waiting[3].cancels = waiting[4].waiter; /* while they are answered */
	auth_prepare_cancel(waiting[0].waiter); /* before */
	while (waiting[N_WAITERS - 1].n_calls == 0)
		ev_run(peer.loop, EVRUN_ONCE);
	for (int i = 0; i < N_WAITERS; i++) {
		ck_assert_msg(waiting[i].n_calls == (i != 0 && i != 4), "waiter %d", i);
		n_called += waiting[i].n_calls;
	}
	ck_assert_int_eq(n_called, N_WAITERS - 2);
	assert_fetches("many", "1");
	auth_free(auth);
}
END_TEST

static const struct {
	const char *path; /* %d: the case */
	enum fault_class class;
	int status;
	const char *text;
	nsec_t pause_min_ns; /* wait_ns is at least this: the longest jitter is drawn */
} failures[] = {
	{"/oauth/f%d?fail=1", FAULT_AUTH, 401,
		"HTTP 401 Unauthorized: {\"error\":\"invalid_client\"", NSEC_PER_MIN},
	{"/oauth/f%d?fail=1&status=400", FAULT_AUTH, 400, "HTTP 400 Bad Request", NSEC_PER_MIN},
	{"/oauth/f%d?fail=1&status=404", FAULT_CONFIG, 404, "HTTP 404", NSEC_PER_MIN},
	{"/oauth/f%d?fail=1&status=503", FAULT_SERVER, 503, "HTTP 503", NSEC_PER_SEC - 1},
	{"/status/429?%d", FAULT_THROTTLED, 429, "HTTP 429", 6 * NSEC_PER_SEC},
	{"/body/empty?%d", FAULT_BODY, 0, "not JSON", NSEC_PER_SEC - 1},
	{"/body/html?%d", FAULT_BODY, 0, "not JSON", NSEC_PER_SEC - 1},
	{"/body/list?%d", FAULT_BODY, 0, "there is no string at /access_token", NSEC_PER_SEC - 1},
	{"/body/object?%d", FAULT_BODY, 0, "there is no string at", NSEC_PER_SEC - 1},
	{"/body/number?%d", FAULT_BODY, 0, "there is no string at", NSEC_PER_SEC - 1},
	{"/body/evil?%d", FAULT_BODY, 0, "holds a control character", NSEC_PER_SEC - 1},
	{"/redirect?to=/oauth/x&n=%d", FAULT_CONFIG, 302, "HTTP 302", NSEC_PER_MIN},
	{"/close?%d", FAULT_NETWORK, 0, "closed the connection", NSEC_PER_SEC - 1},
	{"http://127.0.0.1:1/p%d", FAULT_NETWORK, 0, "cannot connect to 127.0.0.1:1",
		NSEC_PER_SEC - 1},
};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
START_TEST(a_fetch_that_fails)
{
	CLEANUP_FREE char *path = mem_printf(failures[_i].path, _i);
	struct auth *auth = oauth2(path, NULL, NULL);
	struct waiting waiting;

	ck_assert(!prepare(auth, &waiting));
	ck_assert_msg(
		waiting.fault.class == failures[_i].class, "case %d: %s", _i, waiting.fault.text);
	ck_assert_msg(waiting.fault.status == failures[_i].status, "case %d", _i);
	ck_assert_msg(strstr(waiting.fault.text, "no token from http://127.0.0.1:") &&
			      strstr(waiting.fault.text, failures[_i].text),
		"case %d: %s", _i, waiting.fault.text);
	ck_assert_msg(
		!strstr(waiting.fault.text, "s%26cret"), "case %d: %s", _i, waiting.fault.text);
	ck_assert_msg(waiting.fault.wait_ns >= failures[_i].pause_min_ns, "case %d: %lld", _i,
		(long long)waiting.fault.wait_ns);
	auth_free(auth);
}
END_TEST
#pragma GCC diagnostic pop

START_TEST(no_second_fetch_during_the_pause)
{
	struct auth *auth = oauth2("/oauth/pause?life=3600&fail=1", NULL, NULL);
	struct waiting waiting;

	ck_assert(!prepare(auth, &waiting));
	ck_assert_int_eq(waiting.fault.class, FAULT_AUTH);
	for (int i = 0; i < 3; i++) {
		ck_assert(!prepare(auth, &waiting)); /* answered by the loop, not by the peer */
		ck_assert_int_eq(waiting.fault.class, FAULT_AUTH);
		ck_assert_int_gt(waiting.fault.wait_ns, 0);
	}
	assert_fetches("pause", "1");
	ahead_ns = 3 * NSEC_PER_MIN;
	ck_assert(!prepare(auth, &waiting));
	ck_assert_int_eq(waiting.fault.class, FAULT_NONE);
	assert_applied(auth, "Authorization", "Bearer pause-2");
	auth_free(auth);
}
END_TEST

START_TEST(rejected_tokens_are_dropped)
{
	struct auth *auth = oauth2("/oauth/reject?life=3600", NULL, NULL);
	struct waiting waiting;

	unsigned epoch;

	ck_assert(!prepare(auth, &waiting));
	epoch = auth_epoch(auth);
	ck_assert(auth_reject(auth, epoch));
	ck_assert(auth_reject(auth, epoch)); /* another source with the same token */
	ck_assert(!prepare(auth, &waiting));
	assert_applied(auth, "Authorization", "Bearer reject-2");
	ck_assert(auth_reject(auth, epoch)); /* and one whose answer comes late */
	ck_assert(prepare(auth, &waiting));
	assert_fetches("reject", "2");
	auth_free(auth);
}
END_TEST

/* Equal settings: one token. The last user frees it. */
START_TEST(equal_settings_share_a_token)
{
	struct auth *one = oauth2("/oauth/share?life=3600", NULL, NULL);
	struct auth *two = oauth2("/oauth/share?life=3600", NULL, NULL);
	struct auth *other = oauth2("/oauth/share?life=3600", "scope", "c");
	struct waiting waiting[2] = {0};

	ck_assert_ptr_eq(one, two);
	ck_assert_ptr_ne(one, other);
	for (int i = 0; i < 2; i++)
		waiting[i].waiter = auth_prepare(i == 0 ? one : two, on_ready, &waiting[i]);
	auth_prepare_cancel(waiting[0].waiter);
	auth_free(one);
	while (waiting[1].n_calls == 0)
		ev_run(peer.loop, EVRUN_ONCE);
	ck_assert_int_eq(waiting[0].n_calls, 0);
	assert_applied(two, "Authorization", "Bearer share-1");
	auth_free(two);
	two = oauth2("/oauth/share?life=3600", NULL, NULL);
	ck_assert(!prepare(two, waiting));
	assert_applied(two, "Authorization", "Bearer share-2");
	auth_free(two);
	auth_free(other);
}
END_TEST

/* A reload may have been made because the reason of a failure is gone. */
START_TEST(who_joins_waits_for_no_pause)
{
	struct auth *one = oauth2("/oauth/join?fail=1", NULL, NULL), *two;
	struct waiting waiting;

	ck_assert(!prepare(one, &waiting));
	ck_assert_int_ne(waiting.fault.class, FAULT_NONE);
	two = oauth2("/oauth/join?fail=1", NULL, NULL);
	ck_assert_ptr_eq(one, two);
	ck_assert(!prepare(two, &waiting));
	ck_assert_int_eq(waiting.fault.class, FAULT_NONE);
	auth_free(one);
	auth_free(two);
}
END_TEST

START_TEST(freed_in_a_callback)
{
	struct auth *auth = oauth2("/oauth/freed?fail=1", NULL, NULL);
	struct waiting waiting[3] = {0};

	for (int turn = 0; turn < 2; turn++) {
		/* the first time by the answer, the second time during the pause */
		for (int i = 0; i < 3; i++) {
			waiting[i] = (struct waiting){0};
			waiting[i].waiter = auth_prepare(auth, on_ready, &waiting[i]);
			ck_assert_ptr_nonnull(waiting[i].waiter);
		}
		waiting[0].frees = turn == 1 ? &auth : NULL;
		while (waiting[turn == 1 ? 0 : 2].n_calls == 0)
			ev_run(peer.loop, EVRUN_ONCE);
	}
	ck_assert_ptr_null(auth);
	ev_run(peer.loop, EVRUN_NOWAIT);
	ck_assert_int_eq(waiting[1].n_calls + waiting[2].n_calls, 0);
}
END_TEST

START_TEST(freed_while_fetching)
{
	struct auth *auth = oauth2("/hang", NULL, NULL);
	struct waiting waiting = {0};

	waiting.waiter = auth_prepare(auth, on_ready, &waiting);
	ev_run(peer.loop, EVRUN_NOWAIT);
	auth_free(auth);
	ev_run(peer.loop, EVRUN_NOWAIT);
	ck_assert_int_eq(waiting.n_calls, 0);
}
END_TEST

static char *login_path;

static void render_login(struct http_message *out, void *userdata)
{
	ck_assert_ptr_eq(userdata, &login_path);
	out->method = mem_strdup("POST");
	out->url = peer_url(login_path);
	out->has_body = true;
	http_headers_add(&out->headers, "Content-Type", SLICE("application/json"));
	buf_append_text(&out->body, "{\"auth\":{}}");
}

static const struct {
	const char *path;
	const char *from;
	const char *expires;
	const char *token; /* NULL: fails */
	nsec_t renewed_after_ns; /* a minute before it is not */
} logins[] = {
	/* issued 08:15 with a day to live: renewed 72 minutes early */
	{"/login/l0", "header:x-subject-TOKEN", "/token/expires_at", "l0-1",
		22 * NSEC_PER_HOUR + 48 * NSEC_PER_MIN},
	{"/login/l1", "/id", "/token/expires_at", "l1-1", 22 * NSEC_PER_HOUR + 48 * NSEC_PER_MIN},
	{"/login/l2", "/id", NULL, "l2-1", 30 * NSEC_PER_MIN},
	{"/login/l3", "/id", "/token/nothing", "l3-1", 30 * NSEC_PER_MIN},
	{"/login/l4?expires=2025-09-15T10:15:00.123Z", "/id", "/token/expires_at", "l4-1",
		90 * NSEC_PER_MIN},
	{"/login/l5?headless=1", "header:X-Subject-Token", NULL, NULL, 0},
	{"/login/l6", "/token", NULL, NULL, 0},
};

START_TEST(logins_of_every_form)
{
	struct auth_setup setup = {.type = "login",
		.client = peer.client,
		.login_render = render_login,
		.login_userdata = &login_path,
		.token_from = logins[_i].from,
		.expires_from = logins[_i].expires};
	struct auth *auth = NULL;
	struct waiting waiting;

	login_path = (char *)logins[_i].path;
	ck_assert_int_eq(auth_new(&auth, &setup, NULL), 0);
	ck_assert(!prepare(auth, &waiting));
	ck_assert_msg((waiting.fault.class == FAULT_NONE) == (logins[_i].token != NULL),
		"case %d: %s", _i, waiting.fault.text);
	if (!logins[_i].token) {
		ck_assert_msg(waiting.fault.class == FAULT_BODY, "case %d", _i);
		auth_free(auth);
		return;
	}
	assert_applied(auth, "X-Auth-Token", logins[_i].token);
	ahead_ns = logins[_i].renewed_after_ns - NSEC_PER_MIN;
	ck_assert_msg(prepare(auth, &waiting), "case %d: too early", _i);
	ahead_ns = logins[_i].renewed_after_ns + NSEC_PER_MIN;
	ck_assert_msg(!prepare(auth, &waiting), "case %d: too late", _i);
	auth_free(auth);
}
END_TEST

static nsec_t at(const char *text)
{
	nsec_t time = NSEC_NONE;

	if (text)
		ck_assert_int_eq(timestamp_parse_rfc3339(slice_of(text), &time), 0);
	return time;
}

static const struct {
	const char *json;
	const char *expires;
	const char *server_time;
	const char *now_time;
	nsec_t life_ns;
} answers[] = {
	{"{\"e\":3600}", "/e", NULL, NULL, NSEC_PER_HOUR},
	{"{\"e\":\"7200\"}", "/e", NULL, NULL, 2 * NSEC_PER_HOUR},
	{"{\"e\":59.9}", "/e", NULL, NULL, 59 * NSEC_PER_SEC},
	{"{\"e\":1757927700}", "/e", "2025-09-15T08:15:00Z", NULL, NSEC_PER_HOUR},
	{"{\"e\":\"2025-09-15T09:15:00Z\"}", "/e", NULL, "2025-09-15T08:45:00Z", 30 * NSEC_PER_MIN},
	{"{\"e\":\"2025-09-15T09:15:00Z\"}", "/e", "2025-09-15T08:15:00Z", "2025-09-15T08:45:00Z",
		NSEC_PER_HOUR},
	{"{\"e\":\"2025-09-15T09:15:00.5Z\",\"issued_at\":\"2025-09-15T08:15:00.5Z\"}", "/e", NULL,
		"1999-01-01T00:00:00Z", NSEC_PER_HOUR},
	/* a token that the server had issued before */
	{"{\"e\":\"2025-09-15T09:15:00Z\",\"issued_at\":\"2025-09-15T08:15:00Z\"}", "/e",
		"2025-09-15T09:05:00Z", NULL, 10 * NSEC_PER_MIN},
	/* a Date past the end is another clock's */
	{"{\"e\":\"2025-09-15T09:15:00Z\",\"issued_at\":\"2025-09-15T08:15:00Z\"}", "/e",
		"2025-09-16T09:05:00Z", NULL, NSEC_PER_HOUR},
	{"{\"e\":\"2025-09-15T09:15:00Z\"}", "/e", NULL, "2025-09-15T10:00:00Z", NSEC_PER_SEC},
	{"{\"e\":\"9999-09-15T09:15:00Z\"}", "/e", NULL, NULL, NSEC_PER_HOUR},
	{"{\"e\":999999999}", "/e", NULL, NULL, 365 * NSEC_PER_DAY},
	{"{\"e\":0}", "/e", NULL, NULL, NSEC_PER_HOUR},
	{"{\"e\":-5}", "/e", NULL, NULL, NSEC_PER_HOUR},
	{"{\"e\":null}", "/e", NULL, NULL, NSEC_PER_HOUR},
	{"{\"e\":\"soon\"}", "/e", NULL, NULL, NSEC_PER_HOUR},
	{"{}", "/e", NULL, NULL, NSEC_PER_HOUR},
	{"{}", "", NULL, NULL, NSEC_PER_HOUR},
	{"{}", NULL, NULL, NULL, NSEC_PER_HOUR},
	{"not json", "/e", NULL, NULL, NSEC_PER_HOUR},
};

START_TEST(life_of_a_token)
{
	struct pointer expires = POINTER_NULL;
	json_t *root = json_loads(answers[_i].json, 0, NULL);
	nsec_t life_ns;

	if (answers[_i].expires)
		ck_assert_int_eq(pointer_parse(&expires, slice_of(answers[_i].expires)), 0);
	life_ns = token_answer_life(
		root, &expires, at(answers[_i].server_time), at(answers[_i].now_time));
	ck_assert_msg(life_ns == answers[_i].life_ns, "case %d: %lld", _i, (long long)life_ns);
	pointer_deinit(&expires);
	json_decref(root);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("auth_token");
	TCase *cases = tcase_create("auth_token");
	SRunner *runner;
	int n_failed;

	tcase_add_unchecked_fixture(cases, start, peer_stop);
	tcase_add_checked_fixture(cases, open_client, peer_client_close);
	tcase_set_timeout(cases, 60);
	tcase_add_test(cases, oauth2_asks_and_keeps);
	tcase_add_test(cases, oauth2_by_basic_and_another_header);
	tcase_add_loop_test(cases, renewed_before_its_end, 0, N(lives));
	tcase_add_test(cases, the_old_one_serves_while_renewing_fails);
	tcase_add_test(cases, one_fetch_for_many);
	tcase_add_loop_test(cases, a_fetch_that_fails, 0, N(failures));
	tcase_add_test(cases, no_second_fetch_during_the_pause);
	tcase_add_test(cases, rejected_tokens_are_dropped);
	tcase_add_test(cases, equal_settings_share_a_token);
	tcase_add_test(cases, who_joins_waits_for_no_pause);
	tcase_add_test(cases, freed_in_a_callback);
	tcase_add_test(cases, freed_while_fetching);
	tcase_add_loop_test(cases, logins_of_every_form, 0, N(logins));
	tcase_add_loop_test(cases, life_of_a_token, 0, N(answers));
	suite_add_tcase(suite, cases);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed > 0;
}
