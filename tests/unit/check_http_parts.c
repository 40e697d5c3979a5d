/* How a job is cut into requests, and which follow from what a receiver answers. */
#include "sink/http/http_parts.h"

#include "base/buf.h"
#include "base/mem.h"
#include "check_unit.h"
#include "pipeline/job.h"

static struct sink_job *job_of(const size_t *sizes, size_t n, const char *id)
{
	static char text[4096];
	struct sink_job *job = MEM_NEW(struct sink_job);

	job->records = mem_array(n, sizeof(*job->records));
	job->n_records = n;
	for (size_t i = 0; i < n; i++)
		job->records[i].view.text = (struct slice){text, sizes[i]};
	snprintf(job->id, sizeof(job->id), "%s", id);
	return job;
}

static void job_drop(struct sink_job *job)
{
	free(job->records);
	splits_deinit(&job->splits);
	splits_deinit(&job->resumed_splits);
	free(job);
}

/* As http_parts_next, of parts without gaps. */
static bool next(struct http_parts *parts, size_t lane, size_t max_records, size_t max_bytes,
	size_t *ret_first, size_t *ret_n)
{
	size_t *places;

	if (!http_parts_next(parts, lane, max_records, max_bytes, &places, ret_n))
		return false;
	*ret_first = places[0];
	for (size_t i = 0; i < *ret_n; i++)
		ck_assert_uint_eq(places[i], places[0] + i);
	free(places);
	return true;
}

/* The requests of a job, as "FIRST+N" with what the receiver does: '.' takes it, '/' halves, 'x'
 * refuses. A record whose size is 13 is never taken; more than MAX records never fit. */
static void play(struct http_parts *parts, size_t max_records, size_t max_bytes, size_t fits,
	struct buf *out)
{
	size_t first, n;

	while (next(parts, 0, max_records, max_bytes, &first, &n)) {
		bool bad = n > fits;

		for (size_t i = first; i < first + n; i++)
			bad = bad || parts->job->records[i].view.text.size == 13;
		buf_printf(out, "%zu+%zu", first, n);
		if (!bad) {
			buf_append_text(out, ". ");
			http_parts_done(parts, 0);
		} else if (http_parts_halve(parts, 0)) {
			buf_append_text(out, "/ ");
		} else {
			buf_append_text(out, "x ");
			http_parts_refuse(parts, first, "bad", NULL);
			http_parts_done(parts, 0);
		}
	}
}

static const struct {
	size_t sizes[9];
	size_t n, max_records, max_bytes, fits;
	const char *wanted;
	size_t n_refused;
} rows[] = {
	{{1}, 1, 10, 100, 10, "0+1. ", 0},
	{{1, 1, 1, 1, 1}, 5, 2, 100, 10, "0+2. 2+2. 4+1. ", 0},
	{{40, 40, 40, 40}, 4, 10, 100, 10, "0+2. 2+2. ", 0},
	{{40, 60, 1, 40}, 4, 10, 100, 10, "0+2. 2+2. ", 0},
	{{500, 1, 500, 500, 1}, 5, 10, 100, 10, "0+1. 1+1. 2+1. 3+1. 4+1. ", 0},
	{{1, 1, 1, 1, 1, 1, 1, 1}, 8, 10, 100, 3, "0+8/ 0+4/ 0+2. 2+2. 4+4/ 4+2. 6+2. ", 0},
	{{1, 1, 1, 1, 1}, 5, 10, 100, 1, "0+5/ 0+2/ 0+1. 1+1. 2+3/ 2+1. 3+2/ 3+1. 4+1. ", 0},
	{{1, 13, 1, 1, 1}, 5, 10, 100, 10, "0+5/ 0+2/ 0+1. 1+1x 2+3. ", 1},
	{{13, 1, 1, 13}, 4, 10, 100, 10, "0+4/ 0+2/ 0+1x 1+1. 2+2/ 2+1. 3+1x ", 2},
	{{13, 13}, 2, 10, 100, 10, "0+2/ 0+1x 1+1x ", 2},
	{{13}, 1, 10, 100, 10, "0+1x ", 1},
};

