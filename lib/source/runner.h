/*
 * The shell around a poll: timers, requests, credentials, budgets. It carries out what poll.h
 * decides and hands records on through callbacks, so that a source knows neither the store nor a
 * sink.
 */
#ifndef TRAWLD_SOURCE_RUNNER_H
#define TRAWLD_SOURCE_RUNNER_H

#include "net/client.h"
#include "base/gap.h"
#include "base/record.h"
#include "source/source.h"

struct ev_loop;
struct buf;
struct span;
struct runner;

enum runner_leave {
	RUNNER_LEAVE, /* it may poll */
	RUNNER_LEAVE_SOON, /* what it needs is being read: it stays as it is, runner_wake follows */
	RUNNER_LEAVE_LATER, /* back-pressure; runner_wake when that ends */
};

struct runner_callbacks {
	/* Copies what it needs; called in order. */
	void (*accept)(const struct record_batch *batch, void *userdata);
	/* Was a record with this key accepted before? ([resume] newest) */
	bool (*known)(const struct record *record, void *userdata);
	/* Keeps what cannot be records; 0, or FAULT_STORE: then the page is read again later. NULL:
	 * they are only counted. */
	int (*set_apart)(const struct bad_elements *bad, void *userdata, struct fault *reterr);
	/* May it poll now? If not, it also looks again by itself from time to time. NEEDS_WINDOW:
	 * known records will have to be told from new ones. */
	enum runner_leave (*may_poll)(bool needs_window, void *userdata);
	/* A poll caught up (FAULT NULL), or with give_up set an attempt was given up. */
	void (*rested)(const struct fault *fault, void *userdata);
	/* Times for metrics. May be NULL. */
	void (*requested)(nsec_t elapsed_ns, size_t body_size, void *userdata);
	/* An attempt failed; the class is the one it is treated by. May be NULL. */
	void (*failed)(const struct fault *fault, void *userdata);
	/* [start, end) was read, CHAIN: on the word of the API's cursor. Called before the batch
	 * whose cursor moves past it is handed over. May be NULL. */
	void (*covered)(nsec_t start_time, nsec_t end_time, bool chain, void *userdata);
	/* The same, when what was said of the time from START_TIME on was wrong. May be NULL. */
	void (*retracted)(nsec_t start_time, void *userdata);
	/* Records of [start, end) cannot be had, or not be shown to have been had. Called before
	 * the batch whose cursor leaves them behind is handed over. */
	void (*gap)(nsec_t start_time, nsec_t end_time, enum gap_reason reason, void *userdata);
};

struct runner_setup {
	struct ev_loop *loop;
	struct http_client *client;
	const struct source *source; /* outlives the runner */
	const char *cursor; /* text from the store; NULL: no state yet */
	bool paused; /* as after runner_pause */
	bool give_up; /* --once: after some attempts report through rested and stop */
	nsec_t overlap_ns; /* runner_set_overlap */
	const struct span *errand; /* only this is requested, once (poll.h), and give_up is set;
				      NULL: all that comes */
	nsec_t first_delay_ns; /* spreads the first polls */
	const struct runner_callbacks *callbacks;
	void *userdata;
};

/* 0; FAULT_CONFIG (auth), FAULT_STORE (a cursor text that is not ours). Nothing is requested before
 * the loop runs. */
int runner_new(struct runner **ret, const struct runner_setup *setup, struct fault *reterr);
void runner_free(struct runner *runner);

/* Polls now, unless a request is under way. */
void runner_wake(struct runner *runner);
/* The same because a person wants it: also with a credential that was refused. */
void runner_poll_now(struct runner *runner);
/* No further request until runner_resume; one that is under way is cancelled, and made again then.
 * A source that has never run is given its first cursor by runner_resume, not before. */
void runner_pause(struct runner *runner);
/* Nothing happens unless it is paused. 0, or FAULT_CONFIG: it has no cursor to begin at. */
int runner_resume(struct runner *runner, struct fault *reterr);
/* Polls reach back by this at least, whatever the definition says, as soon as dedupe keys were kept
 * for it (poll.h). */
void runner_set_overlap(struct runner *runner, nsec_t overlap_ns);
/* A person wants to get past what fails now: a window, a page or a document becomes a gap, as small
 * as it can be found by further requests. 0, or FAULT_CONFIG with the reason why not. */
int runner_skip(struct runner *runner, struct fault *reterr);
void runner_stop(struct runner *runner); /* no further request; what came is handed on already */

