/* What follows the loss of a cursor that the API gave. */
#include "source/runner_internal.h"

#include "base/cleanup.h"

/* The chain lost its cursor again: it is requested in smaller windows, which need fewer pages, and
 * not at once. */
static void recover_lost_again(struct runner *runner, const struct fault *fault)
{
	struct fault again = FAULT_NULL;
	nsec_t newest = poll_cursor(runner->poll)->newest_time;
	bool smaller = poll_narrow(runner->poll);
	if (smaller || newest > runner->lost_newest)
		runner->n_vain = 0;
	if (newest > runner->lost_newest)
		backoff_reset(&runner->backoff);
	fault_set(&again, fault->class, "%s: the cursor was lost again before the last page%s",
		fault->text, smaller ? "; requesting smaller windows" : "");
	again.status = fault->status;
	runner->lost_newest = newest;
	runner_wait_after(runner, &again, backoff_next(&runner->backoff));
}

/* FAULT was the loss of a stored cursor: the poll continues by time. */
void runner_recover_lost(struct runner *runner, const struct fault *fault)
{
	nsec_t from;
	struct clocks now = runner_clocks(runner);
	poll_lost(runner->poll, &now, &from);
	gather_clear(&runner->gather);
	runner_report_gaps(runner);
	if (++runner->n_lost > 1) {
		recover_lost_again(runner, fault);
		return;
	}
	runner->lost_newest = poll_cursor(runner->poll)->newest_time;
	struct buf since CLEANUP(buf_deinit) = BUF_NULL;
	if (from != NSEC_NONE)
		timestamp_print_rfc3339(from, 0, &since);
	log_warning(&runner->source->subject,
		"%s: the stored cursor is lost; continuing %s%s; duplicates are dropped",
		fault->text,
		from == NSEC_NONE ? "with the same window from its first page" : "by time from ",
		buf_text(&since));
	runner_arm(runner, 0);
}
