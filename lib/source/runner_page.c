/* A page that could be read: what can still refuse it, what the poll makes of it, and how its
 * records are handed on: at once, or gathered and sorted. */
#include "source/runner_internal.h"

#include "base/cleanup.h"
#include "source/newest.h"
#include "source/request.h"

#define GATHER_BATCH 1000 /* records of one batch of a sorted window */

static void deliver_gathered(struct runner *runner, enum record_scope scope, const char *cursor)
{
	struct records all = gather_sorted(&runner->gather);
	size_t n_excluded = gather_n_excluded(&runner->gather);
	for (size_t at = 0;; at += GATHER_BATCH) {
		size_t n = all.n_items - at < GATHER_BATCH ? all.n_items - at : GATHER_BATCH;
		bool last = at + n >= all.n_items;
		runner_deliver(runner, (struct record_batch){
					       .records = {all.items + at, n},
					       .scope = scope,
					       .new_chain = at == 0,
					       .cursor = last ? cursor : NULL,
					       .n_excluded = last ? n_excluded : 0,
				       });
		if (last)
			break;
	}
	free(all.items);
	gather_clear(&runner->gather);
}

void runner_deliver_walk(struct runner *runner)
{
	char *cursor CLEANUP_FREE = cursor_print(poll_cursor(runner->poll));
	deliver_gathered(runner, poll_scope(runner->poll), cursor);
}

static bool make_room(struct runner *runner, const struct page *page)
{
	if (!request_gathers(runner->source) || gather_fits(&runner->gather, page->body.size))
		return true;
	if (poll_halve(runner->poll)) {
		gather_clear(&runner->gather);
		return false;
	}
	if (runner->source->definition->fetches)
		return true; /* a list of documents is handed on whole or not at all */
	log_notice(&runner->source->subject,
		"%zu records of one window are more than can be sorted in memory: they are handed on in the order of their pages",
		runner->gather.n_records);
	deliver_gathered(runner, poll_scope(runner->poll), NULL);
	return true;
}

static void hand_on(struct runner *runner, struct page *page, enum poll_verdict verdict,
	enum record_scope scope, bool new_chain)
{
	char *cursor CLEANUP_FREE = cursor_print(poll_cursor(runner->poll));
	if (poll_n_repeated(runner->poll))
		page_drop_records(page, poll_n_repeated(runner->poll));
	if (!request_gathers(runner->source)) {
		runner_deliver(runner, (struct record_batch){
					       .records = {page->records, page->n_records},
					       .scope = scope,
					       .new_chain = new_chain,
					       .more = verdict == POLL_MORE,
					       .cursor = cursor,
					       .n_excluded = page->n_excluded,
				       });
		return;
	}
	gather_add(&runner->gather, page);
	if (verdict != POLL_MORE && !runner->source->definition->fetches)
		deliver_gathered(runner, scope, cursor);
}

/* What cannot be a record is durable before the poll moves on. */
static int set_apart(struct runner *runner, const struct page *page, struct fault *reterr)
{
	struct bad_elements bad = {.items = page->bad,
		.n_items = page->n_bad,
		.scope = poll_scope(runner->poll),
		.new_chain = poll_begins_chain(runner->poll)};
	if (page->n_bad == 0 || !runner->callbacks->set_apart)
		return 0;
	return runner->callbacks->set_apart(&bad, runner->userdata, reterr);
}

/* Judges PAGE by all that can still refuse it, then lets the poll move on. */
static int judge(struct runner *runner, struct page *page, enum poll_verdict *ret_verdict,
	struct fault *reterr)
{
	const struct definition *definition = runner->source->definition;
	if (definition->resume.newest)
		newest_drop_known(runner->poll, page, runner->callbacks->known, runner->userdata);
	*ret_verdict = POLL_AGAIN;
	int r = definition->fetches ? fetch_check(runner->source, page, reterr) : 0;
	if (!r)
		r = set_apart(runner, page, reterr);
	if (r || !make_room(runner, page))
		return r;
	struct clocks now = runner_clocks(runner);
	poll_drop_repeated(runner->poll, page);
	r = poll_page(runner->poll, page, runner->url, &now, ret_verdict, reterr);
	runner_tell_notices(runner);
	if (r && poll_begins_chain(runner->poll))
		gather_clear(&runner->gather); /* else only this page is requested again */
	return r;
}

void runner_page_came(struct runner *runner, struct page *page)
{
	struct fault fault = FAULT_NULL;
	struct cursor before CLEANUP(cursor_deinit) = CURSOR_NULL;
	enum record_scope scope = poll_scope(runner->poll);
	bool new_chain = poll_begins_chain(runner->poll);
	enum poll_verdict verdict;
	if (runner->source->definition->fetches)
		poll_cursor_before(runner->poll, &before);
	if (judge(runner, page, &verdict, &fault)) {
		runner_failed(runner, &fault);
		return;
	}
	if (verdict == POLL_LAST || verdict == POLL_CAUGHT_UP)
		runner->n_lost = 0;
	if (runner->n_lost < 2)
		/* a list that moved before has to be read whole: a page of it tells nothing yet */
		if (verdict != POLL_AGAIN &&
			(verdict != POLL_MORE || !poll_restarted(runner->poll)))
			runner_succeeded(runner);
	runner->status.n_pages++;
	runner->start = RUNNER_START_PASSED;
	runner->status.n_excluded += page->n_excluded;
	runner_note_times(runner, page->n_elements - page->n_excluded - page->n_bad,
		page->n_without_time, page->bad_time);
	runner_skip_page(runner);
	runner_report_gaps(runner); /* before the cursor that passes it */
	if (verdict == POLL_AGAIN)
		gather_clear(&runner->gather);
	else
		hand_on(runner, page, verdict, scope, new_chain);
	if (runner->source->definition->fetches &&
		(verdict == POLL_LAST || verdict == POLL_CAUGHT_UP))
		runner_fetch_begin(runner, &before, verdict);
	else
		runner_continue(runner, verdict);
}
