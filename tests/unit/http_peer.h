/*
 * Starts http_peer.py for a test program and asks it things: one peer a program, on ports that the
 * kernel chose. Header only, since each unit test is one source file.
 */
#ifndef TRAWLD_TESTS_HTTP_PEER_H
#define TRAWLD_TESTS_HTTP_PEER_H

#include "check_unit.h"
#include <ev.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

#include "net/client.h"

#ifndef PEER_DIRECTORY /* where the peer's script is: beside this file */
#define PEER_DIRECTORY __FILE__
#endif

struct peer {
	pid_t pid;
	int input; /* the peer ends when this closes */
	int port;
	int tls_port;
	int strict_port; /* with TLS, for those who show the same certificate */
	int http2_port; /* each connection ends at its second request */
	struct ev_loop *loop;
	struct http_client *client;
};

__attribute__((unused)) static struct peer peer;

/* CERT and KEY: for more ports, with TLS, or NULL. */
__attribute__((unused)) static void peer_start(const char *cert, const char *key)
{
	const char *slash = strrchr(PEER_DIRECTORY, '/');
	char *script =
		mem_printf("%.*s/http_peer.py", (int)(slash - PEER_DIRECTORY), PEER_DIRECTORY);
	int input[2];
	int output[2];
	FILE *ports;

	ck_assert_int_eq(pipe(input), 0);
	ck_assert_int_eq(pipe(output), 0);
	peer.pid = fork();
	ck_assert_int_ge(peer.pid, 0);
	if (peer.pid == 0) {
		dup2(input[0], 0);
		dup2(output[1], 1);
		close(input[1]);
		close(output[0]);
		/* Its own path as the name: Python looks for its library from there. */
		execl("/usr/bin/python3", "/usr/bin/python3", "-I", script, cert, key,
			(char *)NULL);
		_exit(127);
	}
	close(input[0]);
	close(output[1]);
	peer.input = input[1];
	ports = fdopen(output[0], "r");
	ck_assert_int_ge(fscanf(ports, "%d", &peer.port), 1);
	if (cert)
		ck_assert_int_eq(fscanf(ports, "%d %d %d", &peer.tls_port, &peer.strict_port,
					 &peer.http2_port),
			3);
	fclose(ports);
	free(script);
}

__attribute__((unused)) static void peer_stop(void)
{
	close(peer.input);
	waitpid(peer.pid, NULL, 0);
}

/* The client is made in the test's own process: fixtures that are "checked" call this. */
__attribute__((unused)) static void peer_client_open(void)
{
	peer.loop = ev_loop_new(EVFLAG_AUTO);
	peer.client = http_client_new(peer.loop, "trawld/test");
}

__attribute__((unused)) static void peer_client_close(void)
{
	http_client_free(peer.client);
	peer.client = NULL;
	ev_loop_destroy(peer.loop);
}

__attribute__((unused)) static char *peer_url(const char *path)
{
	return mem_printf("http://127.0.0.1:%d%s", peer.port, path);
}

/* What came back, kept after the callback. */
struct peer_answer {
	bool done;
	int n_calls;
	int status;
	struct fault fault;
	struct http_headers headers;
	struct buf body;
	nsec_t server_time;
	uint64_t wire_size;
};

__attribute__((unused)) static void peer_on_done(struct http_response *response, void *userdata)
{
	struct peer_answer *answer = userdata;

	answer->done = true;
	answer->n_calls++;
	answer->status = response->status;
	answer->fault = response->fault;
	answer->headers = response->headers;
	response->headers = (struct http_headers){0};
	answer->body = response->body;
	response->body = BUF_NULL;
	answer->server_time = response->server_time;
	answer->wire_size = response->wire_size;
}

__attribute__((unused)) static void peer_answer_deinit(struct peer_answer *answer)
{
	http_headers_deinit(&answer->headers);
	buf_deinit(&answer->body);
	*answer = (struct peer_answer){0};
}

/* Sends MESSAGE (taken) and turns the loop until it is answered. */
__attribute__((unused)) static struct peer_answer peer_send(
	struct http_message *message, const struct http_transport *transport)
{
	struct peer_answer answer = {0};

	http_request_start(peer.client, message, transport, peer_on_done, &answer);
	ck_assert_msg(!answer.done, "DONE ran inside http_request_start");
	http_message_deinit(message);
	while (!answer.done)
		ev_run(peer.loop, EVRUN_ONCE);
	ck_assert_int_eq(answer.n_calls, 1);
	return answer;
}

__attribute__((unused)) static struct peer_answer peer_get(
	const char *path, const struct http_transport *transport)
{
	struct http_message message = HTTP_MESSAGE_NULL;

	message.method = mem_strdup("GET");
	message.url = path[0] == '/' ? peer_url(path) : mem_strdup(path);
	return peer_send(&message, transport);
}

#endif
