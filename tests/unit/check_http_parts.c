/* How a job is cut into requests, and which follow from what a receiver answers. */
#include "sink/http_parts.h"

#include <check.h>

#include "base/buf.h"
#include "base/mem.h"
#include "check_unit.h"

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
	free(job);
}

/* The requests of a job, as "FIRST+N" with what the receiver does: '.' takes it, '/' halves, 'x'
 * refuses. A record whose size is 13 is never taken; more than MAX records never fit. */
static void play(struct http_parts *parts, size_t max_records, size_t max_bytes, size_t fits,
	struct buf *out)
{
	size_t first, n;

	while (http_parts_next(parts, max_records, max_bytes, &first, &n)) {
		bool bad = n > fits;

		for (size_t i = first; i < first + n; i++)
			bad = bad || parts->job->records[i].view.text.size == 13;
		buf_printf(out, "%zu+%zu", first, n);
		if (!bad) {
			buf_append_text(out, ". ");
			http_parts_done(parts);
		} else if (http_parts_halve(parts)) {
			buf_append_text(out, "/ ");
		} else {
			buf_append_text(out, "x ");
			http_parts_refuse(parts, first, "bad");
			http_parts_done(parts);
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
	ck_assert(http_parts_next(&parts, 10, 100, &first, &n));
	ck_assert(http_parts_halve(&parts));
	ck_assert(http_parts_next(&parts, 10, 100, &first, &n));
	ck_assert(http_parts_halve(&parts));
	ck_assert(http_parts_next(&parts, 10, 100, &first, &n));
	http_parts_done(&parts);
	ck_assert(http_parts_next(&parts, 10, 100, &first, &n));
	http_parts_refuse(&parts, 1, "bad");
	http_parts_refuse(&parts, 1, "bad again");
	http_parts_done(&parts);
	ck_assert(http_parts_next(&parts, 10, 100, &first, &n));
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

int main(void)
{
	Suite *suite = suite_create("http_parts");
	TCase *tcase = tcase_create("http_parts");

	tcase_add_loop_test(tcase, requests_of_a_job, 0, sizeof(rows) / sizeof(rows[0]));
	tcase_add_test(tcase, going_on_where_it_was_left);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
