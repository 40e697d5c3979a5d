/* Dead letters that are sent again: once, in order, and kept until they are acknowledged. */
#include "pipeline/delivery.h"

#include "pipeline_fixture.h"

/* N dead letters, the odd records of one page; what was delivered is forgotten. */
static struct fake *with_dead_letters(const struct sink_kind *kind, size_t n)
{
	struct fake *fake = pipeline_simple(kind);

	fake->script = "p";
	pipeline_pages("a", 0, 1, 2 * n);
	pipeline_settle();
	ck_assert_uint_eq(dead_letters(), n);
	buf_clear(&fake->delivered);
	return fake;
}

static uint64_t resend(void)
{
	struct fault fault = FAULT_NULL;
	uint64_t n = 0;

	ck_assert_msg(fanout_resend(fanout, "out", &n, &fault) == 0, "%s", fault.text);
	return n;
}

static void ck_resent(const struct fake *fake, size_t from, size_t to)
{
	struct buf wanted = BUF_NULL;

	for (size_t i = from; i < to; i++)
		buf_printf(&wanted, "{\"n\":0,\"i\":%zu}\n", 2 * i + 1);
	ck_assert_str_eq(buf_text(&fake->delivered), buf_text(&wanted));
	buf_deinit(&wanted);
}

static void ck_no_files(void)
{
	static const char *const names[] = {"dead-letters/out.ndjson", "dead-letters/out.resend",
		"dead-letters/out.ndjson.new"};

	for (size_t i = 0; i < 3; i++) {
		char *path = fixture_path(names[i]);

		ck_assert_msg(access(path, F_OK) != 0, "%s", path);
		free(path);
	}
}

static const struct sink_kind *const kinds[] = {
	&fake_plain, &fake_bodies, &fake_stable, &fake_exact};

START_TEST(once_in_order)
{
	struct fake *fake = with_dead_letters(kinds[_i], 3000);
	struct sink_status before = pipeline_status("out"), after;

	ck_assert_uint_eq(resend(), 3000);
	pipeline_settle();
	ck_resent(fake, 0, 3000);
	ck_no_files();
	after = pipeline_status("out");
	ck_assert_int_eq(after.acknowledged, before.acknowledged);
	ck_assert_uint_eq(after.delivered_records, before.delivered_records + 3000);
	ck_assert_uint_eq(resend(), 0);
	buf_clear(&fake->delivered);
	pipeline_pages("a", 1, 3, 1);
	pipeline_settle();
	ck_delivered(fake, 1, 3, 1);
}
END_TEST

/* They are in the file as long as the sink is away, and after a crash the same job comes again. */
START_TEST(kept_until_acknowledged)
{
	struct fake *fake = with_dead_letters(kinds[_i], 2500);

	fake->script = "drh";
	resend();
	pipeline_settle(); /* failing */
	ck_assert(pipeline_status("out").failing);
	ck_assert_uint_eq(dead_letters(), 2500);
	fanout_retry_now(fanout);
	RUN_UNTIL(fake->held);
	pipeline_close();
	pipeline_open();
	fake->script = "";
	buf_deinit(&fake->delivered);
	pipeline_simple(kinds[_i]);
	pipeline_settle();
	ck_assert_str_eq(fake->ids[fake->n_calls - 2], fake->ids[fake->n_calls - 3]);
	ck_resent(fake, 1000, 2500);
	ck_no_files();
}
END_TEST

/* Where its requests were split, it is split again. */
START_TEST(split_as_before)
{
	struct fake *fake = with_dead_letters(&fake_stable, 4);

	fake->base.requests = (struct sink_requests){10, 1000, false};
	fake->script = "/";
	resend();
	RUN_UNTIL(fake->held);
	ck_assert_uint_eq(fake->splits.n, 0);
	pipeline_close();
	pipeline_open();
	fake->script = "h";
	pipeline_simple(&fake_stable);
	RUN_UNTIL(fake->held);
	ck_assert_uint_eq(fake->splits.n, 1);
	ck_assert_uint_eq(fake->splits.places[0], 1);
	fake_release(fake, 'd');
	pipeline_settle();
	ck_resent(fake, 0, 4);
	ck_no_files();
	splits_deinit(&fake->splits);
}
END_TEST

