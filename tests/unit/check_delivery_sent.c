/* Jobs that are sent and confirmed later: order, bounds, what comes again. */
#include "pipeline/delivery.h"

#include "pipeline_fixture.h"

/* Pages FROM to TO - 1, each sent as a job of its own. */
static void send_pages(struct fake *fake, int from, int to)
{
	for (int i = from; i < to; i++) {
		fake->script = "s";
		pipeline_pages("a", i, i + 1, 2);
		RUN_UNTIL(fake->n_calls == (size_t)i + 1 && !fakes_answer());
	}
}

START_TEST(confirmed_in_order)
{
	struct fake *fake = pipeline_simple(&fake_bodies);

	send_pages(fake, 0, 3);
	ck_assert_ptr_null(fake->held);
	ck_assert_uint_eq(spool_memory(store), 0); /* nothing of them is kept */
	for (int64_t i = 0; i < 3; i++) {
		ck_assert_int_eq(pipeline_status("out").acknowledged, i);
		ck_assert_uint_eq(pipeline_status("out").pending_records, 6 - 2 * (uint64_t)i);
		ck_assert(pipeline_status("out").oldest_time != NSEC_NONE);
		ck_assert(!fanout_drained(fanout, NULL));
		sink_confirmed(&fake->base);
	}
	pipeline_settle();
	ck_delivered(fake, 0, 3, 2);
	ck_assert_int_eq(pipeline_status("out").acknowledged, 3);
	ck_assert_uint_eq(pipeline_status("out").delivered_records, 6);
	ck_assert_uint_eq(pipeline_status("out").pending_records, 0);
	ck_assert_uint_eq(spool_bytes(store), 0);
}
END_TEST

/* With a job in hand, and without. */
START_TEST(all_that_is_not_confirmed_comes_again)
{
	struct fake *fake = pipeline_simple(&fake_bodies);

	send_pages(fake, 0, 3);
	sink_confirmed(&fake->base);
	if (_i == 0) {
		fake->script = "h";
		pipeline_pages("a", 3, 4, 2);
		RUN_UNTIL(fake->held);
		fake_release(fake, 'r');
	} else {
		fake_answer(fake, NULL, 'r');
		pipeline_pages("a", 3, 4, 2);
	}
	ck_assert_int_eq(pipeline_status("out").acknowledged, 1);
	ck_assert(pipeline_status("out").failing);
	ck_assert_uint_eq(pipeline_status("out").retries, 1);
	buf_clear(&fake->delivered);
	fanout_retry_now(fanout);
	pipeline_settle();
	ck_delivered(fake, 1, 4, 2);
	ck_assert(!pipeline_status("out").failing);
	ck_assert_uint_eq(pipeline_status("out").delivered_records, 8);
	ck_assert_uint_eq(pipeline_status("out").pending_records, 0);
}
END_TEST

/* It works again when something is confirmed, not when it is sent. */
START_TEST(sent_is_not_delivered)
{
	struct fake *fake = pipeline_simple(&fake_bodies);

	fake->script = "rs";
	pipeline_pages("a", 0, 1, 2);
	RUN_UNTIL(pipeline_status("out").failing);
	fanout_retry_now(fanout);
	RUN_UNTIL(fake->n_calls == 2 && !fake->held);
	for (int i = 0; i < 3; i++)
		ev_run(loop, EVRUN_NOWAIT);
	ck_assert(pipeline_status("out").failing);
	sink_confirmed(&fake->base);
	ck_assert(!pipeline_status("out").failing);
	pipeline_settle();
}
END_TEST

START_TEST(no_more_than_so_many)
{
	struct fake *fake = pipeline_simple(&fake_bodies);

	send_pages(fake, 0, SINK_SENT_JOBS + 1);
	ck_assert_ptr_nonnull(fake->held); /* the last stays in hand */
	sink_confirmed(&fake->base);
	ck_assert(sink_sent(&fake->base));
	fake->held = NULL;
	for (int i = 0; i < SINK_SENT_JOBS; i++)
		sink_confirmed(&fake->base);
	pipeline_settle();
	ck_assert_int_eq(pipeline_status("out").acknowledged, SINK_SENT_JOBS + 1);
}
END_TEST

/* A job that needs no delivery is not acknowledged before those that are on their way. */
START_TEST(what_is_left_out_waits_for_its_turn)
{
	struct sink_common_options common = {.format = RECORD_RAW};
	struct fake *fake;

	str_list_add(&common.exclude, "/n = 1");
	pipeline_sink("out", &fake_bodies, &common);
	pipeline_route("a", "out");
	fanout_start(fanout);
	fake = fake_find("out");
	send_pages(fake, 0, 1);
	pipeline_pages("a", 1, 2, 2);
	for (int i = 0; i < 5; i++)
		ev_run(loop, EVRUN_NOWAIT);
	ck_assert_int_eq(pipeline_status("out").acknowledged, 0);
	sink_confirmed(&fake->base);
	pipeline_settle();
	ck_assert_int_eq(pipeline_status("out").acknowledged, 2);
	ck_assert_uint_eq(pipeline_status("out").filtered_records, 2);
	pipeline_close();
	str_list_deinit(&common.exclude);
}
END_TEST

