/* The stdout sink: complete through slow, short and vanished readers, without blocking. */
#include "sink/sinks.h"

#include <signal.h>
#include <sys/socket.h>

#include "pipeline_fixture.h"

static int saved_stdout;

static void setup(void)
{
	pipeline_setup();
	signal(SIGPIPE, SIG_IGN);
	fflush(stdout);
	saved_stdout = dup(STDOUT_FILENO);
}

static void teardown(void)
{
	dup2(saved_stdout, STDOUT_FILENO);
	close(saved_stdout);
	pipeline_teardown();
}

static void add_sink(const char *name)
{
	struct sink_setup sink_setup = {.name = name, .loop = loop};
	struct fault fault = FAULT_NULL;

	ck_assert_int_eq(
		fanout_add_sink(fanout, &sink_stdout, &sink_setup, &common_raw, &fault), 0);
	pipeline_route("a", name);
}

/* Makes TO standard output and starts a sink on it, and another one (NULL: none); TO is closed. */
static void start_with(int to, const char *other)
{
	dup2(to, STDOUT_FILENO);
	close(to);
	add_sink("out");
	if (other)
		add_sink(other);
	fanout_start(fanout);
	ck_assert(committer_flush(committer));
}

static void start(int to)
{
	start_with(to, NULL);
}

/* Reads what is there now from FD, at most MAX bytes. */
static void take(int fd, size_t max, struct buf *out)
{
	char piece[65536];
	ssize_t n = read(fd, piece, max < sizeof(piece) ? max : sizeof(piece));

	if (n > 0)
		buf_append(out, piece, (size_t)n);
}

static void ck_text(struct slice found, int from, int to, size_t n)
{
	struct buf wanted = BUF_NULL;

	pipeline_expect(&wanted, from, to, n);
	ck_assert_uint_eq(found.size, wanted.size);
	ck_assert(memcmp(found.data, buf_text(&wanted), wanted.size) == 0);
	buf_deinit(&wanted);
}

START_TEST(slow_readers)
{
	struct buf found = BUF_NULL;
	int ends[2];

	if (_i == 0)
		ck_assert_int_eq(pipe(ends), 0);
	else
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	start(ends[1]);
	pipeline_pages("a", 0, 10, 20000); /* some MB: far more than fits */
	ev_run(loop, EVRUN_NOWAIT);
	ck_assert(!fanout_drained(fanout, NULL));
	while (!fanout_drained(fanout, NULL)) {
		ev_run(loop, EVRUN_NOWAIT); /* never stuck inside */
		take(ends[0], 50000, &found);
	}
	for (size_t before = SIZE_MAX; before != found.size;) {
		before = found.size;
		take(ends[0], 50000, &found);
	}
	ck_text(buf_slice(&found), 0, 10, 20000);
	ck_assert_uint_eq(pipeline_status("out").retries, 0);
	/* the open file that others share was not made non-blocking */
	ck_assert_int_eq(fcntl(STDOUT_FILENO, F_GETFL) & O_NONBLOCK, 0);
	buf_deinit(&found);
	close(ends[0]);
}
END_TEST

START_TEST(into_a_file)
{
	char *path = fixture_path("stdout");
	struct buf found = BUF_NULL;
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	size_t size;
	char *text;

	start(fd);
	pipeline_pages("a", 0, 10, 20000);
	pipeline_settle();
	text = pipeline_read(path, &size);
	buf_append(&found, text, size);
	ck_text(buf_slice(&found), 0, 10, 20000);
	buf_deinit(&found);
	free(text);
	free(path);
}
END_TEST

START_TEST(a_reader_that_is_gone)
{
	int ends[2];

	if (_i == 0)
		ck_assert_int_eq(pipe(ends), 0);
	else
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	start(ends[1]);
	close(ends[0]);
	pipeline_pages("a", 0, 1, 1);
	pipeline_settle();
	ck_assert(pipeline_status("out").failing);
	ck_assert_ptr_nonnull(
		strstr(pipeline_status("out").fault.text, "reader of standard output"));
	ck_assert_int_eq(pipeline_status("out").acknowledged, 0);
}
END_TEST

/* A reader that goes in the middle of a job: all of it is due to the next one. */
START_TEST(a_job_that_breaks_off_is_sent_again)
{
	struct buf found = BUF_NULL;
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	start(ends[1]);
	pipeline_pages("a", 0, 4, 20000);
	for (int i = 0; i < 5; i++)
		ev_run(loop, EVRUN_NOWAIT);
	take(ends[0], 50000, &found);
	close(ends[0]);
	RUN_UNTIL(pipeline_status("out").failing);
	pipeline_close();
	buf_clear(&found);
	ck_assert_int_eq(pipe(ends), 0);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	pipeline_open();
	start(ends[1]);
	while (!fanout_drained(fanout, NULL)) {
		ev_run(loop, EVRUN_NOWAIT);
		take(ends[0], 65536, &found);
	}
	for (size_t before = SIZE_MAX; before != found.size;) {
		before = found.size;
		take(ends[0], 65536, &found);
	}
	ck_assert_int_eq(found.data[0], '\n'); /* ends the line that broke off */
	ck_text((struct slice){found.data + 1, found.size - 1}, 0, 4, 20000);
	buf_deinit(&found);
	close(ends[0]);
}
END_TEST

/* A pipe that is full in the middle of a line of one sink gets nothing of another one there. */
START_TEST(two_sinks)
{
	struct buf found = BUF_NULL;
	struct slice rest, line;
	int n_found[30 * 1000] = {0};
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	fcntl(ends[0], F_SETPIPE_SZ, 4096);
	start_with(ends[1], "other");
	for (int page = 0; page < 30 || !fanout_drained(fanout, NULL); page++) {
		if (page < 30)
			pipeline_pages("a", page, page + 1, 1000);
		ev_run(loop, EVRUN_NOWAIT);
		take(ends[0], 3000, &found);
	}
	for (size_t before = SIZE_MAX; before != found.size;) {
		before = found.size;
		take(ends[0], 65536, &found);
	}
	for (rest = buf_slice(&found); str_next_part(&rest, '\n', &line);) {
		int page, index, size = 0;

		if (line.size == 0)
			continue;
		ck_assert_int_eq(
			sscanf(line.data, "{\"n\":%d,\"i\":%d}%n", &page, &index, &size), 2);
		ck_assert_uint_eq((size_t)size, line.size);
		n_found[page * 1000 + index]++;
	}
	for (size_t i = 0; i < 30 * 1000; i++)
		ck_assert_int_eq(n_found[i], 2);
	buf_deinit(&found);
	close(ends[0]);
}
END_TEST

START_TEST(cancelled_while_it_waits)
{
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	start(ends[1]);
	pipeline_pages("a", 0, 4, 20000);
	for (int i = 0; i < 5; i++)
		ev_run(loop, EVRUN_NOWAIT);
	ck_assert(!fanout_drained(fanout, NULL));
	pipeline_close();
	close(ends[0]);
}
END_TEST

static void add_tests(Suite *suite)
{
	TCase *tcase = tcase_create("sink_stdout");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, slow_readers, 0, 2);
	tcase_add_test(tcase, into_a_file);
	tcase_add_loop_test(tcase, a_reader_that_is_gone, 0, 2);
	tcase_add_test(tcase, a_job_that_breaks_off_is_sent_again);
	tcase_add_test(tcase, two_sinks);
	tcase_add_test(tcase, cancelled_while_it_waits);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	return fixture_main("sink_stdout", add_tests);
}
