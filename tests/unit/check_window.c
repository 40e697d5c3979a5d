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

	ck_assert_msg(window_load(window, NSEC_NONE, &fault) == 0, "%s", fault.text);
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

	for (size_t i = 0; i < n; i++) {
		batch_add(batch, slice_of(text), &key, SLICE_NULL, time);
		window_add(window, &key);
	}
	commit_add_page(store, "s", batch, NULL, NULL, NULL);
	batch_unref(batch);
}

static void add_new(int number, size_t n, nsec_t time)
{
	fixture_add("s", number, n, time, NULL);
	for (size_t i = 0; i < n; i++) {
		struct id key = fixture_key(number, i);

		window_add(window, &key);
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
	ck_assert(!window_is_loaded(window));
	ck_assert(!has(1, 0)); /* the add was ignored */
	ck_assert_uint_eq(window_count(window, &key), 0);
	ck_assert_int_eq(window_expire(window, 100, NULL), 0);
	ck_assert_uint_eq(window_size(window), 0);
	fixture_run();
	load();
	ck_assert(window_is_loaded(window));
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
	window_add(window, &key);
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

START_TEST(it_is_built_anew_when_most_is_stale)
{
	load();
	for (int i = 0; i < 10; i++)
		add_new(i, 300, 1000 * (nsec_t)i);
	fixture_run();
	add_repeated("{\"same\":1}", 3, 500000); /* collected only */
	ck_assert_uint_eq(window_size(window), 3003);
	ck_assert_int_eq(window_expire(window, 4000, NULL), 0);
	ck_assert_uint_eq(window_size(window), 3003); /* 1,803 of 3,003 live */
	ck_assert_int_eq(window_expire(window, 8000, NULL), 0);
	ck_assert_uint_eq(window_size(window), 603);
	ck_assert(!has(7, 299) && has(8, 0) && has(9, 299));
	ck_assert_uint_eq(window_count(window, &(struct id){0}), 0);
	fixture_run();
	ck_assert_int_eq(window_expire(window, 600000, NULL), 0);
	ck_assert_uint_eq(window_size(window), 603); /* too small to bother */
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
	ck_assert(!window_is_loaded(window));
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
	tcase_add_test(windows, it_is_built_anew_when_most_is_stale);
	tcase_add_test(windows, keys_that_are_cut_are_corrupt);
	tcase_add_test(windows, free_takes_null);
	suite_add_tcase(suite, windows);
}

int main(void)
{
	return fixture_main("window", add_cases);
}
