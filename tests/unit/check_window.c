/* The dedupe window: the same before and after a restart, small again when its keys are old. */
#include "store/window.h"

#include "store/store_internal.h"
#include "store_fixture.h"

static struct window *window;

static void setup(void)
{
	fixture_open_setup();
	window = window_new(store, "s");
}

static void teardown(void)
{
	window_free(window);
	window = NULL;
	fixture_teardown();
}

static void load(void)
{
	struct fault fault = FAULT_NULL;

	int r;

	do
		r = window_load(window, NSEC_NONE, &fault);
	while (r == STORE_E_WAIT);
	ck_assert_msg(r == 0, "%s", fault.text);
}

/* The time before which rows may go. */
static nsec_t expire(nsec_t time)
{
	struct fault fault = FAULT_NULL;
	nsec_t passed = 0;
	int r = window_expire(window, time, &passed, &fault);

	ck_assert_msg(r == 0, "%d: %s", r, fault.text);
	return passed;
}

/* As after a restart. */
static void renew(void)
{
	window_free(window);
	fixture_reopen();
	window = window_new(store, "s");
}

static void add_repeated(const char *text, size_t n, nsec_t time)
{
	struct batch *batch = batch_new("s", "p", 1000);
	struct id key = digest_id(slice_of(text));

	batch->newest_time = time;

	for (size_t i = 0; i < n; i++) {
		batch_add(batch, slice_of(text), &key, SLICE_NULL, time);
		window_add(window, &key, time);
	}
	commit_add_page(store, "s", batch, NULL, NULL, NULL);
	batch_unref(batch);
}

static void add_new(int number, size_t n, nsec_t time)
{
	fixture_add("s", number, n, time, NULL);
	for (size_t i = 0; i < n; i++) {
		struct id key = fixture_key(number, i);

		window_add(window, &key, time == NSEC_NONE ? 1000 : time + (nsec_t)n - 1);
	}
}

static bool has(int number, size_t i)
{
	struct id key = fixture_key(number, i);

	return window_has(window, &key);
}

START_TEST(it_is_lazy)
{
	struct id key = fixture_key(1, 0);

	add_new(1, 3, 5);
	ck_assert(!window_reaches(window, NSEC_NONE));
	ck_assert(!has(1, 0)); /* the add was ignored */
	ck_assert_uint_eq(window_count(window, &key), 0);
	ck_assert_int_eq(expire(100), 100);
	ck_assert_uint_eq(window_size(window), 0);
	fixture_run();
	load();
	ck_assert(window_reaches(window, NSEC_NONE));
	ck_assert_uint_eq(window_size(window), 3);
	ck_assert(has(1, 0) && has(1, 2) && !has(1, 3));
	load(); /* once only */
	ck_assert_uint_eq(window_size(window), 3);
}
END_TEST

START_TEST(sources_are_apart)
{
	struct window *other = window_new(store, "t");
	struct id key = fixture_key(1, 0);

	fixture_add("t", 1, 3, 5, NULL);
	fixture_run();
	load();
	ck_assert(!has(1, 0));
	ck_assert_int_eq(window_load(other, NSEC_NONE, NULL), 0);
	ck_assert(window_has(other, &key));
	window_free(other);
}
END_TEST

static const size_t counts[] = {1, 2, 3, 4, 5, 7, 8, 9, 63, 64, 65, 1000, 70000};

START_TEST(equal_digests_are_counted)
{
	struct id key = digest_id(SLICE("{\"same\":1}"));
	size_t n = counts[_i];

	load();
	ck_assert_uint_eq(window_count(window, &key), 0);
	add_repeated("{\"same\":1}", n, 5);
	add_repeated("{\"other\":1}", 1, 5);
	ck_assert_msg(window_count(window, &key) == n, "%zu before", n);
	fixture_run();
	renew();
	load();
	ck_assert_msg(window_count(window, &key) == n, "%zu after", n);
	ck_assert_uint_eq(window_size(window), n + 1);
	window_add(window, &key, 5);
	ck_assert_msg(window_count(window, &key) == n + 1, "%zu and one", n);
	ck_assert(window_has(window, &key));
}
END_TEST

