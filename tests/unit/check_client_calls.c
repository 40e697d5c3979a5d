/*
 * lib/net/client.c: when DONE is called, how often, and what it may do: cancel, start, free the
 * client.
 */
#include "http_peer.h"

#define N(array) (int)(sizeof(array) / sizeof((array)[0]))

static int n_calls; /* of DONE, in this test */

static void start(void)
{
	peer_start(NULL, NULL);
}

static void open_client(void)
{
	n_calls = 0;
	peer_client_open();
}

START_TEST(many_at_once)
{
	enum { N_REQUESTS = 60 };
	struct peer_answer answers[N_REQUESTS] = {0};
	bool all = false;

	for (int i = 0; i < N_REQUESTS; i++) {
		struct http_message message = HTTP_MESSAGE_NULL;

		message.url = peer_url(i % 3 == 0   ? "/gzip/50000"
				       : i % 3 == 1 ? "/size/70000/chunked"
						    : "/cut/1000");
		http_request_start(peer.client, &message, NULL, peer_on_done, &answers[i]);
		http_message_deinit(&message);
	}
	while (!all) {
		ev_run(peer.loop, EVRUN_ONCE);
		all = true;
		for (int i = 0; i < N_REQUESTS; i++)
			all = all && answers[i].done;
	}
	for (int i = 0; i < N_REQUESTS; i++) {
		ck_assert_msg(answers[i].n_calls == 1, "case %d", i);
		ck_assert_msg((answers[i].fault.class == FAULT_NONE) == (i % 3 != 2), "case %d: %s",
			i, answers[i].fault.text);
		peer_answer_deinit(&answers[i]);
	}
}
END_TEST

/* A callback that cancels: its own request, the others, and what it has just started. */
static struct http_request *handles[4];

static void on_done_cancel_all(struct http_response *response, void *userdata)
{
	(void)response;
	(void)userdata;
	n_calls++;
	for (int i = 0; i < 4; i++) {
		http_request_cancel(handles[i]);
		handles[i] = NULL;
	}
}

static const char *const cancel_paths[] = {"/echo", "/cut/10", "http://bad url/"};

START_TEST(cancel_in_a_callback)
{
	struct http_message message = HTTP_MESSAGE_NULL;

	for (int i = 0; i < 4; i++) {
		const char *path = cancel_paths[_i];

		free(message.url);
		message.url = path[0] == '/' ? peer_url(path) : mem_strdup(path);
		handles[i] =
			http_request_start(peer.client, &message, NULL, on_done_cancel_all, NULL);
	}
	http_message_deinit(&message);
	while (n_calls == 0)
		ev_run(peer.loop, EVRUN_ONCE);
	/* The connections that were cut off mid-request are not used again. */
	struct peer_answer answer = peer_get("/connection", NULL);

	ck_assert_int_eq(n_calls, 1);
	ck_assert_msg(answer.status == 200, "%s", answer.fault.text);
	peer_answer_deinit(&answer);
}
END_TEST

START_TEST(cancel_before_anything)
{
	struct peer_answer answer = {0};
	struct http_message message = HTTP_MESSAGE_NULL;

	message.url = peer_url("/echo");
	http_request_cancel(http_request_start(peer.client, &message, NULL, peer_on_done, &answer));
	free(message.url);
	message.url = mem_strdup("nonsense");
	http_request_cancel(http_request_start(peer.client, &message, NULL, peer_on_done, &answer));
	http_message_deinit(&message);
	http_request_cancel(NULL);
	ev_run(peer.loop, EVRUN_NOWAIT);
	ev_run(peer.loop, EVRUN_NOWAIT);
	ck_assert(!answer.done);
}
END_TEST

static void on_done_free_client(struct http_response *response, void *userdata)
{
	(void)response;
	(void)userdata;
	n_calls++;
	http_client_free(peer.client);
	peer.client = NULL;
}

static const char *const free_paths[] = {"/echo", "nonsense"};

START_TEST(free_the_client_in_a_callback)
{
	struct http_message message = HTTP_MESSAGE_NULL;

	message.url =
		free_paths[_i][0] == '/' ? peer_url(free_paths[_i]) : mem_strdup(free_paths[_i]);
	for (int i = 0; i < 3; i++)
		http_request_start(peer.client, &message, NULL, on_done_free_client, NULL);
	http_message_deinit(&message);
	while (n_calls == 0)
		ev_run(peer.loop, EVRUN_ONCE);
	ev_run(peer.loop, EVRUN_NOWAIT);
	ck_assert_int_eq(n_calls, 1);
}
END_TEST

