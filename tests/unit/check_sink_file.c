/* The file sink on real files: layouts, modes, and what others do to the files meanwhile. */
#include "sink/sinks.h"

#include <sys/file.h>
#include <sys/wait.h>

#include "sink_file_fixture.h"

/* --- plain delivery --- */

START_TEST(files_are_made_with_their_modes)
{
	struct stat status;
	char *path;

	umask(077);
	options_set("deep/er/%{source}.ndjson", "mode = 0644\ndirectory_mode = 0711\n");
	start();
	deliver("a", 0, 3, 2);
	deliver("b", 3, 4, 2);
	deliver("a", 4, 5, 2);
	path = path_of("deep/er/a.ndjson");
	ck_assert_int_eq(stat(path, &status), 0);
	ck_assert_int_eq(status.st_mode & 07777, 0644);
	free(path);
	path = path_of("deep");
	ck_assert_int_eq(stat(path, &status), 0);
	ck_assert_int_eq(status.st_mode & 07777, 0711);
	free(path);
	ck_file("deep/er/b.ndjson", "", 3, 4, 2);
	path = path_of("deep/er/a.ndjson");
	ck_assert_int_eq(stat(path, &status), 0);
	ck_assert_uint_eq(status.st_nlink, 1);
	free(path);
}
END_TEST

START_TEST(default_modes)
{
	struct stat status;
	char *path;

	umask(0);
	options_set("d/x.ndjson", "");
	start();
	deliver("a", 0, 1, 1);
	path = path_of("d/x.ndjson");
	ck_assert_int_eq(stat(path, &status), 0);
	ck_assert_int_eq(status.st_mode & 07777, 0640);
	free(path);
	path = path_of("d");
	ck_assert_int_eq(stat(path, &status), 0);
	ck_assert_int_eq(status.st_mode & 07777, 0750);
	free(path);
}
END_TEST

/* Several sources interleaved, one file or two, raw or envelope, whole or filtered. */
START_TEST(layouts)
{
	static const struct {
		const char *path, *exclude;
		int format;
		size_t lines_a, lines_b; /* in each file; b 0: one file */
	} rows[] = {
		{"all", NULL, RECORD_RAW, 120, 0},
		{"%{source}", NULL, RECORD_RAW, 60, 60},
		{"all", "/i = 2", RECORD_RAW, 80, 0},
		{"%{source}", "/i = 2", RECORD_RAW, 40, 40},
		{"all", NULL, RECORD_ENVELOPE, 120, 0},
		{"%{source}", "/n = 3", RECORD_ENVELOPE, 60, 57},
	};
	size_t i = (size_t)_i;
	struct sink_common_options common = {.format = rows[i].format};
	char *path, *text;

	ck_assert_uint_lt(i, sizeof(rows) / sizeof(rows[0]));
	if (rows[i].exclude)
		str_list_add(&common.exclude, rows[i].exclude);
	options_set(rows[i].path, i % 2 ? "fsync = no\n" : "");
	start_with(&common);
	for (int page = 0; page < 40; page++)
		pipeline_page(page % 2 ? "b" : "a", page, 3);
	pipeline_settle();
	path = path_of(rows[i].lines_b ? "a" : "all");
	text = pipeline_read(path, NULL);
	ck_assert_msg(text_count(text, "\n") == rows[i].lines_a, "row %zu: %s", i, text);
	ck_assert_msg(text_count(text, "{\"n\":38,\"i\":0}") == 1, "row %zu", i);
	ck_assert_msg(text_count(text, "\"source\":\"a\"") ==
			      (rows[i].format == RECORD_ENVELOPE ? 60 : 0),
		"row %zu: %s", i, text);
	free(text);
	free(path);
	if (rows[i].lines_b > 0) {
		path = path_of("b");
		text = pipeline_read(path, NULL);
		ck_assert_msg(text_count(text, "\n") == rows[i].lines_b, "row %zu", i);
		free(text);
		free(path);
	} else if (rows[i].format == RECORD_RAW && !rows[i].exclude) {
		ck_file("all", "", 0, 40, 3);
	}
	pipeline_close();
	str_list_deinit(&common.exclude);
}
END_TEST

START_TEST(more_than_a_job_holds)
{
	options_set("x", "");
	start();
	for (int i = 0; i < 8; i++)
		pipeline_page("a", i, 100000);
	pipeline_settle();
	ck_file("x", "", 0, 8, 100000);
}
END_TEST

START_TEST(a_file_that_was_there_is_kept)
{
	static const struct {
		const char *before, *kept;
	} rows[] = {{"", ""}, {"old\n", "old\n"}, {"old\ntorn", "old\ntorn\n"}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char name[16];

		snprintf(name, sizeof(name), "x%zu", i);
		write_text(name, "w", rows[i].before);
		options_set(name, "");
		start();
		deliver("a", 0, 2, 1);
		ck_file(name, rows[i].kept, 0, 2, 1);
		pipeline_close();
		pipeline_open();
		start();
		pipeline_settle();
		ck_file(name, rows[i].kept, 0, 2, 1);
		fanout_remove_sink(fanout, "out");
		pipeline_close();
		pipeline_teardown();
		pipeline_setup();
		free(directory);
		directory = fixture_path("out");
	}
}
END_TEST

