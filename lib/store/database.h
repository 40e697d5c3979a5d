/*
 * The one SQLite file (trawld.db) in the state directory: WAL, synchronous=FULL. The other store
 * modules work on it; only lib/store includes sqlite3.h. A second daemon is kept out by a lock file
 * (trawld.lock, OFD lock, holds the PID); readers may come and go beside the daemon.
 */
#ifndef TRAWLD_STORE_DATABASE_H
#define TRAWLD_STORE_DATABASE_H

#include "base/fault.h"

struct store;

enum {
	STORE_E_LOCKED = 1, /* another daemon has it; the fault text names its PID */
	STORE_E_UNUSABLE, /* directory cannot be made, read or written; database from a newer trawld
			   */
	STORE_E_CORRUPT, /* SQLite says so, or the schema is not ours: a person must look, never a
			    silent fresh start */
	STORE_E_FULL, /* no space, read-only, I/O error: may pass */
	STORE_E_STRANDED, /* routes.h: records that wait would lose their sink */
	STORE_E_UNKNOWN, /* routes.h: a command names what the state does not have */
	STORE_E_REFUSED, /* routes.h: a command that does not fit the configuration or the state */
	STORE_E_WAIT, /* with a backend: it was sent, and the answer has not come yet */
	STORE_E_LOST, /* with a backend: another process has the state, or may have it; this one
			 must end */
};

enum store_mode {
	STORE_OWN, /* the daemon: makes the directory (0700) and the file (0600), takes the lock,
		      migrates */
	STORE_READ, /* trawlctl: reads beside a running daemon, changes nothing; no file is
		       STORE_E_UNUSABLE */
};

/* PATH in the state DIRECTORY cannot be used because of ERROR (an errno): says so in *RETERR, and
 * where it is a matter of permissions whose it is and what cures it. STORE_E_FULL: may pass;
 * else STORE_E_UNUSABLE. */
int store_refused(const char *directory, const char *path, int error, struct fault *reterr);

int store_open(
	struct store **ret, const char *directory, enum store_mode mode, struct fault *reterr);
void store_close(struct store *store); /* NULL allowed; uncommitted work is dropped */

/* Looks at all of the file, which store_open does of a small one: 0, or STORE_E_CORRUPT with damage
 * in *RETERR, or another STORE_E_*. */
int store_check(struct store *store, struct fault *reterr);

struct store_backend;
/* A working copy of what BACKEND keeps (backend.h), made afresh as FILE in DIRECTORY, whose lock it
 * takes. NODE: this host, whose positions of sinks are used. BACKEND is not closed with it. */
int store_open_copy(struct store **ret, const char *directory, const char *file, const char *node,
	struct store_backend *backend, struct fault *reterr);

/* As store_open, beside a process that holds a shard with its copy in DIRECTORY: STORE_READ reads
 * the copy. STORE_OWN never succeeds: STORE_E_LOCKED while there is such a process (it can be
 * asked), else STORE_E_UNUSABLE. */
int store_open_held(
	struct store **ret, const char *directory, enum store_mode mode, struct fault *reterr);
bool store_is_held(const char *directory); /* there is such a copy */

/* NULL: the file alone is the state. */
struct store_backend *store_backend(const struct store *store);
/* 0, or STORE_E_LOST: its backend has lost the hold on the state. */
int store_check_hold(struct store *store, struct fault *reterr);
/* Is it sure that no other process holds this state? Else nothing may be sent anywhere. */
bool store_may_deliver(const struct store *store);

/* What tells this state from others; a copy of it, also one put back, has the same. With
 * STORE_OWN. */
const char *store_id(const struct store *store);
#define STORE_ID_SIZE 17

/* There was no state: no configuration was adopted yet (routes.h). */
bool store_is_new(const struct store *store);

/* The state is older than the one that was last used in its directory, by so many commits: a copy
 * was put back, or the log was lost. 0: it is not, as far as is known. */
int64_t store_lost_commits(const struct store *store);

/* PRAGMA user_version of the schema this build writes. */
int store_schema_version(void);

#endif
