/* Lines to a pipe that nobody reads. */
#include "base/line_writer.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check_unit.h"

static char text[1 << 20];

static const char *drain(int fd)
{
	size_t size = 0;
	ssize_t n;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while ((n = read(fd, text + size, sizeof(text) - 1 - size)) > 0)
		size += (size_t)n;
	text[size] = '\0';
	return text;
}

static void drops_and_counts(int to, int from)
{
	struct line_writer writer = {.fd = to};
	unsigned long n = 0;

	ck_assert(line_writer_put(&writer, "warning: ", SLICE("first\n")));
	while (line_writer_put(&writer, "warning: ", SLICE("a line of some length\n")))
		ck_assert_uint_lt(n++, 1000000);
	ck_assert(!line_writer_put(&writer, "warning: ", SLICE("lost\n")));
	ck_assert_uint_eq(writer.n_lost, 2);
	ck_assert_int_eq(strncmp(drain(from), "first\na line", 12), 0);
	ck_assert(line_writer_put(&writer, "warning: ", SLICE("last\n")));
	drain(from);
	ck_assert_msg(strcmp(strstr(text, "warning"),
			      "warning: 2 log lines were lost: nobody read the log in time\n"
			      "last\n") == 0,
		"%s", text);
	ck_assert(line_writer_put(&writer, "warning: ", SLICE("more\n")));
	ck_assert_str_eq(drain(from), "more\n");
}

START_TEST(a_pipe)
{
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	drops_and_counts(fds[1], fds[0]);
	ck_assert_int_eq(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(a_socket)
{
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	drops_and_counts(fds[1], fds[0]);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(long_lines)
{
	static char line[200001];
	struct line_writer writer;
	int fds[2];

	memset(line, 'x', sizeof(line));
	line[200000] = '\n';
	ck_assert_int_eq(pipe(fds), 0);
	writer = (struct line_writer){.fd = fds[1]};
	ck_assert(!line_writer_put(&writer, "<4>", (struct slice){line, sizeof(line)}));
	drain(fds[0]);
	/* what was cut ends before the next line begins */
	ck_assert(line_writer_put(&writer, "<4>", SLICE("next\n")));
	ck_assert_str_eq(
		drain(fds[0]), "\n<4>1 log line was lost: nobody read the log in time\nnext\n");
	close(fds[0]);
	signal(SIGPIPE, SIG_IGN);
	ck_assert(line_writer_put(&writer, "<4>", SLICE("nobody is there\n")));
	close(fds[1]);
}
END_TEST

UNIT_MAIN("line_writer", a_pipe, a_socket, long_lines)
