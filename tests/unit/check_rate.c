/* Budgets of requests, and who may try a credential. */
#include "source/rate.h"

#include "base/buf.h"
#include "base/mem.h"
#include "check_unit.h"

#define S NSEC_PER_SEC

static unsigned n_woken;

static void wait_may_end(void *userdata)
{
	(void)userdata;
	n_woken++;
}

/* A user of credential and budget KEY with a limit of COUNT in PERIOD. */
static struct rate *user(uint8_t key, uint32_t count, nsec_t period_ns, nsec_t now_at)
{
	struct rate_setup setup = {.credential = {.bytes = {key}},
		.budget = {.bytes = {key}},
		.count = count,
		.period_ns = period_ns,
		.wake = wait_may_end};
	return rate_new(&setup, now_at);
}

START_TEST(no_more_than_count_in_any_period)
{
	struct rate *rate = user(1, 2, S, 0);
	ck_assert_int_eq(rate_take(rate, 0), 0);
	ck_assert_int_eq(rate_take(rate, 10), 0);
	ck_assert_int_eq(rate_take(rate, 20), S - 20);
	ck_assert_int_eq(rate_take(rate, S), 0);
	ck_assert_int_eq(rate_take(rate, S), 10);
	rate_free(rate);
}
END_TEST

START_TEST(never_more_than_the_rate)
{
	struct rate *rate = user(13, 5, NSEC_PER_MIN, 0), *same = user(13, 60, NSEC_PER_MIN, 0);
	nsec_t taken[400];
	size_t n = 0;
	for (nsec_t now = 0; n < 400; now += NSEC_PER_SEC) {
		nsec_t wait = rate_take(n % 2 ? rate : same, now);
		if (wait == 0)
			taken[n++] = now;
		else
			ck_assert_int_le(wait, NSEC_PER_MIN);
	}
	for (size_t i = 5; i < n; i++)
		ck_assert_int_ge(taken[i] - taken[i - 5], NSEC_PER_MIN);
	ck_assert_int_le(taken[399], 80 * NSEC_PER_MIN);
	nsec_t later = taken[399] + NSEC_PER_HOUR;
	rate_hold(rate, later + 9 * NSEC_PER_SEC);
	ck_assert_int_eq(rate_take(same, later), 9 * NSEC_PER_SEC);
	ck_assert_int_eq(rate_take(same, later + 9 * NSEC_PER_SEC), 0);
	rate_free(rate);
	rate_free(same);
	struct rate *none = user(14, 0, 0, 0);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(rate_take(none, 0), 0);
	rate_free(none);
	ck_assert_int_eq(rate_take(NULL, 0), 0);
	rate_free(NULL);
}
END_TEST

START_TEST(every_limit_holds_for_all)
{
	struct rate *loose = user(2, 4, 10 * S, 0), *strict = user(2, 1, S, 0);
	struct rate *none = user(2, 0, 0, 0);
	ck_assert_int_eq(rate_take(loose, 0), 0);
	ck_assert_int_eq(rate_take(none, 0), S);
	ck_assert_int_eq(rate_take(none, S), 0);
	ck_assert_int_eq(rate_take(strict, 2 * S), 0);
	ck_assert_int_eq(rate_take(strict, 3 * S), 0);
	ck_assert_int_eq(rate_take(strict, 4 * S), 6 * S); /* 4 in 10 s are used up */
	rate_free(loose);
	rate_free(strict);
	rate_free(none);
}
END_TEST

/* A limit goes with the source that has set it; what was sent under it still counts. */
START_TEST(a_limit_goes_with_its_user)
{
	struct rate *strict = user(3, 1, 60 * S, 0), *loose = user(3, 3, 10 * S, 0);
	ck_assert_int_eq(rate_take(loose, 0), 0);
	ck_assert_int_eq(rate_take(loose, S), 59 * S);
	n_woken = 0;
	rate_free(strict);
	ck_assert_uint_eq(n_woken, 1);
	ck_assert_int_eq(rate_take(loose, S), 0);
	ck_assert_int_eq(rate_take(loose, 2 * S), 0);
	ck_assert_int_eq(rate_take(loose, 3 * S), 7 * S);
	rate_free(loose);
}
END_TEST

