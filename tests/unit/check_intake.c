/* From delivered records to the spool: what is new, what is known, in every scope and over
 * restarts. */
#include "pipeline/intake.h"

#include <errno.h>
#include <ev.h>

#include "store/events.h"
#include "store/store_internal.h"
#include "store_fixture.h"
#include "check_unit.h"

static struct ev_loop *loop;
static struct committer *committer;
static struct intake *intake;
static const struct log_subject subject = {.kind = "source", .name = "s"};
static size_t n_records; /* committed since the test began */
static bool damaged; /* the committer said so: nothing is committed any more */
static nsec_t record_time; /* of all that is delivered */

static void committed(struct batch *batch, void *userdata)
{
	(void)userdata;
	if (batch)
		n_records += batch->n_records;
}

static void state_changed(int outcome, const struct fault *fault, void *userdata)
{
	(void)userdata;
	damaged = outcome == STORE_E_CORRUPT && strstr(fault->text, "keys");
}

static void open_intake(void)
{
	committer = committer_new(loop, store, state_changed, NULL);
	intake = intake_new(&(struct intake_setup){.store = store,
		.committer = committer,
		.source = "s",
		.subject = &subject,
		.provider = "p",
		.committed = committed});
}

static void close_intake(void)
{
	ck_assert(damaged || committer_flush(committer));
	intake_free(intake);
	committer_free(committer);
}

static void set_up(void)
{
	fixture_setup();
	fixture_open();
	loop = ev_loop_new(EVFLAG_AUTO);
	n_records = 0;
	damaged = false;
	record_time = NSEC_PER_SEC;
	open_intake();
}

static void tear_down(void)
{
	close_intake();
	ev_loop_destroy(loop);
	fixture_teardown();
}

/* The process ends and starts again. */
static void restart(void)
{
	close_intake();
	store_close(store);
	fixture_open();
	open_intake();
}

/* Delivers one record a letter of TEXT: lower case by digest, upper case by provider ID. Returns
 * how many were new. */
static size_t deliver(const char *text, enum record_scope scope, bool new_chain, const char *cursor)
{
	struct record records[16];
	char texts[16][16];
	size_t n = strlen(text);
	struct intake_status before, after;
	struct fault fault;
	for (size_t i = 0; i < n; i++) {
		snprintf(texts[i], sizeof(texts[i]), "{\"k\" : \"%c\"}", text[i]);
		records[i] = (struct record){
			.text = slice_of(texts[i]), .time = record_time, .spaced = true};
		if (text[i] >= 'A' && text[i] <= 'Z')
			records[i].id_text = (struct slice){text + i, 1};
		records[i].key = digest_id((struct slice){text + i, 1});
	}
	if (scope != RECORD_SCOPE_EXACT || (n && text[0] <= 'Z'))
		ck_assert_int_eq(intake_ready(intake, NSEC_NONE, &fault), 0);
	intake_status(intake, &before);
	intake_accept(&(struct record_batch){.records = {records, n},
			      .scope = scope,
			      .new_chain = new_chain,
			      .cursor = cursor,
			      .key_time = 100 * NSEC_PER_SEC,
			      .horizon = NSEC_NONE},
		intake);
	intake_status(intake, &after);
	return (size_t)(after.n_records - before.n_records);
}

START_TEST(provider_ids_enter_once)
{
	ck_assert_uint_eq(deliver("ABAC", RECORD_SCOPE_CHAIN, true, "1"), 3);
	ck_assert_uint_eq(deliver("ABCD", RECORD_SCOPE_CHAIN, true, "2"), 1);
	restart();
	ck_assert_uint_eq(deliver("ABCDE", RECORD_SCOPE_EXACT, true, "3"), 1);
	ck_assert(committer_flush(committer));
	ck_assert_uint_eq(n_records, 5);
}
END_TEST

/* As deliver(), TO and with its cursor. */
static size_t deliver_to(struct intake *to, const char *text, const char *cursor)
{
	struct intake *source = intake;
	intake = to;
	size_t n = deliver(text, RECORD_SCOPE_CHAIN, true, cursor);
	intake = source;
	return n;
}

