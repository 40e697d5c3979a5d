/*
 * Jobs. A job of a kind that takes whole bodies lists no records when nothing is filtered: 64,000
 * records would be 5 MB of slices that nobody reads.
 */
#include "pipeline/job.h"

#include <inttypes.h>

#include "base/digest.h"
#include "base/json_remove.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/utf8.h"
#include "pipeline/selection.h"

const char *job_id(struct sink_job *job)
{
	uint8_t whole[DIGEST_SIZE];
	struct evp_md_ctx_st *digest;
	struct buf head = BUF_NULL;
	struct job_text text;
	struct slice piece;

	if (*job->id)
		return job->id;
	digest = digest_begin();
	buf_printf(
		&head, "%s\n%" PRId64 "\n%" PRId64 "\n", job->sink, job_first(job), job_last(job));
	digest_add(digest, buf_slice(&head));
	buf_deinit(&head);
	job_text_init(&text, job);
	while (job_text_next(&text, job->n_batches, &piece))
		digest_add(digest, piece);
	job_text_deinit(&text);
	digest_end(digest, whole);
	digest_hex(whole, sizeof(struct id), job->id);
	return job->id;
}

static void job_set_apart(struct sink_job *job, const struct sink_record *record)
{
	job->unfit = mem_resize(job->unfit, (job->n_unfit + 1) * sizeof(*job->unfit));
	job->unfit[job->n_unfit++] = *record;
}

static bool job_is_long(const struct sink_job *job, const struct sink_record *record)
{
	return job->max_record > 0 && record->view.text.size > job->max_record;
}

void job_unfit_reason(const struct sink_job *job, const struct sink_record *record, struct buf *out)
{
	if (job_is_long(job, record))
		buf_printf(out, "the record has %zu bytes, and max_record of this sink is %zu",
			record->view.text.size, job->max_record);
	else
		buf_append_text(out, "the record is not valid UTF-8, which this sink cannot carry");
}

/* CUT has room for it: what points into it stays valid. */
static void job_cut(
	struct sink_job *job, const struct json_remove *remove, struct sink_record *record)
{
	size_t from = job->cut.size, middle;
	uint64_t removed = json_remove_run(remove, record->view.text, &job->cut);

	if (!removed)
		return;
	middle = job->cut.size;
	json_remove_print(remove, removed, &job->cut);
	record->original = record->view.text;
	record->view.text = (struct slice){job->cut.data + from, middle - from};
	record->removed = (struct slice){job->cut.data + middle, job->cut.size - middle};
}

static void job_reserve_cut(struct sink_job *job, const struct json_remove *remove, size_t n_all)
{
	size_t size = n_all * json_remove_print_max(remove);

	for (size_t i = 0; i < job->n_batches; i++)
		size += job->batches[i]->body.size;
	buf_reserve(&job->cut, size);
}

static void job_select(struct sink_job *job, struct selection *selection,
	const struct json_remove *remove, size_t n_all, bool utf8)
{
	struct sink_record record;
	struct job_cursor cursor = {0};
	struct sink_record *records = mem_array(n_all, sizeof(*records));
	size_t n = 0;

	if (remove)
		job_reserve_cut(job, remove, n_all);
	while (job_next(job, &cursor, &record)) {
		if (!selection_wants(selection, record.view.text))
			continue;
		if (remove)
			job_cut(job, remove, &record);
		if (job_is_long(job, &record) || (utf8 && !utf8_is_valid(record.view.text)))
			job_set_apart(job, &record);
		else
			records[n++] = record;
	}
	job->records = records;
	job->n_records = n;
	job->whole = n == n_all && job->cut.size == 0;
}

struct sink_job *job_new(const char *sink, struct batch *const *batches, size_t n,
	struct selection *selection, const struct job_terms *terms)
{
	struct sink_job *job = MEM_NEW(struct sink_job);
	bool utf8 = (terms->capabilities & SINK_UTF8) || terms->format == RECORD_ENVELOPE;
	bool bodies = (terms->capabilities & SINK_WHOLE_BATCH) && terms->format == RECORD_RAW &&
		      !utf8 && terms->max_record == 0 && !terms->remove;
	size_t n_all = 0;

	job->batches = mem_dup(batches, n * sizeof(*batches));
	job->n_batches = n;
	job->format = terms->format;
	job->max_record = terms->max_record;
	job->requests = terms->requests;
	job->sink = mem_strdup(sink);
	for (size_t i = 0; i < n; i++)
		n_all += batches[i]->n_records;
	if (selection_is_all(selection) && bodies) {
		job->whole = true;
		job->n_records = n_all;
	} else {
		job_select(job, selection, terms->remove, n_all, utf8);
	}
	return job;
}

