/* lib/base/minutes.c: a ring of an hour, whatever the time between two additions. */
#include "base/minutes.h"

#include "check_unit.h"

static void assert_rate(const struct minutes *minutes, nsec_t at, size_t i, uint64_t expected)
{
	uint64_t counts[MINUTES];
	minutes_read(minutes, at, counts);
	ck_assert_uint_eq(counts[i], expected);
}

START_TEST(the_last_hour)
{
	struct minutes minutes = MINUTES_NULL;
	const nsec_t start = 1000 * NSEC_PER_MIN;
	minutes_add(&minutes, start, 5);
	minutes_add(&minutes, start + NSEC_PER_MIN - 1, 2);
	minutes_add(&minutes, start + 3 * NSEC_PER_MIN, 1);
	assert_rate(&minutes, start + 3 * NSEC_PER_MIN, 59, 1);
	assert_rate(&minutes, start + 3 * NSEC_PER_MIN, 58, 0);
	assert_rate(&minutes, start + 3 * NSEC_PER_MIN, 56, 7);
	assert_rate(&minutes, start + 59 * NSEC_PER_MIN, 0, 7);
	assert_rate(&minutes, start + 59 * NSEC_PER_MIN, 59, 0);
	assert_rate(&minutes, start + 60 * NSEC_PER_MIN, 2, 1);
	/* a slot is used again an hour later */
	minutes_add(&minutes, start + 60 * NSEC_PER_MIN, 3);
	assert_rate(&minutes, start + 60 * NSEC_PER_MIN, 59, 3);
	minutes_add(&minutes, start + 1000 * NSEC_PER_MIN, 4);
	for (size_t i = 0; i < 59; i++)
		assert_rate(&minutes, start + 1000 * NSEC_PER_MIN, i, 0);
	assert_rate(&minutes, start + 1000 * NSEC_PER_MIN, 59, 4);
}
END_TEST

UNIT_MAIN("minutes", the_last_hour)
