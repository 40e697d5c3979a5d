/*
 * What is reloaded without being asked. Credentials that were renewed while trawld runs: the files
 * that the configuration was expanded from are looked at every few seconds, and a change of one is
 * followed by a reload, so that a mounted Kubernetes secret needs no signal. It waits until the
 * files rest, and while somebody has changed the configuration itself, which may not be ready to be
 * used; neither once a source or sink is refused its credential.
 *
 * And a reload that was refused since the state could not be written, once it can be.
 */
#ifndef TRAWLD_DAEMON_REFRESH_H
#define TRAWLD_DAEMON_REFRESH_H

struct refresh;
struct trawld;

struct refresh *refresh_new(struct trawld *trawld);
void refresh_free(struct refresh *refresh); /* NULL allowed */

#endif
