/*
 * When the collected pages and acknowledgements are committed: at once when 4 MiB wait, else when
 * the loop has nothing else to do but at the latest 50 ms after the first was added; while a chain
 * is read, 20 ms after the first was added. What may wait for a page is committed with it, or after
 * a second. A failed commit (disk full, read-only) is tried again with back-off, everything kept;
 * meanwhile polling pauses (pressure.h). Where the state is kept on a server, a commit is sent and
 * answered later; what is collected meanwhile is for the next one.
 */
#ifndef TRAWLD_PIPELINE_COMMITTER_H
#define TRAWLD_PIPELINE_COMMITTER_H

#include "base/fault.h"

struct ev_loop;
struct store;
struct committer;

/* The state of the store changed. OUTCOME 0: it works again. STORE_E_FULL: a failure that may pass
 * (FAULT says which). STORE_E_CORRUPT: it cannot pass; the daemon says so and exits with 73.
 * STORE_E_LOST: another process has the state, or may have it; it exits with 75. */
typedef void (*committer_state_fn)(int outcome, const struct fault *fault, void *userdata);

struct committer *committer_new(
	struct ev_loop *loop, struct store *store, committer_state_fn state, void *userdata);
void committer_free(struct committer *committer); /* does not flush */
struct ev_loop *committer_loop(const struct committer *committer);

/* Called after a commit that left nothing to be committed. */
void committer_on_settled(
	struct committer *committer, void (*settled)(void *userdata), void *userdata);

/* Call after commit_add_*: arms what is needed. */
void committer_touch(struct committer *committer);
/* The same where the next page of the chain is requested at once. */
void committer_touch_more(struct committer *committer);
/* The same where a crash before the commit repeats nothing. */
void committer_touch_later(struct committer *committer);
/* Nothing waits for a page any more, or it may again. */
void committer_hurry(struct committer *committer, bool hurried);
/* Commits now whatever is collected, and waits for a backend's answer, but not longer than for
 * another program's lock. True: nothing is left. */
bool committer_flush(struct committer *committer);
/* The same at the end of a process, where a backend has more time. */
bool committer_finish(struct committer *committer);
/* A reader found that the state is damaged: nothing is written any more, said once. */
void committer_damaged(struct committer *committer, const struct fault *fault);
bool committer_failing(const struct committer *committer);
/* After a flush that has left something: why, for a person. */
const char *committer_why(const struct committer *committer);

#endif