START_TEST(requests_of_a_job)
{
	struct http_parts parts = HTTP_PARTS_NULL;
	struct sink_job *job = job_of(rows[_i].sizes, rows[_i].n, "a");
	struct buf out = BUF_NULL;

	http_parts_begin(&parts, job);
	play(&parts, rows[_i].max_records, rows[_i].max_bytes, rows[_i].fits, &out);
	ck_assert_str_eq(buf_text(&out), rows[_i].wanted);
	ck_assert_uint_eq(parts.n_refused, rows[_i].n_refused);
	for (size_t i = 0; i < rows[_i].n && parts.reasons; i++)
		ck_assert((parts.reasons[i] != NULL) == (rows[_i].sizes[i] == 13));
	/* a job that came to its end begins anew, should it come again */
	buf_clear(&out);
	http_parts_begin(&parts, job);
	play(&parts, rows[_i].max_records, rows[_i].max_bytes, rows[_i].fits, &out);
	ck_assert_str_eq(buf_text(&out), rows[_i].wanted);
	http_parts_deinit(&parts);
	buf_deinit(&out);
	job_drop(job);
}
END_TEST

START_TEST(going_on_where_it_was_left)
{
	static const size_t sizes[] = {1, 13, 1, 1};
	struct http_parts parts = HTTP_PARTS_NULL;
	struct sink_job *job = job_of(sizes, 4, "a");
	struct sink_job *other = job_of(sizes, 4, "b");
	size_t first, n;
	struct buf out = BUF_NULL;

	http_parts_begin(&parts, job);
	ck_assert(next(&parts, 0, 10, 100, &first, &n));
	ck_assert(http_parts_halve(&parts, 0));
	ck_assert(next(&parts, 0, 10, 100, &first, &n));
	ck_assert(http_parts_halve(&parts, 0));
	ck_assert(next(&parts, 0, 10, 100, &first, &n));
	http_parts_done(&parts, 0);
	ck_assert(next(&parts, 0, 10, 100, &first, &n));
	http_parts_refuse(&parts, 1, "bad", NULL);
	http_parts_refuse(&parts, 1, "bad again", NULL);
	http_parts_done(&parts, 0);
	ck_assert(next(&parts, 0, 10, 100, &first, &n));
	/* the same job again: after a pause, only what has no verdict */
	http_parts_begin(&parts, job);
	play(&parts, 10, 100, 10, &out);
	ck_assert_str_eq(buf_text(&out), "2+2. ");
	ck_assert_uint_eq(parts.n_refused, 1);
	ck_assert_str_eq(parts.reasons[1], "bad");
	/* another one; the old one is gone meanwhile */
	job_drop(job);
	http_parts_begin(&parts, other);
	ck_assert_uint_eq(parts.n_refused, 0);
	buf_clear(&out);
	play(&parts, 10, 100, 10, &out);
	ck_assert_str_eq(buf_text(&out), "0+4/ 0+2/ 0+1. 1+1x 2+2. ");
	http_parts_deinit(&parts);
	buf_deinit(&out);
	job_drop(other);
}
END_TEST

/* The lanes of a job whose records come from SOURCES, a letter each; a batch is a run of letters.
 * "lane: the records of its parts" for parts of up to three. */
static void lanes_of(const char *sources, struct buf *out)
{
	size_t n = strlen(sources);
	size_t sizes[32] = {0};
	struct batch *batches[32] = {NULL};
	struct sink_job *job = job_of(sizes, n, "a");
	struct http_parts parts = HTTP_PARTS_NULL;
	size_t first, size;

	for (size_t i = 0; i < n; i++) {
		char name[2] = {sources[i], '\0'};

		batches[i] = i > 0 && sources[i] == sources[i - 1] ? batch_ref(batches[i - 1])
								   : batch_new(name, "p", 0);
		job->records[i].batch = batches[i];
		job->records[i].view.index = i;
	}
	job->requests.by_source = true;
	http_parts_begin(&parts, job);
	for (size_t lane = 0; lane < parts.n_lanes; lane++) {
		buf_printf(out, "%zu:", lane);
		while (next(&parts, lane, 3, 100, &first, &size)) {
			size_t *places;
			struct sink_record *records;

			ck_assert(http_parts_next(&parts, lane, 3, 100, &places, &size));
			records = http_parts_records(&parts, places, size);
			free(places);

			for (size_t i = 0; i < size; i++) {
				buf_printf(out, " %s%zu", records[i].batch->source,
					records[i].view.index);
				if (records[i].batch->source[0] == 'x')
					http_parts_refuse(&parts, first + i, "bad", NULL);
			}
			buf_append_char(out, '.');
			free(records);
			http_parts_done(&parts, lane);
		}
		buf_append_char(out, '\n');
	}
	ck_assert(http_parts_is_over(&parts));
	for (size_t i = 0; i < n; i++) {
		ck_assert((parts.reasons && parts.reasons[i]) == (sources[i] == 'x'));
		batch_unref(batches[i]);
	}
	http_parts_deinit(&parts);
	job_drop(job);
}

