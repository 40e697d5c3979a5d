/* What a file has after its stored position: the leftover of a crash is completed, anything else is
 * kept, and nothing is ever cut. */
#include "sink/file/file_tail.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>

#include "sink_file_fixture.h"

/* The log of a run that begins with TAIL after the last byte of "x", a file with pages 0 and 1, and
 * then gets pages FROM to UNTIL - 1. */
static char *run_with_tail(const char *tail, int from, int until)
{
	int saved, log;

	start();
	deliver("a", 0, 2, 2);
	pipeline_close();
	write_text("x", "a", tail);
	log = pipeline_log_begin(&saved);
	pipeline_open();
	start();
	pipeline_settle();
	for (int i = from; i < until; i++)
		deliver("a", i, i + 1, 2);
	return pipeline_log_end(log, saved);
}

/* --- what a crash leaves --- */

struct layout {
	const char *exclude;
	int format;
	bool separate; /* jobs, one a page */
};

static void run_layout(const struct layout *layout, int from, int until)
{
	struct sink_common_options common = {.format = layout->format};

	if (layout->exclude)
		str_list_add(&common.exclude, layout->exclude);
	start_with(&common);
	if (layout->separate) {
		for (int i = from; i < until; i++)
			deliver("a", i, i + 1, 3);
	} else {
		deliver("a", from, until, 3);
	}
	pipeline_close();
	str_list_deinit(&common.exclude);
	pipeline_open();
}

/* Whatever part of the next records is there already, the file becomes what it would have been. */
START_TEST(a_torn_tail_is_completed)
{
	static const struct layout rows[] = {
		{NULL, RECORD_RAW, false},
		{NULL, RECORD_RAW, true},
		{"/i = 1", RECORD_RAW, false},
		{NULL, RECORD_ENVELOPE, true},
		{"/i = 0", RECORD_ENVELOPE, false},
	};
	const struct layout *layout = &rows[_i];
	size_t begun, step;
	char *whole;

	options_set("x", "");
	run_layout(layout, 0, 2);
	begun = (size_t)size_of("x");
	run_layout(layout, 2, 5);
	whole = text_of("x");
	step = (strlen(whole) - begun) / 12 + 1;
	for (size_t n = begun; n <= strlen(whole); n += step) {
		char *tail = mem_strndup(whole + begun, n - begun);

		teardown();
		setup();
		options_set("x", "");
		run_layout(layout, 0, 2);
		write_text("x", "a", tail);
		run_layout(layout, 2, 5);
		ck_file_text("x", whole);
		free(tail);
	}
	free(whole);
}
END_TEST

START_TEST(a_crash_is_no_reason_to_warn)
{
	char *log;

	options_set("x", "");
	log = run_with_tail("{\"n\":2,\"i\":0}\n{\"n\":2", 0, 0);
	ck_assert_msg(strstr(log, "20 bytes (2 lines)"), "%s", log);
	free(log);
	teardown();
	setup();
	options_set("x", "");
	start();
	deliver("a", 0, 2, 2);
	pipeline_close();
	pipeline_open(); /* the records wait when the sink begins */
	pipeline_pages("a", 2, 4, 2);
	write_text("x", "a", "{\"n\":2,\"i\":0}\n{\"n\":2");
	int saved, fd = pipeline_log_begin(&saved);
	start();
	pipeline_settle();
	log = pipeline_log_end(fd, saved);
	ck_assert_msg(strstr(log, "ends with 20 bytes (2 lines)"), "%s", log);
	ck_assert_msg(strstr(log, "not written twice"), "%s", log);
	ck_assert_msg(!strstr(log, "does not know"), "%s", log);
	ck_file("x", "", 0, 4, 2);
	free(log);
}
END_TEST

/* Several files a job, each with a part of it. */
START_TEST(each_file_has_its_tail)
{
	options_set("%{source}", "");
	start();
	deliver("a", 0, 1, 2);
	deliver("b", 1, 2, 2);
	pipeline_close();
	write_text("a", "a", "{\"n\":2,\"i\":0}\n{\"n\":2,\"i\":1}\n{\"n\":4,\"i\"");
	write_text("b", "a", "{\"n\":3,\"");
	pipeline_open();
	start();
	pipeline_page("a", 2, 2);
	pipeline_page("b", 3, 2);
	pipeline_page("a", 4, 2);
	pipeline_page("b", 5, 2);
	pipeline_settle();
	ck_file_text("a", "{\"n\":0,\"i\":0}\n{\"n\":0,\"i\":1}\n{\"n\":2,\"i\":0}\n"
			  "{\"n\":2,\"i\":1}\n{\"n\":4,\"i\":0}\n{\"n\":4,\"i\":1}\n");
	ck_file_text("b", "{\"n\":1,\"i\":0}\n{\"n\":1,\"i\":1}\n{\"n\":3,\"i\":0}\n"
			  "{\"n\":3,\"i\":1}\n{\"n\":5,\"i\":0}\n{\"n\":5,\"i\":1}\n");
}
END_TEST

