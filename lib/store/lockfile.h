/*
 * trawld.lock in the state directory: held by the one daemon that owns the state, with its PID
 * inside. The kernel lets go of it when the process ends, however it ends; the file itself stays.
 */
#ifndef TRAWLD_STORE_LOCKFILE_H
#define TRAWLD_STORE_LOCKFILE_H

#include "base/fault.h"

/* Takes the lock: *RET_FD is to be closed to give it back. STORE_E_LOCKED names the holder's PID,
 * STORE_E_UNUSABLE and STORE_E_FULL say why the file cannot be had. */
int lockfile_take(const char *directory, int *ret_fd, struct fault *reterr);
/* Does a process hold it? Takes nothing, so that it is in nobody's way. STORE_E_LOCKED: one does,
 * and *RETERR (may be NULL) says so as lockfile_take; else 0. */
int lockfile_look(const char *directory, struct fault *reterr);

#endif
