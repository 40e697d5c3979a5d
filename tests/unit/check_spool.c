/* The spool: what waits, for whom, and how far each sink is. */
#include "store/spool.h"

#include "store/store_internal.h"
#include "store_fixture.h"

START_TEST(batches_come_in_order_for_whom_they_are_wanted)
{
	static const struct {
		int64_t after;
		const char *source;
		int64_t number; /* 0: none */
	} rows[] = {
		{0, NULL, 1},
		{1, NULL, 2},
		{6, NULL, 0},
		{INT64_MAX, NULL, 0},
		{0, "b", 2},
		{2, "b", 4},
		{4, "b", 0},
		{0, "c", 5},
		{5, "c", 0},
		{0, "unknown", 0},
	};
	static const char *const sources[] = {"a", "b", "a", "b", "c", "a"};
	struct batch *batch;

	for (int i = 0; i < 6; i++)
		fixture_add(sources[i], i + 1, 3, 5, NULL);
	fixture_run();
	for (int round = 0; round < 2; round++, fixture_reopen()) {
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			batch = fixture_next(rows[i].after, rows[i].source);
			ck_assert_msg(rows[i].number == (batch ? batch->number : 0), "row %zu", i);
			if (!batch)
				continue;
			ck_assert_msg(fixture_is(batch, (int)batch->number, 3), "row %zu", i);
			ck_assert_str_eq(batch->source, sources[batch->number - 1]);
			ck_assert_str_eq(batch->provider, "cloudscale");
			ck_assert_int_eq(batch->accepted_time, 1000);
			ck_assert_int_eq(batch->newest_time, 7);
			batch_unref(batch);
		}
	}
}
END_TEST

static void assert_count(
	int64_t after, const char *source, uint64_t wanted_records, uint64_t wanted_batches)
{
	uint64_t n_records = 99, n_batches = 99;

	ck_assert_int_eq(spool_count(store, after, fixture_any, (void *)(uintptr_t)source,
				 &n_records, &n_batches, NULL),
		0);
	ck_assert_uint_eq(n_records, wanted_records);
	ck_assert_uint_eq(n_batches, wanted_batches);
}

START_TEST(counts_follow_commits_and_releases)
{
	assert_count(0, NULL, 0, 0);
	fixture_add("a", 1, 3, 5, NULL);
	fixture_add("b", 2, 10, 5, NULL);
	fixture_add("a", 3, 1, 5, NULL);
	assert_count(0, NULL, 0, 0);
	fixture_run();
	assert_count(0, NULL, 14, 3);
	assert_count(1, NULL, 11, 2);
	assert_count(0, "a", 4, 2);
	assert_count(3, NULL, 0, 0);
	commit_add_release(store, "a", 1);
	fixture_run();
	assert_count(0, NULL, 11, 2);
	assert_count(0, "a", 1, 1);
}
END_TEST

static uint64_t bytes_in_file(void)
{
	int64_t bytes = -1;

	ck_assert_int_eq(
		statement_number(
			store, "SELECT coalesce(sum(length(body)), 0) FROM batches", &bytes, NULL),
		0);
	return (uint64_t)bytes;
}

START_TEST(bytes_are_exact_at_any_time)
{
	uint64_t collected;

	fixture_add("a", 1, 300, 5, NULL);
	fixture_add("b", 2, 100, 5, NULL);
	commit_add_page(store, "a", NULL, "\"c\"", NULL, NULL);
	collected = spool_bytes(store);
	ck_assert_uint_gt(collected, 1000);
	fixture_run();
	ck_assert_uint_eq(spool_bytes(store), collected);
	ck_assert_uint_eq(bytes_in_file(), collected);
	fixture_add("a", 3, 50, 5, NULL);
	ck_assert_uint_gt(spool_bytes(store), collected);
	commit_add_release(store, "a", 1);
	fixture_run();
	ck_assert_uint_eq(spool_bytes(store), bytes_in_file());
	fixture_reopen();
	ck_assert_uint_eq(spool_bytes(store), bytes_in_file());
	commit_add_release(store, "a", 3);
	commit_add_release(store, "b", 3);
	fixture_run();
	ck_assert_uint_eq(spool_bytes(store), 0);
	fixture_add("a", 3, 50, 5, NULL);
	fixture_reopen(); /* what was collected only is gone */
	ck_assert_uint_eq(spool_bytes(store), 0);
}
END_TEST

