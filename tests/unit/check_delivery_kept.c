/* A crash between the dead letters of a job and its acknowledgement: a record is delivered, or it
 * is a dead letter, and never both. */
#include "pipeline/delivery.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "pipeline_fixture.h"
#include "store/replays.h"

static const struct sink_kind *const kinds[] = {&fake_plain, &fake_bodies, &fake_stable};

static void begin(const struct sink_kind *kind, const char *script)
{
	pipeline_open();
	fake_find("out")->script = script;
	pipeline_simple(kind);
}

/* A page of four records, of which two become dead letters, and then the crash; more waits. */
static struct fake *crash(const struct sink_kind *kind)
{
	struct fake *fake = pipeline_simple(kind);

	fake->script = "h";
	pipeline_pages("a", 0, 1, 4);
	RUN_UNTIL(fake->held);
	pipeline_pages("a", 1, 4, 2);
	fake_release(fake, 'p');
	RUN_UNTIL(dead_letters() > 0);
	ck_assert(commit_pending(store));
	pipeline_close();
	ck_assert_uint_eq(dead_letters(), 2);
	return fake;
}

static void ck_page(struct buf *wanted, bool even_only)
{
	for (int i = 0; i < 4; i += 1 + even_only)
		buf_printf(wanted, "{\"n\":0,\"i\":%d}\n", i);
}

/* After the crash: page 0 came AGAIN, or not, then all that waited. */
static void ck_after(struct fake *fake, bool again)
{
	struct buf wanted = BUF_NULL;

	ck_page(&wanted, true);
	if (again)
		ck_page(&wanted, false);
	pipeline_expect(&wanted, 1, 4, 2);
	ck_assert_str_eq(buf_text(&fake->delivered), buf_text(&wanted));
	ck_assert_int_eq(pipeline_status("out").acknowledged, 4);
	ck_assert_uint_eq(pipeline_status("out").pending_records, 0);
	buf_deinit(&wanted);
}

START_TEST(not_sent_again)
{
	struct fake *fake = crash(kinds[_i]);

	begin(kinds[_i], "");
	ck_assert_int_eq(pipeline_status("out").acknowledged, 0);
	pipeline_settle();
	ck_after(fake, false);
	ck_assert_uint_eq(dead_letters(), 2);
	pipeline_close();
	begin(kinds[_i], "");
	pipeline_settle();
	ck_after(fake, false);
}
END_TEST

/* One that keeps a position is asked, and compares. */
START_TEST(not_written_again)
{
	struct fake *fake = crash(&fake_exact);

	buf_clear(&fake->delivered);
	begin(&fake_exact, "p");
	pipeline_settle();
	ck_after(fake, false);
	ck_assert_uint_eq(dead_letters(), 2);
}
END_TEST

/* What the crash left of the second job: nothing, a part of a line, a line, and a part of the next.
 */
START_TEST(incomplete)
{
	char *path = fixture_path("dead-letters/out.ndjson");
	struct fake *fake = crash(kinds[_i % 3]);
	char *text = pipeline_read(path, NULL);
	const char *second = strchr(text, '\n') + 1;
	const off_t sizes[] = {0, 20, second - text, second + 20 - text, (off_t)strlen(text) - 1};

	ck_assert_int_eq(truncate(path, sizes[_i / 3]), 0);
	begin(kinds[_i % 3], "");
	pipeline_settle();
	ck_after(fake, true);
	ck_assert_uint_eq(dead_letters(), 0);
	free(text);
	free(path);
}
END_TEST

static void edit(const char *from, const char *to)
{
	char *path = fixture_path("dead-letters/out.ndjson");
	size_t size;
	char *text = pipeline_read(path, &size);
	char *at = strstr(text, from);
	FILE *file = fopen(path, "r+");

	ck_assert_ptr_nonnull(at);
	fseek(file, at - text, SEEK_SET);
	fwrite(to, 1, strlen(to), file);
	fclose(file);
	free(text);
	free(path);
}

/* Another job under the same number, or not all of them: it is sent, and no line is removed. */
START_TEST(of_another_job)
{
	static const char *const edits[][2] = {{" 1000 2/2", " 1001 2/2"},
		{"1 1 1000 2/2", "1 2 1000 2/2"}, {" 1000 2/2", " 1000 2/3"},
		{" 1000 2/2", " 1000 3/4"}, {" 1000 1/2", " 1000 1/3"}, {" 1000 1/2", " 1000 2/2"},
		{" 1000 1/2", " 1000 x/2"}, {"{\"time\"", "\"\"\"time\""}};
	struct fake *fake = crash(&fake_stable);

	edit(edits[_i][0], edits[_i][1]);
	begin(&fake_stable, "");
	pipeline_settle();
	ck_after(fake, true);
	ck_assert_uint_eq(dead_letters(), 2);
}
END_TEST