START_TEST(an_errand_and_its_source_know_each_others_records)
{
	char *cursor = NULL;
	ck_assert_uint_eq(deliver("AbbC", RECORD_SCOPE_CHAIN, true, "1"), 4);
	struct intake *errand = intake_new_errand(intake, 0);
	ck_assert_uint_eq(deliver_to(errand, "bbAbC", "errand 1"), 1);
	ck_assert_uint_eq(deliver_to(errand, "EdCC", "errand 2"), 2);
	ck_assert_uint_eq(deliver("bbbEdF", RECORD_SCOPE_CHAIN, true, "2"), 1);
	ck_assert_uint_eq(deliver_to(errand, "FbbbbF", "errand 3"), 1);
	ck_assert(committer_flush(committer));
	ck_assert_uint_eq(n_records, 9);
	ck_assert_int_eq(cursors_get(store, "s", &cursor, NULL), 0);
	ck_assert_str_eq(cursor, "2");
	free(cursor);
	intake_free(errand);
	restart();
	ck_assert_uint_eq(deliver("AbbbbCdEF", RECORD_SCOPE_CHAIN, true, "3"), 0);
}
END_TEST

static size_t n_reused(void)
{
	struct intake_status status;
	intake_status(intake, &status);
	return (size_t)status.n_reused;
}

static void count_event(const char *line, void *userdata)
{
	*(size_t *)userdata += strstr(line, "\"kind\":\"reused-id\",\"source\":\"s\"") != NULL;
}

START_TEST(an_id_that_comes_with_a_later_time_is_told)
{
	size_t n_events = 0;
	record_time = 10 * NSEC_PER_SEC;
	deliver("AB", RECORD_SCOPE_CHAIN, true, "1");
	record_time -= NSEC_PER_SEC;
	deliver("CA", RECORD_SCOPE_CHAIN, true, "2"); /* not later than all */
	ck_assert_uint_eq(n_reused(), 0);
	record_time = 11 * NSEC_PER_SEC;
	deliver("DDAD", RECORD_SCOPE_CHAIN, true, "3"); /* of a page, and equal: D */
	ck_assert_uint_eq(n_reused(), 1);
	deliver("DA", RECORD_SCOPE_EXACT, true, "4");
	ck_assert_uint_eq(n_reused(), 1);
	record_time++;
	deliver("A", RECORD_SCOPE_ROW_IDS, true, "5");
	ck_assert_uint_eq(n_reused(), 1);
	struct intake *errand = intake_new_errand(intake, 0);
	record_time++;
	deliver_to(errand, "E", "errand");
	deliver("E", RECORD_SCOPE_CHAIN, true, "6");
	ck_assert_uint_eq(n_reused(), 1);
	record_time++;
	deliver_to(errand, "E", "errand");
	deliver("E", RECORD_SCOPE_CHAIN, true, "7");
	ck_assert_uint_eq(n_reused(), 2);
	intake_free(errand);
	restart();
	record_time = NSEC_PER_HOUR + 100 * NSEC_PER_SEC;
	deliver("A", RECORD_SCOPE_CHAIN, true, "8");
	ck_assert_uint_eq(n_reused(), 0);
	record_time++;
	deliver("A", RECORD_SCOPE_CHAIN, true, "9");
	ck_assert_uint_eq(n_reused(), 1);
	ck_assert(committer_flush(committer));
	ck_assert_int_eq(events_each(store, 0, count_event, &n_events, NULL), 0);
	ck_assert_uint_eq(n_events, 2);
}
END_TEST

static void accept_until(nsec_t horizon)
{
	intake_accept(&(struct record_batch){.scope = RECORD_SCOPE_CHAIN,
			      .cursor = "later",
			      .key_time = horizon,
			      .horizon = horizon},
		intake);
}

/* What is older than TIME is never requested again, every sink has it, and the process starts anew.
 */
