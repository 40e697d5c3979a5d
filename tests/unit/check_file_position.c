/* The file sink after a crash, a kill -9 or a full disk: nothing lost, repeated or cut. */
#include "sink/file/file_position.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "base/number.h"
#include "base/random.h"
#include "sink_file_fixture.h"

/* In place of the C library's: so many calls on files of the sink fail. */
static int n_failing_syncs;

int fdatasync(int fd)
{
	char link[64], path[4096] = "";

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (n_failing_syncs > 0 && readlink(link, path, sizeof(path) - 1) > 0 &&
		strstr(path, "/state/out/")) {
		n_failing_syncs--;
		errno = EIO;
		return -1;
	}
	return fsync(fd);
}

/* --- recovery --- */

/* A file that is not the one we left is kept as it is. */
START_TEST(what_is_not_ours_is_kept)
{
	static const struct {
		const char *replaced_by, *after;
	} rows[] = {
		{"", ""}, /* same inode, emptied */
		{"a line\n", "a line\n"}, /* same inode, shorter */
		{"{\"n\":0,\"i\":0}\n{\"n\":0,\"i\":1}\n{\"x\":1,\"i\":0}\n{\"n\":1,\"i\":1}"
		 "\nmore\n",
			"{\"n\":0,\"i\":0}\n{\"n\":0,\"i\":1}\n{\"x\":1,\"i\":0}\n"
			"{\"n\":1,\"i\":1}\nmore\n"}, /* same inode, longer, other content */
	};

	options_set("x", "");
	start();
	deliver("a", 0, 2, 2);
	pipeline_close();
	write_text("x", "w", rows[_i].replaced_by);
	pipeline_open();
	start();
	deliver("a", 2, 3, 2);
	ck_file("x", rows[_i].after, 2, 3, 2);
}
END_TEST

START_TEST(a_file_that_is_gone_is_made_anew)
{
	char *path;

	options_set("x", "");
	start();
	deliver("a", 0, 2, 2);
	pipeline_close();
	path = path_of("x");
	unlink(path);
	free(path);
	pipeline_open();
	start();
	deliver("a", 2, 3, 2);
	ck_file("x", "", 2, 3, 2);
}
END_TEST

/* A backup was put back: another inode, the same content. */
START_TEST(a_copy_of_the_file_is_the_file)
{
	char *path, *text;

	options_set("x", "");
	start();
	deliver("a", 0, 2, 2);
	pipeline_close();
	path = path_of("x");
	text = pipeline_read(path, NULL);
	rename_file("x", "other");
	write_text("x", "w", text);
	write_text("x", "a", "{\"n\":2");
	pipeline_open();
	start();
	deliver("a", 2, 3, 2);
	ck_file("x", "", 0, 3, 2);
	free(text);
	free(path);
}
END_TEST

START_TEST(an_unreadable_position_stops_the_sink)
{
	static const char *const positions[] = {"", "{", "[]", "{\"files\":[{}]}",
		"{\"files\":[{\"path\":\"x\",\"inode\":1,\"size\":-1,\"check\":\"\"}]}"};

	for (size_t i = 0; i < sizeof(positions) / sizeof(positions[0]); i++) {
		options_set("x", "");
		commit_add_ack(store, "out", 0, positions[i]);
		fixture_run();
		start();
		pipeline_settle();
		ck_assert_msg(pipeline_status("out").failing, "row %zu", i);
		pipeline_close();
		pipeline_open();
	}
}
END_TEST

/* --- no space --- */

static struct rlimit limit_before;

static void limit_files(rlim_t size)
{
	struct rlimit small;

	getrlimit(RLIMIT_FSIZE, &limit_before);
	small = limit_before;
	small.rlim_cur = size;
	setrlimit(RLIMIT_FSIZE, &small);
}

/* The limit is for all files: that of the archive, which is large before, is met first. */
START_TEST(no_space_loses_and_repeats_nothing)
{
	const int n_pages = 3;
	struct buf wanted = BUF_NULL;
	char *path, *text;
	size_t size;

	options_set("x", "");
	path = path_of("x");
	for (size_t i = 0; i < 5 << 20; i++)
		buf_append_char(&wanted, (i + 1) % 64 ? '.' : '\n');
	write_text("x", "w", buf_text(&wanted));
	start();
	limit_files(6 << 20);
	for (int i = 0; i < n_pages; i++) {
		pipeline_page("a", i, 50000); /* about 1 MB each */
		if (i % 2)
			pipeline_settle();
	}
	pipeline_settle();
	ck_assert(pipeline_status("out").failing);
	ck_assert_int_eq(pipeline_status("out").fault.class, FAULT_STORE);
	text = pipeline_read(path, &size);
	pipeline_expect(&wanted, 0, n_pages, 50000);
	ck_assert_uint_eq(size, 6 << 20); /* what could be written is there */
	ck_assert(memcmp(text, wanted.data, size) == 0);
	setrlimit(RLIMIT_FSIZE, &limit_before);
	fanout_retry_now(fanout);
	RUN_UNTIL(!pipeline_status("out").failing);
	pipeline_settle();
	ck_file_text("x", buf_text(&wanted));
	buf_deinit(&wanted);
	free(text);
	free(path);
}
END_TEST