/* The only source is started anew, with another limit. */
START_TEST(a_budget_outlives_its_users)
{
	struct rate *rate = user(4, 2, 60 * S, 0);
	ck_assert_int_eq(rate_take(rate, 0), 0);
	ck_assert_int_eq(rate_take(rate, S), 0);
	rate_hold(rate, 20 * S);
	rate_refused(rate, 20 * S);
	rate_free(rate);
	rate = user(4, 3, 60 * S, 2 * S);
	ck_assert_int_eq(rate_hold_left(rate, 2 * S), 18 * S);
	ck_assert_int_eq(rate_refusal_left(rate, 2 * S), 0); /* a person may have mended it */
	ck_assert_int_eq(rate_take(rate, 2 * S), 18 * S);
	ck_assert_int_eq(rate_take(rate, 20 * S), 0);
	ck_assert_int_eq(rate_take(rate, 21 * S), 39 * S);
	rate_free(rate);
	rate = user(4, 1, 60 * S, 80 * S);
	ck_assert_int_eq(rate_take(rate, 80 * S), 0);
	rate_free(rate);
}
END_TEST

START_TEST(what_a_server_says_holds_all)
{
	struct rate *rate = user(5, 0, 0, 0), *other = user(5, 0, 0, 0),
		    *stranger = user(6, 0, 0, 0);
	rate_hold(rate, 50);
	rate_hold(rate, 40);
	ck_assert_int_eq(rate_take(other, 10), 40);
	ck_assert_int_eq(rate_take(stranger, 10), 0);
	rate_refused(rate, 70);
	ck_assert_int_eq(rate_refusal_left(other, 10), 60);
	ck_assert_int_eq(rate_hold_left(other, 10), 40);
	ck_assert_int_eq(rate_refusal_left(stranger, 10), 0);
	n_woken = 0;
	rate_refused(rate, NSEC_NONE);
	ck_assert_uint_eq(n_woken, 1);
	ck_assert_int_eq(rate_refusal_left(other, 50), 0);
	ck_assert_int_eq(rate_hold_left(other, 50), 0);
	ck_assert_int_eq(rate_take(rate, 50), 0);
	rate_free(rate);
	rate_free(other);
	rate_free(stranger);
}
END_TEST

/* Two credentials at an origin that has one budget for all. */
START_TEST(a_budget_of_the_origin)
{
	struct rate_setup setup = {
		.credential = {.bytes = {7}}, .budget = {.bytes = {9}}, .count = 1, .period_ns = S};
	struct rate *one = rate_new(&setup, 0);
	setup.credential.bytes[0] = 8;
	struct rate *other = rate_new(&setup, 0);
	rate_set_skew(one, 5);
	rate_refused(one, 100);
	ck_assert_int_eq(rate_take(one, 0), 0);
	ck_assert_int_eq(rate_take(other, 0), S);
	ck_assert_int_eq(rate_refusal_left(other, 0), 0);
	ck_assert_int_eq(rate_skew(other), NSEC_NONE);
	rate_free(one);
	rate_free(other);
}
END_TEST

/* Whoever asks in between, each is served in its turn: nobody starves. */
START_TEST(first_come_first_served)
{
	struct rate *users[5];
	for (size_t i = 0; i < 5; i++)
		users[i] = user(10, 2, 10 * S, 0);
	ck_assert_int_eq(rate_take(users[0], 0), 0);
	ck_assert_int_eq(rate_take(users[0], 0), 0);
	for (size_t i = 1; i < 5; i++)
		ck_assert_int_eq(rate_take(users[i], S), (i < 3 ? 9 : 19) * S);
	ck_assert_int_eq(rate_take(users[0], 2 * S), 28 * S);
	ck_assert_int_eq(rate_take(users[4], 10 * S), 10 * S); /* too early: not its turn */
	ck_assert_int_eq(rate_take(users[2], 10 * S), 0);
	ck_assert_int_eq(rate_take(users[3], 10 * S), 10 * S);
	ck_assert_int_eq(rate_take(users[1], 10 * S), 0);
	ck_assert_int_eq(rate_take(users[3], 20 * S), 0);
	rate_free(users[4]); /* goes away: the next one moves up */
	ck_assert_int_eq(rate_take(users[0], 20 * S), 0);
	for (size_t i = 0; i < 4; i++)
		rate_free(users[i]);
}
END_TEST