void job_free(struct sink_job *job)
{
	if (!job)
		return;
	for (size_t i = 0; i < job->n_batches; i++)
		batch_unref(job->batches[i]);
	free(job->batches);
	free(job->records);
	free(job->unfit);
	buf_deinit(&job->cut);
	splits_deinit(&job->splits);
	splits_deinit(&job->resumed_splits);
	free(job->sink);
	free(job);
}

/* --- its plan --- */

void job_plan_deinit(struct job_plan *plan)
{
	free(plan->sink);
	splits_deinit(&plan->splits);
	*plan = JOB_PLAN_NULL;
}

void job_plan_take(struct job_plan *plan, const struct sink_job *job)
{
	job_plan_deinit(plan);
	plan->sink = mem_strdup(job->sink);
	plan->requests = job->requests;
	splits_copy(&plan->splits, &job->splits);
}

void job_plan_print(const struct job_plan *plan, char separator, struct buf *out)
{
	const struct sink_requests *requests = &plan->requests;

	buf_printf(out, "%c%zu%c%zu%c%u", separator, requests->n_records, separator,
		requests->bytes, separator, requests->by_source + 2 * requests->coding);
	splits_print(&plan->splits, separator, out);
	buf_printf(out, " =%s", plan->sink);
}

bool job_plan_read(struct slice text, char separator, struct job_plan *ret)
{
	const char *mark = text.size > 0 ? memchr(text.data, '=', text.size) : NULL;
	int64_t numbers[3] = {0};
	struct slice part;
	bool good = true;

	*ret = JOB_PLAN_NULL;
	if (mark) { /* a plan of an earlier version has no name */
		size_t size = (size_t)(mark - text.data);

		ret->sink = mem_strndup(mark + 1, text.size - size - 1);
		text = str_trim((struct slice){text.data, size});
	}
	for (size_t i = 0; i < 3 && good; i++)
		good = !str_next_part(&text, separator, &part) ||
		       !number_parse(part, 0, INT64_MAX, &numbers[i]);
	ret->requests = (struct sink_requests){(size_t)numbers[0], (size_t)numbers[1],
		numbers[2] % 2 != 0, (unsigned)(numbers[2] / 2)};
	good = good && splits_read(text, separator, &ret->splits);
	if (!good)
		job_plan_deinit(ret);
	return good;
}

void job_resume(struct sink_job *job, const struct job_plan *plan)
{
	job->resumed = true;
	if (plan->sink) {
		free(job->sink);
		job->sink = mem_strdup(plan->sink);
	}
	if (plan->requests.n_records == 0)
		return;
	job->requests = plan->requests;
	splits_copy(&job->splits, &plan->splits);
	splits_copy(&job->resumed_splits, &plan->splits);
}

int64_t job_first(const struct sink_job *job)
{
	return job->batches[0]->number;
}

int64_t job_last(const struct sink_job *job)
{
	return job->batches[job->n_batches - 1]->number;
}

bool job_next(const struct sink_job *job, struct job_cursor *cursor, struct sink_record *ret)
{
	if (job->records) {
		if (cursor->index == job->n_records)
			return false;
		*ret = job->records[cursor->index++];
		return true;
	}
	for (; cursor->batch < job->n_batches; cursor->batch++) {
		*ret = (struct sink_record){.batch = job->batches[cursor->batch]};
		if (batch_next(ret->batch, &cursor->inner, &ret->view)) {
			cursor->index++;
			return true;
		}
		cursor->inner = (struct batch_cursor){0};
	}
	return false;
}

void job_text_init(struct job_text *text, const struct sink_job *job)
{
	*text = (struct job_text){.job = job};
}

void job_text_deinit(struct job_text *text)
{
	buf_deinit(&text->piece);
}

static bool job_text_body(struct job_text *text, size_t end, struct slice *ret)
{
	while (text->batch < end) {
		*ret = buf_slice(&text->job->batches[text->batch++]->body);
		if (ret->size > 0)
			return true;
	}
	return false;
}

bool job_text_next(struct job_text *text, size_t end, struct slice *ret)
{
	const struct sink_job *job = text->job;

	if (job->whole && job->format == RECORD_RAW)
		return job_text_body(text, end, ret);
	buf_clear(&text->piece);
	while (text->record < job->n_records && text->piece.size < JOB_TEXT_PIECE) {
		const struct sink_record *record = &job->records[text->record];

		while (job->batches[text->batch] != record->batch)
			text->batch++;
		if (text->batch >= end)
			break;
		sink_record_print(record, job->format, &text->piece);
		buf_append_char(&text->piece, '\n');
		text->record++;
	}
	*ret = buf_slice(&text->piece);
	return ret->size > 0;
}
