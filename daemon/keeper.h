/*
 * Lets kept records (`keep`, store/kept.h) go when their time is over or there are too many of
 * them: a part at a time, with the loop in between. When the disk is nearly full, the oldest make
 * room for what is new.
 */
#ifndef TRAWLD_DAEMON_KEEPER_H
#define TRAWLD_DAEMON_KEEPER_H

struct committer;
struct daemon_options;
struct ev_loop;
struct keeper;
struct store;

/* STATE_DIRECTORY is where STORE is; copied. */
struct keeper *keeper_new(struct ev_loop *loop, struct store *store, struct committer *committer,
	const char *state_directory);
void keeper_free(struct keeper *keeper); /* NULL allowed */

/* The configuration has changed, or is used for the first time. */
void keeper_configure(struct store *store, const struct daemon_options *options);

#endif
