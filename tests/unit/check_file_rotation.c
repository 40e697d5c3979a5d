/* Rotation and compression of the file sink: every state that a crash can leave between the steps,
 * jobs that end a file in their middle, and names that are taken. */
#include "sink/file/file_rotation.h"

#include "sink/file/file_compress.h"
#include "sink/file/file_position.h"
#include "sink_file_fixture.h"

/* Appends the plain or gzip file NAME to OUT. False: there is none. */
static bool add_file(const char *name, struct buf *out)
{
	char *path = path_of(name);
	char *command = mem_printf("gzip -dc < %s", path);
	bool packed = str_ends(name, ".gz");
	FILE *file = NULL;
	char piece[65536];
	size_t n;

	if (access(path, F_OK) == 0)
		file = packed ? popen(command, "r") : fopen(path, "r");
	free(command);
	free(path);
	if (!file)
		return false;
	while ((n = fread(piece, 1, sizeof(piece), file)) > 0)
		buf_append(out, piece, n);
	ck_assert_int_eq(packed ? pclose(file) : fclose(file), 0);
	return true;
}

/* The rotated files of "x" in order, then "x": pages FROM to TO - 1. N_ROTATED of them are there,
 * each once, compressed if PACKED. */
static void ck_all(int from, int to, size_t n, int n_rotated, bool packed)
{
	struct buf found = BUF_NULL, wanted = BUF_NULL;
	int rotated = 0;

	for (int i = 1; i < 1000; i++) {
		char *plain = mem_printf("x.%06d", i);
		char *gzip = mem_printf("%s.gz", plain);
		bool is_plain = add_file(plain, &found);
		bool is_gzip = add_file(gzip, &found);

		ck_assert_msg(!is_plain || !is_gzip, "%s is there twice", plain);
		rotated += is_plain || is_gzip;
		ck_assert_msg(!(is_plain && packed) && !(is_gzip && !packed), "%s", plain);
		free(plain);
		free(gzip);
	}
	add_file("x", &found);
	pipeline_expect(&wanted, from, to, n);
	ck_assert_uint_eq(found.size, wanted.size);
	ck_assert(memcmp(buf_text(&found), buf_text(&wanted), wanted.size) == 0);
	ck_assert_int_eq(rotated, n_rotated);
	buf_deinit(&found);
	buf_deinit(&wanted);
}

/* So many records of 14 to 19 bytes are not quite half of the smallest max_size. */
#define HALF 1700

/* --- jobs --- */

START_TEST(a_file_ends_before_it_is_too_long)
{
	options_set("x", "max_size = 64KiB\n");
	start();
	for (int i = 0; i < 7; i++)
		deliver("a", i, i + 1, HALF);
	ck_all(0, 7, HALF, 3, false);
}
END_TEST

/* All batches come in one job: it is written in parts. */
START_TEST(a_job_is_longer_than_a_file)
{
	options_set("x", _i ? "max_size = 64KiB\ncompress = gzip\n" : "max_size = 64KiB\n");
	start();
	deliver("a", 0, 25, HALF);
	ck_all(0, 25, HALF, 12, _i);
	restart();
	deliver("b", 25, 30, HALF);
	ck_all(0, 30, HALF, 14, _i);
}
END_TEST

START_TEST(a_batch_is_longer_than_a_file)
{
	options_set("x", "max_size = 64KiB\n");
	start();
	deliver("a", 0, 3, 10000);
	ck_all(0, 3, 10000, 2, false);
}
END_TEST

/* The process ends in the middle of a job: what the stored position says is in the files is not
 * written again. */
START_TEST(a_job_that_breaks_off_goes_on)
{
	for (int turns = 0; turns < 24; turns++) {
		options_set("x", "max_size = 64KiB\ncompress = gzip\n");
		start();
		pipeline_pages("a", 0, 10, HALF);
		for (int i = 0; i < turns; i++)
			ev_run(loop, EVRUN_NOWAIT);
		restart();
		pipeline_settle();
		ck_all(0, 10, HALF, 4, true);
		teardown();
		setup();
	}
}
END_TEST

