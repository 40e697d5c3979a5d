/* trawlctl tail: records as they are committed, of the source that was asked for. */
#include "control.h"

#include <ev.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "daemon_fixture.h"
#include "http_peer.h"

static int client(const char *line)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/control", daemon_directory);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(send(fd, line, strlen(line), 0), (ssize_t)strlen(line));
	return fd;
}

/* Until N lines have come from FD. */
static void read_lines(int fd, size_t n, struct buf *ret)
{
	char piece[4096];
	size_t n_seen = 0;
	buf_clear(ret);
	while (n_seen < n) {
		ssize_t size = recv(fd, piece, sizeof(piece), 0);
		ck_assert_int_ne(size, 0);
		if (size < 0) {
			ev_run(trawld_parts(trawld)->loop, EVRUN_ONCE);
			continue;
		}
		buf_append(ret, piece, (size_t)size);
		for (ssize_t i = 0; i < size; i++)
			n_seen += piece[i] == '\n';
	}
	ck_assert_uint_eq(n_seen, n);
}

START_TEST(follows)
{
	struct buf text = BUF_NULL;
	char *source = mem_printf("provider = custom\nrequest.url = http://127.0.0.1:%d/records/3\n"
				  "records.at = /list\nrecords.id = /id\nresume.newest = yes\n",
		peer.port);
	char *conf = mem_printf("[source a]\n%s[source b]\n%s%s", source, source, SINK("out"));
	daemon_open(conf);
	int of_a = client("{\"command\":\"tail\",\"source\":\"a\"}\n");
	int of_all = client("{\"command\":\"tail\"}\n");
	read_lines(of_a, 1, &text);
	ck_assert_str_eq(buf_text(&text), "{\"ok\":true}\n");
	read_lines(of_all, 1, &text);
	trawld_poll_now(trawld);
	read_lines(of_all, 6, &text);
	read_lines(of_a, 3, &text);
	ck_assert_ptr_nonnull(
		strstr(buf_text(&text), "{\"source\":\"a\",\"provider\":\"custom\","));
	ck_assert_ptr_null(strstr(buf_text(&text), "\"b\""));
	/* one that has gone is not written to */
	close(of_a);
	trawld_stop(trawld);
	ck_assert_int_eq(trawld_run(trawld), 0);
	close(of_all);
	buf_deinit(&text);
	free(source);
	free(conf);
}
END_TEST

static void start(void)
{
	peer_start(NULL, NULL);
}

int main(void)
{
	Suite *suite = suite_create("control_tail");
	TCase *tcase = tcase_create("control_tail");
	tcase_add_unchecked_fixture(tcase, start, peer_stop);
	tcase_add_checked_fixture(tcase, daemon_setup, daemon_teardown);
	tcase_add_test(tcase, follows);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