START_TEST(rejected_again)
{
	struct fake *fake = with_dead_letters(&fake_plain, 10);

	fake->script = "p";
	ck_assert_uint_eq(resend(), 10);
	pipeline_settle();
	ck_assert_uint_eq(dead_letters(), 5);
	ck_assert_uint_eq(text_count(buf_text(&fake->delivered), "\n"), 5);
	ck_assert_uint_eq(resend(), 5);
	pipeline_settle();
	ck_no_files();
	ck_assert_uint_eq(text_count(buf_text(&fake->delivered), "\n"), 10);
	ck_assert_uint_eq(pipeline_status("out").refused_records, 15);
}
END_TEST

/* A receiver that takes none of them does not hold up the rest. */
START_TEST(none_taken)
{
	struct fake *fake = with_dead_letters(&fake_plain, 4);

	fake->script = "hn";
	pipeline_pages("a", 1, 2, 1);
	RUN_UNTIL(fake->held);
	resend();
	fake_release(fake, 'd');
	pipeline_pages("a", 2, 3, 1);
	pipeline_settle();
	ck_delivered(fake, 1, 3, 1);
	ck_assert_uint_eq(dead_letters(), 4);
	ck_assert(!pipeline_status("out").failing);
	buf_clear(&fake->delivered);
	resend();
	pipeline_settle();
	ck_resent(fake, 0, 4);
}
END_TEST

/* What was rejected meanwhile is not sent, and what is not a dead letter stays. */
START_TEST(only_what_was_there)
{
	struct fake *fake = with_dead_letters(&fake_plain, 2);
	char *path = fixture_path("dead-letters/out.ndjson");
	int fd = open(path, O_WRONLY | O_APPEND);
	char *text;

	ck_assert_int_eq(write(fd, "{\"torn\":", 8), 8);
	close(fd);
	fake->script = "hp";
	ck_assert_uint_eq(resend(), 3);
	RUN_UNTIL(fake->held);
	fake_release(fake, 'd');
	pipeline_pages("a", 1, 2, 2);
	pipeline_settle();
	text = pipeline_read(path, NULL);
	ck_assert_ptr_nonnull(strstr(text, "{\"torn\":\n"));
	ck_assert_ptr_nonnull(strstr(text, "\"record\":{\"n\":1,\"i\":1}}\n"));
	ck_assert_uint_eq(text_count(text, "\n"), 2);
	free(text);
	free(path);
}
END_TEST

/* Lines of older versions, and of a record whose bytes are not UTF-8. */
START_TEST(other_lines)
{
	static const char lines[] =
		"{\"time\":\"2026-01-31T12:00:00.000Z\",\"sink\":\"out\",\"source\":\"a\",\"id\":"
		"\"1\",\"reason\":\"no\",\"record\":{ \"o\": 1}}\n"
		"{\"time\":\"2026-01-31T12:00:00.000Z\",\"sink\":\"out\",\"source\":\"a\","
		"\"provider\":"
		"\"p\",\"id\":\"2\",\"key\":\"00000000000000000000000000000001\",\"record_time\":"
		"null,"
		"\"reason\":\"no\",\"record\":\"\xef\xbf\xbd\",\"record_base64\":\"Iv8i\"}\n";
	struct fake *fake = with_dead_letters(&fake_bodies, 1);
	char *path = fixture_path("dead-letters/out.ndjson");
	int fd = open(path, O_WRONLY | O_TRUNC);

	ck_assert_int_eq(write(fd, lines, sizeof(lines) - 1), sizeof(lines) - 1);
	close(fd);
	ck_assert_uint_eq(resend(), 2);
	pipeline_settle();
	ck_assert_str_eq(buf_text(&fake->delivered), "{ \"o\": 1}\n\"\xff\"\n");
	ck_no_files();
	free(path);
}
END_TEST

