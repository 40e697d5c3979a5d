/* The syslog sink against receivers that are slow, short, dead or rude: what counts as delivered.
 */
#include "sink/syslog/relp.h"
#include "syslog_fixture.h"

#include "net/permit.h"

START_TEST(a_job_that_breaks_off_comes_again)
{
	start_tcp("tcp", "", 4096);
	pipeline_pages("a", 0, 4, 10000);
	accept_peer();
	while (found.size < 100000) {
		turn();
		take(50000);
	}
	close(peer);
	peer = -1;
	RUN_UNTIL(pipeline_status("out").failing);
	ck_assert_int_eq(pipeline_status("out").acknowledged, 0);
	buf_clear(&found);
	accept_peer();
	while (!idle()) {
		turn();
		take(SIZE_MAX);
	}
	ck_counted(0, 4, 10000);
	ck_assert_uint_eq(pipeline_status("out").retries, 1);
}
END_TEST

static bool may_not_send(void *userdata)
{
	(void)userdata;
	return false;
}

/* In the middle of a job another process may hold the shard: no byte follows but what the kernels
 * have, which is far less than the rest, and the job is not delivered. */
START_TEST(nothing_follows_without_a_permit)
{
	start_tcp("tcp", "", 0);
	pipeline_pages("a", 0, 4, 50000);
	accept_peer();
	while (found.size < 100000) {
		turn();
		take(50000);
	}
	permit_set(may_not_send, NULL);
	RUN_UNTIL((take(SIZE_MAX), pipeline_status("out").failing));
	ck_assert_ptr_nonnull(strstr(pipeline_status("out").fault.text, "nothing was sent"));
	while (take(SIZE_MAX) > 0)
		;
	ck_assert_uint_lt(found.size, 15000000);
	ck_assert_int_eq(pipeline_status("out").acknowledged, 0);
	permit_set(NULL, NULL);
	buf_clear(&found);
	accept_peer();
	while (!idle()) {
		turn();
		take(SIZE_MAX);
	}
	ck_assert_uint_gt(found.size, 15000000);
	ck_counted(0, 4, 50000);
}
END_TEST

/* Its kernel has some of it, it reads nothing: not delivered, and it is said. */
START_TEST(a_receiver_that_reads_nothing)
{
	start_tcp("tcp", "timeout = 1s", 4096);
	pipeline_pages("a", 0, 4, 20000);
	accept_peer();
	RUN_UNTIL(pipeline_status("out").failing);
	ck_assert_ptr_nonnull(strstr(pipeline_status("out").fault.text, "took nothing for 1s"));
	ck_assert_int_eq(pipeline_status("out").acknowledged, 0);
}
END_TEST

/* It lets everyone in, takes the bytes and closes, as with a certificate it does not know. */
START_TEST(a_receiver_that_closes_at_once)
{
	nsec_t until_at;

	start_tcp("tcp", "", 0);
	pipeline_pages("a", 0, 1, 10);
	accept_peer();
	RUN_UNTIL((take(SIZE_MAX), found.size > 0));
	until_at = clock_monotonic() + 300 * NSEC_PER_MSEC;
	while (clock_monotonic() < until_at) {
		turn();
		take(SIZE_MAX);
	}
	ck_assert_int_eq(pipeline_status("out").acknowledged, 0);
	close(peer);
	peer = -1;
	RUN_UNTIL(pipeline_status("out").failing);
	ck_assert_int_eq(pipeline_status("out").acknowledged, 0);
}
END_TEST

/* While its kernel's silence is waited for, the next jobs are sent. If it closes then, all of them
 * come again; what lasted is acknowledged. */
START_TEST(further_jobs_are_sent_meanwhile)
{
	size_t sizes[3];

	start_tcp("tcp", "", 0);
	for (int i = 0; i < 3; i++) {
		size_t before = found.size;

		pipeline_pages("a", i, i + 1, 10);
		if (i == 0)
			accept_peer();
		while (found.size == before) {
			turn();
			take(SIZE_MAX);
		}
		sizes[i] = found.size;
	}
	ck_assert_uint_gt(sizes[2], sizes[1]);
	ck_counted(0, 3, 10);
	if (pipeline_status("out").acknowledged > 0) /* this process waited for others */
		return;
	if (_i == 0) {
		RUN_UNTIL(idle());
	} else {
		close(peer);
		peer = -1;
		RUN_UNTIL(pipeline_status("out").failing);
		ck_assert_int_eq(pipeline_status("out").acknowledged, 0);
		buf_clear(&found);
		accept_peer();
		while (!idle()) {
			turn();
			take(SIZE_MAX);
		}
		ck_counted(0, 3, 10);
	}
	ck_assert_int_eq(pipeline_status("out").acknowledged, 3);
	ck_assert_uint_eq(pipeline_status("out").delivered_records, 30);
}
END_TEST

