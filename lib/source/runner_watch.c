/*
 * The request of [watch], between two polls: after one that is up to date, so that a credential
 * that is refused is never tried for it. Whatever becomes of it, no poll waits and nothing fails.
 */
#include "source/runner_internal.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "source/page_internal.h"

bool runner_watch_is_due(const struct runner *runner)
{
	nsec_t now_at = clock_monotonic();
	return runner->source->definition->watches && now_at >= runner->watch_at &&
	       rate_refusal_left(runner->rate, now_at) <= 0 &&
	       rate_hold_left(runner->rate, now_at) <= 0;
}

static void tell(struct runner *runner, bool holds)
{
	const char *text = runner->source->definition->watch.text;
	if (holds && !runner->watch_holds)
		log_warning(&runner->source->subject, "%s", text);
	else if (!holds && runner->watch_holds)
		log_notice(&runner->source->subject, "this is no longer so: %s", text);
	runner->watch_holds = holds;
	runner->watch_failing = false;
}

static void end(struct runner *runner)
{
	rate_turn_end(runner->rate, &runner->turn, false);
	runner->task = RUNNER_TASK_PAGE;
	runner->watch_at = clock_monotonic() + runner->source->definition->watch.every_ns;
	runner_continue(runner, POLL_CAUGHT_UP);
}

void runner_watch_failed(struct runner *runner, const struct fault *fault)
{
	struct buf wait CLEANUP(buf_deinit) = BUF_NULL;
	timestamp_print_duration(runner->source->definition->watch.every_ns, &wait);
	log_write(runner->watch_failing ? LOG_LEVEL_DEBUG : LOG_LEVEL_NOTICE,
		&runner->source->subject,
		"cannot check what [watch] of the definition warns of: %s; polls continue, retrying in %s",
		fault->text, buf_text(&wait));
	runner->watch_failing = true;
	if (fault->wait_ns > 0)
		rate_hold(runner->rate,
			clock_monotonic() + runner_granted_wait(runner, fault->wait_ns));
	end(runner);
}

/* A response without the value tells nothing: it neither ends a warning nor means that all is well.
 */
static int check_value(const struct condition *condition, struct slice value, struct fault *reterr)
{
	bool compares = condition->op == CONDITION_EQUAL || condition->op == CONDITION_IN;
	if (!compares || (value.data && json_kind_of(value) != JSON_KIND_NULL))
		return 0;
	return fault_set(
		reterr, FAULT_BODY, "the response has no value at `%s`", condition->pointer.text);
}

void runner_watch_answer(struct runner *runner, struct http_response *response)
{
	struct json_scan scan CLEANUP(json_scan_deinit) = JSON_SCAN_NULL;
	const struct source *source = runner->source;
	const struct condition *warn = &source->definition->watch_warn;
	struct fault fault = FAULT_NULL;
	int r = page_outcome(source, response, runner_now(runner), &fault);
	if (!r)
		r = json_scanner_run(source->watch_plan, json_skip_bom(buf_slice(&response->body)),
			&scan, &fault);
	if (!r)
		r = check_value(warn, scan.envelope[0], &fault);
	if (r) {
		runner_watch_failed(runner, &fault);
		return;
	}
	tell(runner, condition_holds(warn, scan.envelope[0]));
	end(runner);
}
