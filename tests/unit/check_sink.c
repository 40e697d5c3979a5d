/* Printing of records, and jobs: selection, names, the walks over them. */
#include "pipeline/sink.h"

#include "pipeline/job.h"
#include "pipeline/selection.h"
#include "pipeline_fixture.h"

static struct batch *odd_batch(void)
{
	struct batch *batch = batch_new("a \"b\"", "p", 0);
	struct id key = {{0xab}};

	batch_add(batch, SLICE("{\"n\":1e400}"), &key, SLICE("id\n\"1\""), INT64_C(1500000000));
	batch_add(batch, SLICE("20481.835938"), &key, SLICE_NULL, NSEC_NONE);
	return batch;
}

START_TEST(prints)
{
	static const char *const wanted[2][2] = {
		{"{\"n\":1e400}", "20481.835938"},
		{"{\"source\":\"a \\\"b\\\"\",\"provider\":\"p\",\"id\":\"id\\n\\\"1\\\"\","
		 "\"time\":\"1970-01-01T00:00:01.500000000Z\",\"record\":{\"n\":1e400}}",
			"{\"source\":\"a \\\"b\\\"\",\"provider\":\"p\","
			"\"id\":\"ab000000000000000000000000000000\",\"time\":null,"
			"\"record\":20481.835938}"},
	};
	struct batch *batch = odd_batch();

	for (int format = RECORD_RAW; format <= RECORD_ENVELOPE; format++) {
		struct sink_record record = {.batch = batch};
		struct batch_cursor cursor = {0};
		size_t i = 0;

		for (; batch_next(batch, &cursor, &record.view); i++) {
			struct buf out = BUF_NULL;

			sink_record_print(&record, (enum record_format)format, &out);
			ck_assert_msg(strcmp(buf_text(&out), wanted[format][i]) == 0,
				"format %d, record %zu: %s", format, i, buf_text(&out));
			buf_deinit(&out);
		}
		ck_assert_uint_eq(i, 2);
	}
	batch_unref(batch);
}
END_TEST

/* Three batches, the middle one without records; numbers 5, 6, 9. */
static struct sink_job *make_job_from(
	int first, const char *exclude, enum record_format format, bool bodies, size_t n)
{
	static const int64_t numbers[] = {5, 6, 9};
	struct str_list none = STR_LIST_NULL, list = STR_LIST_NULL;
	struct batch *batches[3];
	struct selection *selection;
	struct sink_job *job;
	struct fault fault;

	for (size_t i = 0; i < 3; i++) {
		batches[i] = fixture_batch("a", first + (int)i, i == 1 ? 0 : n, 0);
		batches[i]->number = numbers[i];
	}
	str_list_split(&list, slice_of(exclude), '|');
	ck_assert_int_eq(selection_new(&selection, &none, &list, &fault), 0);
	job = job_new("out", batches, 3, selection,
		&(struct job_terms){format, bodies ? SINK_WHOLE_BATCH : 0, 0});
	selection_free(selection);
	str_list_deinit(&list);
	return job;
}

static struct sink_job *make_job(
	const char *exclude, enum record_format format, bool bodies, size_t n)
{
	return make_job_from(0, exclude, format, bodies, n);
}