START_TEST(closed_between_jobs)
{
	start_tcp("tcp", "", 0);
	pipeline_pages("a", 0, 1, 10);
	accept_peer();
	while (!idle())
		turn();
	take(SIZE_MAX);
	close(peer);
	peer = -1;
	if (_i == 0) { /* noticed before the next job, or with it */
		for (int i = 0; i < 10; i++)
			turn();
	}
	pipeline_pages("a", 1, 2, 10);
	accept_peer();
	while (!idle()) {
		turn();
		take(SIZE_MAX);
	}
	ck_counted(0, 2, 10);
	ck_assert_uint_eq(pipeline_status("out").retries, 0);
}
END_TEST

START_TEST(ended_in_the_middle)
{
	static const char *const schemes[] = {"tcp", "relp"};

	start_tcp(schemes[_i], "", 4096);
	pipeline_pages("a", 0, 4, 10000);
	accept_peer();
	turn();
	pipeline_close();
}
END_TEST

START_TEST(nobody_listens)
{
	start_tcp("tcp", "", 0);
	close(listener);
	listener = -1;
	pipeline_pages("a", 0, 1, 10);
	RUN_UNTIL(pipeline_status("out").failing);
	ck_assert_ptr_nonnull(strstr(pipeline_status("out").fault.text, "cannot connect to"));
}
END_TEST

/* --- RELP --- */

/* Takes the next whole frame off FOUND; its TXNR, 0: none. *RET is its data, until the next. */
static unsigned next_frame(char *ret, size_t size)
{
	unsigned txnr;
	size_t length;
	char command[16];
	int head;

	if (sscanf(buf_text(&found), "%u %15s %zu%n", &txnr, command, &length, &head) != 3 ||
		found.size < (size_t)head + length + 2)
		return 0;
	ck_assert_uint_lt(length, size);
	memcpy(ret, found.data + head + 1, length);
	ret[length] = '\0';
	ck_assert_int_eq(found.data[(size_t)head + 1 + length], '\n');
	found.size -= (size_t)head + length + 2;
	memmove(found.data, found.data + head + length + 2, found.size + 1);
	return txnr;
}

static void answer(unsigned txnr)
{
	char text[64];
	int size = snprintf(text, sizeof(text), "%u rsp 6 200 OK\n", txnr);

	ck_assert_int_eq(send(peer, text, (size_t)size, MSG_NOSIGNAL), size);
}

static unsigned wait_frame(char *ret, size_t size)
{
	unsigned txnr;

	while ((txnr = next_frame(ret, size)) == 0) {
		turn();
		take(SIZE_MAX);
	}
	return txnr;
}

/* What was answered before the connection broke does not come again, all else does. */
START_TEST(relp_goes_on_where_it_was)
{
	char data[1024], wanted[64];
	size_t n = 0;

	start_tcp("relp", "", 0);
	pipeline_pages("a", 0, 1, 1000);
	accept_peer();
	answer(wait_frame(data, sizeof(data)));
	for (n = 0; n < RELP_WINDOW; n++) {
		wait_frame(data, sizeof(data));
		snprintf(wanted, sizeof(wanted), "\"] {\"n\":0,\"i\":%zu}", n);
		ck_assert_ptr_nonnull(strstr(data, wanted));
	}
	for (int i = 0; i < 100; i++) { /* the window is full: no more comes */
		turn();
		ck_assert_uint_eq(take(SIZE_MAX), 0);
	}
	for (unsigned txnr = 2; txnr < 52; txnr++)
		answer(txnr);
	for (n = 0; n < 50; n++)
		wait_frame(data, sizeof(data));
	answer(53); /* and not 52: a gap */
	for (int i = 0; i < 100; i++)
		turn();
	close(peer);
	peer = -1;
	buf_clear(&found);
	RUN_UNTIL(pipeline_status("out").failing);
	accept_peer();
	answer(wait_frame(data, sizeof(data)));
	for (n = 50; n < 1000; n++) {
		unsigned txnr = wait_frame(data, sizeof(data));

		snprintf(wanted, sizeof(wanted), "\"] {\"n\":0,\"i\":%zu}", n);
		ck_assert_msg(strstr(data, wanted) != NULL, "%s, not %s", data, wanted);
		ck_assert_int_eq(pipeline_status("out").acknowledged, 0);
		answer(txnr);
	}
	while (!idle())
		turn();
	ck_assert_uint_eq(pipeline_status("out").delivered_records, 1000);
}
END_TEST

