/* Opening: who may, what the files are, and what is said of a directory or file that is no good. */
#include "store/database.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "store/store_internal.h"
#include "store_fixture.h"

#define NOBODY 65534

static struct fault fault;

static int try_open(enum store_mode mode)
{
	store_close(store);
	store = NULL;
	fault = FAULT_NULL;
	return store_open(&store, state, mode, &fault);
}

static mode_t mode_of(const char *path)
{
	struct stat status;

	ck_assert_msg(stat(path, &status) == 0, "%s: %s", path, strerror(errno));
	return status.st_mode & 07777;
}

static void write_file(const char *name, const void *data, size_t size)
{
	CLEANUP_FREE char *path = fixture_path(name);
	FILE *file;

	store_close(store); /* it would put its own pages over these */
	store = NULL;
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(data, 1, size, file), size);
	ck_assert_int_eq(fclose(file), 0);
}

START_TEST(directory_with_parents_and_private_files)
{
	CLEANUP_FREE char *deep = fixture_path("a/b/c");
	CLEANUP_FREE char *db = fixture_path("a/b/c/trawld.db");
	CLEANUP_FREE char *lock = fixture_path("a/b/c/trawld.lock");

	umask(022);
	ck_assert_msg(store_open(&store, deep, STORE_OWN, &fault) == 0, "%s", fault.text);
	ck_assert_int_eq(mode_of(deep), 0700);
	ck_assert_int_eq(mode_of(db), 0600);
	ck_assert_int_eq(mode_of(lock), 0600);
	ck_assert_int_eq(spool_last(store), 0);
	ck_assert_uint_eq(spool_bytes(store), 0);
	fixture_add("s", 1, 1, 5, NULL);
	fixture_run();
	free(db);
	db = fixture_path("a/b/c/trawld.db-wal");
	ck_assert_int_eq(mode_of(db), 0600);
}
END_TEST

START_TEST(settings_are_what_the_design_says)
{
	static const struct {
		const char *sql;
		int64_t value;
	} rows[] = {
		{"PRAGMA synchronous", 2},
		{"PRAGMA secure_delete", 0},
		{"PRAGMA auto_vacuum", 2},
		{"PRAGMA page_size", STORE_PAGE_SIZE},
		{"PRAGMA mmap_size", 0},
		{"PRAGMA cache_size", -2000},
		{"SELECT count(*) FROM pragma_journal_mode WHERE journal_mode = 'wal'", 1},
	};
	int64_t value;

	for (int round = 0; round < 2; round++) {
		ck_assert_int_eq(try_open(STORE_OWN), 0);
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			value = -1;
			ck_assert_int_eq(statement_number(store, rows[i].sql, &value, &fault), 0);
			ck_assert_msg(value == rows[i].value, "row %zu: %lld", i, (long long)value);
		}
	}
}
END_TEST

START_TEST(a_second_owner_is_refused_with_the_pid)
{
	char wanted[32];
	struct store *second = NULL;

	ck_assert_int_eq(try_open(STORE_OWN), 0);
	snprintf(wanted, sizeof(wanted), "(PID %ld)", (long)getpid());
	ck_assert_int_eq(store_open(&second, state, STORE_OWN, &fault), STORE_E_LOCKED);
	ck_assert_msg(strstr(fault.text, wanted) && strstr(fault.text, state), "%s", fault.text);
	ck_assert_ptr_null(second);
	ck_assert_int_eq(try_open(STORE_OWN), 0);
}
END_TEST

