/* Between the files that make up the runner. */
#ifndef TRAWLD_SOURCE_RUNNER_INTERNAL_H
#define TRAWLD_SOURCE_RUNNER_INTERNAL_H

#include "source/runner.h"

#include <ev.h>

#include "base/backoff.h"
#include "source/fetch.h"
#include "source/gather.h"
#include "source/poll.h"
#include "source/rate.h"

struct auth;
struct auth_waiter;

/* What the source is at: what it requests next, whatever it waits for before. */
enum runner_task {
	RUNNER_TASK_PAGE, /* the page that the poll has decided on */
	RUNNER_TASK_DOCUMENT, /* a window is listed: its documents, as the fetch has it */
	RUNNER_TASK_WATCH, /* the request of [watch], after a poll */
};

/* How far the source has come since it was configured. */
enum runner_start {
	RUNNER_START_NONE, /* paused before it ever ran: it has no cursor */
	RUNNER_START_SET, /* its cursor is where it starts: no page was accepted yet */
	RUNNER_START_PASSED,
};

/* What responses have told of the server's clock. */
struct runner_clock {
	nsec_t skew_ns; /* the server's clock less this host's; 0: not known, or close */
	nsec_t server_time, server_at; /* what it showed, and when; server_time NSEC_NONE: no
					  response had a Date */
	bool moved; /* the last response told of another clock than its request was made by */
	struct steady steady;
};

enum { /* besides POLL_NOTICE_* */
	RUNNER_TOLD_UNTIMED = 1 << POLL_N_NOTICES,
	RUNNER_TOLD_SKEW = 2 << POLL_N_NOTICES,
};

struct runner {
	struct ev_loop *loop;
	struct http_client *client;
	const struct source *source;
	const struct runner_callbacks *callbacks;
	void *userdata;
	bool give_up;
	bool errand;

	enum runner_task task;
	enum runner_start start;
	struct poll *poll;
	struct gather gather; /* where request_gathers() */
	struct fetch fetch;
	enum poll_verdict fetch_verdict; /* what follows once its documents are done */
	size_t fetch_excluded;
	bool watch_holds; /* what [watch] warns of */
	bool watch_failing; /* its last request failed, which was told */
	nsec_t watch_at; /* when it is requested again */
	struct auth *auth;
	unsigned auth_epoch; /* of the request under way */
	struct rate *rate;
	struct rate_turn turn;
	struct auth_waiter *waiter; /* the credential is being made ready; NULL: it is not */
	struct http_request *request; /* under way; NULL: none */
	char *url; /* of the page's request under way */
	char *label; /* of any: method and URL, for the log */
	nsec_t recent_told_at; /* for log_recent() */
	ev_timer timer;
	nsec_t timer_at; /* when it fires */

	struct backoff backoff;
	unsigned n_attempts; /* failed ones since the last success */
	unsigned n_vain; /* the same, but for those after which something easier was requested */
	unsigned n_lost; /* cursors given up since a chain was read to its end */
	nsec_t lost_newest; /* newest record when the last one was */
	unsigned n_renewed; /* credentials that were renewed because one was refused, since the
			       last success: the second refusal counts */
	struct runner_clock clock;
	unsigned told; /* POLL_NOTICE_*, RUNNER_TOLD_* */
	uint64_t n_timed; /* records that were read with a time */
	bool skipping; /* a person wants to get past what fails */
	struct fetch_document failed; /* the last failure was this one's; label NULL: none's */
	struct runner_status status;
};

/* --- runner.c --- */

/* The state from now on. */
void runner_enter(struct runner *runner, enum runner_state state);
/* The next step, in WAIT_NS. */
void runner_arm(struct runner *runner, nsec_t wait_ns);
/* --once: the source has come to its end, with FAULT or without one (NULL). */
void runner_finish(struct runner *runner, const struct fault *fault);
/* What follows a verdict after its page was handed on. */
void runner_continue(struct runner *runner, enum poll_verdict verdict);