static void ck_open(struct http_parts *parts, const char *wanted)
{
	struct buf out = BUF_NULL;
	size_t *places;
	size_t n;

	if (http_parts_next(parts, 0, 4, 100, &places, &n)) {
		for (size_t i = 0; i < n; i++)
			buf_printf(&out, "%zu ", places[i]);
		free(places);
	}
	ck_assert_str_eq(buf_text(&out), wanted);
	buf_deinit(&out);
}

/* Of a part that is taken in part the rest is sent again, before what follows. */
START_TEST(taken_in_part)
{
	static const size_t sizes[] = {1, 1, 1, 1, 1, 1, 1};
	struct http_parts parts = HTTP_PARTS_NULL;
	struct sink_job *job = job_of(sizes, 7, "a");

	http_parts_begin(&parts, job);
	ck_open(&parts, "0 1 2 3 ");
	http_parts_take(&parts, 1);
	ck_open(&parts, "0 2 3 ");
	/* also when the job is tried again */
	http_parts_begin(&parts, job);
	ck_open(&parts, "0 2 3 ");
	ck_assert(http_parts_halve(&parts, 0));
	ck_open(&parts, "0 ");
	ck_assert(!http_parts_halve(&parts, 0));
	http_parts_refuse(&parts, 0, "bad", NULL);
	http_parts_done(&parts, 0);
	ck_open(&parts, "2 3 ");
	http_parts_take(&parts, 3);
	ck_open(&parts, "2 ");
	http_parts_done(&parts, 0);
	ck_open(&parts, "4 5 6 ");
	ck_assert_uint_eq(parts.n_taken, 2);
	ck_assert_uint_eq(parts.n_refused, 1);
	ck_assert(!http_parts_none_taken(&parts, 1));
	http_parts_done(&parts, 0);
	ck_assert(http_parts_is_over(&parts));
	http_parts_deinit(&parts);
	job_drop(job);
}
END_TEST

/* Is it the receiver? Six records, a part each, by letter: 'x' and 'y' are refused in these words,
 * '.' is accepted, '*' refused in words of its own with a key that is the same. */
START_TEST(none_taken)
{
	static const struct {
		const char *text;
		size_t least;
		bool wanted;
	} fates[] = {
		{"", 3, false},
		{"xx", 3, false},
		{"xxx", 3, true},
		{"xxxx", 3, true},
		{"xxxxxx", 7, true}, /* all of the job */
		{"xxxxx", 7, false},
		{"xxy", 3, false},
		{"yxx", 3, false},
		{"xxxxxy", 7, false},
		{".xxx", 3, false},
		{"xxx.", 3, false},
		{"xxxxx.", 3, false},
		{"...", 3, false},
		{"***", 3, true},
	};
	static const size_t sizes[] = {1, 1, 1, 1, 1, 1};
	struct sink_job *job = job_of(sizes, 6, "a");

	for (size_t i = 0; i < sizeof(fates) / sizeof(fates[0]); i++) {
		struct http_parts parts = HTTP_PARTS_NULL;
		size_t first, n;

		http_parts_begin(&parts, job);
		for (const char *fate = fates[i].text; *fate; fate++) {
			char reason[2] = {
				*fate == '*' ? (char)('0' + (fate - fates[i].text)) : *fate};

			ck_assert(next(&parts, 0, 1, 100, &first, &n));
			if (*fate != '.')
				http_parts_refuse(
					&parts, first, reason, *fate == '*' ? "any" : NULL);
			http_parts_done(&parts, 0);
		}
		ck_assert_msg(http_parts_none_taken(&parts, fates[i].least) == fates[i].wanted,
			"row %zu", i);
		http_parts_deinit(&parts);
	}
	job_drop(job);
}
END_TEST