/* The directory cannot be written to in the middle of a job: the rest comes when it can. */
START_TEST(a_fault_between_two_parts)
{
	char *path;

	options_set("x", "max_size = 64KiB\n");
	start();
	pipeline_pages("a", 0, 10, HALF);
	RUN_UNTIL(file_exists("x")); /* the first part */
	path = path_of("x");
	rename_file("x", "moved");
	ck_assert_int_eq(mkdir(path, 0700), 0);
	RUN_UNTIL(pipeline_status("out").failing);
	ck_assert_int_eq(rmdir(path), 0);
	rename_file("moved", "x");
	fanout_retry_now(fanout);
	RUN_UNTIL(!pipeline_status("out").failing);
	pipeline_settle();
	ck_all(0, 10, HALF, 4, false);
	free(path);
}
END_TEST

/* A closed file cannot be compressed, which is found out in the middle of a job. */
START_TEST(a_compression_that_fails_during_a_job)
{
	for (int n = 2; n < 12; n++) {
		options_set("x", "max_size = 64KiB\ncompress = gzip\n");
		mkdir(directory, 0700);
		for (int i = 1; i <= 6; i++) {
			char *obstacle = mem_printf("%s/x.%06d.gz.tmp", directory, i);

			ck_assert_int_eq(mkdir(obstacle, 0700), 0);
			free(obstacle);
		}
		start();
		deliver("a", 0, n, HALF);
		ck_all(0, n, HALF, (n - 1) / 2, false);
		teardown();
		setup();
	}
}
END_TEST

/* --- after a crash --- */

static void name_file(const char *name, const char *content)
{
	char *path = path_of(name);

	unlink(path);
	free(path);
	if (content)
		write_text(name, "w", content);
}

/* A position that lists "x" as closed, to become x.000001, with all pages before THROUGH in it. */
static void store_closed(int64_t through, const char *to)
{
	struct file_target *target;
	struct file_closed *closed;
	struct fault fault = FAULT_NULL;
	struct log_subject subject = {"sink", "out", NULL};
	struct file_modes modes = {.file = 0600, .directory = 0700};
	struct buf text = BUF_NULL;
	char *path = path_of("x");

	pipeline_close(); /* the sink holds the lock on the file */
	pipeline_open();
	ck_assert_int_eq(file_target_open(&target, path, &modes, &subject, &fault), 0);
	closed = file_closed_new(target);
	closed->to = to ? path_of(to) : NULL;
	buf_printf(&text, "{\"files\":[],\"through\":%" PRId64 ",\"closed\":[", through);
	file_closed_print(closed, &text);
	buf_append_text(&text, "]}");
	commit_add_ack(store, "out", through, buf_text(&text));
	fixture_run();
	file_closed_free(closed);
	file_target_free(target);
	buf_deinit(&text);
	free(path);
}

/* What stands in the directory when the process ended between two steps of a rotation. */
START_TEST(every_state_of_a_rotation)
{
	options_set("x", "max_size = 64KiB\ncompress = gzip\n");
	start();
	deliver("a", 0, 2, HALF);
	store_closed(2, "x.000001");
	pipeline_close();
	switch (_i) {
	case 4: /* all done but for the position */
		rename_file("x", "x.000001");
		ck_assert_int_eq(chdir(directory), 0);
		ck_assert_int_eq(system("gzip x.000001"), 0);
		break;
	case 3: /* the compressed file is there, the plain one not yet removed */
		rename_file("x", "x.000001");
		name_file("x.000001.gz", "whatever");
		break;
	case 2: /* a part of the compressed file, and the other compression before */
		rename_file("x", "x.000001");
		name_file("x.000001.gz.tmp", "half");
		name_file("x.000001.zst.tmp", "half");
		name_file("x.000001.zst", "half");
		break;
	case 1: /* renamed, a new file made, not yet entered */
		rename_file("x", "x.000001");
		name_file("x", "");
		break;
	case 0: /* only the position */
		break;
	}
	pipeline_open();
	start();
	deliver("a", 2, 5, HALF);
	ck_all(0, 5, HALF, 2, true);
	ck_assert(!file_exists("x.000001.gz.tmp"));
	ck_assert(!file_exists("x.000001.zst.tmp"));
	ck_assert(!file_exists("x.000001.zst"));
}
END_TEST

