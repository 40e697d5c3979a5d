/* A syslog sink "out" and its receiver, on a socket of the test's. */
#ifndef TRAWLD_TESTS_SYSLOG_FIXTURE_H
#define TRAWLD_TESTS_SYSLOG_FIXTURE_H

#include "sink/sinks.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "pipeline_fixture.h"

static union {
	char bytes[256];
	void *align;
} options;
static struct option_table options_table;
static int listener, port, peer;
static struct buf found; /* what the receiver has read */
static char *path;

static void setup(void)
{
	options_table = (struct option_table){sink_syslog.options, sink_syslog.n_options, &options};
	signal(SIGPIPE, SIG_IGN);
	pipeline_setup();
	listener = peer = -1;
	path = fixture_path("log.sock");
}

static void teardown(void)
{
	pipeline_teardown();
	options_deinit(&options_table);
	buf_deinit(&found);
	close(listener);
	close(peer);
	free(path);
}

/* A sink "out" with ADDRESS, fed by the source "a". */
static void start(const char *address, const char *more)
{
	struct sink_setup sink_setup = {.name = "out", .loop = loop, .options = &options};
	struct findings findings = FINDINGS_NULL;
	struct fault fault = FAULT_NULL;
	struct ini ini = INI_NULL;
	char *text = mem_printf("[sink out]\naddress = %s\nhostname = h\n%s", address, more);
	struct ini_section *section;

	ck_assert_uint_le(sink_syslog.options_size, sizeof(options));
	options_deinit(&options_table);
	memset(&options, 0, sizeof(options));
	ck_assert_int_eq(ini_read_text(&ini, "t.conf", text, strlen(text), &findings), 0);
	section = ini_find(&ini, "sink", "out");
	options_parse(&options_table, 1, section, &findings);
	sink_syslog.check(&options, section, &findings);
	ck_assert_msg(findings.n_items == 0, "%s", findings.n_items ? findings.items[0].text : "");
	findings_deinit(&findings);
	ini_deinit(&ini);
	free(text);
	ck_assert_int_eq(
		fanout_add_sink(fanout, &sink_syslog, &sink_setup, &common_raw, &fault), 0);
	pipeline_route("a", "out");
	fanout_start(fanout);
	ck_assert(committer_flush(committer));
}

static void listen_tcp(int buffer)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);

	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (buffer)
		setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, size), 0);
	ck_assert_int_eq(listen(listener, 8), 0);
	getsockname(listener, (struct sockaddr *)&address, &size);
	port = ntohs(address.sin_port);
}

static void start_tcp(const char *scheme, const char *more, int buffer)
{
	char *address;

	listen_tcp(buffer);
	address = mem_printf("%s://127.0.0.1:%d", scheme, port);
	start(address, more);
	free(address);
}

static void listen_path(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int room = 4096;

	memcpy(address.sun_path, path, strlen(path) + 1);
	mkdir(state, 0700);
	peer = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	setsockopt(peer, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	ck_assert_int_eq(bind(peer, (struct sockaddr *)&address, sizeof(address)), 0);
}

static void start_path(const char *more)
{
	char *address = mem_printf("unix:%s", path);

	listen_path();
	start(address, more);
	free(address);
}

static void turn(void)
{
	ev_run(loop, EVRUN_NOWAIT);
}

static void accept_peer(void)
{
	close(peer);
	while ((peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) < 0)
		turn();
}

/* Reads what is there, at most MAX bytes; answers how many. */
static size_t take(size_t max)
{
	char piece[262144];
	ssize_t n = recv(peer, piece, max < sizeof(piece) ? max : sizeof(piece), 0);

	if (n > 0)
		buf_append(&found, piece, (size_t)n);
	return n > 0 ? (size_t)n : 0;
}

static bool idle(void)
{
	return fanout_drained(fanout, NULL) && !pipeline_status("out").failing;
}

/* The records in octet-counted messages. */
static void ck_counted(int from, int to, size_t n)
{
	struct buf wanted = BUF_NULL, records = BUF_NULL;
	char *at = found.data, *end = found.data + found.size;

	while (at < end) {
		size_t size = strtoul(at, &at, 10);
		const char *text;

		ck_assert_int_eq(*at, ' ');
		at++;
		ck_assert_uint_le(size, (size_t)(end - at));
		text = memmem(at, size, "\"] ", 3);
		ck_assert_ptr_nonnull(text);
		buf_append(&records, text + 3, size - (size_t)(text + 3 - at));
		buf_append_char(&records, '\n');
		at += size;
	}
	pipeline_expect(&wanted, from, to, n);
	ck_assert_uint_eq(records.size, wanted.size);
	ck_assert_str_eq(buf_text(&records), buf_text(&wanted));
	buf_deinit(&records);
	buf_deinit(&wanted);
}

#endif
