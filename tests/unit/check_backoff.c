/* Back-off with full jitter, and the randomness below it. */
#include "base/backoff.h"

#include "base/random.h"
#include "check_unit.h"

static uint64_t highest(uint64_t bound)
{
	return bound - 1;
}

static uint64_t lowest(uint64_t bound)
{
	(void)bound;
	return 0;
}

START_TEST(ceilings_double_up_to_the_longest)
{
	static const int seconds[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300};
	struct backoff backoff = BACKOFF_DEFAULT;
	random_set_source(highest);
	for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++)
		ck_assert_msg(backoff_next(&backoff) == seconds[i] * NSEC_PER_SEC, "wait %zu", i);
	backoff_reset(&backoff);
	ck_assert_int_eq(backoff_next(&backoff), NSEC_PER_SEC);
	random_set_source(lowest);
	for (int i = 0; i < 200; i++)
		ck_assert_int_eq(backoff_next(&backoff), NSEC_PER_SEC);
	random_set_source(NULL);
}
END_TEST

START_TEST(longest_below_shortest)
{
	struct backoff backoff = {.min_ns = 10, .max_ns = 5};
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(backoff_next(&backoff), 5);
}
END_TEST

START_TEST(random_is_below_its_bound)
{
	unsigned seen = 0;
	for (int i = 0; i < 1000; i++) {
		uint64_t value = random_below(3);
		ck_assert_uint_lt(value, 3);
		seen |= 1u << value;
	}
	ck_assert_uint_eq(seen, 7);
	ck_assert_uint_eq(random_below(1), 0);
	unsigned char a[32] = {0}, b[32] = {0};
	random_bytes(a, sizeof(a));
	random_bytes(b, sizeof(b));
	ck_assert_mem_ne(a, b, sizeof(a));
}
END_TEST

UNIT_MAIN("backoff", ceilings_double_up_to_the_longest, longest_below_shortest,
	random_is_below_its_bound)