/* A power failure: the size of the file was on the disk before all of its content. */
START_TEST(holes_are_filled)
{
	char *path;
	FILE *file;

	options_set("x", "");
	start();
	deliver("a", 0, 2, 2);
	pipeline_close();
	path = path_of("x");
	file = fopen(path, "a");
	ck_assert_ptr_nonnull(file);
	fwrite("{\"n\":2,\"i\":0}\n\0\0\0\0\0\0\0\0i\":1}\n\0\0\0", 1, 31, file);
	fclose(file);
	free(path);
	pipeline_open();
	start();
	deliver("a", 2, 4, 2);
	ck_file("x", "", 0, 4, 2);
}
END_TEST

/* --- what a crash does not leave --- */

/* It stays where it is, and what follows begins on a line of its own. */
START_TEST(what_differs_is_kept)
{
	static const struct {
		const char *tail, *then, *count;
		int first_after; /* page that is the first after the tail */
	} rows[] = {
		{"torn", "torn\n", "4 bytes (1 line)", 2},
		{"a line\nanother\n", "a line\nanother\n", "15 bytes (2 lines)", 2},
		{"\n", "\n", "1 byte (1 line)", 2},
		/* a record that the API does not show any more */
		{"{\"n\":1,\"i\":2}\n{\"n\":2,\"i\":0}\n", "{\"n\":1,\"i\":2}\n{\"n\":2,\"i\":0}\n",
			"28 bytes (2 lines)", 2},
		/* one page is as it was, the next is not */
		{"{\"n\":2,\"i\":0}\n{\"n\":2,\"i\":1}\n{\"n\":9",
			"{\"n\":2,\"i\":0}\n{\"n\":2,\"i\":1}"
			"\n{\"n\":9\n",
			"6 bytes (1 line)", 3},
	};
	struct buf prefix = BUF_NULL;
	int saved, fd;
	char *log;

	options_set("x", "");
	log = run_with_tail(rows[_i].tail, 2, 5);
	pipeline_expect(&prefix, 0, 2, 2);
	buf_append_text(&prefix, rows[_i].then);
	ck_file("x", buf_text(&prefix), rows[_i].first_after, 5, 2);
	ck_assert_msg(strstr(log, rows[_i].count), "%s", log);
	ck_assert_msg(text_count(log, "file twice") == 1, "%s", log);
	free(log);
	fd = pipeline_log_begin(&saved);
	restart();
	deliver("a", 5, 6, 2);
	log = pipeline_log_end(fd, saved);
	ck_file("x", buf_text(&prefix), rows[_i].first_after, 6, 2);
	ck_assert_msg(!strstr(log, "does not know"), "%s", log);
	free(log);
	buf_deinit(&prefix);
}
END_TEST

/* Both in one job. */
START_TEST(a_job_that_is_partly_there)
{
	struct buf prefix = BUF_NULL;

	options_set("x", "");
	start();
	deliver("a", 0, 2, 2);
	pipeline_close();
	write_text("x", "a", "{\"n\":2,\"i\":0}\n{\"n\":2,\"i\":1}\nother\n");
	pipeline_open();
	start();
	deliver("a", 2, 5, 2);
	pipeline_expect(&prefix, 0, 3, 2);
	buf_append_text(&prefix, "other\n");
	ck_file("x", buf_text(&prefix), 3, 5, 2);
	restart();
	deliver("a", 5, 6, 2);
	ck_file("x", buf_text(&prefix), 3, 6, 2);
	buf_deinit(&prefix);
}
END_TEST

/* Nothing comes after the start: it is said all the same, once, and nothing moves. */
START_TEST(a_tail_is_reported_when_nothing_waits)
{
	char *log;
	struct buf wanted = BUF_NULL;

	options_set("x", "");
	log = run_with_tail("{\"n\":7,\"i\":0}\n{\"n\":7,\"i\":1}\n", 0, 0);
	ck_assert_msg(
		text_count(log, "28 bytes (2 lines) that the state does not know") == 1, "%s", log);
	free(log);
	pipeline_expect(&wanted, 0, 2, 2);
	pipeline_expect(&wanted, 7, 8, 2);
	ck_file_text("x", buf_text(&wanted));
	deliver("b", 8, 9, 1);
	buf_append_text(&wanted, "{\"n\":8,\"i\":0}\n");
	ck_file_text("x", buf_text(&wanted));
	buf_deinit(&wanted);
}
END_TEST

