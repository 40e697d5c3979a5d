/* What follows a failure: which state, which wait, what the log says; and the end of failures. */
#include "source/runner_internal.h"

#include "source/source_auth.h"

#include "base/cleanup.h"
#include "net/auth/auth.h"
#include "source/request.h"

#define GIVE_UP_ATTEMPTS 3 /* --once: retries of a passing fault */

/* Said once when it begins and whenever it changes; not at each attempt. */
static void tell_fault(struct runner *runner, const struct fault *fault, nsec_t wait_ns)
{
	struct buf wait CLEANUP(buf_deinit) = BUF_NULL;
	bool changed = !runner->status.failing || runner->status.fault.class != fault->class ||
		       runner->status.fault.status != fault->status;
	timestamp_print_duration(
		wait_ns < NSEC_PER_SEC ? wait_ns : span_ceil(wait_ns, NSEC_PER_SEC), &wait);
	log_write(changed ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG, &runner->source->subject,
		"%s; position unchanged, %s%s", fault->text,
		wait_ns < 0 ? "giving up for this run" : "retrying in ",
		wait_ns < 0 ? "" : buf_text(&wait));
	if (!runner->status.failing) {
		log_recent(&runner->source->subject, &runner->recent_told_at);
		runner->status.failing_time = clock_wall();
	}
	runner->status.failing = true;
	runner->status.fault = *fault;
}

void runner_wait_after(struct runner *runner, const struct fault *fault, nsec_t wait_ns)
{
	rate_turn_end(runner->rate, &runner->turn, false);
	runner->n_attempts++;
	runner->n_vain++;
	runner->status.n_pauses++;
	if (runner->give_up && (!fault_may_pass(fault->class) || wait_ns > RUNNER_GIVE_UP_WAIT ||
				       runner->n_vain > GIVE_UP_ATTEMPTS)) {
		tell_fault(runner, fault, -1);
		runner_finish(runner, fault);
		return;
	}
	tell_fault(runner, fault, wait_ns);
	runner_arm(runner, wait_ns);
}

/* Was a refused credential perhaps only old, or made by a wrong clock? Then once more, at once; by
 * the server's clock the whole poll is another one. */
static bool retry_auth(struct runner *runner)
{
	if (runner->n_renewed > 0)
		return false;
	bool renewed = auth_reject(runner->auth, runner->auth_epoch);
	if (runner->clock.moved && runner->task != RUNNER_TASK_DOCUMENT) {
		poll_stop(runner->poll);
		gather_clear(&runner->gather);
	}
	if (!renewed && !runner->clock.moved)
		return false;
	runner->n_renewed++;
	runner_arm(runner, 0);
	return true;
}

void runner_failed(struct runner *runner, struct fault *fault)
{
	const struct definition *definition = runner->source->definition;
	if (runner->task == RUNNER_TASK_WATCH) {
		runner_watch_failed(runner, fault);
		return;
	}
	runner_enter(runner, RUNNER_BACKING_OFF);
	runner->status.n_faults++;
	request_classify(runner->poll,
		runner->task == RUNNER_TASK_DOCUMENT ? false : poll_is_stored(runner->poll), fault);
	if (runner_leave_future(runner, fault) || runner_skip_failed(runner, fault))
		return;
	source_auth_hint(runner->source, fault);
	if (runner->callbacks->failed)
		runner->callbacks->failed(fault, runner->userdata);
	nsec_t wait = runner_granted_wait(runner, fault->wait_ns);
	switch (fault->class) {
	case FAULT_LOST:
		runner_recover_lost(runner, fault);
		return;
	case FAULT_AUTH:
		if (retry_auth(runner))
			return;
		runner_enter(runner, RUNNER_ACCESS_DENIED);
		wait = wait > definition->errors.auth_pause_ns ? wait
							       : definition->errors.auth_pause_ns;
		/* all that call with this credential wait: a few more failures may lock it */
		if (fault->status == 401)
			rate_refused(runner->rate, clock_monotonic() + wait);
		break;
	case FAULT_CONFIG:
	case FAULT_LOOP:
	case FAULT_ORIGIN:
		if (runner->task == RUNNER_TASK_DOCUMENT)
			runner_fetch_abandon(runner);
		poll_stop(runner->poll);
		gather_clear(&runner->gather);
		wait = wait > runner->backoff.max_ns ? wait : runner->backoff.max_ns;
		break;
	default:
		if (wait > 0)
			rate_hold(runner->rate, clock_monotonic() + wait);
		nsec_t next = backoff_next(&runner->backoff);
		wait = wait > next ? wait : next;
	}
	runner_wait_after(runner, fault, wait);
}

void runner_succeeded(struct runner *runner)
{
	if (runner->status.failing) {
		struct buf since CLEANUP(buf_deinit) = BUF_NULL;
		nsec_t time = runner->status.failing_time;
		timestamp_print_rfc3339(time - time % NSEC_PER_SEC, 0, &since);
		log_notice(&runner->source->subject,
			"works again after %u failed attempt%s since %s", runner->n_attempts,
			str_plural(runner->n_attempts), buf_text(&since));
	}
	fetch_document_deinit(&runner->failed);
	runner->status.failing = false;
	runner->n_attempts = runner->n_vain = 0;
	runner->n_renewed = 0;
	backoff_reset(&runner->backoff);
	runner->status.last_success_time = clock_wall();
}