static void forget(nsec_t time)
{
	commit_add_release(store, "s", INT64_MAX);
	accept_until(time);
	restart();
}

START_TEST(keys_are_kept_for_an_errand)
{
	ck_assert_uint_eq(deliver("A", RECORD_SCOPE_CHAIN, true, "1"), 1);
	intake_keep_keys(intake, 50 * NSEC_PER_SEC); /* they are of 100 s */
	forget(NSEC_PER_DAY);
	struct intake *errand = intake_new_errand(intake, 60 * NSEC_PER_SEC);
	ck_assert_uint_eq(deliver_to(errand, "A", NULL), 0);
	intake_free(errand);
	intake_keep_keys(intake, NSEC_NONE);
	forget(2 * NSEC_PER_DAY);
	errand = intake_new_errand(intake, 60 * NSEC_PER_SEC);
	ck_assert_uint_eq(deliver_to(errand, "A", NULL), 1);
	intake_free(errand);
}
END_TEST

START_TEST(a_rewind_drops_no_older_keys)
{
	int64_t n = 0;
	ck_assert_uint_eq(deliver("A", RECORD_SCOPE_CHAIN, true, "1"), 1);
	ck_assert(committer_flush(committer));
	commit_add_release(store, "s", INT64_MAX);
	commit_add_expiry_from(store, "s", 101 * NSEC_PER_SEC, NSEC_PER_DAY); /* it is of 100 s */
	ck_assert(committer_flush(committer));
	ck_assert_int_eq(cursors_count_keys(store, "s", NSEC_NONE, &n, NULL), 0);
	ck_assert_int_eq(n, 1);
	commit_add_expiry_from(store, "s", 100 * NSEC_PER_SEC, NSEC_PER_DAY);
	ck_assert(committer_flush(committer));
	ck_assert_int_eq(cursors_count_keys(store, "s", NSEC_NONE, &n, NULL), 0);
	ck_assert_int_eq(n, 0);
}
END_TEST

START_TEST(the_window_is_read_from_its_horizon)
{
	struct fault fault;
	ck_assert_uint_eq(deliver("A", RECORD_SCOPE_CHAIN, true, "1"), 1);
	restart();
	ck_assert_int_eq(intake_ready(intake, 101 * NSEC_PER_SEC, &fault), 0);
	ck_assert_uint_eq(deliver("A", RECORD_SCOPE_CHAIN, true, "2"), 1);
	restart();
	ck_assert_int_eq(intake_ready(intake, 100 * NSEC_PER_SEC, &fault), 0);
	ck_assert_uint_eq(deliver("A", RECORD_SCOPE_CHAIN, true, "3"), 0);
}
END_TEST

static void run_sql(const char *sql)
{
	struct fault fault = FAULT_NULL;
	ck_assert_msg(!statement_exec(store, sql, &fault), "%s", fault.text);
}

/* One record of a page is of the year 2099: its keys go with those of the page all the same, in
 * memory and in the state. */
START_TEST(a_late_time_keeps_no_keys)
{
	struct intake_status status;
	record_time = INT64_C(4070908800) * NSEC_PER_SEC;
	ck_assert_uint_eq(deliver("AbBb", RECORD_SCOPE_CHAIN, true, "1"), 4);
	ck_assert(committer_flush(committer));
	commit_add_release(store, "s", INT64_MAX);
	accept_until(NSEC_PER_DAY);
	intake_status(intake, &status);
	ck_assert_uint_eq(status.window_size, 0);
	restart();
	ck_assert_uint_eq(deliver("AbBb", RECORD_SCOPE_CHAIN, true, "2"), 4);
}
END_TEST

