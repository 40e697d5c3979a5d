/*
 * Lets kept records (`keep`, store/kept.h) go when their time is over or there are too many of
 * them: a part at a time, with the loop in between. When the disk is nearly full, the oldest make
 * room for what is new.
 */
#ifndef TRAWLD_DAEMON_KEEPER_H
#define TRAWLD_DAEMON_KEEPER_H

struct keeper;
struct trawld;

struct keeper *keeper_new(struct trawld *trawld);
void keeper_free(struct keeper *keeper); /* NULL allowed */

/* The configuration has changed, or is used for the first time. */
void keeper_configure(struct trawld *trawld);

#endif