START_TEST(the_lock_goes_with_its_process)
{
	int go[2], done[2], status;
	char c = 0, wanted[32];
	pid_t pid;

	ck_assert_int_eq(pipe(go), 0);
	ck_assert_int_eq(pipe(done), 0);
	pid = fork();
	if (pid == 0) {
		c = try_open(STORE_OWN) == 0 ? 'y' : 'n';
		if (write(done[1], &c, 1) != 1 || read(go[0], &c, 1) < 0)
			_exit(2);
		pause();
		_exit(1);
	}
	ck_assert_int_eq(read(done[0], &c, 1), 1);
	ck_assert_int_eq(c, 'y');
	snprintf(wanted, sizeof(wanted), "(PID %ld)", (long)pid);
	ck_assert_int_eq(try_open(STORE_OWN), STORE_E_LOCKED);
	ck_assert_msg(strstr(fault.text, wanted), "%s", fault.text);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(try_open(STORE_OWN), 0);
}
END_TEST

START_TEST(a_lock_file_with_anything_inside_is_taken)
{
	static const char *const contents[] = {
		"", "4711\n", "not a number", "99999999999999999999"};

	for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
		mkdir(state, 0700);
		write_file("trawld.lock", contents[i], strlen(contents[i]));
		ck_assert_msg(try_open(STORE_OWN) == 0, "row %zu: %s", i, fault.text);
	}
}
END_TEST

START_TEST(a_reader_works_beside_the_owner)
{
	struct store *reader = NULL;
	CLEANUP_FREE char *cursor = NULL;
	int64_t number;
	char *position;
	bool known;

	ck_assert_int_eq(try_open(STORE_OWN), 0);
	fixture_add("s", 1, 2, 5, "\"c\"");
	commit_add_ack(store, "file", 0, "p");
	fixture_run();
	ck_assert_msg(store_open(&reader, state, STORE_READ, &fault) == 0, "%s", fault.text);
	ck_assert_int_eq(spool_last(reader), 1);
	ck_assert_uint_eq(spool_bytes(reader), spool_bytes(store));
	fixture_add("s", 2, 2, 5, "\"d\""); /* the owner goes on meanwhile */
	fixture_run();
	ck_assert_int_eq(cursors_get(reader, "s", &cursor, &fault), 0);
	ck_assert_str_eq(cursor, "\"d\"");
	ck_assert_int_eq(spool_sink_get(reader, "file", &number, &position, &known, &fault), 0);
	ck_assert(known);
	ck_assert_str_eq(position, "p");
	free(position);
	ck_assert_int_eq(spool_sink_get(reader, "new", &number, &position, &known, &fault), 0);
	ck_assert(!known);
	ck_assert(!commit_pending(reader));
	fixture_add("s", 3, 2, 5, "\"e\"");
	fixture_run();
	store_close(reader);
}
END_TEST

START_TEST(a_reader_needs_no_daemon_and_keeps_no_lock)
{
	struct store *reader = NULL;

	ck_assert_int_eq(try_open(STORE_READ), STORE_E_UNUSABLE); /* no directory */
	mkdir(state, 0700);
	ck_assert_int_eq(try_open(STORE_READ), STORE_E_UNUSABLE); /* no file */
	ck_assert_msg(strstr(fault.text, "No such file"), "%s", fault.text);
	write_file("trawld.db", "", 0);
	ck_assert_int_eq(try_open(STORE_READ), STORE_E_UNUSABLE); /* nothing in it */
	ck_assert_msg(strstr(fault.text, "start trawld once"), "%s", fault.text);
	ck_assert_int_eq(try_open(STORE_OWN), 0);
	fixture_add("s", 1, 2, 5, "\"c\"");
	fixture_run();
	ck_assert_int_eq(try_open(STORE_READ), 0);
	reader = store;
	store = NULL;
	ck_assert_int_eq(try_open(STORE_OWN), 0);
	store_close(reader);
	ck_assert_int_eq(spool_last(store), 1);
}
END_TEST

