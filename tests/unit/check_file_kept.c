/* A state is older than its files: the sources read again what the files have, in other pages and
 * another order. Nothing is lost, and what can be recognised is written once. */
#include "sink/file/file_kept.h"

#include "sink_file_fixture.h"

static bool alike; /* the records of both sources have the same text */

/* Records FROM to UNTIL - 1 of SOURCE as one page. */
static void page(const char *source, int from, int until, bool with_id)
{
	struct batch *batch = batch_new(source, "cloudscale", 1000);

	for (int i = from; i < until; i++) {
		char text[64], id[16];
		struct slice record = {text, 0}, id_text = {id, 0};
		struct id key;

		record.size = (size_t)snprintf(
			text, sizeof(text), "{\"of\":\"%s\",\"n\":%d}", alike ? "x" : source, i);
		id_text.size = (size_t)snprintf(id, sizeof(id), "%d", i);
		key = digest_id(with_id ? id_text : record);
		batch_add(batch, record, &key, with_id ? id_text : SLICE_NULL, NSEC_NONE);
	}
	commit_add_page(store, source, batch, "{}", fanout_committed, fanout);
	batch_unref(batch);
	committer_touch(committer);
	pipeline_settle();
}

static struct sink_common_options common;

static void copy_state(const char *from, const char *to)
{
	char *a = fixture_path(from), *b = fixture_path(to);
	size_t size;
	char *text = pipeline_read(a, &size);
	FILE *file = fopen(b, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(text, 1, size, file), size);
	ck_assert_int_eq(fclose(file), 0);
	free(text);
	free(a);
	free(b);
}

static void begin(const char *path, int format)
{
	common = (struct sink_common_options){.format = format};
	options_set(path, "");
	start_with(&common);
}

static void again(void)
{
	pipeline_close();
	pipeline_open();
	start_with(&common);
}

/* Both sources deliver records 0 to 2; the state is copied; they deliver up to 8, and the copy is
 * brought back. */
static void restore(const char *path, int format, bool with_id)
{
	begin(path, format);
	page("a", 0, 3, with_id);
	page("b", 0, 3, with_id);
	pipeline_close();
	copy_state("trawld.db", "copy");
	pipeline_open();
	start_with(&common);
	for (int i = 3; i < 9; i++) {
		page("a", i, i + 1, with_id);
		page("b", i, i + 1, with_id);
	}
	pipeline_close();
	copy_state("copy", "trawld.db");
	pipeline_open();
	start_with(&common);
}

/* How often the files have record N of SOURCE. */
static size_t count(const char *source, int n)
{
	static const char *const names[] = {"all", "a", "b", "moved"};
	char *record = mem_printf("{\"of\":\"%s\",\"n\":%d}", source, n);
	size_t found = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *path = path_of(names[i]);

		if (file_exists(names[i])) {
			char *text = pipeline_read(path, NULL);

			found += text_count(text, record);
			free(text);
		}
		free(path);
	}
	free(record);
	return found;
}

/* Records FROM to UNTIL - 1 of both sources are there so often. */
static void ck_count(int from, int until, size_t wanted)
{
	for (int i = from; i < until; i++) {
		ck_assert_msg(count("a", i) == wanted, "a %d: %zu", i, count("a", i));
		ck_assert_msg(count("b", i) == wanted, "b %d: %zu", i, count("b", i));
	}
}

static const struct {
	const char *path;
	int format;
} recognised[] = {
	{"%{source}", RECORD_RAW},
	{"%{source}", RECORD_ENVELOPE},
	{"all", RECORD_ENVELOPE},
};

START_TEST(each_record_is_there_once)
{
	restore(recognised[_i].path, recognised[_i].format, true);
	page("b", 3, 7, true); /* in the file a and b take turns */
	page("a", 4, 9, true); /* the API does not show record 3 any more */
	page("b", 7, 12, true);
	page("a", 9, 12, true);
	ck_count(0, 12, 1);
	again();
	page("a", 12, 14, true);
	page("b", 12, 14, true);
	ck_count(0, 14, 1);
}
END_TEST

/* Also when trawld is killed meanwhile, and half a job is in the file. */
START_TEST(a_kill_amid_the_second_reading)
{
	const char *name = _i < 2 ? "a" : "all";

	restore(recognised[_i].path, recognised[_i].format, true);
	page("b", 4, 9, true);
	page("a", 4, 7, true);
	pipeline_close();
	if (recognised[_i].format == RECORD_RAW)
		write_text(name, "a", "{\"of\":\"a\",\"n\":9}\n{\"of\":\"a\",\"n\"");
	else
		write_text(name, "a",
			"{\"source\":\"a\",\"provider\":\"cloudscale\",\"id\":\"9\",\"time\":"
			"null,");
	pipeline_open();
	start_with(&common);
	page("a", 7, 12, true);
	page("b", 9, 12, true);
	ck_count(0, 12, 1);
}
END_TEST