START_TEST(occurrences_add_up_over_pages)
{
	struct id key = digest_id(SLICE("{\"same\":1}"));

	for (int i = 0; i < 5; i++) {
		add_repeated("{\"same\":1}", 2, 5);
		fixture_run();
	}
	load();
	ck_assert_uint_eq(window_count(window, &key), 10);
}
END_TEST

START_TEST(keys_not_kept_are_not_in_it)
{
	struct batch *batch = fixture_batch("s", 1, 3, 5);

	batch->keep_ids = false;
	commit_add_page(store, "s", batch, NULL, NULL, NULL);
	batch_unref(batch);
	fixture_run();
	load();
	ck_assert_uint_eq(window_size(window), 0);
	batch = fixture_next(0, "s"); /* but the batch has them while it waits */
	ck_assert(batch && fixture_is(batch, 1, 3));
	batch_unref(batch);
}
END_TEST

START_TEST(expiry_takes_the_rows_before)
{
	add_new(1, 10, 100); /* newest 109 */
	add_new(2, 10, 200); /* newest 209 */
	add_new(3, 10, NSEC_NONE); /* accepted 1000 */
	fixture_run();
	commit_add_release(store, "s", 3);
	commit_add_expiry(store, "s", 109);
	fixture_run();
	load();
	ck_assert_uint_eq(window_size(window), 30);
	commit_add_expiry(store, "s", 110);
	fixture_run();
	renew();
	load();
	ck_assert_uint_eq(window_size(window), 20);
	ck_assert(!has(1, 9) && has(2, 0) && has(3, 0));
	commit_add_expiry(store, "t", 5000); /* another source */
	commit_add_expiry(store, "s", 1000);
	fixture_run();
	renew();
	load();
	ck_assert_uint_eq(window_size(window), 10);
	ck_assert(has(3, 9));
}
END_TEST

START_TEST(a_waiting_batch_keeps_its_keys)
{
	struct batch *batch;

	add_new(1, 10, 100);
	fixture_run();
	commit_add_expiry(store, "s", 5000);
	fixture_run();
	batch = fixture_next(0, "s");
	ck_assert(batch && fixture_is(batch, 1, 10));
	batch_unref(batch);
	commit_add_release(store, "s", 1);
	commit_add_expiry(store, "s", 5000);
	fixture_run();
	load();
	ck_assert_uint_eq(window_size(window), 0);
}
END_TEST

START_TEST(expiry_takes_keys_out)
{
	load();
	for (int i = 0; i < 10; i++)
		add_new(i, 300, 1000 * (nsec_t)i);
	fixture_run();
	add_repeated("{\"same\":1}", 3, 4500); /* collected only */
	add_repeated("{\"same\":1}", 2, 9500);
	ck_assert_uint_eq(window_size(window), 3005);
	ck_assert_int_eq(expire(4000), 4000);
	ck_assert_uint_eq(window_size(window), 6 * 300 + 5);
	ck_assert(!has(3, 299) && has(4, 0));
	ck_assert_int_eq(expire(2000), 4000); /* it never comes back */
	add_new(100, 10, 3000); /* too late */
	ck_assert(!has(100, 0));
	ck_assert_int_eq(expire(8000), 8000);
	ck_assert_uint_eq(window_size(window), 2 * 300 + 2);
	ck_assert(!has(7, 299) && has(8, 0) && has(9, 299));
	commit_add_expiry(store, "s", 8000);
	fixture_run();
	ck_assert_int_eq(expire(600000), 600000);
	ck_assert_uint_eq(window_size(window), 0);
}
END_TEST

/* A key that two rows have is there until the second one expires. */
START_TEST(each_row_counts)
{
	struct id key = fixture_key(1, 0);

	add_new(1, 3, 100);
	add_new(1, 3, 200);
	fixture_run();
	load();
	ck_assert_int_eq(expire(150), 150);
	ck_assert(has(1, 0) && window_count(window, &key) == 1);
	ck_assert_int_eq(expire(300), 300);
	ck_assert(!has(1, 0));
}
END_TEST

#define N_LARGE 50000 /* some slices */

static void add_large(void)
{
	for (int i = 0; i < N_LARGE / 1000; i++) {
		struct batch *batch = fixture_batch("s", i, 1000, NSEC_NONE);

		batch->newest_time = 100;
		commit_add_page(store, "s", batch, NULL, NULL, NULL);
		batch_unref(batch);
	}
	fixture_run();
}

