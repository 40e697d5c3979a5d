/* Budgets of requests, and who may try a credential. */
#include "source/rate.h"

#include "check_unit.h"

static const struct id key = {.bytes = {1}};

START_TEST(no_more_than_count_in_any_period)
{
	struct rate *rate = rate_ref(&key, 2, NSEC_PER_SEC);
	ck_assert_int_eq(rate_take(rate, 0), 0);
	ck_assert_int_eq(rate_take(rate, 10), 0);
	ck_assert_int_eq(rate_take(rate, 20), NSEC_PER_SEC - 20);
	ck_assert_int_eq(rate_take(rate, NSEC_PER_SEC), 0);
	ck_assert_int_eq(rate_take(rate, NSEC_PER_SEC), 10);
	rate_unref(rate);
}
END_TEST

START_TEST(the_strictest_limit_holds_for_all)
{
	struct rate *one = rate_ref(&key, 100, NSEC_PER_SEC);
	struct rate *other = rate_ref(&key, 1, NSEC_PER_SEC);
	ck_assert_ptr_eq(one, other);
	ck_assert_int_eq(rate_take(one, 0), 0);
	ck_assert_int_gt(rate_take(other, 0), 0);
	rate_unref(one);
	rate_unref(other);
}
END_TEST

START_TEST(what_a_server_says_holds_all)
{
	struct rate *rate = rate_ref(&key, 0, 0);
	rate_hold(rate, 50);
	rate_hold(rate, 40);
	ck_assert_int_eq(rate_take(rate, 10), 40);
	rate_refused(rate, 70);
	ck_assert_int_eq(rate_held(rate, 10), 60);
	rate_refused(rate, NSEC_NONE);
	ck_assert_int_eq(rate_held(rate, 50), 0);
	ck_assert_int_eq(rate_take(rate, 50), 0);
	rate_unref(rate);
}
END_TEST

static void woken(void *userdata)
{
	int *n = userdata;
	++*n;
}

START_TEST(an_unknown_credential_is_tried_one_at_a_time)
{
	struct rate *rate = rate_ref(&key, 0, 0);
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
	rate_unref(rate);
}
END_TEST

UNIT_MAIN("rate", no_more_than_count_in_any_period, the_strictest_limit_holds_for_all,
	what_a_server_says_holds_all, an_unknown_credential_is_tried_one_at_a_time)