/* What is not certainly the same is written again: equal lines of two sources, records without an
 * ID. */
START_TEST(what_is_not_recognised_is_repeated)
{
	if (_i == 0)
		restore("all", RECORD_RAW, true);
	else
		restore("%{source}", RECORD_RAW, false);
	page("a", 4, 9, _i == 0);
	page("b", 4, 9, _i == 0);
	ck_count(0, 4, 1);
	ck_count(4, 9, 2);
}
END_TEST

START_TEST(equal_lines_of_two_sources)
{
	alike = true;
	begin("%{source}", RECORD_RAW);
	page("a", 0, 1, true);
	page("b", 0, 1, true);
	pipeline_close();
	write_text("a", "a", "foreign\n{\"of\":\"x\",\"n\":1}\n");
	again();
	page("a", 1, 2, true);
	page("b", 1, 2, true);
	ck_file_text("a", "{\"of\":\"x\",\"n\":0}\nforeign\n{\"of\":\"x\",\"n\":1}\n");
	ck_file_text("b", "{\"of\":\"x\",\"n\":0}\n{\"of\":\"x\",\"n\":1}\n");
}
END_TEST

START_TEST(a_torn_line_is_no_record)
{
	begin("all", RECORD_ENVELOPE);
	page("a", 0, 3, true);
	pipeline_close();
	write_text("all", "a",
		"foreign\n{\"source\":\"a\",\"provider\":\"cloudscale\",\"id\":\"3\","
		"\"time\":null,\"record\":{\"of\":");
	pipeline_open();
	start_with(&common);
	page("a", 3, 5, true);
	ck_assert_uint_eq(count("a", 3), 1);
	ck_assert_uint_eq(count("a", 4), 1);
}
END_TEST

/* The file with the records was moved or removed: nothing is left out any more. */
START_TEST(a_file_that_is_gone_has_nothing)
{
	restore("%{source}", RECORD_RAW, true);
	page("a", 4, 5, true);
	page("b", 4, 5, true);
	ck_count(3, 5, 1);
	if (_i == 1)
		pipeline_close();
	rename_file("a", "other");
	rename_file("b", "other");
	if (_i == 1) {
		pipeline_open();
		start_with(&common);
	}
	page("a", 5, 9, true);
	page("b", 5, 9, true);
	ck_count(5, 9, 1);
	ck_count(0, 5, 0);
}
END_TEST

START_TEST(it_is_forgotten_after_a_week)
{
	now_time = INT64_C(1740873599) * NSEC_PER_SEC;
	clock_set_source(NULL, fake_wall);
	restore("%{source}", RECORD_RAW, true);
	page("a", 4, 5, true);
	page("b", 4, 5, true);
	now_time += FILE_KEPT_NS - 1;
	again();
	page("a", 5, 6, true);
	page("b", 5, 6, true);
	ck_count(4, 6, 1);
	now_time += 1;
	page("a", 6, 7, true);
	page("b", 6, 7, true);
	ck_count(6, 7, 2);
}
END_TEST

/* An envelope that is written again says another time of receipt. */
START_TEST(the_time_of_receipt_does_not_count)
{
	begin("all", RECORD_ENVELOPE);
	page("a", 0, 1, true);
	pipeline_close();
	write_text("all", "a",
		"foreign\n{\"source\":\"a\",\"provider\":\"cloudscale\",\"id\":\"1\",\"time\":null,"
		"\"received\":\"2026-01-01T00:00:00Z\",\"record\":{\"of\":\"a\",\"n\":1}}\n");
	pipeline_open();
	start_with(&common);
	page("a", 1, 3, true);
	ck_assert_uint_eq(count("a", 1), 1);
	ck_assert_uint_eq(count("a", 2), 1);
}
END_TEST

static void add_tests(Suite *suite)
{
	TCase *tcase = tcase_create("file_kept");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, each_record_is_there_once, 0, 3);
	tcase_add_loop_test(tcase, a_kill_amid_the_second_reading, 0, 3);
	tcase_add_loop_test(tcase, what_is_not_recognised_is_repeated, 0, 2);
	tcase_add_test(tcase, equal_lines_of_two_sources);
	tcase_add_test(tcase, a_torn_line_is_no_record);
	tcase_add_loop_test(tcase, a_file_that_is_gone_has_nothing, 0, 2);
	tcase_add_test(tcase, it_is_forgotten_after_a_week);
	tcase_add_test(tcase, the_time_of_receipt_does_not_count);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	return fixture_main("file_kept", add_tests);
}