/* A clock was ahead, and is corrected: what is accepted then is known, and expires again. */
START_TEST(a_horizon_that_goes_back_repeats_nothing)
{
	struct intake_status status;
	struct fault fault;
	ck_assert_uint_eq(deliver("A", RECORD_SCOPE_CHAIN, true, "1"), 1);
	accept_until(365 * NSEC_PER_DAY);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(intake_ready(intake, 99 * NSEC_PER_SEC, &fault), 0);
		ck_assert_uint_eq(deliver("ABcc", RECORD_SCOPE_CHAIN, true, "2"), i ? 0 : 3);
		accept_until(100 * NSEC_PER_SEC);
	}
	accept_until(NSEC_PER_DAY);
	intake_status(intake, &status);
	ck_assert_uint_eq(status.window_size, 0);
}
END_TEST

START_TEST(an_expiry_that_finds_damage_tells)
{
	ck_assert_uint_eq(deliver("A", RECORD_SCOPE_CHAIN, true, "1"), 1);
	ck_assert(committer_flush(committer));
	run_sql("UPDATE batch_keys SET keys = x'001122'");
	accept_until(NSEC_PER_DAY);
	ck_assert(damaged);
}
END_TEST

static ssize_t read_nothing(int fd, void *data, size_t size, off_t offset)
{
	(void)fd;
	(void)data;
	(void)size;
	(void)offset;
	errno = ETIMEDOUT; /* EIO would be damage */
	return -1;
}

/* From now on SQLite has nothing of the state in memory, and its reads go through CALL; NULL: the
 * system's. */
static void set_reads(ssize_t (*call)(int, void *, size_t, off_t))
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
	sqlite3_db_release_memory(store->db);
	vfs->xSetSystemCall(vfs, "pread", (sqlite3_syscall_ptr)call);
	vfs->xSetSystemCall(vfs, "pread64", (sqlite3_syscall_ptr)call);
}

static char told[1024];

static void tell(enum log_level level, const struct log_subject *about, struct slice text)
{
	size_t size = strlen(told);
	ck_assert_ptr_eq(about, &subject);
	snprintf(told + size, sizeof(told) - size, "%d %.*s\n", (int)level, (int)text.size,
		text.data);
}

START_TEST(an_expiry_that_fails_tells_when_it_begins_and_ends)
{
	struct intake_status status;
	ck_assert_uint_eq(deliver("A", RECORD_SCOPE_CHAIN, true, "1"), 1);
	ck_assert(committer_flush(committer));
	*told = '\0';
	log_divert(tell);
	set_reads(read_nothing);
	for (int i = 0; i < 3; i++)
		accept_until(NSEC_PER_DAY);
	ck_assert_msg(strstr(told, "4 ") == told && strstr(told, "timed out"), "%s", told);
	ck_assert_ptr_eq(strchr(told, '\n'), strrchr(told, '\n'));
	*told = '\0';
	set_reads(NULL);
	for (int i = 0; i < 3; i++)
		accept_until(NSEC_PER_DAY);
	log_divert(NULL);
	ck_assert_msg(strstr(told, "5 ") == told && strstr(told, "again"), "%s", told);
	ck_assert_ptr_eq(strchr(told, '\n'), strrchr(told, '\n'));
	intake_status(intake, &status);
	ck_assert_uint_eq(status.window_size, 0);
	ck_assert(!damaged);
}
END_TEST

static void loaded(void *userdata)
{
	(void)userdata;
	ev_break(loop, EVBREAK_ALL);
}

/* Of a window of some slices, a row of the last one cannot be read: whoever asks again is told,
 * and again later, and nothing is forgotten when it can be read. */
START_TEST(a_slice_that_cannot_be_read_is_told)
{
	struct fault fault = FAULT_NULL;
	for (int i = 0; i < 300; i++) {
		deliver("a", RECORD_SCOPE_EXACT, false, NULL);
		ck_assert(committer_flush(committer));
	}
	restart();
	run_sql("UPDATE batch_keys SET keys = CAST(keys || x'00' AS BLOB) WHERE number = 300");
	intake_on_loaded(intake, loaded, NULL);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(intake_ready(intake, NSEC_NONE, &fault), STORE_E_WAIT);
		ev_run(loop, 0);
		ck_assert_int_eq(intake_ready(intake, NSEC_NONE, &fault), STORE_E_CORRUPT);
		ck_assert_msg(strstr(fault.text, "keys"), "%s", fault.text);
	}
	run_sql("UPDATE batch_keys SET keys = substr(keys, 1, 16) WHERE number = 300");
	ck_assert_int_eq(intake_ready(intake, NSEC_NONE, &fault), STORE_E_WAIT);
	ev_run(loop, 0);
	ck_assert_int_eq(intake_ready(intake, NSEC_NONE, &fault), 0);
	struct intake_status status;
	intake_status(intake, &status);
	ck_assert_uint_eq(status.window_size, 300);
}
END_TEST

