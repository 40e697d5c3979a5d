/* One request of a source: its turn, its credential, then what came of it. */
#include "source/runner_internal.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "net/auth/auth.h"
#include "net/outcome.h"
#include "source/request.h"

/* A document's own link carries what it needs. */
static bool sends_credential(const struct runner *runner)
{
	return runner->task != RUNNER_TASK_DOCUMENT || fetch_proves(&runner->fetch);
}

/* A document's address proves by its query who requests it: only its path is shown. */
static char *label_of(const struct runner *runner, const struct http_message *message)
{
	size_t size = runner->task == RUNNER_TASK_DOCUMENT ? strcspn(message->url, "?")
							   : strlen(message->url);
	return mem_printf(
		"%s %.*s", message->method ? message->method : "GET", (int)size, message->url);
}

static void tell(const struct runner *runner, const struct http_response *response)
{
	double elapsed_ms = (double)response->elapsed_ns / (double)NSEC_PER_MSEC;
	if (response->status == 0)
		log_debug(&runner->source->subject, "%s: no response after %.0f ms: %s",
			runner->label, elapsed_ms, response->fault.text);
	else
		log_debug(&runner->source->subject, "%s: HTTP %d, %zu bytes in %.0f ms",
			runner->label, response->status, response->body.size, elapsed_ms);
}

nsec_t runner_granted_wait(const struct runner *runner, nsec_t wait_ns)
{
	return backoff_grant(runner->source->options.retry_max_ns, wait_ns);
}

/* The last request of a budget was answered well, and the answer says until when there is no other.
 */
static void heed_budget(struct runner *runner, const struct http_response *response)
{
	nsec_t wait = runner_granted_wait(runner, http_reset_wait(response, runner_now(runner)));
	if (wait > 0 && response->status >= 200 && response->status <= 299)
		rate_hold(runner->rate, clock_monotonic() + wait);
}

static void read_response(struct runner *runner, struct http_response *response)
{
	struct fault fault = FAULT_NULL;
	struct page page CLEANUP(page_deinit) = PAGE_NULL;
	switch (runner->task) {
	case RUNNER_TASK_PAGE:
		if (request_read(
			    runner->poll, response, runner->url, runner_now(runner), &page, &fault))
			runner_failed(runner, &fault);
		else
			runner_page_came(runner, &page);
		return;
	case RUNNER_TASK_DOCUMENT:
		runner_fetch_answer(runner, response);
		return;
	case RUNNER_TASK_WATCH:
		runner_watch_answer(runner, response);
		return;
	}
}

static void request_done(struct http_response *response, void *userdata)
{
	struct runner *runner = userdata;
	bool proves = sends_credential(runner);
	runner->request = NULL;
	tell(runner, response);
	if (!proves || response->status != 401) /* refused: once more, or runner_wait_after() */
		rate_turn_end(runner->rate, &runner->turn, proves && response->status != 0);
	bool again = proves && runner_learn_clock(runner, response);
	if (proves)
		heed_budget(runner, response);
	if (runner->callbacks->requested)
		runner->callbacks->requested(
			response->elapsed_ns, response->body.size, runner->userdata);
	if (!again) {
		read_response(runner, response);
		return;
	}
	runner_enter(runner, RUNNER_COLLECTING);
	runner_arm(runner, 0);
}

static void enter_request(struct runner *runner)
{
	bool document = runner->task == RUNNER_TASK_DOCUMENT;
	runner_enter(runner, document ? RUNNER_FETCHING : RUNNER_REQUESTING);
}

static int write_message(struct runner *runner, struct http_message *ret,
	struct http_transport *ret_transport, struct fault *reterr)
{
	switch (runner->task) {
	case RUNNER_TASK_PAGE:
		return request_write(runner->poll, ret, reterr);
	case RUNNER_TASK_DOCUMENT:
		return fetch_request(&runner->fetch, ret, ret_transport, reterr);
	case RUNNER_TASK_WATCH:
		break;
	}
	return source_watch_request(runner->source, ret, reterr);
}

void runner_send(struct runner *runner)
{
	struct http_message message CLEANUP(http_message_deinit) = HTTP_MESSAGE_NULL;
	struct http_transport transport = runner->source->transport;
	struct fault fault = FAULT_NULL;
	int r = write_message(runner, &message, &transport, &fault);
	runner->auth_epoch = auth_epoch(runner->auth);
	if (!r && sends_credential(runner))
		r = auth_apply(runner->auth, &message, runner_now(runner), &fault);
	if (r) {
		runner_failed(runner, &fault);
		return;
	}
	if (runner->task == RUNNER_TASK_PAGE) {
		free(runner->url);
		runner->url = mem_strdup(message.url);
	}
	free(runner->label);
	runner->label = label_of(runner, &message);
	enter_request(runner);
	runner->status.n_requests++;
	runner->request =
		http_request_start(runner->client, &message, &transport, request_done, runner);
}

static void auth_ready(const struct fault *fault, void *userdata)
{
	struct runner *runner = userdata;
	runner->waiter = NULL;
	if (!fault) {
		runner_send(runner);
		return;
	}
	struct fault copy = *fault;
	runner->n_renewed++; /* the token request itself failed: no second one at once */
	runner_failed(runner, &copy);
}

/* --once does not wait for what another source was told. */
static bool gives_up(struct runner *runner, nsec_t held_ns)
{
	struct fault fault;
	if (!runner->give_up || held_ns <= RUNNER_GIVE_UP_WAIT)
		return false;
	fault_set(&fault, FAULT_THROTTLED,
		"another source with the same credential was told to wait, or was refused");
	runner_wait_after(runner, &fault, held_ns);
	return true;
}

static void wait_for(struct runner *runner, enum runner_state what, nsec_t wait_ns)
{
	runner_enter(runner, what);
	runner_arm(runner, wait_ns);
}

void runner_request(struct runner *runner)
{
	nsec_t now_at = clock_monotonic();
	nsec_t refused = rate_refusal_left(runner->rate, now_at);
	nsec_t held = rate_hold_left(runner->rate, now_at);
	if (gives_up(runner, refused > held ? refused : held))
		return;
	if (refused > 0 || held > 0) {
		rate_turn_end(runner->rate, &runner->turn, false);
		if (refused > held)
			wait_for(runner, RUNNER_WAITING_CREDENTIAL, refused);
		else
			wait_for(runner, RUNNER_WAITING_BUDGET, held);
		return;
	}
	if (!rate_turn_take(runner->rate, &runner->turn)) {
		runner_enter(runner, RUNNER_WAITING_CREDENTIAL);
		return;
	}
	nsec_t wait = rate_take(runner->rate, now_at);
	if (wait > 0) {
		wait_for(runner, RUNNER_WAITING_BUDGET, wait);
		return;
	}
	runner->waiter = auth_prepare(runner->auth, auth_ready, runner);
	if (!runner->waiter)
		runner_send(runner);
	else
		enter_request(runner);
}