START_TEST(paths_that_are_no_directory)
{
	CLEANUP_FREE char *below = fixture_path("below");

	fclose(fopen(state, "w"));
	ck_assert_int_eq(try_open(STORE_OWN), STORE_E_UNUSABLE);
	ck_assert_msg(strstr(fault.text, state) && strstr(fault.text, "Not a directory"), "%s",
		fault.text);
	ck_assert_int_eq(try_open(STORE_READ), STORE_E_UNUSABLE);
	fault = FAULT_NULL;
	ck_assert_int_eq(store_open(&store, below, STORE_OWN, &fault), STORE_E_UNUSABLE);
	ck_assert_msg(strstr(fault.text, "Not a directory"), "%s", fault.text);
	ck_assert_int_eq(unlink(state), 0);
	ck_assert_int_eq(mkdir(state, 0700), 0);
	free(below);
	below = fixture_path("trawld.db");
	ck_assert_int_eq(mkdir(below, 0700), 0);
	ck_assert_int_eq(try_open(STORE_OWN), STORE_E_UNUSABLE);
	ck_assert_msg(strstr(fault.text, "Is a directory"), "%s", fault.text);
}
END_TEST

static const struct {
	mode_t directory, file;
	enum store_mode mode;
	int outcome;
	const char *words;
} permissions[] = {
	{0700, 0600, STORE_OWN, 0, ""},
	{0500, 0600, STORE_OWN, STORE_E_UNUSABLE, "cannot use the state in"},
	{0000, 0600, STORE_OWN, STORE_E_UNUSABLE, "Permission denied"},
	{0700, 0400, STORE_OWN, STORE_E_UNUSABLE, "trawld.db"},
	{0700, 0000, STORE_OWN, STORE_E_UNUSABLE, "trawld.db"},
	{0000, 0600, STORE_READ, STORE_E_UNUSABLE, "Permission denied"},
	{0700, 0000, STORE_READ, STORE_E_UNUSABLE, "trawld.db"},
	{0700, 0400, STORE_READ, 0, ""},
};

START_TEST(permissions_are_told_in_words)
{
	CLEANUP_FREE char *path = fixture_path("trawld.db");
	CLEANUP_FREE char *parent = fixture_path("..");
	int r;

	/* Root may do everything: become somebody else, in this test's own process. */
	umask(077);
	if (geteuid() == 0) {
		ck_assert_int_eq(mkdir(state, 0700), 0);
		ck_assert_int_eq(chown(parent, NOBODY, NOBODY), 0);
		ck_assert_int_eq(chown(state, NOBODY, NOBODY), 0);
		ck_assert_int_eq(setegid(NOBODY), 0);
		ck_assert_int_eq(seteuid(NOBODY), 0);
	}
	ck_assert_int_eq(try_open(STORE_OWN), 0);
	store_close(store);
	store = NULL;
	ck_assert_int_eq(chmod(path, permissions[_i].file), 0);
	ck_assert_int_eq(chmod(state, permissions[_i].directory), 0);
	r = try_open(permissions[_i].mode);
	ck_assert_msg(r == permissions[_i].outcome, "row %d: %d %s", _i, r, fault.text);
	ck_assert_msg(strstr(fault.text, permissions[_i].words), "row %d: %s", _i, fault.text);
	store_close(store);
	store = NULL;
	chmod(state, 0700);
	/* Back, and traceable again: the leak checker looks at this process from outside. */
	if (getuid() == 0) {
		ck_assert_int_eq(seteuid(0), 0);
		ck_assert_int_eq(setegid(0), 0);
		ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 1), 0);
	}
}
END_TEST

/* --- what belongs to another user --- */

#define DAEMON 1

