/*
 * The schema: each older version is brought up to each newer one in one transaction, what is not
 * ours or too new is refused untouched. Later versions are made up here; the first ("1") is what
 * all real steps lead to.
 */
#include "store/store_internal.h"

#include "store_fixture.h"

static const char *const steps[] = {
	NULL, /* the real steps, set in setup */
	"ALTER TABLE sinks ADD COLUMN note TEXT NOT NULL DEFAULT 'from two';"
	"CREATE TABLE ledger(id INTEGER PRIMARY KEY, text TEXT)",
	"INSERT INTO ledger(text) SELECT name || note FROM sinks",
	"CREATE INDEX ledger_by_text ON ledger(text)",
};
#define N_STEPS ((int)(sizeof(steps) / sizeof(steps[0])))

static const char *made_up[32];
static int base; /* the version that is called 1 here, less 1 */
static struct fault fault;

static struct schema up_to(int version)
{
	return (struct schema){made_up, base + version};
}

static void setup(void)
{
	base = schema_current.n_steps - 1;
	ck_assert_int_lt(base + N_STEPS, (int)(sizeof(made_up) / sizeof(made_up[0])));
	for (int i = 0; i <= base; i++)
		made_up[i] = schema_current.steps[i];
	for (int i = 1; i < N_STEPS; i++)
		made_up[base + i] = steps[i];
	fixture_setup();
}

static int open_at(int version, enum store_mode mode)
{
	struct schema schema = up_to(version);

	store_close(store);
	store = NULL;
	fault = FAULT_NULL;
	return database_open(&store, state, mode, &schema, &fault);
}

static int64_t number(const char *sql)
{
	int64_t ret = -1;

	ck_assert_msg(statement_number(store, sql, &ret, &fault) == 0, "%s: %s", sql, fault.text);
	return ret;
}

static void fill(void)
{
	fixture_add("s", 7, 3, 5, "\"here\"");
	commit_add_ack(store, "file", 1, "pos");
	fixture_run();
}

static void assert_filled(void)
{
	CLEANUP_FREE char *cursor = fixture_cursor("s");
	struct batch *batch = fixture_next(0, NULL);

	ck_assert_str_eq(cursor, "\"here\"");
	ck_assert(batch && fixture_is(batch, 7, 3));
	batch_unref(batch);
}

/* _i: from which version (of every one but the last) to which above it. */
START_TEST(each_version_becomes_each_newer_one)
{
	int from = 1 + _i / N_STEPS, to = 1 + _i % N_STEPS;

	if (from > to)
		return;
	ck_assert_msg(open_at(from, STORE_OWN) == 0, "%d: %s", from, fault.text);
	ck_assert_int_eq(number("PRAGMA user_version"), base + from);
	fill();
	ck_assert_msg(open_at(to, STORE_OWN) == 0, "%d to %d: %s", from, to, fault.text);
	ck_assert_int_eq(number("PRAGMA user_version"), base + to);
	assert_filled();
	if (to >= 3)
		ck_assert_int_eq(number("SELECT count(*) FROM ledger WHERE text = 'filefrom two'"),
			from < 3 ? 1 : 0); /* step 3 ran once, when there was a sink or not */
}
END_TEST

START_TEST(a_newer_version_is_refused_in_clear_words)
{
	CLEANUP_FREE char *path = fixture_path("trawld.db");
	char words[80];

	snprintf(words, sizeof(words), "newer trawld (schema %d, this one knows up to %d)",
		base + 3, base + 2);
	ck_assert_int_eq(open_at(3, STORE_OWN), 0);
	fill();
	ck_assert_int_eq(open_at(2, STORE_OWN), STORE_E_UNUSABLE);
	ck_assert_msg(strstr(fault.text, words) && strstr(fault.text, path), "%s", fault.text);
	ck_assert_int_eq(open_at(2, STORE_READ), STORE_E_UNUSABLE);
	ck_assert_int_eq(open_at(3, STORE_OWN), 0);
	assert_filled();
}
END_TEST

START_TEST(a_reader_does_not_migrate)
{
	ck_assert_int_eq(open_at(1, STORE_OWN), 0);
	fill();
	ck_assert_int_eq(open_at(2, STORE_READ), STORE_E_UNUSABLE);
	ck_assert_msg(strstr(fault.text, "older trawld"), "%s", fault.text);
	ck_assert_int_eq(open_at(1, STORE_READ), 0);
	ck_assert_int_eq(number("PRAGMA user_version"), base + 1);
}
END_TEST