/* --- what others do to the files --- */

START_TEST(a_rename_is_noticed)
{
	options_set("x.ndjson", "");
	start();
	deliver("a", 0, 2, 2);
	rename_file("x.ndjson", "x.ndjson.1");
	deliver("a", 2, 3, 2);
	write_text("y", "w", "");
	rename_file("x.ndjson", "x.ndjson.2");
	rename_file("y", "x.ndjson"); /* logrotate's create */
	deliver("a", 3, 5, 2);
	ck_file("x.ndjson.1", "", 0, 2, 2);
	ck_file("x.ndjson.2", "", 2, 3, 2);
	ck_file("x.ndjson", "", 3, 5, 2);
}
END_TEST

START_TEST(a_signal_opens_anew)
{
	options_set("x.ndjson", "");
	start();
	deliver("a", 0, 2, 2);
	fanout_reopen(fanout);
	deliver("a", 2, 3, 2);
	ck_file("x.ndjson", "", 0, 3, 2);
	rename_file("x.ndjson", "x.ndjson.1");
	fanout_reopen(fanout);
	deliver("a", 3, 4, 2);
	restart();
	deliver("a", 4, 5, 2);
	ck_file("x.ndjson.1", "", 0, 3, 2);
	ck_file("x.ndjson", "", 3, 5, 2);
}
END_TEST

START_TEST(copytruncate_is_noticed)
{
	options_set("x", "");
	start();
	deliver("a", 0, 5, 2);
	truncate_file("x", 0);
	deliver("a", 5, 6, 2);
	ck_file("x", "", 5, 6, 2); /* no hole */
	truncate_file("x", 0);
	restart();
	deliver("a", 6, 7, 2);
	ck_file("x", "", 6, 7, 2);
}
END_TEST

START_TEST(foreign_bytes_are_kept)
{
	options_set("x", "");
	start();
	deliver("a", 0, 1, 1);
	write_text("x", "a", "foreign");
	deliver("a", 1, 2, 1);
	restart();
	pipeline_settle();
	ck_file_text("x", "{\"n\":0,\"i\":0}\nforeign\n{\"n\":1,\"i\":0}\n");
}
END_TEST

START_TEST(a_new_period_is_a_new_file)
{
	now_time = INT64_C(1740873599) * NSEC_PER_SEC;
	clock_set_source(NULL, fake_wall);
	options_set("%Y-%m-%d.ndjson", "");
	start();
	deliver("a", 0, 2, 1);
	now_time += NSEC_PER_SEC;
	deliver("a", 2, 3, 1);
	ck_file("2025-03-01.ndjson", "", 0, 2, 1);
	ck_file("2025-03-02.ndjson", "", 2, 3, 1);
	restart();
	deliver("a", 3, 4, 1);
	ck_file("2025-03-02.ndjson", "", 2, 4, 1);
}
END_TEST

static size_t open_files(void)
{
	char link[64], target[4096];
	size_t n = 0;

	for (int fd = 0; fd < 256; fd++) {
		ssize_t size;

		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		size = readlink(link, target, sizeof(target) - 1);
		if (size <= 0)
			continue;
		target[size] = '\0';
		n += strstr(target, "/state/out/") != NULL;
	}
	return n;
}

START_TEST(past_periods_are_closed)
{
	now_time = INT64_C(1740873599) * NSEC_PER_SEC;
	clock_set_source(NULL, fake_wall);
	options_set("%{source}-%H%M", "");
	start();
	for (int i = 0; i < 20; i++) {
		deliver("a", 2 * i, 2 * i + 1, 1);
		deliver("b", 2 * i + 1, 2 * i + 2, 1);
		ck_assert_uint_le(open_files(), 2);
		now_time += NSEC_PER_MIN;
	}
	ck_assert(file_exists("b-2359"));
}
END_TEST

START_TEST(many_sources_keep_a_bound)
{
	options_set("%{source}", "");
	start();
	for (int i = 0; i < 150; i++) {
		char name[16];

		snprintf(name, sizeof(name), "s%d", i);
		pipeline_route(name, "out");
		pipeline_page(name, i, 1);
		if (i % 40 == 39)
			pipeline_settle();
	}
	pipeline_settle();
	ck_assert_uint_le(open_files(), 64);
	ck_file("s0", "", 0, 1, 1);
	ck_file("s149", "", 149, 150, 1);
}
END_TEST

/* --- the lock --- */