/* One that does not come back must not keep the others waiting. */
START_TEST(who_is_late_loses_its_turn)
{
	struct rate *users[3];
	for (size_t i = 0; i < 3; i++)
		users[i] = user(11, 1, 10 * S, 0);
	ck_assert_int_eq(rate_take(users[0], 0), 0);
	ck_assert_int_eq(rate_take(users[1], 0), 10 * S);
	ck_assert_int_eq(rate_take(users[2], 0), 20 * S);
	ck_assert_int_eq(rate_take(users[2], 10 * S), 10 * S);
	ck_assert_int_eq(rate_take(users[2], 12 * S), 0);
	ck_assert_int_eq(rate_take(users[1], 13 * S), 9 * S);
	for (size_t i = 0; i < 3; i++)
		rate_free(users[i]);
}
END_TEST

static void woken(void *userdata)
{
	int *n = userdata;
	++*n;
}

START_TEST(an_unknown_credential_is_tried_one_at_a_time)
{
	struct rate *rate = user(12, 0, 0, 0);
	int n[3] = {0};
	struct rate_turn turns[3];
	for (size_t i = 0; i < 3; i++)
		turns[i] = (struct rate_turn){.wake = woken, .userdata = &n[i]};
	ck_assert(rate_turn_take(rate, &turns[0]));
	ck_assert(rate_turn_take(rate, &turns[0])); /* its own turn still */
	ck_assert(!rate_turn_take(rate, &turns[1]));
	ck_assert(!rate_turn_take(rate, &turns[1]));
	ck_assert(!rate_turn_take(rate, &turns[2]));
	rate_turn_end(rate, &turns[2], false); /* goes away */
	ck_assert(!rate_turn_take(rate, &turns[1]));
	rate_turn_end(rate, &turns[0], false);
	ck_assert(n[0] == 0 && n[1] == 1 && n[2] == 0);
	ck_assert(rate_turn_take(rate, &turns[1]));
	ck_assert(!rate_turn_take(rate, &turns[0]));
	rate_turn_end(rate, &turns[1], true);
	ck_assert_int_eq(n[0], 1);
	for (size_t i = 0; i < 3; i++)
		ck_assert(rate_turn_take(rate, &turns[i]));
	rate_refused(rate, 100); /* unknown again, but those may end */
	ck_assert(rate_turn_take(rate, &turns[0]));
	ck_assert(!rate_turn_take(rate, &turns[1]));
	rate_turn_end(rate, &turns[2], true);
	ck_assert(rate_turn_take(rate, &turns[1]));
	rate_turn_end(rate, &turns[0], false);
	ck_assert_int_eq(n[1], 2);
	rate_free(rate);
}
END_TEST

/* A tenth at once, then at even intervals, and never more than COUNT in any PERIOD. */
static void expect_spread(uint8_t key, uint32_t count, nsec_t period)
{
	uint32_t burst = count < 20 ? 1 : count / 10;
	nsec_t spacing = period / (count - burst + 1) + 1, now = NSEC_PER_DAY;
	struct rate *rate = user(key, count, period, now);
	size_t n = 0, n_at_once = 0;
	nsec_t *taken = mem_array(4 * count, sizeof(nsec_t));
	while (n < 4 * count) {
		nsec_t wait = rate_take(rate, now);
		if (wait == 0)
			taken[n++] = now;
		ck_assert_int_le(wait, spacing);
		now += wait;
		n_at_once += wait == 0 && now == NSEC_PER_DAY;
	}
	ck_assert_uint_eq(n_at_once, burst);
	for (size_t i = count; i < n; i++)
		ck_assert_msg(taken[i] - taken[i - count] >= period, "%u: request %zu", count, i);
	now += 2 * period; /* who saved nothing up has the burst, and no more */
	for (uint32_t i = 0; i < burst; i++)
		ck_assert_int_eq(rate_take(rate, now), 0);
	ck_assert_int_gt(rate_take(rate, now), 0);
	free(taken);
	rate_free(rate);
}