START_TEST(relp_that_answers_nothing)
{
	char data[1024];

	start_tcp("relp", "timeout = 1s", 0);
	pipeline_pages("a", 0, 1, 10);
	accept_peer();
	if (_i == 1)
		answer(wait_frame(data, sizeof(data)));
	RUN_UNTIL(pipeline_status("out").failing);
	ck_assert_ptr_nonnull(strstr(pipeline_status("out").fault.text, "confirmed nothing"));
	ck_assert_int_eq(pipeline_status("out").acknowledged, 0);
}
END_TEST

START_TEST(relp_that_refuses)
{
	char data[1024];

	start_tcp("relp", "", 0);
	pipeline_pages("a", 0, 1, 10);
	accept_peer();
	answer(wait_frame(data, sizeof(data)));
	wait_frame(data, sizeof(data));
	ck_assert_int_eq(send(peer, "2 rsp 8 500 full\n", 17, 0), 17);
	RUN_UNTIL(pipeline_status("out").failing);
	ck_assert_ptr_nonnull(strstr(pipeline_status("out").fault.text, "500 full"));
	ck_assert_int_eq(pipeline_status("out").acknowledged, 0);
}
END_TEST

/* --- datagrams --- */

/* Reads a datagram, if there is one, and keeps its record. */
static bool take_datagram(void)
{
	char piece[262144];
	ssize_t n = recv(peer, piece, sizeof(piece), 0);
	const char *text;

	if (n <= 0)
		return false;
	ck_assert_int_eq(strncmp(piece, "<134>1 ", 7), 0);
	text = memmem(piece, (size_t)n, "] ", 2);
	ck_assert_ptr_nonnull(text);
	buf_append(&found, text + 2, (size_t)(piece + n - text - 2));
	buf_append_char(&found, '\n');
	return true;
}

static void ck_datagrams(int to, size_t n)
{
	struct buf wanted = BUF_NULL;

	pipeline_expect(&wanted, 0, to, n);
	ck_assert_str_eq(buf_text(&found), buf_text(&wanted));
	buf_deinit(&wanted);
}

/* The socket is full again and again: the sink waits, and is done when all is read. */
START_TEST(datagrams_to_a_slow_receiver)
{
	start_path("");
	pipeline_pages("a", 0, 3, 500);
	for (int i = 0; i < 50; i++)
		turn();
	ck_assert_int_eq(pipeline_status("out").acknowledged, 0);
	while (!idle()) {
		turn();
		take_datagram();
	}
	ck_assert(!take_datagram());
	ck_datagrams(3, 500);
}
END_TEST

/* A receiver that hangs: said after the time-out, and nothing comes again when it goes on. */
START_TEST(datagrams_to_a_hung_receiver)
{
	start_path("timeout = 1s\n");
	pipeline_pages("a", 0, 1, _i == 0 ? 1 : 500); /* all of it in the socket, or a part */
	RUN_UNTIL(pipeline_status("out").failing);
	ck_assert_int_eq(pipeline_status("out").acknowledged, 0);
	while (!idle()) {
		turn();
		take_datagram();
	}
	ck_datagrams(1, _i == 0 ? 1 : 500);
}
END_TEST

static void add_large(size_t size)
{
	struct batch *batch = batch_new("a", "x", 1000);
	char *text = mem_alloc(size);
	struct id key = digest_id(SLICE("k"));

	memset(text, 'x', size);
	text[0] = text[size - 1] = '"';
	batch_add(batch, (struct slice){text, size}, &key, SLICE("i"), NSEC_NONE);
	commit_add_page(store, "a", batch, "{}", fanout_committed, fanout);
	ck_assert(committer_flush(committer));
	batch_unref(batch);
	free(text);
}