/* A full disk: what could be written stays, is not written again at each try, and is completed. */
START_TEST(a_full_disk_makes_no_file_shorter)
{
	options_set("x", "");
	start();
	deliver("a", 0, 2, 2);
	pipeline_pages("a", 2, 4, 6000);
	limit_files(100000);
	RUN_UNTIL(pipeline_status("out").failing);
	ck_assert_int_eq(size_of("x"), 100000);
	fanout_retry_now(fanout);
	RUN_UNTIL(pipeline_status("out").retries == 2);
	ck_assert_int_eq(size_of("x"), 100000);
	setrlimit(RLIMIT_FSIZE, &limit_before);
	if (_i == 1)
		restart();
	if (_i == 2) {
		rename_file("x", "x.1");
		fanout_reopen(fanout);
	}
	fanout_retry_now(fanout);
	RUN_UNTIL(!pipeline_status("out").failing);
	pipeline_settle();
	if (_i == 2) {
		struct buf found = BUF_NULL, wanted = BUF_NULL;
		char *old = text_of("x.1"), *new = text_of("x");

		buf_append_text(&found, old);
		buf_append_text(&found, new);
		pipeline_expect(&wanted, 0, 2, 2);
		pipeline_expect(&wanted, 2, 4, 6000);
		ck_assert_str_eq(buf_text(&found), buf_text(&wanted));
		ck_assert_int_eq(old[strlen(old) - 1], '\n');
		ck_assert_uint_lt(strlen(old), 100100);
		buf_deinit(&found);
		buf_deinit(&wanted);
		free(old);
		free(new);
		return;
	}
	ck_file("x", "{\"n\":0,\"i\":0}\n{\"n\":0,\"i\":1}\n{\"n\":1,\"i\":0}\n{\"n\":1,\"i\":1}\n",
		2, 4, 6000);
}
END_TEST

/* The file that has the half-written job is removed: the job is written whole to a new one. */
START_TEST(a_removed_file_has_nothing)
{
	char *path;

	write_text("x", "w", "");
	options_set("x", "");
	start();
	deliver("a", 9, 10, 1); /* the position knows the file */
	pipeline_pages("a", 0, 2, 6000);
	limit_files(100000);
	RUN_UNTIL(pipeline_status("out").failing);
	path = path_of("x");
	unlink(path);
	free(path);
	setrlimit(RLIMIT_FSIZE, &limit_before);
	fanout_retry_now(fanout);
	RUN_UNTIL(!pipeline_status("out").failing);
	pipeline_settle();
	ck_file("x", "", 0, 2, 6000);
}
END_TEST

START_TEST(a_disk_that_fails_to_sync)
{
	off_t size;

	options_set("x", "");
	start();
	deliver("a", 0, 2, 2);
	n_failing_syncs = 2;
	pipeline_pages("a", 2, 4, 2);
	RUN_UNTIL(pipeline_status("out").failing);
	size = size_of("x");
	fanout_retry_now(fanout);
	RUN_UNTIL(pipeline_status("out").retries == 2);
	ck_assert_int_eq(size_of("x"), size);
	fanout_retry_now(fanout);
	RUN_UNTIL(!pipeline_status("out").failing);
	pipeline_settle();
	ck_assert_int_eq(n_failing_syncs, 0);
	ck_file("x", "", 0, 4, 2);
}
END_TEST

START_TEST(what_is_no_file_is_refused)
{
	char *path = path_of("fifo");
	int saved, log = pipeline_log_begin(&saved);
	char *text;

	mkdir(directory, 0700);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	options_set("fifo", "");
	start();
	deliver("a", 0, 1, 1);
	ck_assert(pipeline_status("out").failing);
	ck_assert_ptr_nonnull(strstr(pipeline_status("out").fault.text, "not a regular file"));
	unlink(path);
	ck_assert_int_eq(symlink("elsewhere", path), 0);
	fanout_retry_now(fanout);
	RUN_UNTIL(pipeline_status("out").retries == 2);
	ck_assert(!file_exists("elsewhere"));
	unlink(path);
	fanout_retry_now(fanout);
	RUN_UNTIL(!pipeline_status("out").failing);
	pipeline_settle();
	ck_file("fifo", "", 0, 1, 1);
	text = pipeline_log_end(log, saved);
	ck_assert_msg(text_count(text, "retrying") == 1, "%s", text);
	free(text);
	free(path);
}
END_TEST

