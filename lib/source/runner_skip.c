/* How a source gets past what it cannot read, when a person has asked for that (trawlctl skip). */
#include "source/runner_internal.h"

#include "base/mem.h"

/* Would another page, window or document perhaps be answered? */
static bool is_of_page(enum fault_class class)
{
	return class == FAULT_BODY || class == FAULT_LIMIT || class == FAULT_LOOP ||
	       class == FAULT_INCOMPLETE || class == FAULT_CONFIG || class == FAULT_SERVER ||
	       class == FAULT_TIMEOUT || class == FAULT_LOST || class == FAULT_ORIGIN;
}

/* The document stays listed: from now on it counts as read. Its window is listed again. */
static void skip_document(struct runner *runner)
{
	const struct fetch_document *failed = &runner->failed;
	nsec_t time = failed->time == NSEC_NONE ? runner_now(runner) : failed->time;
	log_notice(&runner->source->subject, "document %s is skipped", failed->label);
	idset_add(&runner->fetch.done, &failed->version);
	runner->callbacks->gap(time, time, GAP_SKIPPED, runner->userdata);
	if (runner->task == RUNNER_TASK_DOCUMENT) {
		runner_fetch_abandon(runner);
		poll_stop(runner->poll);
		gather_clear(&runner->gather);
	}
	fetch_document_deinit(&runner->failed);
	runner->skipping = false;
}

/* A walk from the newest record ends here; a window's gap goes with the cursor that passes it. */
static void finish(struct runner *runner)
{
	runner->skipping = false;
	if (runner->source->definition->fetches)
		gather_clear(&runner->gather); /* a list of documents, which are no records */
	runner_report_gaps(runner);
	runner_deliver_walk(runner);
}

static enum poll_skip skip_more(struct runner *runner)
{
	struct clocks now = runner_clocks(runner);
	enum poll_skip done = poll_skip(runner->poll, &now);
	if (done == POLL_SKIP_DONE)
		finish(runner);
	else if (done == POLL_SKIP_IMPOSSIBLE)
		runner->skipping = false;
	else
		gather_clear(&runner->gather);
	return done;
}

static void note_document(struct runner *runner)
{
	const struct fetch *fetch = &runner->fetch;
	fetch_document_deinit(&runner->failed);
	if (runner->task != RUNNER_TASK_DOCUMENT || fetch->at >= fetch->n_documents)
		return;
	const struct fetch_document *document = &fetch->documents[fetch->at];
	runner->failed = (struct fetch_document){.version = document->version,
		.label = mem_strdup(document->label),
		.time = document->time};
}

bool runner_skip_failed(struct runner *runner, const struct fault *fault)
{
	note_document(runner);
	if (!runner->skipping || runner->task != RUNNER_TASK_PAGE || !is_of_page(fault->class) ||
		skip_more(runner) == POLL_SKIP_IMPOSSIBLE)
		return false;
	log_debug(&runner->source->subject, "skipping: %s", fault->text);
	runner_arm(runner, 0);
	return true;
}

void runner_skip_page(struct runner *runner)
{
	if (poll_skipped(runner->poll))
		runner->skipping = false;
}

int runner_skip(struct runner *runner, struct fault *reterr)
{
	const struct fault *fault = &runner->status.fault;
	if (runner->status.state == RUNNER_PAUSED || runner->status.state == RUNNER_STOPPED)
		return fault_set(reterr, FAULT_CONFIG, "the source is %s",
			runner_state_to_string(runner->status.state));
	if (!runner->status.failing)
		return fault_set(reterr, FAULT_CONFIG,
			"the source is not failing: there is nothing to skip");
	if (!is_of_page(fault->class))
		return fault_set(reterr, FAULT_CONFIG,
			"what fails is not a page, window or document, and would fail again after it: %s",
			fault->text);
	runner_cancel_request(runner);
	runner_arm(runner, 0); /* also where nothing can be skipped: it may have been a retry */
	runner->skipping = true;
	if (runner->failed.label)
		skip_document(runner);
	else if (skip_more(runner) == POLL_SKIP_IMPOSSIBLE)
		return fault_set(reterr, FAULT_CONFIG,
			"nothing can be requested after what fails (%s)", fault->text);
	return 0;
}