START_TEST(jobs)
{
	static const struct {
		const char *exclude;
		enum record_format format;
		bool bodies;
		size_t n, n_records;
		bool whole, listed;
	} rows[] = {
		{"", RECORD_RAW, true, 2, 4, true, false},
		{"", RECORD_RAW, false, 2, 4, true, true},
		{"", RECORD_ENVELOPE, true, 2, 4, true, true},
		{"/i = 1", RECORD_RAW, true, 2, 2, false, true},
		{"/n = 0", RECORD_RAW, true, 3, 3, false, true},
		{"/n = *", RECORD_RAW, true, 3, 0, false, true},
		{"/n = 9", RECORD_RAW, true, 3, 6, true, true},
		{"", RECORD_RAW, false, 20000, 40000, true, true},
		{"/i = 0", RECORD_ENVELOPE, false, 20000, 39998, false, true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sink_job *job =
			make_job(rows[i].exclude, rows[i].format, rows[i].bodies, rows[i].n);
		struct buf walked = BUF_NULL, read = BUF_NULL;
		struct job_cursor cursor = {0};
		struct sink_record record;
		struct job_text text;
		struct slice piece;

		ck_assert_msg(job->n_records == rows[i].n_records, "row %zu: %zu records", i,
			job->n_records);
		ck_assert_msg(job->whole == rows[i].whole, "row %zu: whole", i);
		ck_assert_msg(!job->records == !rows[i].listed, "row %zu: listed", i);
		while (job_next(job, &cursor, &record)) {
			sink_record_print(&record, job->format, &walked);
			buf_append_char(&walked, '\n');
		}
		ck_assert_msg(
			cursor.index == job->n_records, "row %zu: walked %zu", i, cursor.index);
		job_text_init(&text, job);
		for (size_t end = 1; end <= job->n_batches; end++) {
			while (job_text_next(&text, end, &piece)) {
				buf_append_slice(&read, piece);
				ck_assert_msg((job->whole && job->format == RECORD_RAW) ||
						      piece.size < 2 * JOB_TEXT_PIECE,
					"row %zu: a piece of %zu", i, piece.size);
			}
		}
		job_text_deinit(&text);
		ck_assert_msg(slice_equal(buf_slice(&walked), buf_slice(&read)), "row %zu", i);
		buf_deinit(&walked);
		buf_deinit(&read);
		job_free(job);
	}
	job_free(NULL);
}
END_TEST

/* An ID comes again with the same bytes and with no others, also under the numbers that a restored
 * state gives a second time. */
START_TEST(names)
{
	static const struct {
		int first;
		const char *exclude;
		enum record_format format;
		bool bodies;
		bool same;
	} rows[] = {
		{0, "", RECORD_RAW, true, true},
		{0, "", RECORD_RAW, false, true},
		{0, "/i = no", RECORD_RAW, true, true},
		{1, "", RECORD_RAW, true, false},
		{0, "/i = 0", RECORD_RAW, true, false},
		{0, "", RECORD_ENVELOPE, true, false},
	};
	struct sink_job *first = make_job("", RECORD_RAW, true, 3);

	ck_assert_int_eq(job_first(first), 5);
	ck_assert_int_eq(job_last(first), 9);
	ck_assert_uint_eq(strlen(job_id(first)), 32);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sink_job *job = make_job_from(
			rows[i].first, rows[i].exclude, rows[i].format, rows[i].bodies, 3);

		ck_assert_int_eq(job_first(job), 5);
		ck_assert_msg((strcmp(job_id(job), job_id(first)) == 0) == rows[i].same,
			"row %zu: %s and %s", i, job_id(job), job_id(first));
		job_free(job);
	}
	job_free(first);
}
END_TEST

/* What sink.c hands on reaches the delivery and the store. */
START_TEST(answers)
{
	struct fake *fake = pipeline_simple(&fake_exact);
	char *position = NULL;
	int64_t number;
	struct fault fault;

	fake->script = "h";
	pipeline_pages("a", 0, 2, 4);
	RUN_UNTIL(fake->held);
	ck_assert(sink_store_position(&fake->base, "before"));
	ck_assert_int_eq(spool_sink_get(store, "out", &number, &position, NULL, &fault), 0);
	ck_assert_int_eq(number, 0);
	ck_assert_str_eq(position, "before");
	free(position);
	fake_release(fake, 'd');
	pipeline_settle();
	ck_assert_int_eq(spool_sink_get(store, "out", &number, &position, NULL, &fault), 0);
	ck_assert_int_eq(number, 2);
	ck_assert_str_eq(position, "at 2");
	free(position);
}
END_TEST

static void add_tests(Suite *suite)
{
	TCase *tcase = tcase_create("sink");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, pipeline_setup, pipeline_teardown);
	tcase_add_test(tcase, prints);
	tcase_add_test(tcase, jobs);
	tcase_add_test(tcase, names);
	tcase_add_test(tcase, answers);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	return fixture_main("sink", add_tests);
}
