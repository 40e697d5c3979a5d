/* Dead letters: complete, durable, private, and never half written. */
#include "pipeline/deadletter.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "pipeline/selection.h"
#include "pipeline_fixture.h"

#define NOBODY 65534

static struct sink_job *make_job(bool bodies, size_t n)
{
	struct str_list none = STR_LIST_NULL;
	struct batch *batches[2] = {
		fixture_batch("a", 0, n, NSEC_NONE), fixture_batch("b", 1, n, NSEC_NONE)};
	struct selection *selection;
	struct sink_job *job;
	struct fault fault;

	ck_assert_int_eq(selection_new(&selection, &none, &none, &fault), 0);
	job = job_new("out", batches, 2, selection,
		&(struct job_terms){RECORD_RAW, bodies ? SINK_WHOLE_BATCH : 0, 0});
	selection_free(selection);
	return job;
}

static nsec_t some_time(void)
{
	return 12 * NSEC_PER_HOUR;
}

static struct sink_answer rejected(const char *text, char **reasons)
{
	struct sink_answer answer = {
		.result = SINK_REJECTED, .reasons = reasons, .n_reasons = reasons ? 4 : 0};

	fault_set(&answer.error, FAULT_REFUSED, "%s", text);
	return answer;
}

START_TEST(lines)
{
	static char why[] = "no \"way\"";
	static char *every_second[] = {NULL, why, NULL, why};
	static const struct {
		bool bodies;
		char **reasons;
		size_t n;
	} rows[] = {{true, NULL, 4}, {false, NULL, 4}, {true, every_second, 2},
		{false, every_second, 2}};

	clock_set_source(NULL, some_time);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sink_job *job = make_job(rows[i].bodies, 2);
		char *path = fixture_path("dead-letters/out.ndjson");
		struct sink_answer answer = rejected(why, rows[i].reasons);
		struct fault fault = FAULT_NULL;
		struct stat status;
		json_t *line;
		char *text;

		unlink(path);
		ck_assert_msg(deadletter_write(state, "out", job, &answer, &fault) == 0,
			"row %zu: %s", i, fault.text);
		text = pipeline_read(path, NULL);
		ck_assert_msg(text_count(text, "\n") == rows[i].n, "row %zu: %s", i, text);
		line = json_loads(
			strrchr(text, '{') > text ? text : "", JSON_DISABLE_EOF_CHECK, NULL);
		ck_assert_ptr_nonnull(line);
		ck_assert_str_eq(json_string_value(json_object_get(line, "time")),
			"1970-01-01T12:00:00.000Z");
		ck_assert_str_eq(json_string_value(json_object_get(line, "sink")), "out");
		ck_assert_str_eq(json_string_value(json_object_get(line, "source")), "a");
		ck_assert_str_eq(json_string_value(json_object_get(line, "reason")), "no \"way\"");
		ck_assert_uint_eq(strlen(json_string_value(json_object_get(line, "id"))), 32);
		ck_assert_int_eq(
			json_integer_value(json_object_get(json_object_get(line, "record"), "i")),
			rows[i].reasons ? 1 : 0);
		ck_assert_ptr_nonnull(strstr(text, "\"record\":{\"n\":1,\"i\":1}}\n"));
		ck_assert_int_eq(stat(path, &status), 0);
		ck_assert_int_eq(status.st_mode & 0777, 0600);
		json_decref(line);
		free(text);
		free(path);
		job_free(job);
	}
	clock_set_source(NULL, NULL);
}
END_TEST

