/* Equal digests are counted exactly, whatever their bytes, and stay apart from other keys. */
#include "store/occurrence.h"

#include "store_fixture.h"

static const struct id digests[] = {
	{{0}},
	{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}},
	{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff}},
};

START_TEST(each_add_is_one_more)
{
	struct idset set = IDSET_NULL;

	for (unsigned k = 0; k < 300; k++) {
		ck_assert_msg(occurrence_count(&set, &digests[_i]) == k, "row %d: %u", _i, k);
		occurrence_add(&set, &digests[_i]);
		ck_assert_msg(set.n_ids == k + 1, "row %d: %u", _i, k);
	}
	idset_deinit(&set);
}
END_TEST

START_TEST(each_removal_is_one_less)
{
	struct idset set = IDSET_NULL;

	occurrence_remove(&set, &digests[_i]);
	for (unsigned k = 0; k < 300; k++)
		occurrence_add(&set, &digests[_i]);
	for (unsigned k = 300; k > 0; k--) {
		ck_assert_uint_eq(occurrence_count(&set, &digests[_i]), k);
		occurrence_remove(&set, &digests[_i]);
	}
	occurrence_remove(&set, &digests[_i]);
	ck_assert_uint_eq(set.n_ids, 0);
	idset_deinit(&set);
}
END_TEST

START_TEST(each_occurrence_is_marked_once)
{
	struct idset set = IDSET_NULL;

	for (unsigned round = 0; round < 10; round++) {
		for (unsigned k = 0; k < round; k++)
			ck_assert_msg(occurrence_mark(&set, &digests[_i]), "%u of %u", k, round);
		ck_assert_msg(!occurrence_mark(&set, &digests[_i]), "%u", round);
		occurrence_add(&set, &digests[_i]);
		ck_assert(occurrence_mark(&set, &digests[_i]));
		idset_unmark_all(&set);
	}
	idset_deinit(&set);
}
END_TEST

START_TEST(other_digests_do_not_count)
{
	struct idset set = IDSET_NULL;

	for (unsigned k = 0; k < 300; k++) {
		struct id other = digest_id((struct slice){(const char *)&k, sizeof(k)});

		occurrence_add(&set, &other);
		occurrence_add(&set, &digests[1]);
		ck_assert_uint_eq(occurrence_count(&set, &other), 1);
	}
	ck_assert_uint_eq(occurrence_count(&set, &digests[1]), 300);
	ck_assert_uint_eq(occurrence_count(&set, &digests[2]), 0);
	idset_deinit(&set);
}
END_TEST

/* Quadratic work would be seen as a time-out of the test. */
START_TEST(very_many_equal_ones)
{
	struct idset set = IDSET_NULL;

	for (int k = 0; k < 300000; k++)
		occurrence_add(&set, &digests[1]);
	ck_assert_uint_eq(occurrence_count(&set, &digests[1]), 300000);
	idset_deinit(&set);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *occurrences = tcase_create("occurrence");

	tcase_add_loop_test(
		occurrences, each_add_is_one_more, 0, (int)(sizeof(digests) / sizeof(digests[0])));
	tcase_add_loop_test(occurrences, each_removal_is_one_less, 0,
		(int)(sizeof(digests) / sizeof(digests[0])));
	tcase_add_loop_test(occurrences, each_occurrence_is_marked_once, 0,
		(int)(sizeof(digests) / sizeof(digests[0])));
	tcase_add_test(occurrences, other_digests_do_not_count);
	tcase_add_test(occurrences, very_many_equal_ones);
	tcase_set_timeout(occurrences, 60);
	suite_add_tcase(suite, occurrences);
}

int main(void)
{
	return fixture_main("occurrence", add_cases);
}