START_TEST(large_ones_are_read_in_slices)
{
	struct window *small = window_new(store, "t");
	struct fault fault;
	unsigned n_slices = 1;

	add_large();
	fixture_add("t", 1, 3, 5, NULL);
	add_new(1000, 10, 100); /* not committed yet */
	for (int i = 0; window_load(window, NSEC_NONE, &fault) == STORE_E_WAIT; i++) {
		ck_assert(!window_reaches(window, NSEC_NONE));
		n_slices++;
		if (i == 0)
			fixture_run(); /* it is now: it counts once */
		if (i == 1)
			ck_assert_int_eq(window_load(small, NSEC_NONE, &fault), 0);
		if (i < 2) /* an errand's */
			add_new(1001 + i, 10, 100);
	}
	ck_assert_uint_ge(n_slices, 3);
	ck_assert_uint_eq(window_size(window), N_LARGE + 30);
	for (int i = 0; i < 3; i++) {
		struct id key = fixture_key(1000 + i, 9);

		ck_assert_uint_eq(window_count(window, &key), 1);
	}
	ck_assert(has(0, 0) && has(N_LARGE / 1000 - 1, 999));
	window_free(small);
}
END_TEST

START_TEST(large_ones_expire_in_slices)
{
	struct fault fault;
	nsec_t passed = 0;
	unsigned n_slices = 1;

	add_large();
	add_new(1000, 10, 1000);
	fixture_run();
	add_new(1001, 10, 100); /* not committed yet */
	load();
	ck_assert_uint_eq(window_size(window), N_LARGE + 20);
	for (int i = 0; window_expire(window, 500, &passed, &fault) == STORE_E_WAIT; i++) {
		ck_assert(passed <= 100); /* no row may go yet */
		n_slices++;
		if (i == 0)
			fixture_run();
		add_new(2000 + i, 10, 100); /* expired already */
		add_new(3000 + i, 10, 1000);
	}
	ck_assert_int_eq(passed, 500);
	ck_assert_uint_ge(n_slices, 3);
	ck_assert_uint_eq(window_size(window), 10 * n_slices);
	ck_assert(has(1000, 0) && has(3000, 0) && !has(2000, 0));
}
END_TEST

/* The horizon goes back, because a clock was wrong: the window has again what the rows still have,
 * once each, and what comes. */
START_TEST(a_horizon_goes_back)
{
	struct fault fault = FAULT_NULL;
	struct id key = fixture_key(0, 0);
	unsigned n_slices = 1;

	add_large(); /* of 100 ns */
	load();
	add_new(1000, 10, 1000);
	ck_assert(window_reaches(window, 100));
	while (window_expire(window, 500, &(nsec_t){0}, &fault) == STORE_E_WAIT)
		;
	ck_assert_uint_eq(window_size(window), 10);
	add_new(1001, 10, 300); /* too old for the window yet */
	add_new(1002, 10, 50);
	ck_assert(window_reaches(window, 500) && !window_reaches(window, 100));
	for (; window_load(window, 100, &fault) == STORE_E_WAIT; n_slices++)
		if (n_slices == 1) {
			fixture_run();
			add_new(1003, 10, 200);
			add_new(1004, 10, 2000);
		}
	ck_assert_uint_ge(n_slices, 3);
	ck_assert(window_reaches(window, 100));
	ck_assert_uint_eq(window_size(window), N_LARGE + 40);
	ck_assert_uint_eq(window_count(window, &key), 1);
	ck_assert(has(1001, 0) && !has(1002, 0) && has(1003, 0) && has(1004, 0));
	add_new(1005, 10, 100);
	ck_assert(has(1005, 0));
	while (window_expire(window, 1000, &(nsec_t){0}, &fault) == STORE_E_WAIT)
		;
	ck_assert_uint_eq(window_size(window), 20);
}
END_TEST

