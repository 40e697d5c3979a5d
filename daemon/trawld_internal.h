/* What trawld holds, and what its own files do for each other. Whoever else needs to know something
 * gets the parts (parts.h) or an overview (overview.h). */
#ifndef TRAWLD_DAEMON_TRAWLD_INTERNAL_H
#define TRAWLD_DAEMON_TRAWLD_INTERNAL_H

#include "parts.h"
#include "trawld.h"

#include "base/str.h"

struct cluster;
struct control_requests;
struct control;
struct countdown;
struct daily;
struct keeper;
struct notify;
struct progress;
struct refresh;
struct reload_wait;
struct signals;
struct web;

struct trawld_pauses {
	struct str_list sources, sinks; /* names */
};

struct trawld {
	struct trawld_options options;
	struct parts parts;
	struct signals *signals;
	struct reload_wait *reload_wait;
	struct refresh *refresh; /* NULL with --once */
	struct countdown *countdown; /* likewise */
	struct daily *daily; /* likewise */
	struct keeper *keeper;
	struct web *web; /* NULL: off, or --once */
	struct control *control; /* NULL: none */
	struct control_requests *requests; /* NULL: no cluster, or --once */
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
	struct buf missing; /* sources and sinks that could not be made, and why: a line each */
	size_t n_missing; /* of them at the last reload, all of which were told */
	bool stopping; /* draining, or about to end */
	struct ev_timer *stop_timer, *memory_timer;
	int exit_code;
};

/* --- trawld.c --- */

/* The state cannot be written, or can be again: as committer.h has it. */
void trawld_store_state(int outcome, const struct fault *fault, void *userdata);
/* Are acknowledgements written at once, without waiting for a page? Another node of a cluster does
 * not find in its files what those of this one have. */
bool trawld_hurries(const struct trawld *trawld);
/* Another process with the same state has taken over the receiver of a sink: the end. As
 * fanout_on_fenced has it. */
void trawld_fenced(const char *name, const struct fault *fault, void *userdata);
/* Something came to rest: is that the end (--once, drain)? Also wakes sources when the spool has
 * room again. USERDATA is trawld. */
void trawld_progress(void *userdata);
int trawld_add_sink(struct trawld *trawld, const struct setup_sink *sink, struct fault *reterr);

/* --- reload.c --- */

/* trawld_read_again, when it may be. */
void trawld_read_now(struct trawld *trawld);
/* Makes the sources and sinks that could not be made before, if it can now. */
void trawld_add_missing(struct trawld *trawld);

/* --- trawld_poller.c --- */

int trawld_add_poller(struct trawld *trawld, const struct source *source, struct fault *reterr);
/* The index that it had. */
size_t trawld_remove_poller(struct trawld *trawld, struct poller *poller);
/* Begins again from the cursor that is in the state. If that fails, the source is
 * missing: not polled until trawld_add_missing succeeds. */
int trawld_renew_poller(struct trawld *trawld, struct poller *poller, struct fault *reterr);
/* Wakes sources when the spool has room again. */
void trawld_look_at_spool(struct trawld *trawld);

/* --- start.c --- */

/* Opens the state, lets the configuration take effect in it, and makes sinks and sources. What may
 * pass, such as a full disk, is waited for; not with --once. 0, or an exit code after the reason
 * was logged; 0 without a store: a signal ended the wait. */
int start_state(struct trawld *trawld);
/* Reads the configuration again, before anything was made of it. */
void start_read_again(struct trawld *trawld);

/* --- adopt.c --- */

/* SETUP takes effect in the state, after CHANGE (may be NULL), for BY (may be NULL), and the
 * fan-out gets its routes. 0; STORE_E_STRANDED: records that wait would lose their sink, FINDINGS
 * says which; or another STORE_E_* (store/routes.h): nothing has changed. What is collected must
 * have been committed. */
int trawld_adopt(struct trawld *trawld, const struct setup *setup, struct routes_change *change,
	const char *by, struct findings *findings, struct fault *reterr);

/* --- trawld_pause.c --- */

/* What the state says is paused. */
int trawld_load_pauses(struct trawld *trawld, struct fault *reterr);
void trawld_pauses_deinit(struct trawld_pauses *pauses);

#endif