START_TEST(each_has_its_own_reason)
{
	static char number[] = "no number", old[] = "too old";
	static char *reasons[] = {NULL, number, NULL, old};
	struct sink_answer answer = rejected("both", reasons);
	struct sink_job *job = make_job(false, 2);
	char *path = fixture_path("dead-letters/out.ndjson");
	struct fault fault = FAULT_NULL;
	char *text;

	ck_assert_int_eq(deadletter_write(state, "out", job, &answer, &fault), 0);
	text = pipeline_read(path, NULL);
	ck_assert_uint_eq(text_count(text, "\n"), 2);
	ck_assert_ptr_nonnull(strstr(text,
		"\"reason\":\"no number\",\"job\":\"0 0 1000 1/2\",\"record\":{\"n\":0,\"i\":1}}"));
	ck_assert_ptr_nonnull(strstr(text,
		"\"reason\":\"too old\",\"job\":\"0 0 1000 2/2\",\"record\":{\"n\":1,\"i\":1}}"));
	free(text);
	free(path);
	job_free(job);
}
END_TEST

START_TEST(a_torn_line_is_ended)
{
	const struct sink_answer one = rejected("one", NULL);
	const struct sink_answer two = rejected("two", NULL);
	struct sink_job *job = make_job(true, 1);
	char *path = fixture_path("dead-letters/out.ndjson");
	struct fault fault = FAULT_NULL;
	char *text;
	FILE *file;

	ck_assert_int_eq(deadletter_write(state, "out", job, &one, &fault), 0);
	file = fopen(path, "a");
	fputs("{\"torn", file);
	fclose(file);
	job->batches[1]->number++;
	ck_assert_int_eq(deadletter_write(state, "out", job, &two, &fault), 0);
	text = pipeline_read(path, NULL);
	ck_assert_uint_eq(text_count(text, "\n"), 5);
	ck_assert_ptr_nonnull(strstr(text, "\n{\"torn\n{\"time\""));
	free(text);
	free(path);
	job_free(job);
}
END_TEST

START_TEST(a_full_disk_leaves_it_as_it_was)
{
	const struct sink_answer one = rejected("one", NULL);
	const struct sink_answer two = rejected("two", NULL);
	struct rlimit before, small;
	struct sink_job *few = make_job(true, 1), *many = make_job(true, 5000);
	char *path = fixture_path("dead-letters/out.ndjson");
	struct fault fault = FAULT_NULL;
	size_t size, size_after;
	char *text, *text_after;

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(deadletter_write(state, "out", few, &one, &fault), 0);
	text = pipeline_read(path, &size);
	getrlimit(RLIMIT_FSIZE, &before);
	small = before;
	small.rlim_cur = 100000;
	setrlimit(RLIMIT_FSIZE, &small);
	ck_assert_int_eq(unit_class(deadletter_write(state, "out", many, &two, &fault), &fault),
		FAULT_STORE);
	setrlimit(RLIMIT_FSIZE, &before);
	text_after = pipeline_read(path, &size_after);
	ck_assert_uint_eq(size_after, size);
	ck_assert_str_eq(text, text_after);
	ck_assert_int_eq(deadletter_write(state, "out", many, &two, &fault), 0);
	free(text_after);
	text_after = pipeline_read(path, NULL);
	ck_assert_uint_eq(text_count(text_after, "\n"), 10002);
	free(text);
	free(text_after);
	free(path);
	job_free(few);
	job_free(many);
}
END_TEST

START_TEST(no_place_is_a_fault)
{
	const struct sink_answer one = rejected("one", NULL);
	struct sink_job *job = make_job(true, 1);
	struct fault fault = FAULT_NULL;
	char *path = fixture_path("dead-letters");
	FILE *file = fopen(path, "w");

	fclose(file);
	ck_assert_int_eq(
		unit_class(deadletter_write(state, "out", job, &one, &fault), &fault), FAULT_STORE);
	ck_assert_ptr_nonnull(strstr(fault.text, "dead-letters/out.ndjson"));
	ck_assert_int_eq(
		unit_class(deadletter_write("/dev/null", "out", job, &one, &fault), &fault),
		FAULT_STORE);
	free(path);
	job_free(job);
}
END_TEST

