/*
 * What the delivery of a waiting batch costs must not depend on how many sources there are, or on
 * what waits for others. Counted is SQLite's work (steps of its virtual machine), which is the same
 * on every machine.
 */
#include "pipeline_fixture.h"
#include "store/store_internal.h"

#define N_BATCHES 2000 /* of the sink that gets everything */
#define N_FEW 200 /* of the sink that gets one source */

static int64_t count_steps(void)
{
	int64_t n = 0;

	for (int i = 0; i < N_STATEMENTS; i++) {
		if (store->statements[i])
			n += sqlite3_stmt_status(
				store->statements[i], SQLITE_STMTSTATUS_VM_STEP, 0);
	}
	return n;
}

static void assert_no_scans(void)
{
	for (int i = 0; i < N_STATEMENTS; i++) {
		sqlite3_stmt *statement = store->statements[i];

		if (!statement || i == STATEMENT_SOURCE_LIST || i == STATEMENT_BATCH_BYTES)
			continue; /* once, at a start or reload */
		ck_assert_msg(
			sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_FULLSCAN_STEP, 0) == 0 &&
				sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_AUTOINDEX, 0) ==
					0 &&
				sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_SORT, 0) == 0,
			"scans a table: %s", sqlite3_sql(statement));
	}
}

static void name_source(char *name, size_t size, int i)
{
	snprintf(name, size, "source-%d", i);
}

/* N_BATCHES batches of N_SOURCES sources in turn, and every so often one of the source "rare". */
static void collect_backlog(int n_sources)
{
	char name[32];

	commit_add_ack(store, "all", 0, NULL);
	commit_add_ack(store, "few", 0, NULL);
	for (int i = 0; i < N_BATCHES; i++) {
		name_source(name, sizeof(name), i % n_sources);
		fixture_add(name, i, 1, 5, "{}");
		if (i % (N_BATCHES / N_FEW) == 0)
			fixture_add("rare", N_BATCHES + i, 1, 5, "{}");
	}
	fixture_run();
}

/* Delivers all that waits for SINK, while the other sink is away. The steps of SQLite from its
 * first job on: what a start costs once is left out. */
static int64_t deliver(const char *sink)
{
	struct fake *fake = fake_find(sink);
	int64_t before;

	fake->script = "h";
	fake_find(strcmp(sink, "all") == 0 ? "few" : "all")->script = "h";
	fanout_start(fanout);
	RUN_UNTIL(fakes[0].held && fakes[1].held);
	before = count_steps();
	fake_release(fake, 'd');
	RUN_UNTIL(pipeline_status(sink).pending_records == 0);
	ck_assert(committer_flush(committer));
	assert_no_scans();
	return count_steps() - before;
}

static void route_all(int n_sources)
{
	char name[32];

	pipeline_sink("all", &fake_plain, &common_raw);
	pipeline_sink("few", &fake_plain, &common_raw);
	for (int i = 0; i < n_sources; i++) {
		name_source(name, sizeof(name), i);
		pipeline_route(name, "all");
	}
	pipeline_route("rare", "all,few");
}

/* In a fresh state: the steps that SINK's batches took. */
static int64_t measure(int n_sources, const char *sink)
{
	int64_t n;

	pipeline_setup();
	collect_backlog(n_sources);
	route_all(n_sources);
	n = deliver(sink);
	for (size_t i = 0; i < 4; i++) {
		if (fakes[i].held)
			fake_release(&fakes[i], 'd');
	}
	pipeline_teardown();
	return n;
}

START_TEST(a_batch_costs_the_same_with_many_sources)
{
	int64_t few = measure(10, "all"), many = measure(1000, "all");

	ck_assert_msg(many < few * 3 / 2, "steps a batch: %lld with 1000 sources, %lld with 10",
		(long long)many / N_BATCHES, (long long)few / N_BATCHES);
}
END_TEST

START_TEST(what_waits_for_others_costs_nothing)
{
	int64_t few = measure(10, "few"), many = measure(1000, "few");

	ck_assert_msg(many < few * 3 / 2, "steps a batch: %lld with 1000 sources, %lld with 10",
		(long long)many / N_FEW, (long long)few / N_FEW);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tcase = tcase_create("work");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, a_batch_costs_the_same_with_many_sources);
	tcase_add_test(tcase, what_waits_for_others_costs_nothing);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	return fixture_main("work", add_cases);
}
