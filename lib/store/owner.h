/*
 * Which configuration a state belongs to: the file trawld.configuration beside the database holds
 * its path. It is not part of a backup, so that a restored state belongs to whoever uses it first.
 */
#ifndef TRAWLD_STORE_OWNER_H
#define TRAWLD_STORE_OWNER_H

#include "base/fault.h"

/* May the configuration PATH (absolute) use the state in DIRECTORY? 0, or STORE_E_UNUSABLE: it
 * belongs to another one that exists; *RETERR says what to do. Where that one no longer exists, it
 * was moved: *RET_FORMER is its path (to be freed); NULL otherwise. Changes nothing. */
int owner_check(const char *directory, const char *path, char **ret_former, struct fault *reterr);

/* The state in DIRECTORY belongs to PATH from now on. If that cannot be written, the next start
 * does it. */
void owner_claim(const char *directory, const char *path);

#endif
