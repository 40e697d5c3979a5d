/* store/kept.c: released batches stay, are counted apart from what waits, and leave in time. */
#include "store/kept.h"

#include "store/store_internal.h"
#include "store_fixture.h"

#define FOREVER (INT64_C(200) * 365 * NSEC_PER_DAY)

static void assert_kept(uint64_t wanted)
{
	struct kept_status status;

	kept_status(store, &status);
	ck_assert_uint_eq(status.n_records, wanted);
	ck_assert_int_eq(status.bytes == 0, wanted == 0);
}

static void release(const char *source, int64_t number)
{
	commit_add_release(store, source, number);
	fixture_run();
}

/* Until nothing more is due. */
static void drop_all(void)
{
	struct fault fault = FAULT_NULL;
	bool more = true;

	while (more)
		ck_assert_int_eq(kept_drop(store, false, &more, &fault), 0);
	ck_assert(!kept_is_due(store));
}

static uint64_t count_waiting(void)
{
	uint64_t n_records = 0, n_batches = 0;

	ck_assert_int_eq(spool_count(store, 0, fixture_any, NULL, &n_records, &n_batches, NULL), 0);
	return n_records;
}

static void add_three(void)
{
	fixture_add("slow", 1, 3, 5, NULL);
	fixture_add("fast", 2, 10, 5, NULL);
	fixture_add("fast", 3, 20, 5, NULL);
	fixture_run();
}

START_TEST(what_is_released_is_kept_and_does_not_wait)
{
	kept_set(store, FOREVER, UINT64_MAX);
	add_three();
	assert_kept(0);
	release("fast", 2);
	assert_kept(10);
	ck_assert_uint_eq(count_waiting(), 23);
	uint64_t waiting = spool_bytes(store);
	fixture_reopen();
	kept_set(store, FOREVER, UINT64_MAX);
	assert_kept(10);
	ck_assert_uint_eq(spool_bytes(store), waiting);
	ck_assert_uint_eq(count_waiting(), 23);
	drop_all();
	assert_kept(10);
	release("fast", 3);
	release("slow", 3);
	assert_kept(33);
	ck_assert_uint_eq(spool_bytes(store), 0);
	ck_assert_uint_eq(count_waiting(), 0);
}
END_TEST

/* The one with the lowest number is released last: it goes like the others. */
START_TEST(a_slow_source_is_not_forgotten)
{
	kept_set(store, FOREVER, UINT64_MAX);
	add_three();
	release("fast", 3);
	drop_all();
	release("slow", 3);
	assert_kept(33);
	kept_set(store, NSEC_PER_DAY, UINT64_MAX); /* all were accepted in 1970 */
	drop_all();
	assert_kept(0);
}
END_TEST

START_TEST(what_waits_stays)
{
	kept_set(store, NSEC_PER_DAY, UINT64_MAX);
	add_three();
	release("fast", 3);
	drop_all();
	assert_kept(0);
	ck_assert_uint_eq(count_waiting(), 3);
	kept_set(store, 0, 0);
	release("slow", 3);
	ck_assert_uint_eq(count_waiting(), 0);
	ck_assert_uint_eq(spool_bytes(store), 0);
}
END_TEST

static nsec_t shown, passed;

static nsec_t read_shown(void)
{
	return shown;
}

static nsec_t read_passed(void)
{
	return passed;
}

static void pass(nsec_t duration)
{
	shown += duration;
	passed += duration;
}

/* A host's clock that is set ahead is not believed at once. */
START_TEST(a_clock_that_is_set_ahead)
{
	shown = passed = 10 * NSEC_PER_SEC;
	clock_set_source(read_passed, read_shown);
	fixture_reopen();
	kept_set(store, NSEC_PER_DAY, UINT64_MAX);
	add_three();
	release("fast", 3);
	release("slow", 3);
	pass(NSEC_PER_SEC);
	shown += 30 * NSEC_PER_DAY;
	drop_all();
	assert_kept(33);
	pass(10 * NSEC_PER_SEC);
	shown -= 30 * NSEC_PER_DAY;
	drop_all();
	assert_kept(33);
	shown += 30 * NSEC_PER_DAY;
	drop_all();
	pass(NSEC_PER_HOUR);
	drop_all();
	assert_kept(0);
	clock_set_source(NULL, NULL);
}
END_TEST

/* Above the limit, and to make room: from the oldest on, and no more than has to go. */
START_TEST(the_oldest_go_first)
{
	struct fault fault = FAULT_NULL;
	struct kept_status status;
	bool more;

	kept_set(store, FOREVER, UINT64_MAX);
	add_three();
	release("fast", 3);
	release("slow", 3);
	kept_status(store, &status);
	kept_set(store, FOREVER, status.bytes - 1);
	ck_assert(kept_is_due(store));
	drop_all();
	assert_kept(30);
	kept_status(store, &status);
	ck_assert(status.early);
	ck_assert_int_eq(kept_drop(store, true, &more, &fault), 0);
	assert_kept(0);
}
END_TEST

/* Without keep what is released goes at once, what was kept goes later. */
START_TEST(no_longer_kept)
{
	kept_set(store, FOREVER, UINT64_MAX);
	add_three();
	release("fast", 2);
	kept_set(store, 0, UINT64_MAX);
	release("fast", 3);
	assert_kept(10);
	ck_assert(kept_is_due(store));
	drop_all();
	assert_kept(0);
	ck_assert_uint_eq(count_waiting(), 3);
	fixture_reopen();
	assert_kept(0);
	ck_assert_uint_eq(count_waiting(), 3);
}
END_TEST

static int64_t number_of(const char *sql)
{
	int64_t number = -1;

	ck_assert_int_eq(statement_number(store, sql, &number, NULL), 0);
	return number;
}

/* Keys that serve dedupe no more stay as long as their body, and go with it. */
START_TEST(keys_stay_with_their_body)
{
	struct batch *batch = NULL;
	struct fault fault = FAULT_NULL;

	kept_set(store, FOREVER, UINT64_MAX);
	add_three();
	release("fast", 3);
	commit_add_expiry(store, "fast", 1000);
	commit_add_expiry(store, "slow", 1000);
	fixture_run();
	ck_assert_int_eq(number_of("SELECT count(*) FROM batch_keys"), 3);
	ck_assert_int_eq(kept_get(store, 2, &batch, &fault), 0);
	ck_assert_uint_eq(batch->n_records, 10);
	batch_unref(batch);
	kept_set(store, NSEC_PER_DAY, UINT64_MAX);
	drop_all();
	ck_assert_int_eq(number_of("SELECT count(*) FROM batch_keys"), 1);
	kept_set(store, 0, 0);
	release("slow", 3);
	ck_assert_int_eq(number_of("SELECT count(*) FROM batch_keys"), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kept");
	TCase *kept = tcase_create("kept");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(kept, fixture_open_setup, fixture_teardown);
	tcase_add_test(kept, what_is_released_is_kept_and_does_not_wait);
	tcase_add_test(kept, a_slow_source_is_not_forgotten);
	tcase_add_test(kept, what_waits_stays);
	tcase_add_test(kept, a_clock_that_is_set_ahead);
	tcase_add_test(kept, the_oldest_go_first);
	tcase_add_test(kept, no_longer_kept);
	tcase_add_test(kept, keys_stay_with_their_body);
	suite_add_tcase(suite, kept);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