/* --- kill -9 --- */

#define KILL_ROUNDS 30
#define KILL_PAGES 12000
#define KILL_RECORDS 40

/* A source that goes on from its cursor, as fast as it can, until all pages are accepted. */
static void writer(int ready)
{
	int next = 0;
	char *cursor;

	pipeline_open();
	start();
	cursor = fixture_cursor("a");
	if (cursor) {
		int64_t number;

		ck_assert_int_eq(number_parse(slice_of(cursor), 0, KILL_PAGES, &number), 0);
		next = (int)number;
		free(cursor);
	}
	if (write(ready, "", 1) != 1)
		_exit(1);
	while (next < KILL_PAGES || !fanout_drained(fanout, NULL) || commit_pending(store)) {
		for (int i = 0; i < 5 && next < KILL_PAGES; i++) {
			struct batch *batch = fixture_batch("a", next, KILL_RECORDS, 1000);
			char text[16];

			snprintf(text, sizeof(text), "%d", ++next);
			commit_add_page(store, "a", batch, text, fanout_committed, fanout);
			batch_unref(batch);
			committer_touch(committer);
		}
		/* the virtual clock makes new periods of the path */
		now_time = (nsec_t)next * 4 * NSEC_PER_SEC;
		ev_run(loop, EVRUN_NOWAIT);
	}
	pipeline_close();
}

/* Runs writer() in a child; killed after DELAY_NS unless that is 0. Was it killed? */
static bool kill_round(nsec_t delay_ns)
{
	struct timespec delay = {delay_ns / NSEC_PER_SEC, (long)(delay_ns % NSEC_PER_SEC)};
	int ready[2], status;
	char byte;
	pid_t child;

	ck_assert_int_eq(pipe(ready), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		writer(ready[1]);
		_exit(0);
	}
	close(ready[1]);
	if (delay_ns > 0) {
		/* the moment is random; nothing depends on when it comes */
		if (read(ready[0], &byte, 1) == 1)
			nanosleep(&delay, NULL);
		kill(child, SIGKILL);
	}
	close(ready[0]);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
	return WIFSIGNALED(status);
}

/* Everything that the files in the directory hold, in the order of their names. */
static void read_all(struct buf *out)
{
	for (int hour = 0; hour < 24; hour++) {
		char name[16];
		char *path, *text;
		size_t size;

		snprintf(name, sizeof(name), "a-%02d", hour);
		path = path_of(name);
		if (access(path, F_OK) == 0) {
			text = pipeline_read(path, &size);
			buf_append(out, text, size);
			free(text);
		}
		free(path);
	}
}

START_TEST(killed_at_any_moment)
{
	struct buf wanted = BUF_NULL, found = BUF_NULL;
	int n_killed = 0;

	pipeline_close();
	clock_set_source(NULL, fake_wall);
	options_set("%{source}-%H", "");
	for (int round = 0; round < KILL_ROUNDS; round++)
		n_killed += kill_round(1 + (nsec_t)random_below(25 * NSEC_PER_MSEC));
	ck_assert(!kill_round(0));
	pipeline_expect(&wanted, 0, KILL_PAGES, KILL_RECORDS);
	read_all(&found);
	ck_assert_int_gt(n_killed, 0);
	ck_assert_uint_eq(found.size, wanted.size);
	ck_assert(memcmp(found.data, wanted.data, wanted.size) == 0);
	buf_deinit(&wanted);
	buf_deinit(&found);
}
END_TEST

static void add_tests(Suite *suite)
{
	TCase *tcase = tcase_create("file_position");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, what_is_not_ours_is_kept, 0, 3);
	tcase_add_test(tcase, a_file_that_is_gone_is_made_anew);
	tcase_add_test(tcase, a_copy_of_the_file_is_the_file);
	tcase_add_test(tcase, an_unreadable_position_stops_the_sink);
	tcase_add_test(tcase, no_space_loses_and_repeats_nothing);
	tcase_add_loop_test(tcase, a_full_disk_makes_no_file_shorter, 0, 3);
	tcase_add_test(tcase, a_removed_file_has_nothing);
	tcase_add_test(tcase, a_disk_that_fails_to_sync);
	tcase_add_test(tcase, what_is_no_file_is_refused);
	tcase_add_test(tcase, killed_at_any_moment);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	return fixture_main("file_position", add_tests);
}