START_TEST(lanes)
{
	static const char *const wanted[][2] = {
		{"a", "0: a0.\n"},
		{"aaaa", "0: a0 a1 a2. a3.\n"},
		{"ab", "0: a0.\n1: b1.\n"},
		{"baab", "0: b0 b3.\n1: a1 a2.\n"},
		{"abcabcabcabc", "0: a0 a3 a6. a9.\n1: b1 b4 b7. b10.\n2: c2 c5 c8. c11.\n"},
		{"aaxbxxa", "0: a0 a1 a6.\n1: x2 x4 x5.\n2: b3.\n"},
	};
	struct buf out = BUF_NULL;

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		buf_clear(&out);
		lanes_of(wanted[i][0], &out);
		ck_assert_str_eq(buf_text(&out), wanted[i][1]);
	}
	buf_deinit(&out);
}
END_TEST

/* One lane halves and refuses while the other goes on; the job tried again knows of both. */
START_TEST(lanes_go_on_where_they_were_left)
{
	static const size_t sizes[] = {1, 1, 1, 1, 1, 1};
	struct http_parts parts = HTTP_PARTS_NULL;
	struct sink_job *job = job_of(sizes, 6, "a");
	struct batch *batches[2] = {batch_new("a", "p", 0), batch_new("b", "p", 0)};
	size_t first, n;

	for (size_t i = 0; i < 6; i++)
		job->records[i].batch = batches[i % 2];
	job->requests.by_source = true;
	http_parts_begin(&parts, job);
	ck_assert(next(&parts, 0, 10, 100, &first, &n));
	parts.lanes[0].busy = true;
	ck_assert(next(&parts, 1, 2, 100, &first, &n));
	ck_assert_uint_eq(first, 3);
	ck_assert(http_parts_halve(&parts, 1));
	ck_assert(next(&parts, 1, 2, 100, &first, &n));
	http_parts_refuse(&parts, first, "bad", NULL);
	http_parts_done(&parts, 1);
	job->requests.by_source = true;
	http_parts_begin(&parts, job);
	ck_assert(!parts.lanes[0].busy);
	ck_assert_str_eq(parts.reasons[1], "bad");
	ck_assert(next(&parts, 0, 10, 100, &first, &n));
	ck_assert(first == 0 && n == 3);
	ck_assert(next(&parts, 1, 2, 100, &first, &n));
	ck_assert(first == 4 && n == 1);
	http_parts_done(&parts, 1);
	ck_assert(next(&parts, 1, 2, 100, &first, &n));
	ck_assert(first == 5 && n == 1);
	http_parts_done(&parts, 1);
	ck_assert(!next(&parts, 1, 2, 100, &first, &n));
	ck_assert(!http_parts_is_over(&parts));
	http_parts_done(&parts, 0);
	ck_assert(http_parts_is_over(&parts));
	http_parts_deinit(&parts);
	batch_unref(batches[0]);
	batch_unref(batches[1]);
	job_drop(job);
}
END_TEST

/* Whatever halves of it were tried, until one is taken. */
START_TEST(what_may_have_been_taken_is_tried_whole)
{
	static const size_t sizes[] = {1, 1, 1, 1, 1, 1, 1, 1};
	struct http_parts parts = HTTP_PARTS_NULL;
	struct sink_job *job = job_of(sizes, 8, "a");
	size_t first, n;

	http_parts_begin(&parts, job);
	ck_assert(next(&parts, 0, 10, 100, &first, &n));
	http_parts_doubt(&parts, 0);
	ck_assert(http_parts_halve(&parts, 0));
	ck_assert(http_parts_halve(&parts, 0));
	ck_assert(next(&parts, 0, 10, 100, &first, &n));
	ck_assert(first == 0 && n == 2);
	http_parts_again(&parts, 0);
	ck_assert(next(&parts, 0, 10, 100, &first, &n));
	ck_assert(first == 0 && n == 8);
	/* a half, whose answer is lost in turn */
	ck_assert(http_parts_halve(&parts, 0));
	http_parts_doubt(&parts, 0);
	ck_assert(http_parts_halve(&parts, 0));
	http_parts_again(&parts, 0);
	ck_assert(next(&parts, 0, 10, 100, &first, &n));
	ck_assert(first == 0 && n == 4);
	/* taken: so the whole was not, and what follows is known */
	http_parts_done(&parts, 0);
	ck_assert(http_parts_halve(&parts, 0));
	http_parts_again(&parts, 0);
	ck_assert(next(&parts, 0, 10, 100, &first, &n));
	ck_assert(first == 4 && n == 2);
	http_parts_deinit(&parts);
	job_drop(job);
}
END_TEST