START_TEST(discarded_while_sent)
{
	struct fake *fake = with_dead_letters(&fake_plain, 5);
	struct fault fault = FAULT_NULL;
	uint64_t n = 0;

	fake->script = "h";
	resend();
	RUN_UNTIL(fake->held);
	ck_assert_int_eq(fanout_discard(fanout, "out", &n, &fault), 0);
	ck_assert_uint_eq(n, 5);
	ck_assert_uint_eq(fake->n_cancels, 1);
	ck_no_files();
	pipeline_pages("a", 1, 2, 3);
	pipeline_settle();
	ck_delivered(fake, 1, 2, 3);
}
END_TEST

/* A file that somebody put in the other's place is not the one that was sent in part. */
START_TEST(another_file)
{
	struct fake *fake = with_dead_letters(&fake_plain, 1500);
	char *path = fixture_path("dead-letters/out.ndjson");
	char *away = fixture_path("away");

	fake->script = "dh";
	resend();
	RUN_UNTIL(fake->held);
	pipeline_close();
	ck_assert_int_eq(rename(path, away), 0);
	pipeline_open();
	fake->script = "p";
	buf_deinit(&fake->delivered);
	pipeline_simple(&fake_plain);
	pipeline_pages("a", 1, 2, 2);
	pipeline_settle();
	ck_assert_uint_eq(dead_letters(), 1);
	buf_clear(&fake->delivered);
	ck_assert_uint_eq(resend(), 1);
	pipeline_settle();
	ck_assert_str_eq(buf_text(&fake->delivered), "{\"n\":1,\"i\":1}\n");
	free(path);
	free(away);
}
END_TEST

/* At the limit the sink waits, with a warning before; room ends it. */
START_TEST(bounded)
{
	struct fake *fake = pipeline_simple(&fake_plain);
	struct fault fault = FAULT_NULL;
	uint64_t n = 0;
	int saved;
	int fd = pipeline_log_begin(&saved);
	char *log;

	fanout_set_dead_letter_limit(fanout, 4096);
	fake->script = "ppppppppppppppppppppppppppppppppppppppppppppppp";
	for (int i = 0; i < 30; i++) {
		pipeline_pages("a", i, i + 1, 2);
		pipeline_settle();
	}
	log = pipeline_log_end(fd, saved);
	ck_assert_uint_eq(text_count(log, "at the limit the sink waits"), 1);
	ck_assert_uint_eq(text_count(log, "have reached dead_letter_limit"), 1);
	ck_assert_ptr_nonnull(strstr(log, "1 record is rejected for good"));
	free(log);
	ck_assert(pipeline_status("out").failing);
	ck_assert_uint_lt(dead_letters(), 30);
	fake->script = "hp";
	n = resend();
	ck_assert_uint_ge(n, 10);
	RUN_UNTIL(fake->held); /* a job that waited has become dead letters, those are sent */
	ck_assert_uint_gt(dead_letters(), n);
	fake_release(fake, 'd');
	pipeline_settle();
	ck_assert_int_eq(fanout_discard(fanout, "out", &n, &fault), 0);
	fake->script = "";
	pipeline_settle();
	ck_assert(!pipeline_status("out").failing);
	ck_assert_int_eq(pipeline_status("out").acknowledged, 30);
	ck_assert_uint_eq(pipeline_status("out").pending_records, 0);
}
END_TEST

static void add_tests(Suite *suite)
{
	TCase *tcase = tcase_create("delivery_resend");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, pipeline_setup, pipeline_teardown);
	tcase_add_loop_test(tcase, once_in_order, 0, 4);
	tcase_add_loop_test(tcase, kept_until_acknowledged, 0, 4);
	tcase_add_test(tcase, split_as_before);
	tcase_add_test(tcase, rejected_again);
	tcase_add_test(tcase, none_taken);
	tcase_add_test(tcase, only_what_was_there);
	tcase_add_test(tcase, other_lines);
	tcase_add_test(tcase, discarded_while_sent);
	tcase_add_test(tcase, another_file);
	tcase_add_test(tcase, bounded);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	return fixture_main("delivery_resend", add_tests);
}