/* Cut to max_message, or to what the socket takes. */
START_TEST(large_datagrams)
{
	char piece[262144];
	int saved, fd = pipeline_log_begin(&saved);
	ssize_t n = 0;
	char *text;

	start_path(_i == 0 ? "max_message = 2KiB" : "max_message = 10MiB");
	add_large(1000000);
	while (!idle()) {
		ssize_t more = recv(peer, piece, sizeof(piece), 0);

		n = more > 0 ? more : n;
		turn();
	}
	if (_i == 0)
		ck_assert_int_eq(n, 2048);
	else
		ck_assert_int_gt(n, 50000);
	ck_assert_ptr_nonnull(memmem(piece, (size_t)n, "truncated=\"true\"] \"xxx", 22));
	text = pipeline_log_end(fd, saved);
	ck_assert_uint_eq(text_count(text, "were cut"), 1);
	free(text);
}
END_TEST

/* A plain stream carries what
 * max_message allows; the rest is refused and does not hold up what follows. */
START_TEST(large_on_a_stream)
{
	static const char *const limits[] = {"", "max_message = 2KiB", "max_message = 1MiB"};
	static const size_t refused[] = {1, 3, 0};

	start_tcp("tcp", limits[_i], 0);
	add_large(1000000);
	add_large(8000);
	add_large(3000);
	add_large(1000);
	accept_peer();
	while (!idle()) {
		turn();
		take(SIZE_MAX);
	}
	ck_assert_uint_eq(text_count(buf_text(&found), "<134>1 "), 4 - refused[_i]);
	ck_assert_ptr_null(strstr(buf_text(&found), "truncated"));
	ck_assert_uint_eq(pipeline_status("out").refused_records, refused[_i]);
	ck_assert_uint_eq(pipeline_status("out").delivered_records, 4 - refused[_i]);
}
END_TEST

START_TEST(udp_without_a_receiver)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	size_t n = _i == 0 ? 1 : 10; /* the last datagram, or one before it */
	char *text;

	peer = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(peer, (struct sockaddr *)&address, size), 0);
	getsockname(peer, (struct sockaddr *)&address, &size);
	text = mem_printf("udp://127.0.0.1:%d", ntohs(address.sin_port));
	start(text, "");
	free(text);
	close(peer);
	pipeline_pages("a", 0, 1, n);
	RUN_UNTIL(pipeline_status("out").failing);
	ck_assert_ptr_nonnull(strstr(pipeline_status("out").fault.text, "nothing receives at"));
	peer = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(peer, (struct sockaddr *)&address, size), 0);
	while (!idle()) {
		turn();
		take_datagram();
	}
	while (take_datagram())
		;
	ck_datagrams(1, n);
}
END_TEST

static TCase *add_case(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_set_timeout(tcase, 30);
	tcase_add_checked_fixture(tcase, setup, teardown);
	suite_add_tcase(suite, tcase);
	return tcase;
}

static void add_tests(Suite *suite)
{
	TCase *tcase = add_case(suite, "stream");

	tcase_add_test(tcase, a_job_that_breaks_off_comes_again);
	tcase_add_test(tcase, nothing_follows_without_a_permit);
	tcase_add_test(tcase, a_receiver_that_reads_nothing);
	tcase_add_test(tcase, a_receiver_that_closes_at_once);
	tcase_add_loop_test(tcase, further_jobs_are_sent_meanwhile, 0, 2);
	tcase_add_loop_test(tcase, closed_between_jobs, 0, 2);
	tcase_add_loop_test(tcase, ended_in_the_middle, 0, 2);
	tcase_add_test(tcase, nobody_listens);
	tcase_add_loop_test(tcase, large_on_a_stream, 0, 3);
	tcase = add_case(suite, "relp");
	tcase_add_test(tcase, relp_goes_on_where_it_was);
	tcase_add_loop_test(tcase, relp_that_answers_nothing, 0, 2);
	tcase_add_test(tcase, relp_that_refuses);
	tcase = add_case(suite, "datagram");
	tcase_add_test(tcase, datagrams_to_a_slow_receiver);
	tcase_add_loop_test(tcase, datagrams_to_a_hung_receiver, 0, 2);
	tcase_add_loop_test(tcase, large_datagrams, 0, 2);
	tcase_add_loop_test(tcase, udp_without_a_receiver, 0, 2);
}

int main(void)
{
	return fixture_main("sink_syslog", add_tests);
}