/* The source reads again what the file has, in other pages: it is not written twice. */
START_TEST(what_is_read_again_is_not_repeated)
{
	char *log;
	struct buf tail = BUF_NULL;

	options_set("x", "");
	pipeline_expect(&tail, 2, 5, 2);
	log = run_with_tail(buf_text(&tail), 2, 7);
	ck_file("x", "", 0, 7, 2);
	ck_assert_msg(strstr(log, "not written twice"), "%s", log);
	free(log);
	buf_deinit(&tail);
}
END_TEST

/* More than any job writes: it is kept before anything comes. */
START_TEST(a_tail_that_no_crash_leaves)
{
	const off_t size = FILE_TAIL_MAX + 100;
	char end[64] = "";
	int saved, fd;
	char *log, *path;

	options_set("x", "");
	start();
	deliver("a", 0, 2, 2);
	pipeline_close();
	truncate_file("x", size);
	fd = pipeline_log_begin(&saved);
	pipeline_open();
	start();
	pipeline_pages("b", 0, 1, 1);
	RUN_UNTIL(fanout_drained(fanout, NULL));
	log = pipeline_log_end(fd, saved);
	ck_assert_msg(text_count(log, "that the state does not know") == 1, "%s", log);
	path = path_of("x");
	fd = open(path, O_RDONLY);
	ck_assert_int_eq(pread(fd, end, sizeof(end), size), 15);
	ck_assert_str_eq(end, "\n{\"n\":0,\"i\":0}\n");
	close(fd);
	free(path);
	free(log);
}
END_TEST

/* --- files that are not where they were --- */

/* In place of the C library's: so many listings break off at their first name. */
static int n_failing_listings;

struct dirent *readdir(DIR *folder)
{
	typedef struct dirent *(*readdir_fn)(DIR *);
	void *symbol = dlsym(RTLD_NEXT, "readdir64");
	readdir_fn real;

	if (n_failing_listings > 0) {
		n_failing_listings--;
		errno = EIO;
		return NULL;
	}
	memcpy(&real, &symbol, sizeof(real));
	return real(folder);
}

/* While nobody looked, logrotate renamed the file: the torn line is completed where it is, the rest
 * goes where it goes now; also when that can be found out only later. */
START_TEST(a_torn_tail_in_a_renamed_file)
{
	static const char *const names[] = {"x.ndjson.1", "x-20250301.ndjson"};
	struct buf wanted = BUF_NULL;

	const char *name = names[_i % 2];

	options_set("x.ndjson", "");
	start();
	deliver("a", 0, 3, 2);
	pipeline_close();
	write_text("x.ndjson", "a", "{\"n\":3,\"i\":0}\n{\"n\":3,\"i\":1}\n{\"n\":4");
	rename_file("x.ndjson", name);
	if (name == names[0])
		write_text("x.ndjson", "w", "");
	pipeline_open();
	n_failing_listings = _i / 2;
	start();
	if (_i / 2 > 0) {
		RUN_UNTIL(pipeline_status("out").failing);
		ck_assert_int_eq(n_failing_listings, 0);
		fanout_retry_now(fanout);
	}
	deliver("a", 3, 6, 2);
	RUN_UNTIL(pipeline_status("out").acknowledged == 6);
	pipeline_expect(&wanted, 0, 4, 2);
	buf_append_text(&wanted, "{\"n\":4,\"i\":0}\n");
	ck_file_text(name, buf_text(&wanted));
	ck_file("x.ndjson", "{\"n\":4,\"i\":1}\n", 5, 6, 2);
	buf_deinit(&wanted);
}
END_TEST

static void ck_renamed(const char *old, const char *new)
{
	struct buf wanted = BUF_NULL;

	pipeline_expect(&wanted, 0, 3, 2);
	buf_append_text(&wanted, old);
	ck_file_text("x.ndjson.1", buf_text(&wanted));
	ck_file_text("x.ndjson", new);
	buf_deinit(&wanted);
}

START_TEST(the_line_is_completed_and_no_more)
{
	options_set("x.ndjson", "");
	start();
	deliver("a", 0, 3, 2);
	pipeline_close();
	write_text("x.ndjson", "a", "{\"n\":3");
	rename_file("x.ndjson", "x.ndjson.1");
	pipeline_open();
	start();
	deliver("a", 3, 4, 2);
	ck_renamed("{\"n\":3,\"i\":0}\n", "{\"n\":3,\"i\":1}\n");
	restart();
	deliver("a", 4, 5, 1);
	ck_renamed("{\"n\":3,\"i\":0}\n", "{\"n\":3,\"i\":1}\n{\"n\":4,\"i\":0}\n");
}
END_TEST