/* Any part may be what an earlier process has sent. */
START_TEST(a_resumed_job_is_in_doubt)
{
	static const size_t sizes[] = {1, 1, 1, 1, 1, 1, 1, 1};
	struct http_parts parts = HTTP_PARTS_NULL;
	struct sink_job *job = job_of(sizes, 8, "a");
	size_t first, n;

	job->resumed = true;
	http_parts_begin(&parts, job);
	ck_assert(next(&parts, 0, 4, 100, &first, &n));
	http_parts_done(&parts, 0);
	ck_assert(next(&parts, 0, 4, 100, &first, &n));
	ck_assert(first == 4 && n == 4);
	ck_assert(http_parts_halve(&parts, 0));
	http_parts_again(&parts, 0);
	ck_assert(next(&parts, 0, 4, 100, &first, &n));
	ck_assert(first == 4 && n == 4);
	/* halved because it was too large: a half of it is what may be known */
	ck_assert(http_parts_halve(&parts, 0));
	http_parts_know(&parts, 0);
	ck_assert(http_parts_halve(&parts, 0));
	http_parts_again(&parts, 0);
	ck_assert(next(&parts, 0, 4, 100, &first, &n));
	ck_assert(first == 4 && n == 2);
	http_parts_deinit(&parts);
	job_drop(job);
}
END_TEST

/* It begins with the halves that an earlier process had made, and splits them further. */
START_TEST(a_resumed_job_is_split_as_it_was)
{
	static const size_t sizes[] = {1, 1, 1, 1, 1, 1, 1, 1};
	struct http_parts parts = HTTP_PARTS_NULL;
	struct sink_job *job = job_of(sizes, 8, "a");
	struct sink_job *again = job_of(sizes, 8, "a");
	struct buf out = BUF_NULL;
	size_t first, n;

	http_parts_begin(&parts, job);
	ck_assert(!parts.resplit);
	play(&parts, 5, 100, 2, &out);
	ck_assert_str_eq(buf_text(&out), "0+5/ 0+2. 2+3/ 2+1. 3+2. 5+3/ 5+1. 6+2. ");
	ck_assert(parts.resplit);
	http_parts_deinit(&parts);
	job_resume(again, &(struct job_plan){NULL, {5, 100, false}, job->splits});
	http_parts_begin(&parts, again);
	ck_assert(!parts.resplit);
	ck_assert(next(&parts, 0, 5, 100, &first, &n));
	ck_assert(first == 0 && n == 2);
	ck_assert(http_parts_halve(&parts, 0));
	ck_assert(parts.resplit);
	parts.resplit = false;
	/* but not beyond what it begins with, and back to that */
	http_parts_again(&parts, 0);
	ck_assert(parts.resplit);
	buf_clear(&out);
	play(&parts, 5, 100, 10, &out);
	ck_assert_str_eq(buf_text(&out), "0+2. 2+1. 3+2. 5+1. 6+2. ");
	http_parts_deinit(&parts);
	buf_deinit(&out);
	job_drop(job);
	job_drop(again);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http_parts");
	TCase *tcase = tcase_create("http_parts");

	tcase_add_loop_test(tcase, requests_of_a_job, 0, sizeof(rows) / sizeof(rows[0]));
	tcase_add_test(tcase, going_on_where_it_was_left);
	tcase_add_test(tcase, taken_in_part);
	tcase_add_test(tcase, none_taken);
	tcase_add_test(tcase, lanes);
	tcase_add_test(tcase, lanes_go_on_where_they_were_left);
	tcase_add_test(tcase, what_may_have_been_taken_is_tried_whole);
	tcase_add_test(tcase, a_resumed_job_is_in_doubt);
	tcase_add_test(tcase, a_resumed_job_is_split_as_it_was);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