/*
 * What a source knows, what it waits for and where it goes from there. runner_pause and runner_stop
 * lead from every state to PAUSED and STOPPED. "Requests" means: if there is room for records
 * (may_poll; else BLOCKED) it takes its turn with the credential and the budget, which leads to
 * WAITING_CREDENTIAL, WAITING_BUDGET, REQUESTING or FETCHING. The names are those of trawlctl(1),
 * of /status and of the page.
 */
enum runner_state {
	/* The cursor is known, no request was made since the start or a pause. It waits for
	 * first_delay_ns, which spreads sources that start together, then requests. */
	RUNNER_WAITING,
	/* The last poll has read everything, no poll is open. It waits for the interval, or for
	 * runner_wake, then begins a poll and requests; a poll that is not due yet leaves it here.
	 */
	RUNNER_UP_TO_DATE,
	/* What is requested next is known, but the budget that sources share is used up, or a
	 * server told one of them to wait. It waits for that long, then requests. */
	RUNNER_WAITING_BUDGET,
	/* The same, but nobody knows yet whether the credential is good and another source tries
	 * it, or it was refused to another. It waits for its turn or for the end of the refusal,
	 * then requests. */
	RUNNER_WAITING_CREDENTIAL,
	/* A request for a page, or that of [watch], is under way, or the token for it is being
	 * fetched. It waits for the response, which leads to COLLECTING (more follows), FETCHING (a
	 * window is listed), UP_TO_DATE, BACKING_OFF or ACCESS_DENIED. */
	RUNNER_REQUESTING,
	/* A poll is open: its last page was handed on or gathered, or is to be read again. It waits
	 * for nothing but the loop's next turn, then requests. */
	RUNNER_COLLECTING,
	/* The documents of a window are known, those before the current one were handed on. It
	 * waits for a link or a document, or for the loop's next turn between runs of rows; then
	 * the next document, and after the last one as from REQUESTING. */
	RUNNER_FETCHING,
	/* A request failed; the cursor is as before it. It waits for the back-off, or as long as
	 * the server demanded, then makes the request again. */
	RUNNER_BACKING_OFF,
	/* The same, because the API refused the credential that is configured. It waits for
	 * auth_pause, or for runner_poll_now. */
	RUNNER_ACCESS_DENIED,
	/* Records could not be kept: the spool is full or the state cannot be written. It waits for
	 * runner_wake, looks again by itself from time to time, and then requests. */
	RUNNER_BLOCKED,
	/* A person has paused it; what was under way was cancelled, and is requested again after
	 * runner_resume, which leads to WAITING. */
	RUNNER_PAUSED,
	/* No request follows: trawld ends, or with --once the source has come to its end. */
	RUNNER_STOPPED
};
const char *runner_state_to_string(enum runner_state state);
/* A poll is at work: it waits neither for the next one nor for anything else. */
bool runner_state_is_busy(enum runner_state state);

struct runner_status {
	enum runner_state state;
	nsec_t state_time; /* since when */
	bool failing;
	nsec_t failing_time; /* since when */
	unsigned n_attempts; /* that failed since then */
	struct fault fault; /* the last, while failing */
	uint64_t n_requests, n_pages, n_excluded;
	uint64_t n_untimed; /* records read without a time, or with one that cannot be read */
	uint64_t n_faults;
	uint64_t n_pauses; /* polls that broke off, to go on later */
	nsec_t last_success_time; /* NSEC_NONE: never */
	nsec_t skew_ns; /* the server's clock less this host's; 0: not known, or close */
	nsec_t newest_time; /* newest record accepted; NSEC_NONE */
	nsec_t next_poll_ns; /* from now; 0: not waiting */
	size_t n_gathered, n_gathered_pages; /* records of a window that is handed on whole */
	int64_t total, n_elements; /* of the open chain; total -1: the API does not tell */
	nsec_t deadline_time; /* if nothing is read until then, records are lost; NSEC_NONE */
	nsec_t position_time, target_time; /* windows: how far, and where to; NSEC_NONE */
};
void runner_status(const struct runner *runner, struct runner_status *ret);
/* What it waits for in a state that waits for others; nothing in any other state. */
void runner_print_wait(const struct runner *runner, struct buf *out);
/* Dedupe keys that are older are not looked up again; NSEC_NONE: all may be. */
nsec_t runner_horizon(const struct runner *runner);

#endif