/* A process that holds the lock on NAME until its standard input, *RET_INPUT, is closed. */
static pid_t lock_elsewhere(const char *name, int *ret_input)
{
	char *path = path_of(name);
	int input[2], ready[2];
	char byte;
	pid_t child;

	ck_assert_int_eq(pipe(input) | pipe(ready), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		int fd = open(path, O_RDWR);

		close(input[1]);
		if (flock(fd, LOCK_EX | LOCK_NB) == 0 && write(ready[1], "", 1) == 1)
			_exit(read(input[0], &byte, 1) == 0 ? 0 : 1);
		_exit(1);
	}
	close(input[0]);
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	free(path);
	*ret_input = input[1];
	return child;
}

static bool is_locked(const char *name)
{
	char *path = path_of(name);
	int fd = open(path, O_RDWR);
	bool locked = flock(fd, LOCK_EX | LOCK_NB) < 0;

	close(fd);
	free(path);
	return locked;
}

/* Another trawld has the file: nothing is written until it is gone, whether the sink finds it at
 * its start or at its first record. */
START_TEST(a_file_of_another_process_is_left_alone)
{
	char *pid;
	pid_t child;
	int input;

	options_set("x", "");
	start();
	if (_i == 0)
		deliver("a", 0, 1, 2);
	else
		write_text("x", "w", "");
	pipeline_close();
	child = lock_elsewhere("x", &input);
	pipeline_open();
	start();
	pipeline_pages("a", 1, 3, 2);
	RUN_UNTIL(pipeline_status("out").failing);
	pid = mem_printf("(PID %d)", (int)child);
	ck_assert_msg(strstr(pipeline_status("out").fault.text, pid), "%s",
		pipeline_status("out").fault.text);
	ck_assert_ptr_nonnull(strstr(pipeline_status("out").fault.text, "/out/x"));
	ck_file("x", "", 0, _i == 0 ? 1 : 0, 2);
	close(input);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	fanout_retry_now(fanout);
	RUN_UNTIL(!pipeline_status("out").failing);
	pipeline_settle();
	ck_file("x", "", _i, 3, 2);
	free(pid);
}
END_TEST

START_TEST(a_file_is_locked_while_it_is_written_to)
{
	options_set("x", "max_size = 64KiB\n");
	start();
	deliver("a", 0, 1, 3000);
	ck_assert(is_locked("x"));
	deliver("a", 1, 2, 3000);
	ck_assert(is_locked("x"));
	ck_assert(!is_locked("x.000001"));
	rename_file("x", "x.1");
	deliver("a", 2, 3, 2);
	ck_assert(is_locked("x"));
	ck_assert(!is_locked("x.1"));
	fanout_reopen(fanout);
	RUN_UNTIL(!is_locked("x"));
	deliver("a", 3, 4, 2);
	ck_assert(is_locked("x"));
	fanout_remove_sink(fanout, "out");
	ck_assert(!is_locked("x"));
}
END_TEST

/* Two sinks of one trawld whose paths come to the same file: the second says so. */
START_TEST(two_sinks_on_one_file)
{
	struct sink_setup sink_setup = {.name = "other", .loop = loop, .options = &options};
	struct fault fault = FAULT_NULL;

	options_set("%{source}", "");
	start();
	deliver("a", 0, 1, 1);
	ck_assert_int_eq(fanout_add_sink(fanout, &sink_file, &sink_setup, &common_raw, &fault), 0);
	pipeline_route("a", "other");
	fanout_start(fanout);
	pipeline_pages("a", 1, 2, 1);
	RUN_UNTIL(pipeline_status("other").failing);
	ck_assert_msg(strstr(pipeline_status("other").fault.text, "another sink of this trawld"),
		"%s", pipeline_status("other").fault.text);
	pipeline_settle();
	ck_file("a", "", 0, 2, 1);
}
END_TEST

static void add_tests(Suite *suite)
{
	TCase *tcase = tcase_create("sink_file");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, files_are_made_with_their_modes);
	tcase_add_test(tcase, default_modes);
	tcase_add_loop_test(tcase, layouts, 0, 6);
	tcase_add_test(tcase, more_than_a_job_holds);
	tcase_add_test(tcase, a_file_that_was_there_is_kept);
	tcase_add_test(tcase, a_rename_is_noticed);
	tcase_add_test(tcase, a_signal_opens_anew);
	tcase_add_test(tcase, copytruncate_is_noticed);
	tcase_add_test(tcase, foreign_bytes_are_kept);
	tcase_add_test(tcase, a_new_period_is_a_new_file);
	tcase_add_test(tcase, past_periods_are_closed);
	tcase_add_test(tcase, many_sources_keep_a_bound);
	tcase_add_loop_test(tcase, a_file_of_another_process_is_left_alone, 0, 2);
	tcase_add_test(tcase, a_file_is_locked_while_it_is_written_to);
	tcase_add_test(tcase, two_sinks_on_one_file);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	return fixture_main("sink_file", add_tests);
}