/* A row that cannot be read: nothing is half there, and nothing is forgotten when it can be. */
START_TEST(a_failure_begins_anew)
{
	struct fault fault = FAULT_NULL;

	add_large();
	int r = window_load(window, NSEC_NONE, &fault);
	ck_assert_int_eq(r, STORE_E_WAIT);
	ck_assert_int_eq(
		statement_exec(store,
			"UPDATE batch_keys SET keys = CAST(keys || x'00' AS BLOB) WHERE number = 40",
			&fault),
		0);
	while (r == STORE_E_WAIT)
		r = window_load(window, NSEC_NONE, &fault);
	ck_assert_int_eq(r, STORE_E_CORRUPT);
	ck_assert(!window_reaches(window, NSEC_NONE));
	ck_assert_uint_eq(window_size(window), 0);
	ck_assert_int_eq(
		statement_exec(store,
			"UPDATE batch_keys SET keys = substr(keys, 1, 16000) WHERE number = 40",
			&fault),
		0);
	load();
	ck_assert_uint_eq(window_size(window), N_LARGE);
}
END_TEST

/* --- against a model: what a new window reads --- */

static void compare(nsec_t from)
{
	struct window *fresh = window_new(store, "s");
	struct fault fault = FAULT_NULL;

	ck_assert_int_eq(window_load(fresh, from, &fault), 0);
	ck_assert_uint_eq(window_size(fresh), window_size(window));
	for (int number = 0; number < 40; number++)
		for (size_t i = 0; i < 5; i++) {
			struct id key = fixture_key(number, i);

			ck_assert_uint_eq(window_count(fresh, &key), window_count(window, &key));
		}
	window_free(fresh);
}

START_TEST(it_is_always_as_one_that_is_read_now)
{
	nsec_t horizon = 0, passed = 0;

	srand((unsigned)_i + 1);
	add_new(1, 5, 10);
	if (_i % 2)
		fixture_run();
	load();
	expire(horizon);
	for (int k = 0; k < 300; k++) {
		switch (rand() % 7) {
		case 0:
			fixture_run();
			break;
		case 4: /* a clock was wrong; rows that are to go are gone before that is known */
			fixture_run();
			horizon -= rand() % 40;
			ck_assert_int_eq(window_load(window, horizon, NULL), 0);
			break;
		case 1:
			horizon += rand() % 30;
			passed = expire(horizon);
			ck_assert_int_eq(passed, horizon);
			if (rand() % 2)
				commit_add_expiry(store, "s", passed - rand() % 20);
			break;
		default:
			add_new(rand() % 40, (size_t)(rand() % 5) + 1, horizon - 20 + rand() % 100);
		}
		compare(horizon);
	}
}
END_TEST

START_TEST(keys_that_are_cut_are_corrupt)
{
	struct fault fault = FAULT_NULL;

	add_new(1, 10, 100);
	fixture_run();
	ck_assert_int_eq(
		statement_exec(store, "UPDATE batch_keys SET keys = x'001122'", &fault), 0);
	ck_assert_int_eq(window_load(window, NSEC_NONE, &fault), STORE_E_CORRUPT);
	ck_assert(!window_reaches(window, NSEC_NONE));
	ck_assert_msg(strstr(fault.text, "keys"), "%s", fault.text);
}
END_TEST

START_TEST(free_takes_null)
{
	window_free(NULL);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *windows = tcase_create("window");

	tcase_add_checked_fixture(windows, setup, teardown);
	tcase_add_test(windows, it_is_lazy);
	tcase_add_test(windows, sources_are_apart);
	tcase_add_loop_test(
		windows, equal_digests_are_counted, 0, (int)(sizeof(counts) / sizeof(counts[0])));
	tcase_add_test(windows, occurrences_add_up_over_pages);
	tcase_add_test(windows, keys_not_kept_are_not_in_it);
	tcase_add_test(windows, expiry_takes_the_rows_before);
	tcase_add_test(windows, a_waiting_batch_keeps_its_keys);
	tcase_add_test(windows, expiry_takes_keys_out);
	tcase_add_test(windows, each_row_counts);
	tcase_add_test(windows, large_ones_are_read_in_slices);
	tcase_add_test(windows, large_ones_expire_in_slices);
	tcase_add_test(windows, a_horizon_goes_back);
	tcase_add_test(windows, a_failure_begins_anew);
	tcase_add_loop_test(windows, it_is_always_as_one_that_is_read_now, 0, 8);
	tcase_add_test(windows, keys_that_are_cut_are_corrupt);
	tcase_add_test(windows, free_takes_null);
	suite_add_tcase(suite, windows);
}

int main(void)
{
	return fixture_main("window", add_cases);
}