START_TEST(a_step_that_fails_leaves_the_old_version)
{
	ck_assert_int_eq(open_at(1, STORE_OWN), 0);
	fill();
	made_up[base + 2] = "INSERT INTO nowhere VALUES(1)";
	ck_assert_int_eq(open_at(4, STORE_OWN), STORE_E_CORRUPT);
	ck_assert_int_eq(open_at(1, STORE_OWN), 0);
	ck_assert_int_eq(number("SELECT count(*) FROM sqlite_schema WHERE name = 'ledger'"), 0);
	assert_filled();
	made_up[base + 2] = steps[2];
	ck_assert_int_eq(open_at(4, STORE_OWN), 0);
	assert_filled();
}
END_TEST

static void raw(const char *sql)
{
	CLEANUP_FREE char *path = fixture_path("trawld.db");
	sqlite3 *db = NULL;

	mkdir(state, 0700);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

static const struct {
	const char *sql;
	int outcome;
	const char *words;
} foreign[] = {
	{"CREATE TABLE bookmarks(url)", STORE_E_CORRUPT, "another program"},
	{"PRAGMA application_id = 252006674; CREATE TABLE x(y)", STORE_E_CORRUPT,
		"another program"},
	{"PRAGMA user_version = 1; CREATE TABLE x(y)", STORE_E_CORRUPT, "another program"},
	{"PRAGMA application_id = 0x7472776c; CREATE TABLE x(y)", STORE_E_CORRUPT, "no version"},
	{"PRAGMA application_id = 0x7472776c; PRAGMA user_version = -4", STORE_E_CORRUPT,
		"no version"},
	{"PRAGMA application_id = 0x7472776c; PRAGMA user_version = 1", STORE_E_CORRUPT,
		"no such table"},
	{"PRAGMA application_id = 0x7472776c; PRAGMA user_version = 2147483647", STORE_E_UNUSABLE,
		"newer trawld"},
	{"PRAGMA journal_mode = WAL", 0, ""}, /* what a crash before the first commit leaves */
};

START_TEST(what_is_not_ours_is_refused_untouched)
{
	CLEANUP_FREE char *path = fixture_path("trawld.db");
	struct stat before, after;
	int r;

	raw(foreign[_i].sql);
	ck_assert_int_eq(stat(path, &before), 0);
	r = open_at(1, STORE_OWN);
	ck_assert_msg(r == foreign[_i].outcome, "row %d: %d %s", _i, r, fault.text);
	ck_assert_msg(strstr(fault.text, foreign[_i].words), "row %d: %s", _i, fault.text);
	if (r == 0)
		return;
	ck_assert_int_eq(fault.class, FAULT_STORE);
	ck_assert_int_eq(stat(path, &after), 0);
	ck_assert_msg(before.st_size == after.st_size, "row %d: size", _i);
}
END_TEST

START_TEST(a_table_that_is_missing_is_seen)
{
	ck_assert_int_eq(open_at(1, STORE_OWN), 0);
	fill();
	store_close(store);
	store = NULL;
	raw("DROP TABLE batch_keys");
	ck_assert_int_eq(open_at(1, STORE_OWN), STORE_E_CORRUPT);
	ck_assert_msg(strstr(fault.text, "batch_keys"), "%s", fault.text);
}
END_TEST

START_TEST(the_version_is_the_number_of_steps)
{
	fixture_open();
	ck_assert_int_eq(store_schema_version(), schema_current.n_steps);
	ck_assert_int_eq(number("PRAGMA user_version"), store_schema_version());
	ck_assert_int_eq(number("PRAGMA application_id"), 0x7472776c);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *schemas = tcase_create("schema");

	tcase_add_checked_fixture(schemas, setup, fixture_teardown);
	tcase_add_loop_test(schemas, each_version_becomes_each_newer_one, 0, N_STEPS * N_STEPS);
	tcase_add_test(schemas, a_newer_version_is_refused_in_clear_words);
	tcase_add_test(schemas, a_reader_does_not_migrate);
	tcase_add_test(schemas, a_step_that_fails_leaves_the_old_version);
	tcase_add_loop_test(schemas, what_is_not_ours_is_refused_untouched, 0,
		(int)(sizeof(foreign) / sizeof(foreign[0])));
	tcase_add_test(schemas, a_table_that_is_missing_is_seen);
	tcase_add_test(schemas, the_version_is_the_number_of_steps);
	suite_add_tcase(suite, schemas);
}

int main(void)
{
	return fixture_main("schema", add_cases);
}