START_TEST(a_renamed_file_keeps_what_differs)
{
	options_set("x.ndjson", "");
	start();
	deliver("a", 0, 3, 2);
	pipeline_close();
	write_text("x.ndjson", "a", "{\"n\":9,\"i\":0}\nto");
	rename_file("x.ndjson", "x.ndjson.1");
	pipeline_open();
	start();
	deliver("a", 3, 4, 1);
	ck_renamed("{\"n\":9,\"i\":0}\nto", "{\"n\":3,\"i\":0}\n");
}
END_TEST

/* A file that max_size has ended is whole: an older state cannot say more of it. */
START_TEST(a_rotated_file_is_not_continued)
{
	int saved, fd;
	char *log;

	options_set("x", "max_size = 64KiB\n");
	start();
	deliver("a", 0, 2, 2);
	pipeline_close();
	write_text("x", "a", "{\"n\":2,\"i\":0}\n");
	rename_file("x", "x.000001");
	fd = pipeline_log_begin(&saved);
	pipeline_open();
	start();
	deliver("a", 2, 3, 2);
	log = pipeline_log_end(fd, saved);
	ck_assert_msg(
		text_count(log, "14 bytes (1 line) that the state does not know") == 1, "%s", log);
	ck_file_text("x.000001", "{\"n\":0,\"i\":0}\n{\"n\":0,\"i\":1}\n{\"n\":1,\"i\":0}\n"
				 "{\"n\":1,\"i\":1}\n{\"n\":2,\"i\":0}\n");
	ck_file("x", "", 2, 3, 2);
	free(log);
}
END_TEST

/* The period of the path ended between the crash and the start. */
START_TEST(a_torn_tail_in_a_past_period)
{
	now_time = INT64_C(1740873599) * NSEC_PER_SEC;
	clock_set_source(NULL, fake_wall);
	options_set("%{source}-%H%M", _i ? "compress = gzip\n" : "");
	start();
	deliver("a", 0, 1, 2);
	deliver("b", 1, 2, 2);
	pipeline_close();
	write_text("a-2359", "a", "{\"n\":2,\"i\":0}\n{\"n\":2,\"i\":1}\n{\"n\":3,\"i");
	now_time += NSEC_PER_MIN;
	pipeline_open();
	start();
	pipeline_page("b", 2, 2); /* the same bytes, but not of this file */
	pipeline_page("a", 2, 2);
	pipeline_page("a", 3, 2);
	pipeline_settle();
	deliver("a", 4, 5, 2);
	ck_file("b-0000", "", 2, 3, 2);
	ck_file_text("a-0000", "{\"n\":3,\"i\":1}\n{\"n\":4,\"i\":0}\n{\"n\":4,\"i\":1}\n");
	if (_i)
		ck_assert(file_exists("a-2359.gz") && !file_exists("a-2359"));
	else
		ck_file_text("a-2359", "{\"n\":0,\"i\":0}\n{\"n\":0,\"i\":1}\n{\"n\":2,\"i\":0}\n"
				       "{\"n\":2,\"i\":1}\n{\"n\":3,\"i\":0}\n");
}
END_TEST

/* A tail that is kept makes the file as long as it is: it is full before the next record. */
START_TEST(a_tail_counts_for_max_size)
{
	char *tail = mem_alloc(70000);

	memset(tail, 'x', 69999);
	options_set("x", "max_size = 64KiB\n");
	free(run_with_tail(tail, 2, 3));
	ck_assert(file_exists("x.000001"));
	ck_assert_int_eq(size_of("x.000001"), 56 + 70000);
	ck_file("x", "", 2, 3, 2);
	free(tail);
}
END_TEST

static void add_tests(Suite *suite)
{
	TCase *tcase = tcase_create("file_tail");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, a_torn_tail_is_completed, 0, 5);
	tcase_add_test(tcase, a_crash_is_no_reason_to_warn);
	tcase_add_test(tcase, each_file_has_its_tail);
	tcase_add_test(tcase, holes_are_filled);
	tcase_add_loop_test(tcase, what_differs_is_kept, 0, 5);
	tcase_add_test(tcase, a_job_that_is_partly_there);
	tcase_add_test(tcase, a_tail_is_reported_when_nothing_waits);
	tcase_add_test(tcase, what_is_read_again_is_not_repeated);
	tcase_add_test(tcase, a_tail_that_no_crash_leaves);
	tcase_add_loop_test(tcase, a_torn_tail_in_a_renamed_file, 0, 4);
	tcase_add_test(tcase, the_line_is_completed_and_no_more);
	tcase_add_test(tcase, a_renamed_file_keeps_what_differs);
	tcase_add_test(tcase, a_rotated_file_is_not_continued);
	tcase_add_loop_test(tcase, a_torn_tail_in_a_past_period, 0, 2);
	tcase_add_test(tcase, a_tail_counts_for_max_size);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	return fixture_main("file_tail", add_tests);
}