static const struct {
	const char *name; /* what belongs to OWNER; "": the state directory */
	uid_t owner;
	const char *words, *cure; /* each %s: the state directory */
} others[] = {
	{"", 0, "%s belongs to root (mode 0700)", "chown -R nobody %s"},
	{"", DAEMON, "%s belongs to daemon (mode 0700)", "runuser -u daemon -- "},
	{"..", 0, "belongs to root (mode 0711)", "install -d -m 0700 -o nobody %s"},
	{"trawld.db", 0, "%s/trawld.db belongs to root (mode 0600)", "chown -R nobody %s"},
	{"trawld.db", DAEMON, "%s/trawld.db belongs to daemon (mode 0600)", "chown -R nobody %s"},
	{"trawld.lock", 0, "%s/trawld.lock belongs to root (mode 0600)", "chown -R nobody %s"},
	{"trawld.commits", 0, "%s/trawld.commits belongs to root (mode 0600)",
		"chown -R nobody %s"},
	{"trawld.db-wal", 0, "%s/trawld.db-wal belongs to root (mode 0600)", "chown -R nobody %s"},
	{"trawld.db-shm", 0, "%s/trawld.db-shm belongs to root (mode 0600)", "chown -R nobody %s"},
};

static void become(uid_t user)
{
	ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(setegid(user), 0);
	ck_assert_int_eq(seteuid(user), 0);
}

/* TEXT has WORDS, and the command that the text ends with is *RET. */
static void assert_told(int row, const char *words, const char *cure, char **ret)
{
	CLEANUP_FREE char *wanted = mem_printf("%s", words);
	CLEANUP_FREE char *start = NULL;
	char *at = strstr(wanted, "%s"), *end;

	free(wanted);
	wanted = at ? mem_printf("%s%s", state, words + 2) : mem_strdup(words);
	at = strstr(cure, "%s");
	start = mem_printf("as root, run `%.*s%s", (int)(at ? at - cure : (int)strlen(cure)), cure,
		at ? state : "");
	ck_assert_msg(strstr(fault.text, wanted) && strstr(fault.text, " runs as nobody; "),
		"row %d: %s", row, fault.text);
	at = strstr(fault.text, start);
	ck_assert_msg(at != NULL, "row %d: %s\nexpected %s", row, fault.text, start);
	end = strrchr(fault.text, '`');
	at += strlen("as root, run `");
	*ret = mem_strndup(at, (size_t)(end - at));
}

START_TEST(the_owner_is_told_and_the_command_cures_it)
{
	CLEANUP_FREE char *parent = mem_strndup(state, (size_t)(strrchr(state, '/') - state));
	CLEANUP_FREE char *path = fixture_path(others[_i].name);
	CLEANUP_FREE char *command = NULL;

	if (geteuid() != 0)
		return; /* only root can give files away */
	ck_assert_int_eq(chmod(parent, 0711), 0);
	if (strcmp(others[_i].name, "..") != 0) {
		ck_assert_int_eq(mkdir(state, 0700), 0);
		ck_assert_int_eq(chown(state, NOBODY, NOBODY), 0);
		become(NOBODY);
		ck_assert_int_eq(try_open(STORE_OWN), 0);
		store_close(store);
		store = NULL;
		become(0);
		close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
		ck_assert_int_eq(chown(path, others[_i].owner, others[_i].owner), 0);
	}
	if (strncmp(others[_i].cure, "runuser", strlen("runuser")) == 0)
		for (size_t i = 0; i < 3; i++) {
			static const char *const names[] = {
				"trawld.db", "trawld.lock", "trawld.commits"};
			CLEANUP_FREE char *file = fixture_path(names[i]);

			ck_assert_int_eq(chown(file, DAEMON, DAEMON), 0);
		}
	become(NOBODY);
	ck_assert_int_eq(try_open(STORE_OWN), STORE_E_UNUSABLE);
	assert_told(_i, others[_i].words, others[_i].cure, &command);
	become(0);
	if (strncmp(command, "runuser", strlen("runuser")) == 0) {
		become(DAEMON);
	} else {
		ck_assert_int_eq(system(command), 0);
		become(NOBODY);
	}
	ck_assert_msg(try_open(STORE_OWN) == 0, "row %d: %s", _i, fault.text);
	store_close(store);
	store = NULL;
	become(0);
	ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 1), 0);
}
END_TEST

/* --- damage --- */

