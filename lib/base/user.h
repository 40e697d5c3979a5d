/* Whose process this is. */
#ifndef TRAWLD_BASE_USER_H
#define TRAWLD_BASE_USER_H

#include <stdbool.h>

#include "base/fault.h"

/* A process of root becomes one of the user who owns DIRECTORY, so that the files it leaves there
 * and elsewhere are that user's, too. Nothing happens where root owns DIRECTORY, where it does not
 * exist, or to others. *RET_NAME (may be NULL) is the user's name when it became that user, else
 * NULL; the caller frees it. 0, or FAULT_CONFIG. */
int user_become_owner(const char *directory, char **ret_name, struct fault *reterr);

#endif
