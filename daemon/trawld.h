/*
 * The daemon: owns everything, in the order in which it is made, and takes it apart backwards. What
 * several parts have to agree about (may a source poll, is all done, is the process to end) is
 * decided here.
 */
#ifndef TRAWLD_DAEMON_TRAWLD_H
#define TRAWLD_DAEMON_TRAWLD_H

#include <sysexits.h>

#include "poller.h"
#include "setup.h"

#include "net/client.h"
#include "store/database.h"

struct control;
struct countdown;
struct ev_loop;
struct findings;
struct progress;
struct daily;
struct keeper;
struct refresh;
struct routes_change;
struct notify;
struct signals;
struct web;

struct trawld_pauses {
	struct str_list sources, sinks; /* names */
};

/* What a command was about. */
struct pause_result {
	bool source, sink;
	bool disabled; /* the source: enabled = no */
	char loss[160]; /* when unread records are lost for good; "": not known, or not paused */
};

struct trawld_options {
	const char *path; /* of the configuration */
	bool once;
};

struct trawld {
	struct trawld_options options;
	struct ev_loop *loop;
	struct setup *setup;
	struct store *store;
	struct committer *committer;
	struct http_client *client;
	struct fanout *fanout;
	struct poller **pollers;
	size_t n_pollers;
	size_t n_rested; /* pollers that have rested */
	struct signals *signals;
	struct refresh *refresh; /* NULL with --once */
	struct countdown *countdown; /* likewise */
	struct daily *daily; /* likewise */
	struct keeper *keeper;
	struct web *web; /* NULL: off, or --once */
	struct control *control; /* NULL: none */
	struct progress *progress; /* --once; else NULL */
	struct notify *notify;

	struct cluster *cluster; /* NULL: the state is a file */
	const char *shard; /* of the cluster, as a number; NULL: there is none */
	struct trawld_pauses pauses; /* what a person has paused */
	nsec_t start_time; /* of the process */

	struct fault state_fault; /* why the state could not be written the last time */
	bool spool_full; /* told already */
	unsigned n_reloads; /* that took effect */
	bool reload_failed; /* the last one: not used, or not all of it */
	bool reload_due; /* the last one failed because the state cannot be written */
	struct fault reload_fault; /* why, as it was told */
	bool stopping; /* draining, or about to end */
	struct ev_timer *stop_timer;
	int exit_code;
};

/* Builds all from a checked SETUP (taken over) and opens the state. 0, or an exit code after the
 * reason was logged; trawld_close in either case. */
int trawld_open(struct trawld *trawld, const struct trawld_options *options, struct setup *setup);
/* Runs the loop until the end; the exit code. */
int trawld_run(struct trawld *trawld);
void trawld_close(struct trawld *trawld);

/* start.c: opens the state, and lets the configuration take effect in it. What may pass, such as a
 * full disk, is waited for; not with --once. 0, or an exit code after the reason was logged; 0
 * without a store: a signal ended the wait. */
int start_state(struct trawld *trawld);
/* Reads the configuration again, before anything was made of it. */
void start_read_again(struct trawld *trawld);
/* trawld_rewind.c: rewind_source of a source that is polled; it continues from there. 0, or an exit
 * code with *RETERR, which says so if the cursor was changed all the same. */
struct rewind_request;
int trawld_rewind(struct trawld *trawld, const struct rewind_request *request, struct buf *out,
	struct fault *reterr);

/* The state cannot be written, or can be again: as committer.h has it. */
void trawld_store_state(int outcome, const struct fault *fault, void *userdata);

/* Are acknowledgements written at once, without waiting for a page? Another node of a cluster does
 * not find in its files what those of this one have. */
bool trawld_hurries(const struct trawld *trawld);
/* Another process with the same state has taken over the receiver of a sink: the end. As
 * fanout_on_fenced has it. */
void trawld_fenced(const char *name, const struct fault *fault, void *userdata);

bool trawld_may_poll(struct trawld *trawld);
/* Something came to rest: is that the end (--once, drain)? Also wakes sources when the spool has
 * room again. */
void trawld_progress(struct trawld *trawld);
/* The state cannot be read now. */
void trawld_store_failed(struct trawld *trawld, const struct fault *fault);

/* SIGTERM: no more polls, what is committed goes out, then the end; a second call ends at once. */
void trawld_stop(struct trawld *trawld);
void trawld_poll_now(struct trawld *trawld);

/* reload.c: reads the configuration again and uses it, after CHANGE (store/routes.h; may be NULL)
 * was carried out, for BY, a person (NULL: nobody in particular). 0: done, FINDINGS (initialised)
 * holds what could not be done of it. Otherwise
 * nothing has changed, and *RETERR says why in one sentence: EX_CONFIG: errors in the
 * configuration, or records that would lose their sink (FINDINGS has them), or CHANGE does not fit
 * it; EX_USAGE: CHANGE names what is not there; EX_TEMPFAIL: the state cannot be written. All of it
 * was logged. */
int trawld_reload(struct trawld *trawld, struct routes_change *change, const char *by,
	struct findings *findings, struct fault *reterr);
/* adopt.c: SETUP takes effect in the state, after CHANGE (may be NULL), for BY (may be NULL), and
 * the fan-out gets its routes. 0; STORE_E_STRANDED: records that wait would lose their sink,
 * FINDINGS says which; or another STORE_E_* (store/routes.h): nothing has changed. What is
 * collected must have been committed. */
int trawld_adopt(struct trawld *trawld, const struct setup *setup, struct routes_change *change,
	const char *by, struct findings *findings, struct fault *reterr);
/* trawld_pause.c: what the state says is paused; then to pause or resume NAME, a source or sink or
 * both, for the person BY, in the state and at work. The exit code. */
int trawld_load_pauses(struct trawld *trawld, struct fault *reterr);
void trawld_pauses_deinit(struct trawld_pauses *pauses);
int trawld_pause(struct trawld *trawld, const char *name, bool paused, const char *by,
	struct pause_result *ret, struct fault *reterr);
int trawld_add_sink(struct trawld *trawld, const struct setup_sink *sink, struct fault *reterr);
int trawld_add_poller(struct trawld *trawld, const struct source *source, struct fault *reterr);

#endif