static void assert_sink(const char *sink, int64_t wanted, const char *wanted_position, bool known)
{
	CLEANUP_FREE char *position = NULL;
	int64_t number = -1;
	bool ret_known = !known;

	ck_assert_int_eq(spool_sink_get(store, sink, &number, &position, &ret_known, NULL), 0);
	ck_assert_msg(number == wanted, "%s: %lld", sink, (long long)number);
	ck_assert_msg(ret_known == known, "%s: known", sink);
	ck_assert_msg(position ? wanted_position && strcmp(position, wanted_position) == 0
			       : !wanted_position,
		"%s: position %s", sink, position);
}

START_TEST(a_new_sink_begins_after_what_is_committed)
{
	fixture_add("a", 1, 3, 5, NULL);
	fixture_run();
	fixture_add("a", 2, 3, 5, NULL); /* collected: the new sink gets it */
	assert_sink("file", 1, NULL, false);
	assert_sink("file", 1, NULL, false); /* asked twice, entered once */
	ck_assert(commit_pending(store));
	fixture_run();
	assert_sink("file", 1, NULL, true);
	fixture_reopen();
	assert_sink("file", 1, NULL, true);
	assert_sink("other", 2, NULL, false);
	fixture_reopen(); /* not committed: still unknown */
	assert_sink("other", 2, NULL, false);
}
END_TEST

/* What SQLite itself cannot see. */
static const struct {
	const char *sql;
	const char *words;
} damages[] = {
	{"UPDATE batches SET body = x'00112233'", "batch 1: "},
	{"UPDATE batches SET body = substr(body, 1, length(body) - 1)", "batch 1: "},
	{"UPDATE batches SET body = 'text'", "batch 1: "},
	{"UPDATE batches SET body = zeroblob(0)", "batch 1: "},
	{"UPDATE batches SET n_records = 4", "number of records"},
	{"UPDATE batch_keys SET keys = substr(keys, 1, 20)", "keys are missing"},
	{"DELETE FROM batch_keys", "keys are missing"},
	{"UPDATE batches SET source = 7", "batch 1: its row is missing"},
	{"DELETE FROM batches", "batch 1: its row is missing"},
};

START_TEST(a_damaged_row_is_corrupt)
{
	struct batch *batch = NULL;
	struct fault fault = FAULT_NULL;
	int r;

	fixture_add("a", 1, 3, 5, NULL);
	fixture_run();
	ck_assert_int_eq(statement_exec(store, damages[_i].sql, &fault), 0);
	r = fixture_read(0, NULL, &batch, &fault);
	ck_assert_msg(r == STORE_E_CORRUPT, "row %d: %d %s", _i, r, fault.text);
	ck_assert_msg(strstr(fault.text, damages[_i].words), "row %d: %s", _i, fault.text);
	ck_assert_ptr_null(batch);
	/* No transaction stays open behind the failure. */
	fixture_add("b", 2, 3, 5, NULL);
	fixture_run();
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *spools = tcase_create("spool");

	tcase_add_checked_fixture(spools, fixture_open_setup, fixture_teardown);
	tcase_add_test(spools, batches_come_in_order_for_whom_they_are_wanted);
	tcase_add_test(spools, counts_follow_commits_and_releases);
	tcase_add_test(spools, bytes_are_exact_at_any_time);
	tcase_add_test(spools, a_new_sink_begins_after_what_is_committed);
	tcase_add_loop_test(
		spools, a_damaged_row_is_corrupt, 0, (int)(sizeof(damages) / sizeof(damages[0])));
	suite_add_tcase(suite, spools);
}

int main(void)
{
	return fixture_main("spool", add_cases);
}