/* Tells the gaps that the poll has found. */
void runner_report_gaps(struct runner *runner);

/* The request under way, or the wait for its credential, ends without a response. */
void runner_cancel_request(struct runner *runner);

/* --- runner_failure.c --- */

void runner_failed(struct runner *runner, struct fault *fault);
void runner_succeeded(struct runner *runner);
#define RUNNER_GIVE_UP_WAIT (30 * NSEC_PER_SEC) /* --once: a longer wait is the next run's */
/* The next attempt is after WAIT_NS, or (--once) there is none. */
void runner_wait_after(struct runner *runner, const struct fault *fault, nsec_t wait_ns);

/* --- runner_page.c --- */

/* A page that could be read. */
void runner_page_came(struct runner *runner, struct page *page);
/* What was gathered, in one go, with the poll's cursor. */
void runner_deliver_walk(struct runner *runner);

/* --- runner_lost.c --- */

/* FAULT was the loss of a stored cursor: what is to be requested next, and when. */
void runner_recover_lost(struct runner *runner, const struct fault *fault);

/* --- runner_deliver.c --- */

/* Fills in the times that dedupe keys are kept by, and hands BATCH to the callback. */
void runner_deliver(struct runner *runner, struct record_batch batch);

/* --- runner_notices.c --- */

/* Logs what the poll has to tell, each once. */
void runner_tell_notices(struct runner *runner);
/* Of N_RECORDS of a page or document, N_UNTIMED have no time, or one that cannot be read, such as
 * EXAMPLE (SLICE_NULL: they have none). */
void runner_note_times(
	struct runner *runner, size_t n_records, size_t n_untimed, struct slice example);

/* --- runner_clock.c --- */

struct clocks runner_clocks(struct runner *runner);
/* FAULT refuses a request for what is later than the server's clock: that is requested no more, the
 * rest at once. False: it means something else. */
bool runner_leave_future(struct runner *runner, const struct fault *fault);
/* The server's now. */
nsec_t runner_now(const struct runner *runner);
/* Takes the server's clock from an answer to a request with the credential. True: it shows that the
 * poll began by a wrong clock; it is dropped, and to be begun again in place of reading the
 * response.
 */
bool runner_learn_clock(struct runner *runner, const struct http_response *response);
/* Before a request: the clock that another source with the same credential has learned. */
void runner_share_clock(struct runner *runner);

/* --- runner_skip.c --- */

/* FAULT has come while a person wants to get past it. True: another request follows. */
bool runner_skip_failed(struct runner *runner, const struct fault *fault);
/* A page came. */
void runner_skip_page(struct runner *runner);

/* --- runner_fetch.c --- */

/* The window that BEFORE would list again is listed: its documents come before VERDICT. */
void runner_fetch_begin(
	struct runner *runner, const struct cursor *before, enum poll_verdict verdict);
/* As step(), while the task is a document. */
void runner_fetch_step(struct runner *runner);
void runner_fetch_answer(struct runner *runner, struct http_response *response);
/* A document cannot be had as it is listed: its window is to be listed again. */
void runner_fetch_abandon(struct runner *runner);

/* --- runner_watch.c --- */

/* Is the request of [watch] to be made now, after a poll? */
bool runner_watch_is_due(const struct runner *runner);
void runner_watch_answer(struct runner *runner, struct http_response *response);
/* It failed, or cannot be made: told once. What follows is what follows a poll. */
void runner_watch_failed(struct runner *runner, const struct fault *fault);

/* --- runner_request.c --- */

/* How much of WAIT_NS that a server demands is granted: it may not silence a source for long. */
nsec_t runner_granted_wait(const struct runner *runner, nsec_t wait_ns);
/* Accounts for the request in the rate, gets the credential ready, then sends. */
void runner_request(struct runner *runner);
/* Sends at once: what needs no credential. Ends in runner_page_came(), runner_fetch_answer() or
 * runner_failed(). */
void runner_send(struct runner *runner);

#endif
