/* See once.h. A failing sink delays the end of the run until every source is up to date, and while
 * its failure may pass for three more attempts; then its records are left to the next run. */
#include "once.h"
#include "trawld_internal.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/commit.h"

/* Every source that has not come to rest waits for room in the spool. */
static bool others_wait(const struct trawld *trawld)
{
	const struct pollers *pollers = &trawld->parts.pollers;
	for (size_t i = 0; i < pollers->n_items; i++) {
		struct runner_status status;
		if (pollers->items[i]->rested)
			continue;
		runner_status(pollers->items[i]->runner, &status);
		if (status.state != RUNNER_BLOCKED)
			return false;
	}
	return true;
}

static void count_rejected(const struct sink_status *status, void *userdata)
{
	*(uint64_t *)userdata += status->refused_records;
}

static bool has_rejected(const struct trawld *trawld)
{
	uint64_t n = 0;
	fanout_each_sink(trawld->parts.fanout, count_rejected, &n);
	return n > 0;
}

bool once_is_over(struct trawld *trawld)
{
	const struct pollers *pollers = &trawld->parts.pollers;
	bool all_rest = pollers_have_rested(pollers);
	size_t n_failing = 0;
	if (all_rest)
		fanout_hurry(trawld->parts.fanout);
	if (commit_pending(trawld->parts.store) || fanout_is_retrying(trawld->parts.fanout) ||
		!fanout_drained(trawld->parts.fanout, &n_failing) ||
		!(all_rest || (n_failing > 0 && others_wait(trawld))))
		return false;
	trawld->exit_code = n_failing || has_rejected(trawld) ? EX_TEMPFAIL : 0;
	for (size_t i = 0; i < pollers->n_items; i++)
		if (!pollers->items[i]->rested || pollers->items[i]->given_up)
			trawld->exit_code = EX_TEMPFAIL;
	return true;
}

static void report_sink(const struct sink_status *status, void *userdata)
{
	const struct trawld *trawld = userdata;
	const struct setup_sink *sink = setup_find_sink(trawld->parts.setup, status->name);
	struct log_subject subject = {"sink", status->name, sink ? sink->location : NULL};
	char *dropped CLEANUP_FREE = status->filtered_records
					     ? mem_printf(", %llu dropped by filter",
						       (unsigned long long)status->filtered_records)
					     : NULL;
	log_info(&subject, "%llu record%s delivered%s",
		(unsigned long long)status->delivered_records,
		str_plural(status->delivered_records), dropped ? dropped : "");
	if (status->refused_records)
		log_warning(&subject, "%llu record%s rejected; see the dead letters",
			(unsigned long long)status->refused_records,
			str_plural(status->refused_records));
	if (status->pending_records && status->paused)
		log_warning(&subject,
			"%llu record%s wait%s for it, and it is paused; `trawlctl resume %s` continues",
			(unsigned long long)status->pending_records,
			str_plural(status->pending_records),
			status->pending_records == 1 ? "s" : "", status->name);
	else if (status->pending_records)
		log_warning(&subject, "%llu record%s unsent; run again when the sink is back%s%s%s",
			(unsigned long long)status->pending_records,
			str_plural(status->pending_records), *status->fault.text ? " (" : "",
			status->fault.text, *status->fault.text ? ")" : "");
	else if (status->undone)
		log_warning(&subject, "%s; run again when that is fixed", status->undone->text);
}

void once_report(struct trawld *trawld)
{
	for (size_t i = 0; i < trawld->parts.pollers.n_items; i++) {
		const struct poller *poller = trawld->parts.pollers.items[i];
		bool gave_up = poller->given_up;
		struct intake_status status;
		intake_status(poller->intake, &status);
		log_info(&poller->source->subject, "%s: %llu new record%s, %llu duplicate%s%s%s",
			gave_up          ? "gave up"
			: poller->rested ? "up to date"
					 : "not finished",
			(unsigned long long)status.n_records, str_plural(status.n_records),
			(unsigned long long)status.n_duplicates, str_plural(status.n_duplicates),
			gave_up ? "; the last error: " : "", gave_up ? poller->given_up->text : "");
	}
	fanout_each_sink(trawld->parts.fanout, report_sink, trawld);
}