/* Somebody removed the last line of a job that is acknowledged: the others stay. */
START_TEST(of_a_job_that_is_done)
{
	char *path = fixture_path("dead-letters/out.ndjson");
	struct fake *fake = pipeline_simple(&fake_plain);

	fake->script = "p";
	pipeline_pages("a", 0, 1, 8);
	pipeline_settle();
	ck_assert_uint_eq(dead_letters(), 4);
	pipeline_close();
	char *text = pipeline_read(path, NULL);
	text[strlen(text) - 1] = '\0';
	ck_assert_int_eq(truncate(path, strrchr(text, '\n') + 1 - text), 0);
	begin(&fake_plain, "p");
	pipeline_settle();
	ck_assert_uint_eq(dead_letters(), 3);
	pipeline_pages("a", 1, 2, 8);
	pipeline_settle();
	ck_assert_uint_eq(dead_letters(), 3 + 4);
	free(text);
	free(path);
}
END_TEST

/* Sent again, rejected in part again, and a crash before that is noted. */
START_TEST(sent_again)
{
	struct fake *fake = pipeline_simple(kinds[_i]);
	char *in_the_way = fixture_path("dead-letters/out.ndjson.new");
	struct fault fault = FAULT_NULL;
	uint64_t n;

	fake->script = "pp";
	pipeline_pages("a", 0, 1, 8);
	pipeline_settle();
	buf_clear(&fake->delivered);
	ck_assert_int_eq(mkdir(in_the_way, 0700), 0);
	ck_assert_int_eq(fanout_resend(fanout, "out", &n, &fault), 0);
	ck_assert_uint_eq(n, 4);
	pipeline_settle();
	ck_assert(pipeline_status("out").failing);
	ck_assert_uint_eq(dead_letters(), 4 + 2);
	pipeline_close();
	ck_assert_int_eq(rmdir(in_the_way), 0);
	begin(kinds[_i], "");
	pipeline_settle();
	ck_assert_str_eq(buf_text(&fake->delivered), "{\"n\":0,\"i\":1}\n{\"n\":0,\"i\":5}\n");
	ck_assert_uint_eq(dead_letters(), 2);
	free(in_the_way);
}
END_TEST

/* Whether the job is done is not known: the sink waits. */
START_TEST(unreadable)
{
	char *path = fixture_path("dead-letters/out.ndjson"), *away = fixture_path("away");
	struct fake *fake = crash(&fake_stable);

	ck_assert_int_eq(rename(path, away), 0);
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	ck_assert_uint_lt(strlen(path), sizeof(address.sun_path));
	strcpy(address.sun_path, path);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	begin(&fake_stable, "");
	pipeline_settle();
	ck_assert(pipeline_status("out").failing);
	ck_assert_ptr_nonnull(strstr(pipeline_status("out").fault.text, "cannot read or write"));
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rename(away, path), 0);
	fanout_retry_now(fanout);
	RUN_UNTIL(!pipeline_status("out").failing);
	pipeline_settle();
	ck_after(fake, false);
	close(listener);
	free(away);
	free(path);
}
END_TEST

static void replay_begin(const char *script)
{
	pipeline_sink("out", kinds[2], &common_raw);
	pipeline_sink("slow", &fake_plain, &common_raw); /* so that the page stays in the spool */
	pipeline_route("a", "out,slow");
	fake_find("slow")->script = "h";
	fake_find("out")->script = script;
	fanout_start(fanout);
	ck_assert(committer_flush(committer));
}

/* A record that is replayed. */
START_TEST(replayed)
{
	struct fake *fake = fake_find("out");
	struct replay *replay = MEM_NEW(struct replay);
	struct fault fault = FAULT_NULL;

	replay_begin("dh");
	pipeline_pages("a", 0, 1, 4);
	RUN_UNTIL(pipeline_status("out").acknowledged == 1);
	buf_clear(&fake->delivered);
	replay->sink = mem_strdup("out");
	replay->source = mem_strdup("a");
	replay->to_time = INT64_MAX;
	replay->until = 1;
	replay->n_records = 4;
	ck_assert_int_eq(fanout_replay(fanout, replay, "me", "test", &fault), 0);
	RUN_UNTIL(fake->held);
	fake_release(fake, 'p');
	RUN_UNTIL(dead_letters() > 0);
	ck_assert(commit_pending(store));
	pipeline_close();
	fake_find("slow")->held = NULL;
	pipeline_open();
	replay_begin("");
	RUN_UNTIL(pipeline_status("out").replay->progress.state == REPLAY_DONE);
	ck_assert_str_eq(buf_text(&fake->delivered), "{\"n\":0,\"i\":0}\n{\"n\":0,\"i\":2}\n");
	ck_assert_uint_eq(dead_letters(), 2);
}
END_TEST

static void add_tests(Suite *suite)
{
	TCase *tcase = tcase_create("delivery_kept");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, pipeline_setup, pipeline_teardown);
	tcase_add_loop_test(tcase, not_sent_again, 0, 3);
	tcase_add_test(tcase, not_written_again);
	tcase_add_loop_test(tcase, incomplete, 0, 15);
	tcase_add_loop_test(tcase, of_another_job, 0, 8);
	tcase_add_test(tcase, of_a_job_that_is_done);
	tcase_add_loop_test(tcase, sent_again, 0, 3);
	tcase_add_test(tcase, replayed);
	tcase_add_test(tcase, unreadable);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	return fixture_main("delivery_kept", add_tests);
}