/* A store of some size, closed. */
static size_t make_store(char **ret_content)
{
	CLEANUP_FREE char *path = fixture_path("trawld.db");
	struct stat status;
	FILE *file;

	ck_assert_int_eq(try_open(STORE_OWN), 0);
	for (int i = 0; i < 40; i++)
		fixture_add(i % 2 ? "s" : "t", i, 200, 5, "\"c\"");
	fixture_run();
	store_close(store);
	store = NULL;
	ck_assert_int_eq(stat(path, &status), 0);
	*ret_content = mem_alloc((size_t)status.st_size);
	file = fopen(path, "r");
	ck_assert_uint_eq(
		fread(*ret_content, 1, (size_t)status.st_size, file), (size_t)status.st_size);
	fclose(file);
	return (size_t)status.st_size;
}

START_TEST(a_cut_file_is_corrupt_never_fresh)
{
	CLEANUP_FREE char *content = NULL;
	size_t size = make_store(&content);
	const size_t cuts[] = {1, 15, 16, 99, 100, 512, 4096, STORE_PAGE_SIZE, size / 2, size - 1};
	int r;

	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		write_file("trawld.db", content, cuts[i]);
		r = try_open(STORE_OWN);
		ck_assert_msg(r == STORE_E_CORRUPT, "cut at %zu: %d %s", cuts[i], r, fault.text);
		ck_assert_msg(strstr(fault.text, "is damaged"), "%s", fault.text);
		r = try_open(STORE_OWN); /* the refusal has mended nothing */
		ck_assert_msg(r == STORE_E_CORRUPT, "cut at %zu, again: %d", cuts[i], r);
	}
	write_file("trawld.db", content, size);
	ck_assert_int_eq(try_open(STORE_OWN), 0);
	ck_assert_int_eq(spool_last(store), 40);
}
END_TEST

/* What a power failure leaves of the first transaction: a torn page, and the journal of it. */
START_TEST(a_first_page_that_is_torn_is_fresh)
{
	CLEANUP_FREE char *content = NULL;
	size_t size = make_store(&content);
	CLEANUP_FREE char *witness = fixture_path("trawld.commits");
	char journal[512] = "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7";
	const size_t cuts[] = {1, 511, 513, 4095};

	ck_assert_uint_gt(size, 4096);
	journal[22] = 2; /* the size of a sector */
	journal[26] = 16; /* of a page */
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		unlink(witness); /* no commit was witnessed */
		write_file("trawld.db", content, cuts[i]);
		write_file("trawld.db-journal", journal, sizeof(journal));
		ck_assert_msg(try_open(STORE_OWN) == 0, "cut at %zu: %s", cuts[i], fault.text);
		ck_assert_int_eq(spool_last(store), 0);
		store_close(store);
		store = NULL;
	}
	/* a journal of a file that had pages, or of none, excuses nothing */
	journal[19] = 1;
	write_file("trawld.db", content, 511);
	write_file("trawld.db-journal", journal, sizeof(journal));
	ck_assert_int_eq(try_open(STORE_OWN), STORE_E_CORRUPT);
	write_file("trawld.db-journal", "", 0);
	ck_assert_int_eq(try_open(STORE_OWN), STORE_E_CORRUPT);
}
END_TEST

START_TEST(a_garbled_file_is_seen)
{
	CLEANUP_FREE char *content = NULL;
	size_t size = make_store(&content);
	CLEANUP_FREE char *garbled = mem_dup(content, size);
	int r;

	/* Each page but the first in turn; a file of this size is checked whole. */
	for (size_t at = STORE_PAGE_SIZE; at + STORE_PAGE_SIZE <= size; at += STORE_PAGE_SIZE) {
		memset(garbled + at, 0xa5, STORE_PAGE_SIZE);
		write_file("trawld.db", garbled, size);
		r = try_open(STORE_OWN);
		ck_assert_msg(r == STORE_E_CORRUPT, "at %zu: %d", at, r);
		ck_assert_msg(strstr(fault.text, "is damaged"), "at %zu: %s", at, fault.text);
		memcpy(garbled + at, content + at, STORE_PAGE_SIZE);
	}
	memset(garbled, 0x5a, STORE_PAGE_SIZE);
	write_file("trawld.db", garbled, size);
	ck_assert_int_eq(try_open(STORE_OWN), STORE_E_CORRUPT);
	write_file("trawld.db", "This is a text file, not a database. It is long enough.\n", 56);
	ck_assert_int_eq(try_open(STORE_OWN), STORE_E_CORRUPT);
	ck_assert_int_eq(try_open(STORE_READ), STORE_E_CORRUPT);
}
END_TEST