START_TEST(a_quota_is_spread)
{
	static const uint32_t counts[] = {1, 2, 3, 10, 19, 20, 180, 1000};
	for (uint8_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		expect_spread(40 + i, counts[i], NSEC_PER_HOUR);
		expect_spread(50 + i, counts[i], NSEC_PER_DAY);
	}
}
END_TEST

/* Those that share it get their turns, evenly: the last as often as the first. */
START_TEST(a_quota_is_shared_evenly)
{
	enum { N = 12 };
	struct rate *users[N];
	nsec_t due[N] = {0}, last[N] = {0}, longest = 0;
	unsigned n_taken[N] = {0};
	for (size_t i = 0; i < N; i++)
		users[i] = user(60, 200, NSEC_PER_HOUR, 0);
	for (nsec_t now = 0; now < 12 * NSEC_PER_HOUR; now += S)
		for (size_t i = 0; i < N; i++) {
			if (now < due[i])
				continue;
			nsec_t wait = rate_take(users[i], now);
			due[i] = now + (wait > 0 ? wait : NSEC_PER_MIN);
			if (wait > 0)
				continue;
			if (now > NSEC_PER_HOUR && now - last[i] > longest)
				longest = now - last[i];
			last[i] = now;
			n_taken[i]++;
		}
	for (size_t i = 0; i < N; i++) {
		ck_assert_msg(n_taken[i] + 2 >= n_taken[0] && n_taken[i] <= n_taken[0] + 2,
			"user %zu: %u, the first %u", i, n_taken[i], n_taken[0]);
		rate_free(users[i]);
	}
	ck_assert_int_le(longest, 270 * S); /* 12 turns of 20 s, and 1 s for each of this test's */
	ck_assert_uint_ge(n_taken[0], 160);
}
END_TEST

/* A reload takes the limit away and sets it again: what was used stays used. */
START_TEST(a_quota_outlives_its_users)
{
	struct rate *rate = user(61, 40, NSEC_PER_HOUR, 0);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(rate_take(rate, S), 0);
	nsec_t wait = rate_take(rate, S);
	ck_assert_int_gt(wait, 95 * S);
	rate_free(rate);
	rate = user(61, 40, NSEC_PER_HOUR, 2 * S);
	ck_assert_int_eq(rate_take(rate, 2 * S), wait - S);
	rate_free(rate);
}
END_TEST

START_TEST(what_it_waits_for_is_told)
{
	struct buf text = BUF_NULL;
	struct rate *rate = user(62, 180, NSEC_PER_HOUR, 0), *minute = user(63, 1, NSEC_PER_MIN, 0);
	while (rate_take(rate, S) == 0)
		continue;
	rate_print_wait(rate, S, &text);
	ck_assert_str_eq(buf_text(&text),
		"the rate of 180/h: at most 18 requests at once, then one every 22s");
	rate_take(minute, S);
	rate_take(minute, S);
	buf_clear(&text);
	rate_print_wait(minute, S, &text);
	ck_assert_str_eq(buf_text(&text), "the rate of 1/min");
	rate_hold(minute, 9 * S);
	buf_clear(&text);
	rate_print_wait(minute, 2 * S, &text);
	ck_assert_str_eq(buf_text(&text), "the API: it asked for a pause");
	rate_free(rate);
	rate_free(minute);
	buf_deinit(&text);
}
END_TEST

UNIT_MAIN("rate", no_more_than_count_in_any_period, never_more_than_the_rate,
	every_limit_holds_for_all, a_limit_goes_with_its_user, a_budget_outlives_its_users,
	what_a_server_says_holds_all, a_budget_of_the_origin, first_come_first_served,
	who_is_late_loses_its_turn, an_unknown_credential_is_tried_one_at_a_time, a_quota_is_spread,
	a_quota_is_shared_evenly, a_quota_outlives_its_users, what_it_waits_for_is_told)