START_TEST(whose_place_it_is_is_told)
{
	const struct sink_answer one = rejected("one", NULL);
	struct sink_job *job = make_job(true, 1);
	struct fault fault = FAULT_NULL;
	char *parent = mem_strndup(state, (size_t)(strrchr(state, '/') - state));
	char *path = fixture_path("dead-letters");
	char *cure = mem_printf("as root, run `chown -R nobody %s`", state);

	if (geteuid() == 0) {
		ck_assert_int_eq(chmod(parent, 0711), 0);
		ck_assert_int_eq(mkdir(path, 0700), 0);
		ck_assert_int_eq(chown(state, NOBODY, NOBODY), 0);
		ck_assert_int_eq(seteuid(NOBODY), 0);
		ck_assert_int_eq(
			unit_class(deadletter_write(state, "out", job, &one, &fault), &fault),
			FAULT_STORE);
		ck_assert_int_eq(seteuid(0), 0);
		ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 1), 0);
		ck_assert_msg(strstr(fault.text, "dead-letters belongs to root (mode 0700)") &&
				      strstr(fault.text, cure),
			"%s", fault.text);
	}
	free(cure);
	free(path);
	free(parent);
	job_free(job);
}
END_TEST

static void make_letters(const char *name, const char *text)
{
	char *path = fixture_path(name);
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
	free(path);
}

static void list_letters(const char *name, const char *path, void *userdata)
{
	struct stat file;

	ck_assert_int_eq(stat(path, &file), 0);
	buf_printf(userdata, "%s ", name);
}

START_TEST(who_has_some)
{
	char *folder = fixture_path("dead-letters"), *loop_path;
	struct buf found = BUF_NULL;
	struct fault fault;

	ck_assert_int_eq(deadletter_each(state, list_letters, &found), 0);
	ck_assert_int_eq(mkdir(folder, 0700), 0);
	ck_assert_int_eq(deadletter_each(state, list_letters, &found), 0);
	ck_assert_str_eq(buf_text(&found), "");
	make_letters("dead-letters/two.ndjson", "x");
	make_letters("dead-letters/source:one.ndjson", "x");
	make_letters("dead-letters/none.ndjson", "");
	make_letters("dead-letters/one.ndjson", "x");
	make_letters("dead-letters/one.resend", "x");
	ck_assert_int_eq(deadletter_each(state, list_letters, &found), 0);
	ck_assert_str_eq(buf_text(&found), "one source:one two ");
	ck_assert_int_eq(deadletter_check_name(state, "none", &fault), 0);
	ck_assert_int_eq(deadletter_check_name(state, "absent", &fault), 0);
	ck_assert_int_eq(deadletter_check_name(state, "two", &fault), STORE_E_REFUSED);
	/* the others are known all the same */
	buf_clear(&found);
	loop_path = fixture_path("dead-letters/over.ndjson");
	ck_assert_int_eq(symlink(loop_path, loop_path), 0);
	ck_assert_int_eq(deadletter_check_name(state, "over", &fault), STORE_E_FULL);
	ck_assert_int_eq(deadletter_each(state, list_letters, &found), -ELOOP);
	ck_assert_str_eq(buf_text(&found), "one source:one two ");
	buf_deinit(&found);
	free(loop_path);
	free(folder);
}
END_TEST

static void add_tests(Suite *suite)
{
	TCase *tcase = tcase_create("deadletter");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, pipeline_setup, pipeline_teardown);
	tcase_add_test(tcase, lines);
	tcase_add_test(tcase, each_has_its_own_reason);
	tcase_add_test(tcase, a_torn_line_is_ended);
	tcase_add_test(tcase, a_full_disk_leaves_it_as_it_was);
	tcase_add_test(tcase, no_place_is_a_fault);
	tcase_add_test(tcase, whose_place_it_is_is_told);
	tcase_add_test(tcase, who_has_some);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	return fixture_main("deadletter", add_tests);
}
