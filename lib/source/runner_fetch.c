/* The runner's second stage: documents behind what a window listed ([fetch]). */
#include "source/runner_internal.h"

#include "base/cleanup.h"
#include "base/str.h"

/* What was listed, and then failed or was interrupted, is not listed now. */
static void tell_vanished(struct runner *runner, const struct cursor *before)
{
	long long n = before->rows;
	if (!runner->fetch.vanished)
		return;
	log_error(&runner->source->subject,
		"a document that was listed is not listed any more, and %lld row%s of it %s read: the rest of it is missing; continuing with the next one",
		n, str_plural((size_t)n), n == 1 ? "was" : "were");
	runner->callbacks->gap(
		before->start_time, before->end_time, GAP_DOCUMENT, runner->userdata);
}

void runner_fetch_begin(
	struct runner *runner, const struct cursor *before, enum poll_verdict verdict)
{
	struct records listed = gather_sorted(&runner->gather);
	fetch_begin(&runner->fetch, runner->source, listed, before, runner->callbacks->known,
		runner->userdata);
	free(listed.items);
	tell_vanished(runner, before);
	runner->task = RUNNER_TASK_DOCUMENT;
	runner->fetch_verdict = verdict;
	runner->fetch_excluded = gather_n_excluded(&runner->gather);
	gather_clear(&runner->gather);
	runner_enter(runner, RUNNER_FETCHING);
	runner_arm(runner, 0);
}

void runner_fetch_abandon(struct runner *runner)
{
	poll_return_to(runner->poll, &runner->fetch.cursor);
	fetch_clear(&runner->fetch);
	runner->task = RUNNER_TASK_PAGE;
}

/* All documents are done: only now does the cursor behind their window count. */
static void finish(struct runner *runner)
{
	poll_end_document(runner->poll);
	char *cursor CLEANUP_FREE = cursor_print(poll_cursor(runner->poll));
	fetch_clear(&runner->fetch);
	runner->task = RUNNER_TASK_PAGE;
	runner_deliver(runner, (struct record_batch){
				       .scope = RECORD_SCOPE_ROWS,
				       .cursor = cursor,
				       .n_excluded = runner->fetch_excluded,
			       });
	runner_continue(runner, runner->fetch_verdict);
}

/* Some rows at a time: a large document must not hold up the loop. */
static void hand_rows_on(struct runner *runner)
{
	struct fault fault = FAULT_NULL;
	struct records records;
	bool ends;
	if (fetch_rows(&runner->fetch, &records, &ends, &fault)) {
		runner_failed(runner, &fault);
		return;
	}
	runner_note_times(runner, records.n_items, runner->fetch.n_without_time,
		buf_slice(&runner->fetch.bad_time));
	char *cursor CLEANUP_FREE = cursor_print(&runner->fetch.cursor);
	if (records.n_items)
		runner_deliver(
			runner, (struct record_batch){
					.records = records,
					.scope = runner->source->row_plan ? RECORD_SCOPE_ROW_IDS
									  : RECORD_SCOPE_ROWS,
					.cursor = cursor,
					.document_ends = ends,
				});
	if (ends)
		runner_succeeded(runner);
	runner_arm(runner, 0);
}

void runner_fetch_step(struct runner *runner)
{
	switch (runner->fetch.need) {
	case FETCH_NOTHING:
		finish(runner);
		break;
	case FETCH_LINK:
		runner_request(runner);
		break;
	case FETCH_DOCUMENT:
		if (fetch_proves(&runner->fetch))
			runner_request(runner);
		else
			runner_send(runner);
		break;
	case FETCH_ROWS:
		hand_rows_on(runner);
		break;
	}
}

void runner_fetch_answer(struct runner *runner, struct http_response *response)
{
	struct fault fault = FAULT_NULL;
	struct fetch_document gone CLEANUP(fetch_document_deinit) = {0};
	if (fetch_answer(&runner->fetch, response, runner_now(runner), &gone, &fault)) {
		runner_failed(runner, &fault);
		return;
	}
	if (gone.label && !gone.told) {
		log_error(&runner->source->subject,
			"document %s was listed but is no longer there (HTTP %d): its records are missing; continuing with the next one",
			gone.label, response->status);
		nsec_t time = gone.time == NSEC_NONE ? runner_now(runner) : gone.time;
		runner->callbacks->gap(time, time, GAP_DOCUMENT, runner->userdata);
	}
	if (gone.label)
		runner_succeeded(runner);
	runner_arm(runner, 0);
}