/* What others did to a file that is listed as closed. */
START_TEST(a_closed_file_that_changed_is_left_alone)
{
	struct buf found = BUF_NULL;

	options_set("x", "max_size = 64KiB\ncompress = gzip\n");
	start();
	deliver("a", 0, 1, HALF);
	store_closed(1, "x.000001");
	pipeline_close();
	if (_i == 0)
		rename_file("x", "elsewhere");
	else if (_i == 1)
		truncate_file("x", 28);
	else
		name_file("x.000001", "taken\n");
	pipeline_open();
	start();
	deliver("a", 1, 2, HALF);
	if (_i == 0) {
		ck_file("elsewhere", "", 0, 1, HALF);
		ck_file("x", "", 1, 2, HALF);
	} else if (_i == 1) {
		ck_file("x", "{\"n\":0,\"i\":0}\n{\"n\":0,\"i\":1}\n", 1, 2, HALF);
	} else {
		ck_file_text("x.000001", "taken\n");
		ck_assert(add_file("x.000002.gz", &found));
		buf_deinit(&found);
		ck_file("x", "", 1, 2, HALF);
	}
}
END_TEST

/* The compression is switched off while a file waits for it. */
START_TEST(compression_is_switched_off)
{
	options_set("x", "max_size = 64KiB\ncompress = gzip\n");
	start();
	deliver("a", 0, 2, HALF);
	store_closed(2, "x.000001");
	pipeline_close();
	rename_file("x", "x.000001");
	name_file("x.000001.gz", "half");
	pipeline_open();
	options_set("x", "max_size = 64KiB\n");
	start();
	deliver("a", 2, 5, HALF);
	ck_all(0, 5, HALF, 2, false);
}
END_TEST

/* --- periods --- */

static void start_periods(const char *path, const char *more)
{
	now_time = INT64_C(1740873599) * NSEC_PER_SEC;
	clock_set_source(NULL, fake_wall);
	options_set(path, more);
	start();
}

static void ck_packed(const char *name, int from, int to, size_t n)
{
	struct buf found = BUF_NULL, wanted = BUF_NULL;

	ck_assert_msg(add_file(name, &found), "no %s", name);
	pipeline_expect(&wanted, from, to, n);
	ck_assert_str_eq(buf_text(&found), buf_text(&wanted));
	buf_deinit(&found);
	buf_deinit(&wanted);
}

START_TEST(past_periods_are_compressed)
{
	start_periods("%{source}-%H%M", "compress = gzip\n");
	deliver("a", 0, 2, 3);
	ck_assert(file_exists("a-2359"));
	if (_i)
		restart(); /* the period ends while nobody looks */
	now_time += NSEC_PER_MIN;
	deliver("b", 2, 3, 3);
	ck_packed("a-2359.gz", 0, 2, 3);
	ck_assert(!file_exists("a-2359"));
	ck_assert(file_exists("b-0000"));
}
END_TEST

/* SIGUSR1 closes a file before its period is over. */
START_TEST(a_reopened_file_is_compressed_later)
{
	start_periods("%{source}-%H%M", "compress = gzip\n");
	deliver("a", 0, 2, 3);
	fanout_reopen(fanout);
	deliver("b", 2, 3, 3);
	ck_assert(file_exists("a-2359"));
	restart();
	if (_i)
		deliver("a", 3, 4, 3);
	now_time += NSEC_PER_MIN;
	deliver("b", 4, 5, 3);
	ck_assert(!file_exists("a-2359"));
	if (!_i)
		ck_packed("a-2359.gz", 0, 2, 3);
}
END_TEST

/* The clock is set back after a file was compressed: its name is taken. */
START_TEST(a_period_that_comes_twice)
{
	start_periods("%{source}-%H%M", "compress = gzip\n");
	deliver("a", 0, 2, 3);
	now_time += NSEC_PER_MIN;
	deliver("a", 2, 3, 3);
	now_time -= NSEC_PER_MIN;
	deliver("a", 3, 4, 3);
	ck_packed("a-2359.gz", 0, 2, 3);
	ck_file("a-2359", "", 3, 4, 3);
	now_time += NSEC_PER_MIN;
	deliver("a", 4, 5, 3);
	ck_packed("a-2359.gz", 0, 2, 3);
	ck_packed("a-2359.000001.gz", 3, 4, 3);
}
END_TEST

/* More sources than files are kept open. */
START_TEST(many_sources_are_all_compressed)
{
	start_periods("%{source}-%H%M", "compress = gzip\n");
	for (int i = 0; i < 100; i++) {
		char name[16];

		snprintf(name, sizeof(name), "s%d", i);
		pipeline_route(name, "out");
		deliver(name, i, i + 1, 1);
	}
	now_time += NSEC_PER_MIN;
	deliver("a", 100, 101, 1);
	for (int i = 0; i < 100; i++) {
		char name[32];

		snprintf(name, sizeof(name), "s%d-2359.gz", i);
		ck_packed(name, i, i + 1, 1);
	}
}
END_TEST

