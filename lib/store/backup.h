/* A copy of the state that can be put in its place. */
#ifndef TRAWLD_STORE_BACKUP_H
#define TRAWLD_STORE_BACKUP_H

#include "store/database.h"

#include <stdint.h>

/* Copies the database in DIRECTORY to the new file PATH (0600), durable when it returns. 0;
 * STORE_E_UNUSABLE: PATH exists or cannot be made, or there is no state; STORE_E_FULL: this may
 * pass. There is no file then. */
int store_backup(const char *directory, const char *path, uint64_t *ret_size, struct fault *reterr);

#endif
