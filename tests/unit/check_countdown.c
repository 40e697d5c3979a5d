/* How long until records are lost, and until the spool is full. */
#include "countdown.h"

#include <ev.h>

#include "check_unit.h"
#include "parts.h"
#include "store_fixture.h"

#define NOW (INT64_C(1757924100) * NSEC_PER_SEC) /* 2025-09-15T08:15:00Z */

static nsec_t now_at;

static nsec_t clock_at(void)
{
	return now_at;
}

static nsec_t clock_time(void)
{
	return NOW;
}

START_TEST(losses)
{
	static const struct {
		enum runner_state state;
		bool failing;
		nsec_t deadline_time;
		const char *text;
	} cases[] = {
		{RUNNER_UP_TO_DATE, false, NOW + NSEC_PER_HOUR, ""},
		{RUNNER_REQUESTING, false, NOW - NSEC_PER_HOUR, ""},
		{RUNNER_BACKING_OFF, true, NSEC_NONE, ""},
		{RUNNER_BACKING_OFF, true, NOW + 90 * NSEC_PER_SEC,
			"if nothing is read until 2025-09-15T08:16:30Z (1m30s), records are lost for good"},
		{RUNNER_REQUESTING, true, NOW + 90 * NSEC_PER_SEC,
			"if nothing is read until 2025-09-15T08:16:30Z (1m30s), records are lost for good"},
		{RUNNER_PAUSED, false, NOW + NSEC_PER_DAY + NSEC_PER_MIN,
			"if nothing is read until 2025-09-16T08:16:00Z (1d), records are lost for good"},
		{RUNNER_BLOCKED, false, NOW,
			"nothing was read until 2025-09-15T08:15:00Z: records are lost for good, and more until it is read again"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct runner_status status = {.state = cases[i].state,
			.failing = cases[i].failing,
			.deadline_time = cases[i].deadline_time};
		struct buf out = BUF_NULL;
		countdown_print_loss(&status, NOW, &out);
		ck_assert_str_eq(buf_text(&out), cases[i].text);
		buf_deinit(&out);
	}
}
END_TEST

START_TEST(spool)
{
	struct config config = {.daemon.spool_limit = 1000000};
	struct setup setup = {.config = &config};
	struct parts parts = {.loop = ev_loop_new(EVFLAG_AUTO), .setup = &setup};
	struct buf text = BUF_NULL;
	clock_set_source(clock_at, clock_time);
	fixture_open_setup();
	parts.store = store;
	struct countdown *countdown = countdown_new(&parts);
	ck_assert_int_eq(countdown_spool(NULL), NSEC_NONE);
	fixture_add("a", 1, 100, 1000, "{}");
	fixture_run();
	uint64_t bytes = spool_bytes(store);
	now_at = 9 * NSEC_PER_SEC; /* too short for a rate */
	ck_assert_int_eq(countdown_spool(countdown), NSEC_NONE);
	now_at = 20 * NSEC_PER_SEC;
	nsec_t expected =
		(nsec_t)(20. * (double)NSEC_PER_SEC * (double)(1000000 - bytes) / (double)bytes);
	ck_assert_int_eq(countdown_spool(countdown), expected);
	countdown_print_spool(countdown, &text);
	ck_assert_ptr_eq(strstr(buf_text(&text), "the spool is full in about "), buf_text(&text));
	/* a reload can change the limit */
	struct config smaller = {.daemon.spool_limit = bytes};
	parts.setup = &(struct setup){.config = &smaller};
	ck_assert_int_eq(countdown_spool(countdown), NSEC_NONE);
	countdown_free(countdown);
	fixture_teardown();
	ev_loop_destroy(parts.loop);
	buf_deinit(&text);
}
END_TEST

UNIT_MAIN("countdown", losses, spool)
