/* How the runner hands batches on: with what their cursor proves, and the times by which their keys
 * are kept. */
#include "source/runner_internal.h"

/* With the cursor, in one transaction. */
static void report_cover(struct runner *runner)
{
	struct poll_cover cover = poll_take_cover(runner->poll);
	if (cover.retract_time != NSEC_NONE && runner->callbacks->retracted)
		runner->callbacks->retracted(cover.retract_time, runner->userdata);
	if (cover.span.start_time != NSEC_NONE && runner->callbacks->covered)
		runner->callbacks->covered(
			cover.span.start_time, cover.span.end_time, cover.chain, runner->userdata);
}

static void deliver(struct runner *runner, struct record_batch batch)
{
	static const struct records none = {NULL, 0};
	/* the times of rows are not those listed */
	bool rows = batch.scope == RECORD_SCOPE_ROWS || batch.scope == RECORD_SCOPE_ROW_IDS;
	batch.key_time = poll_key_time(runner->poll, rows ? &none : &batch.records);
	runner->callbacks->accept(&batch, runner->userdata);
}

/* Keys of a batch are kept or dropped together: where those of its first records are not needed any
 * more, these are a batch of their own. */
static size_t count_settled(const struct runner *runner, const struct record_batch *batch)
{
	nsec_t horizon = poll_horizon(runner->poll);
	size_t n = 0;
	if (batch->scope != RECORD_SCOPE_CHAIN || horizon == NSEC_NONE)
		return 0;
	while (n < batch->records.n_items && batch->records.items[n].time != NSEC_NONE &&
		batch->records.items[n].time < horizon)
		n++;
	return runner->source->definition->resume.window && n < batch->records.n_items ? n : 0;
}

void runner_deliver(struct runner *runner, struct record_batch batch)
{
	batch.horizon = batch.cursor && runner->task != RUNNER_TASK_DOCUMENT
				? poll_horizon(runner->poll)
				: NSEC_NONE;
	size_t n = count_settled(runner, &batch);
	if (n) {
		deliver(runner, (struct record_batch){
					.records = {batch.records.items, n},
					.scope = batch.scope,
					.new_chain = batch.new_chain,
					.horizon = NSEC_NONE,
				});
		batch.records =
			(struct records){batch.records.items + n, batch.records.n_items - n};
		batch.new_chain = false;
	}
	if (batch.cursor && runner->task != RUNNER_TASK_DOCUMENT)
		report_cover(runner);
	deliver(runner, batch);
}
