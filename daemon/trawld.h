/*
 * The daemon: owns everything, in the order in which it is made, and takes it apart backwards. What
 * several parts have to agree about (may a source poll, is all done, is the process to end) is
 * decided here. What the struct holds is known to its own files alone (trawld_internal.h).
 */
#ifndef TRAWLD_DAEMON_TRAWLD_H
#define TRAWLD_DAEMON_TRAWLD_H

#include <stdbool.h>
#include <sysexits.h>

#include "base/buf.h"
#include "base/fault.h"

struct findings;
struct parts;
struct rewind_request;
struct routes_change;
struct setup;
struct trawld;

struct trawld_options {
	const char *path; /* of the configuration */
	bool once;
};

/* Builds all from a checked SETUP (taken over) and opens the state. 0, or an exit code after the
 * reason was logged; trawld_close in either case. */
int trawld_open(struct trawld **ret, const struct trawld_options *options, struct setup *setup);
/* Runs the loop until the end; the exit code. */
int trawld_run(struct trawld *trawld);
void trawld_close(struct trawld *trawld);

/* What it is made of; the same until trawld_close. */
const struct parts *trawld_parts(const struct trawld *trawld);
/* The state was found damaged, and trawld is about to exit with 73: why. Else NULL. */
const struct fault *trawld_damage(const struct trawld *trawld);
/* Draining, or about to end. */
bool trawld_is_stopping(const struct trawld *trawld);

/* SIGTERM: no more polls, what is committed goes out, then the end; a second call ends at once. */
void trawld_stop(struct trawld *trawld);
void trawld_poll_now(struct trawld *trawld);

/* trawld_rewind.c: rewind_source of a source that is polled; it continues from there. 0, or an exit
 * code with *RETERR, which says so if the cursor was changed all the same. */
int trawld_rewind(struct trawld *trawld, const struct rewind_request *request, struct buf *out,
	struct fault *reterr);

/* reload.c: reads the configuration again and uses it, after CHANGE (store/routes.h; may be NULL)
 * was carried out, for BY, a person (NULL: nobody in particular). 0: done, FINDINGS (initialised)
 * holds what could not be done of it. Otherwise nothing has changed, and *RETERR says why in one
 * sentence: EX_CONFIG: errors in the configuration, or records that would lose their sink (FINDINGS
 * has them), or CHANGE does not fit it; EX_USAGE: CHANGE names what is not there; EX_TEMPFAIL: the
 * state cannot be written. All of it was logged. */
int trawld_reload(struct trawld *trawld, struct routes_change *change, const char *by,
	struct findings *findings, struct fault *reterr);
/* May that be now? What was sent by sinks that it changes is answered first (reload_wait.h). If
 * not: asked AGAIN before the loop sleeps. */
bool trawld_may_reload(struct trawld *trawld, bool again);

/* What a command was about. */
struct pause_result {
	bool source, sink;
	bool changed; /* it was not so before */
	bool disabled; /* the source: enabled = no */
	char loss[160]; /* when unread records are lost for good; "": not known, or not paused */
};

/* SIGHUP: the same, without a change and for nobody, as soon as it may be; what is wrong is logged
 * only.
 */
void trawld_read_again(struct trawld *trawld);

/* trawld_pause.c: pauses or resumes NAME, a source or sink or both, for the person BY, in the state
 * and at work. The exit code. */
int trawld_pause(struct trawld *trawld, const char *name, bool paused, const char *by,
	struct pause_result *ret, struct fault *reterr);

#endif
