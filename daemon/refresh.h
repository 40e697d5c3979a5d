/*
 * Credentials that were renewed while trawld runs: as long as a source or sink is refused its
 * credential, the files that the configuration was expanded from are looked at, and a change of one
 * is followed by a reload. A mounted Kubernetes secret thus needs no signal.
 */
#ifndef TRAWLD_DAEMON_REFRESH_H
#define TRAWLD_DAEMON_REFRESH_H

struct refresh;
struct trawld;

struct refresh *refresh_new(struct trawld *trawld);
void refresh_free(struct refresh *refresh); /* NULL allowed */

#endif