START_TEST(free_the_client_with_work_in_flight)
{
	struct peer_answer answer = {0};
	struct http_message message = HTTP_MESSAGE_NULL;

	message.url = peer_url("/hang/1000");
	for (int i = 0; i < 5; i++)
		http_request_start(peer.client, &message, NULL, peer_on_done, &answer);
	free(message.url);
	message.url = mem_strdup("http://no-such-host.invalid/");
	http_request_start(peer.client, &message, NULL, peer_on_done, &answer);
	http_message_deinit(&message);
	ev_run(peer.loop, EVRUN_ONCE);
	int n_before = answer.n_calls; /* a fast resolver may have answered */
	ck_assert_int_le(n_before, 1);
	http_client_free(peer.client);
	peer.client = NULL;
	ev_run(peer.loop, EVRUN_NOWAIT);
	ck_assert_int_eq(answer.n_calls, n_before);
	peer_answer_deinit(&answer);
}
END_TEST

/* A callback that starts the next request at once, also one that fails at once. */
static void on_done_again(struct http_response *response, void *userdata)
{
	struct http_message message = HTTP_MESSAGE_NULL;

	(void)response;
	n_calls++;
	if (n_calls >= 20) {
		ev_break(peer.loop, EVBREAK_ALL);
		return;
	}
	message.url = n_calls % 2 ? mem_strdup("nonsense") : peer_url("/size/100");
	http_request_start(peer.client, &message, NULL, on_done_again, userdata);
	http_message_deinit(&message);
}

START_TEST(start_in_a_callback)
{
	struct http_message message = HTTP_MESSAGE_NULL;

	message.url = peer_url("/echo");
	http_request_start(peer.client, &message, NULL, on_done_again, NULL);
	http_message_deinit(&message);
	ev_run(peer.loop, 0);
	ck_assert_int_eq(n_calls, 20);
}
END_TEST

struct seen {
	int n_asked, n_answered, n_done;
	char *url;
	int status;
};

static void on_asked(const struct http_message *message, void *userdata)
{
	struct seen *seen = userdata;

	seen->n_asked++;
	free(seen->url);
	seen->url = mem_strdup(message->url);
}

static void on_answered(const struct http_response *response, void *userdata)
{
	struct seen *seen = userdata;

	ck_assert_int_eq(seen->n_done, seen->n_answered);
	seen->n_answered++;
	seen->status = response->status;
	ck_assert_uint_eq(response->body.size, response->status ? 100 : 0);
}

static void on_done_seen(struct http_response *response, void *userdata)
{
	struct seen *seen = userdata;

	(void)response;
	seen->n_done++;
	ck_assert_int_eq(seen->n_done, seen->n_answered);
}

/* Also of what cannot be sent. */
START_TEST(a_watch_sees_request_and_answer)
{
	struct seen seen = {0};
	struct http_watch watch = {on_asked, on_answered, &seen};
	char *urls[] = {peer_url("/size/100"), mem_strdup("nonsense")};

	http_client_watch(peer.client, &watch);
	for (int i = 0; i < N(urls); i++) {
		struct http_message message = HTTP_MESSAGE_NULL;

		message.url = mem_strdup(urls[i]);
		http_request_start(peer.client, &message, NULL, on_done_seen, &seen);
		http_message_deinit(&message);
		ck_assert_int_eq(seen.n_asked, i + 1);
		ck_assert_str_eq(seen.url, urls[i]);
		ev_run(peer.loop, 0);
		ck_assert_int_eq(seen.n_done, i + 1);
		ck_assert_int_eq(seen.status, i == 0 ? 200 : 0);
		free(urls[i]);
	}
	free(seen.url);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client_calls");
	TCase *cases = tcase_create("client_calls");
	SRunner *runner;
	int n_failed;

	tcase_add_unchecked_fixture(cases, start, peer_stop);
	tcase_add_checked_fixture(cases, open_client, peer_client_close);
	tcase_set_timeout(cases, 60);
	tcase_add_test(cases, many_at_once);
	tcase_add_loop_test(cases, cancel_in_a_callback, 0, N(cancel_paths));
	tcase_add_test(cases, cancel_before_anything);
	tcase_add_loop_test(cases, free_the_client_in_a_callback, 0, N(free_paths));
	tcase_add_test(cases, free_the_client_with_work_in_flight);
	tcase_add_test(cases, start_in_a_callback);
	tcase_add_test(cases, a_watch_sees_request_and_answer);
	suite_add_tcase(suite, cases);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed > 0;
}