/* --- order --- */

static int n_stores, n_progress;
static struct file_closer closer;

static void fake_due(void *userdata)
{
	(void)userdata;
	file_closer_step(&closer);
}

static bool fake_store(void *userdata)
{
	(void)userdata;
	ck_assert(file_exists("x"));
	closer.stored = n_stores++ > 0;
	return closer.stored;
}

static void fake_progress(void *userdata)
{
	(void)userdata;
	n_progress++;
}

START_TEST(nothing_is_done_before_it_is_stored)
{
	struct log_subject subject = {"sink", "out", NULL};
	struct file_modes modes = {.file = 0600, .directory = 0700};
	struct fault fault = FAULT_NULL;
	struct file_target *target;
	char *path = path_of("x");

	write_text("x", "w", "{}\n");
	ck_assert_int_eq(file_target_open(&target, path, &modes, &subject, &fault), 0);
	closer = (struct file_closer){.loop = loop,
		.subject = subject,
		.compression = COMPRESSION_GZIP,
		.due = fake_due,
		.store = fake_store,
		.progress = fake_progress};
	file_closer_init(&closer);
	file_closer_add(&closer, file_closed_new(target));
	ck_assert(file_closer_busy(&closer));
	RUN_UNTIL(n_progress > 0);
	ck_assert_int_eq(n_stores, 1);
	ck_assert(file_exists("x"));
	ck_assert(!file_closer_busy(&closer)); /* it fails: nobody waits for it */
	ev_feed_event(loop, &closer.timer, EV_TIMER); /* a minute later */
	RUN_UNTIL(n_progress > 1);
	ck_assert_int_eq(n_stores, 2);
	ck_assert(!file_exists("x"));
	ck_assert(file_exists("x.gz"));
	file_closer_deinit(&closer);
	file_target_free(target);
	free(path);
}
END_TEST

/* --- names --- */

START_TEST(names_and_numbers)
{
	static const char *const others[] = {"x.1", "x.00001", "x.000001.bak", "x.000002.gz.tmp",
		"xx.000009", "x.000000", "x.99999999999999999999"};
	struct fault fault = FAULT_NULL;
	char *path = path_of("x");
	char *name;

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		write_text(others[i], "w", "");
	ck_assert_int_eq(file_rotation_name(&name, path, &fault), 0);
	ck_assert(str_ends(name, "/out/x.000001"));
	free(name);
	write_text("x.000003.zst", "w", "");
	write_text("x.999999.gz", "w", "");
	ck_assert_int_eq(file_rotation_name(&name, path, &fault), 0);
	ck_assert_msg(str_ends(name, "/out/x.1000000"), "%s", name);
	ck_assert_int_eq(unit_class(file_rotation_move(path, name, &fault), &fault), FAULT_STORE);
	write_text("x", "w", "");
	write_text("x.1000000", "w", "mine");
	ck_assert_int_eq(file_rotation_move(path, name, &fault), FILE_ROTATION_E_TAKEN);
	ck_file_text("x.1000000", "mine");
	free(name);
	free(path);
}
END_TEST

static void add_tests(Suite *suite)
{
	TCase *tcase = tcase_create("file_rotation");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_file_ends_before_it_is_too_long);
	tcase_add_loop_test(tcase, a_job_is_longer_than_a_file, 0, 2);
	tcase_add_test(tcase, a_batch_is_longer_than_a_file);
	tcase_add_test(tcase, a_job_that_breaks_off_goes_on);
	tcase_add_test(tcase, a_fault_between_two_parts);
	tcase_add_test(tcase, a_compression_that_fails_during_a_job);
	tcase_add_loop_test(tcase, every_state_of_a_rotation, 0, 5);
	tcase_add_loop_test(tcase, a_closed_file_that_changed_is_left_alone, 0, 3);
	tcase_add_test(tcase, compression_is_switched_off);
	tcase_add_loop_test(tcase, past_periods_are_compressed, 0, 2);
	tcase_add_loop_test(tcase, a_reopened_file_is_compressed_later, 0, 2);
	tcase_add_test(tcase, a_period_that_comes_twice);
	tcase_add_test(tcase, many_sources_are_all_compressed);
	tcase_add_test(tcase, nothing_is_done_before_it_is_stored);
	tcase_add_test(tcase, names_and_numbers);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	return fixture_main("file_rotation", add_tests);
}