START_TEST(equal_records_behind_an_exact_place_are_new)
{
	ck_assert_uint_eq(deliver("aab", RECORD_SCOPE_EXACT, true, "1"), 3);
	ck_assert_uint_eq(deliver("a", RECORD_SCOPE_EXACT, false, "2"), 1);
	restart();
	ck_assert_uint_eq(deliver("a", RECORD_SCOPE_EXACT, true, "3"), 1);
	/* read again by time: four a and one b are known, whatever the page edges are */
	ck_assert_uint_eq(deliver("aa", RECORD_SCOPE_CHAIN, true, "4"), 0);
	ck_assert_uint_eq(deliver("baa", RECORD_SCOPE_CHAIN, false, "5"), 0);
	ck_assert_uint_eq(deliver("ab", RECORD_SCOPE_CHAIN, false, "6"), 2);
	restart();
	ck_assert_uint_eq(deliver("aaaaabb", RECORD_SCOPE_CHAIN, true, "7"), 0);
}
END_TEST

START_TEST(pages_that_overlap_count_by_themselves)
{
	ck_assert_uint_eq(deliver("aab", RECORD_SCOPE_PAGE, true, "1"), 3);
	ck_assert_uint_eq(deliver("abc", RECORD_SCOPE_PAGE, false, "2"), 1);
	ck_assert_uint_eq(deliver("aaa", RECORD_SCOPE_PAGE, false, "3"), 1);
}
END_TEST

START_TEST(an_idle_poll_writes_nothing)
{
	ck_assert_uint_eq(deliver("a", RECORD_SCOPE_EXACT, true, "1"), 1);
	ck_assert(committer_flush(committer));
	deliver("", RECORD_SCOPE_EXACT, true, "1");
	ck_assert(!commit_pending(store));
	deliver("", RECORD_SCOPE_EXACT, true, "2");
	ck_assert(commit_pending(store));
	ck_assert(committer_flush(committer));
	char *cursor = NULL;
	struct fault fault;
	ck_assert_int_eq(cursors_get(store, "s", &cursor, &fault), 0);
	ck_assert_str_eq(cursor, "2");
	free(cursor);
}
END_TEST

START_TEST(records_are_one_line)
{
	deliver("aB", RECORD_SCOPE_CHAIN, true, "1");
	ck_assert(committer_flush(committer));
	struct batch *batch = fixture_next(0, NULL);
	ck_assert_str_eq(buf_text(&batch->body), "{\"k\":\"a\"}\n{\"k\":\"B\"}\n");
	batch_unref(batch);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {provider_ids_enter_once,
		equal_records_behind_an_exact_place_are_new, pages_that_overlap_count_by_themselves,
		an_idle_poll_writes_nothing, records_are_one_line,
		an_errand_and_its_source_know_each_others_records, keys_are_kept_for_an_errand,
		a_rewind_drops_no_older_keys, the_window_is_read_from_its_horizon,
		a_slice_that_cannot_be_read_is_told, a_late_time_keeps_no_keys,
		an_expiry_that_finds_damage_tells,
		an_expiry_that_fails_tells_when_it_begins_and_ends,
		a_horizon_that_goes_back_repeats_nothing,
		an_id_that_comes_with_a_later_time_is_told};
	Suite *suite = suite_create("intake");
	TCase *tcase = tcase_create("intake");
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