/* A pause is one when all is confirmed; the end of trawld cancels. */
START_TEST(pause_and_end)
{
	struct fake *fake = pipeline_simple(&fake_bodies);
	struct delivery *delivery = fake->base.delivery;

	send_pages(fake, 0, 2);
	delivery_pause(delivery, true);
	ck_assert(!delivery_is_paused(delivery));
	sink_confirmed(&fake->base);
	ck_assert(!delivery_is_paused(delivery));
	if (_i == 0) {
		sink_confirmed(&fake->base);
		ck_assert(delivery_is_paused(delivery));
		return;
	}
	ck_assert(committer_flush(committer));
	pipeline_close();
	ck_assert_uint_eq(fake->n_cancels, 1);
	buf_clear(&fake->delivered);
	pipeline_open();
	pipeline_simple(&fake_bodies);
	pipeline_settle();
	ck_delivered(fake, 1, 2, 2);
}
END_TEST

/* What is in hand is answered, whatever the answer; nothing else is handed over meanwhile. */
START_TEST(held_until_it_has_an_answer)
{
	static const struct {
		const char *answer;
		int64_t acknowledged;
		size_t n_dead_letters;
	} rows[] = {{"d", 2, 0}, {"x", 2, 2}, {"r", 1, 0}, {"n", 1, 0}};
	struct fake *fake = pipeline_simple(&fake_plain);

	fake->script = "dh";
	pipeline_pages("a", 0, 1, 2);
	pipeline_settle();
	pipeline_pages("a", 1, 2, 2);
	RUN_UNTIL(fake->held);
	pipeline_pages("a", 2, 3, 2);
	fanout_hold_sink(fanout, "out", true);
	ck_assert(fanout_sink_is_under_way(fanout, "out"));
	fake_release(fake, rows[_i].answer[0]);
	RUN_UNTIL(!fanout_sink_is_under_way(fanout, "out"));
	ck_assert_int_eq(pipeline_status("out").acknowledged, rows[_i].acknowledged);
	ck_assert_uint_eq(dead_letters(), rows[_i].n_dead_letters);
	fanout_retry_now(fanout);
	for (int i = 0; i < 5; i++)
		ev_run(loop, EVRUN_NOWAIT);
	ck_assert_uint_eq(fake->n_calls, 2);
	ck_assert(!fanout_sink_is_under_way(fanout, "out"));
	fanout_hold_sink(fanout, "out", false);
	RUN_UNTIL(pipeline_status("out").acknowledged == 3);
	ck_assert(!pipeline_status("out").failing);
}
END_TEST

START_TEST(held_until_it_is_confirmed)
{
	struct fake *fake = pipeline_simple(&fake_bodies);

	send_pages(fake, 0, 2);
	fanout_hold_sink(fanout, "out", true);
	pipeline_pages("a", 2, 3, 2);
	ck_assert(fanout_sink_is_under_way(fanout, "out"));
	sink_confirmed(&fake->base);
	ck_assert(fanout_sink_is_under_way(fanout, "out"));
	sink_confirmed(&fake->base);
	ck_assert(!fanout_sink_is_under_way(fanout, "out"));
	for (int i = 0; i < 5; i++)
		ev_run(loop, EVRUN_NOWAIT);
	ck_assert_uint_eq(fake->n_calls, 2);
	fanout_hold_sink(fanout, "out", false);
	pipeline_settle();
	ck_delivered(fake, 0, 3, 2);
}
END_TEST

static void add_tests(Suite *suite)
{
	TCase *tcase = tcase_create("delivery_sent");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, pipeline_setup, pipeline_teardown);
	tcase_add_test(tcase, confirmed_in_order);
	tcase_add_loop_test(tcase, all_that_is_not_confirmed_comes_again, 0, 2);
	tcase_add_test(tcase, sent_is_not_delivered);
	tcase_add_test(tcase, no_more_than_so_many);
	tcase_add_test(tcase, what_is_left_out_waits_for_its_turn);
	tcase_add_loop_test(tcase, pause_and_end, 0, 2);
	tcase_add_loop_test(tcase, held_until_it_has_an_answer, 0, 4);
	tcase_add_test(tcase, held_until_it_is_confirmed);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	return fixture_main("delivery_sent", add_tests);
}
