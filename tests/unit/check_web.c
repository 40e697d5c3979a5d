/* The status endpoint, over a Unix socket: paths, methods, what no client can do. */
#include "web.h"

#include <ev.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "conf/findings.h"
#include "daemon_fixture.h"

static struct web *web;

static void open_all(const char *text)
{
	struct fault fault;
	char *address = mem_printf("unix:%s/web", daemon_directory);
	daemon_open(text);
	ck_assert_int_eq(web_open(&web, trawld, address, &fault), 0);
	free(address);
}

/* The answer to REQUEST, after which the server closes. */
static void ask(const char *request, struct buf *ret)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char piece[65536];
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/web", daemon_directory);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(send(fd, request, strlen(request), 0), (ssize_t)strlen(request));
	buf_clear(ret);
	for (;;) {
		ssize_t n = recv(fd, piece, sizeof(piece), 0);
		if (n == 0)
			break;
		if (n > 0)
			buf_append(ret, piece, (size_t)n);
		else
			ev_run(trawld_parts(trawld)->loop, EVRUN_ONCE);
	}
	close(fd);
}

START_TEST(answers)
{
	static const struct {
		const char *line, *status, *part;
	} cases[] = {
		{"GET /", " 200 ", "<!doctype html>"},
		{"GET /healthz", " 200 ", "\r\n\r\nok\n"},
		{"GET /readyz", " 503 ", "source a has not succeeded yet"},
		{"GET /status", " 200 ", "\"name\":\"a\""},
		{"GET /status?name=b", " 200 ", "\"sources\":[]"},
		{"GET /metrics", " 200 ", "\ntrawld_source_up{source=\"a\"} 0\n"},
		{"HEAD /healthz", " 200 ", "Content-Length: 3\r\n"},
		{"GET /etc/passwd", " 404 ", "Available paths:"},
		{"POST /status", " 405 ", "Allow: GET, HEAD\r\n"},
	};
	struct buf answer = BUF_NULL;
	open_all(SOURCE("a", "") SINK("out"));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *request = mem_printf(
			"%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", cases[i].line);
		ask(request, &answer);
		const char *text = buf_text(&answer);
		ck_assert_msg(strstr(text, cases[i].status), "%s: %s", cases[i].line, text);
		ck_assert_msg(strcasestr(text, cases[i].part), "%s: %s", cases[i].line, text);
		ck_assert_ptr_nonnull(strstr(text, "X-Content-Type-Options: nosniff\r\n"));
		ck_assert_ptr_nonnull(strstr(text, "Content-Security-Policy: default-src 'none'"));
		free(request);
	}
	buf_deinit(&answer);
	web_free(web);
}
END_TEST

/* One that cannot be had leaves the old one. */
START_TEST(changes)
{
	struct findings findings = FINDINGS_NULL;
	struct buf answer = BUF_NULL;
	open_all(SOURCE("a", "") SINK("out"));
	char **now = &trawld_parts(trawld)->setup->config->daemon.listen;
	char *old = mem_printf("unix:%s/web", daemon_directory);
	free(*now);
	*now = mem_printf("unix:%s/no/such/directory", daemon_directory);
	web_change(&web, trawld, &old, &findings);
	ck_assert_uint_eq(findings.n_items, 1);
	ck_assert_ptr_nonnull(strstr(findings.items[0].text, "stays in use"));
	ask("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", &answer);
	ck_assert_ptr_nonnull(strstr(buf_text(&answer), "\r\n\r\nok\n"));
	free(old);
	findings_deinit(&findings);
	buf_deinit(&answer);
	web_free(web);
}
END_TEST

DAEMON_MAIN("web", answers, changes)