START_TEST(a_lost_database_beside_its_log_is_not_fresh)
{
	CLEANUP_FREE char *path = NULL;
	int status;
	pid_t pid = fork();

	if (pid == 0) { /* dies without closing: all there is stands in the log */
		fixture_open();
		fixture_add("s", 1, 2, 5, "\"c\"");
		fixture_run();
		_exit(0);
	}
	path = fixture_path("trawld.db");
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	ck_assert_int_eq(truncate(path, 0), 0);
	ck_assert_int_eq(try_open(STORE_OWN), STORE_E_CORRUPT);
	ck_assert_msg(strstr(fault.text, "trawld.db-wal"), "%s", fault.text);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(try_open(STORE_OWN), STORE_E_CORRUPT);
	ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

START_TEST(an_empty_file_is_fresh)
{
	mkdir(state, 0700);
	write_file("trawld.db", "", 0);
	ck_assert_msg(try_open(STORE_OWN) == 0, "%s", fault.text);
	fixture_add("s", 1, 2, 5, "\"c\"");
	fixture_run();
}
END_TEST

START_TEST(a_relative_name_that_looks_like_a_uri)
{
	CLEANUP_FREE char *parent = fixture_path("..");

	mkdir(state, 0700);
	ck_assert_int_eq(chdir(parent), 0);
	ck_assert_int_eq(store_open(&store, "file:x?mode=memory", STORE_OWN, &fault), 0);
	ck_assert_int_eq(access("file:x?mode=memory/trawld.db", F_OK), 0);
}
END_TEST

START_TEST(close_takes_null)
{
	store_close(NULL);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *databases = tcase_create("database");

	tcase_add_checked_fixture(databases, fixture_setup, fixture_teardown);
	tcase_add_test(databases, directory_with_parents_and_private_files);
	tcase_add_test(databases, settings_are_what_the_design_says);
	tcase_add_test(databases, a_second_owner_is_refused_with_the_pid);
	tcase_add_test(databases, the_lock_goes_with_its_process);
	tcase_add_test(databases, a_lock_file_with_anything_inside_is_taken);
	tcase_add_test(databases, a_reader_works_beside_the_owner);
	tcase_add_test(databases, a_reader_needs_no_daemon_and_keeps_no_lock);
	tcase_add_test(databases, paths_that_are_no_directory);
	tcase_add_loop_test(databases, the_owner_is_told_and_the_command_cures_it, 0,
		sizeof(others) / sizeof(others[0]));
	tcase_add_loop_test(databases, permissions_are_told_in_words, 0,
		(int)(sizeof(permissions) / sizeof(permissions[0])));
	tcase_add_test(databases, a_cut_file_is_corrupt_never_fresh);
	tcase_add_test(databases, a_first_page_that_is_torn_is_fresh);
	tcase_add_test(databases, a_garbled_file_is_seen);
	tcase_add_test(databases, a_lost_database_beside_its_log_is_not_fresh);
	tcase_add_test(databases, an_empty_file_is_fresh);
	tcase_add_test(databases, a_relative_name_that_looks_like_a_uri);
	tcase_add_test(databases, close_takes_null);
	tcase_set_timeout(databases, 60);
	suite_add_tcase(suite, databases);
}

int main(void)
{
	return fixture_main("database", add_cases);
}
