/*
 * kill -9 at any moment: what the store holds after it is a commit as a whole or not at all, and
 * everything that was told to be durable. Once by a signal from outside, once inside every single
 * write, of which only the first half reaches the file.
 */
#include "store/commit.h"

#include <signal.h>
#include <sys/wait.h>

#include "store/store_internal.h"
#include "store_fixture.h"

#define ROUNDS 30
#define WRITES 100

/* Two pages a commit; what is older than four commits is acknowledged and released. Each commit
 * that is done is told through FD. */
static void commit_until_killed(int fd, int number)
{
	char cursor[32];

	for (;; number++) {
		snprintf(cursor, sizeof(cursor), "%d", number);
		fixture_add("a", number, 1 + (size_t)(number % 40), 5, cursor);
		fixture_add("b", number, 1, 5, cursor);
		if (number > 4) {
			commit_add_ack(store, "file", 2 * (number - 4), cursor);
			commit_add_release(store, "a", 2 * (number - 4));
			commit_add_release(store, "b", 2 * (number - 4));
		}
		if (commit_run(store, NULL) != 0 || write(fd, &number, sizeof(number)) < 0)
			_exit(1);
	}
}

/* SQLite's own way to write, and how many more times it will be let. */
static ssize_t (*write_really)(int fd, const void *data, size_t size, off_t offset);
static int n_writes_left;

static ssize_t write_some(int fd, const void *data, size_t size, off_t offset)
{
	if (n_writes_left-- > 1)
		return write_really(fd, data, size, offset);
	write_really(fd, data, size / 2, offset);
	raise(SIGKILL);
	return -1;
}

static void die_in_write(int n)
{
	static const char *const names[] = {"pwrite", "pwrite64"};
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

	n_writes_left = n;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		sqlite3_syscall_ptr call = vfs->xGetSystemCall(vfs, names[i]);

		if (!call)
			continue;
		write_really = (ssize_t(*)(int, const void *, size_t, off_t))call;
		vfs->xSetSystemCall(vfs, names[i], (sqlite3_syscall_ptr)write_some);
	}
}

/*
 * Lets a child commit from FIRST on; the last number that it told. It dies in its N_WRITES-th
 * write, or with 0 by a signal after it told of N_TOLD commits.
 */
static int run_and_kill(int first, int n_told, int n_writes)
{
	int fds[2], number = first - 1, last = first - 1, status;
	pid_t pid;

	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		fixture_open();
		if (n_writes > 0)
			die_in_write(n_writes);
		commit_until_killed(fds[1], first);
	}
	close(fds[1]);
	while (n_told-- > 0 && read(fds[0], &number, sizeof(number)) == sizeof(number))
		last = number;
	if (n_writes == 0)
		kill(pid, SIGKILL);
	while (read(fds[0], &number, sizeof(number)) == sizeof(number))
		last = number; /* told before it died */
	close(fds[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	return last;
}

/* The last number in the store; all that must be there is, and nothing else. */
static int check_killed(int told_last)
{
	CLEANUP_FREE char *a = fixture_cursor("a");
	CLEANUP_FREE char *b = fixture_cursor("b");
	struct window *window = window_new(store, "a");
	int last = a ? (int)strtol(a, NULL, 10) : 0;
	int64_t after = last > 4 ? 2 * (last - 4) : 0;
	struct batch *batch;
	struct id key;
	int r;

	ck_assert_msg(last == told_last || last == told_last + 1, "%d, told %d", last, told_last);
	ck_assert(last == 0 ? !a && !b : a && b && strcmp(a, b) == 0);
	ck_assert_int_eq(spool_last(store), 2 * last);
	for (int64_t number = after + 1; number <= 2 * last; number++) {
		int n = (int)(number + 1) / 2;

		batch = fixture_next(number == after + 1 ? 0 : number - 1, NULL);
		ck_assert_msg(batch && batch->number == number, "batch %lld", (long long)number);
		ck_assert(fixture_is(batch, n, number % 2 ? 1 + (size_t)(n % 40) : 1));
		batch_unref(batch);
	}
	ck_assert_ptr_null(fixture_next(2 * last, NULL));
	do
		r = window_load(window, NSEC_NONE, NULL);
	while (r == STORE_E_WAIT);
	ck_assert_int_eq(r, 0);
	for (int n = 1; n <= last + 1; n++) {
		key = fixture_key(n, (size_t)(n % 40));
		ck_assert_msg(window_has(window, &key) == (n <= last), "key of %d", n);
	}
	window_free(window);
	return last;
}

static int check_reopened(int told_last)
{
	int last;

	fixture_open();
	last = check_killed(told_last);
	store_close(store);
	store = NULL;
	return last;
}

START_TEST(kill_at_any_moment)
{
	int last = 0;

	srandom(20251120);
	for (int round = 0; round < ROUNDS; round++)
		last = check_reopened(run_and_kill(last + 1, (int)(random() % 12), 0));
	ck_assert_int_gt(last, ROUNDS);
}
END_TEST

START_TEST(die_in_every_write)
{
	int last = 0;

	fixture_open(); /* the first open is not what is tested here */
	store_close(store);
	store = NULL;
	for (int n_writes = 1; n_writes <= WRITES; n_writes++)
		last = check_reopened(run_and_kill(last + 1, 0, n_writes));
	ck_assert_int_gt(last, WRITES / 20);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *kills = tcase_create("kill");

	tcase_add_checked_fixture(kills, fixture_setup, fixture_teardown);
	tcase_add_test(kills, kill_at_any_moment);
	tcase_add_test(kills, die_in_every_write);
	tcase_set_timeout(kills, 120);
	suite_add_tcase(suite, kills);
}

int main(void)
{
	return fixture_main("commit_kill", add_cases);
}
