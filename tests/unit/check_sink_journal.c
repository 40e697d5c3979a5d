/* The journal sink against a datagram socket of our own: what is taken once is not sent again by
 * the same process, whatever the other end does in between. */
#include "sink/sinks.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "pipeline_fixture.h"

static char options[256];
static struct option_table table;
static char *path; /* of the socket */
static int server;

static void listen_at_path(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	unlink(path);
	server = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	ck_assert_uint_lt(strlen(path), sizeof(address.sun_path));
	memcpy(address.sun_path, path, strlen(path) + 1);
	ck_assert_int_eq(bind(server, (struct sockaddr *)&address, sizeof(address)), 0);
}

static void setup(void)
{
	struct sink_setup sink_setup = {.name = "out", .options = options};
	struct findings findings = FINDINGS_NULL;
	struct fault fault = FAULT_NULL;
	struct ini ini = INI_NULL;
	char *text;

	pipeline_setup();
	path = fixture_path("socket");
	text = mem_printf("[sink out]\nsocket = %s\n", path);
	table = (struct option_table){sink_journal.options, sink_journal.n_options, options};
	ck_assert_uint_le(sink_journal.options_size, sizeof(options));
	ck_assert_int_eq(ini_read_text(&ini, "t.conf", text, strlen(text), &findings), 0);
	options_parse(&table, 1, ini_find(&ini, "sink", "out"), &findings);
	ck_assert_uint_eq(findings.n_items, 0);
	ini_deinit(&ini);
	free(text);
	listen_at_path();
	sink_setup.loop = loop;
	ck_assert_int_eq(
		fanout_add_sink(fanout, &sink_journal, &sink_setup, &common_raw, &fault), 0);
	pipeline_route("a", "out");
	fanout_start(fanout);
	ck_assert(committer_flush(committer));
}

static void teardown(void)
{
	pipeline_teardown();
	options_deinit(&table);
	close(server);
	free(path);
}

/* Takes all entries that wait: their MESSAGE with a line feed. */
static size_t take(struct buf *out)
{
	static const char key[] = "MESSAGE\n";
	char entry[4096];
	size_t n = 0;
	ssize_t size;

	while ((size = recv(server, entry, sizeof(entry), 0)) > 0) {
		const char *message = memmem(entry, (size_t)size, key, sizeof(key) - 1);
		const char *text;

		ck_assert_ptr_nonnull(message);
		text = message + sizeof(key) - 1 + 8;
		ck_assert_int_eq(entry[size - 1], '\n');
		buf_append(out, text, (size_t)(entry + size - text));
		n++;
	}
	return n;
}

static void ck_taken(const struct buf *found, int from, int to, size_t n)
{
	struct buf wanted = BUF_NULL;

	pipeline_expect(&wanted, from, to, n);
	ck_assert_uint_eq(found->size, wanted.size);
	ck_assert(memcmp(buf_text(found), buf_text(&wanted), wanted.size) == 0);
	buf_deinit(&wanted);
}

START_TEST(a_slow_reader)
{
	struct buf found = BUF_NULL;

	pipeline_pages("a", 0, 10, 1000);
	while (!fanout_drained(fanout, NULL)) {
		ev_run(loop, EVRUN_NOWAIT);
		take(&found);
	}
	take(&found);
	ck_taken(&found, 0, 10, 1000);
	ck_assert_uint_eq(pipeline_status("out").retries, 0);
	buf_deinit(&found);
}
END_TEST

START_TEST(a_job_goes_on_where_it_broke_off)
{
	struct buf found = BUF_NULL;

	pipeline_pages("a", 0, 4, 2000);
	for (int i = 0; i < 10; i++)
		ev_run(loop, EVRUN_NOWAIT);
	/* the queue is full; all that is in it was taken */
	ck_assert_uint_gt(take(&found), 0);
	close(server);
	RUN_UNTIL(pipeline_status("out").failing);
	ck_assert_int_eq(pipeline_status("out").acknowledged, 0);
	listen_at_path();
	fanout_retry_now(fanout);
	while (pipeline_status("out").acknowledged < 4 || !fanout_drained(fanout, NULL)) {
		ev_run(loop, EVRUN_NOWAIT);
		take(&found);
	}
	take(&found);
	ck_taken(&found, 0, 4, 2000);
	buf_deinit(&found);
}
END_TEST

START_TEST(nobody_listens)
{
	close(server);
	if (_i)
		unlink(path);
	pipeline_pages("a", 0, 1, 1);
	pipeline_settle();
	ck_assert(pipeline_status("out").failing);
	ck_assert_ptr_nonnull(strstr(pipeline_status("out").fault.text, "no journald listens"));
	ck_assert_int_eq(pipeline_status("out").acknowledged, 0);
}
END_TEST

static void add_tests(Suite *suite)
{
	TCase *tcase = tcase_create("sink_journal");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_slow_reader);
	tcase_add_test(tcase, a_job_goes_on_where_it_broke_off);
	tcase_add_loop_test(tcase, nobody_listens, 0, 2);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	return fixture_main("sink_journal", add_tests);
}
