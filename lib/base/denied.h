/* What keeps this process from a file, and how a person cures it. */
#ifndef TRAWLD_BASE_DENIED_H
#define TRAWLD_BASE_DENIED_H

#include "base/buf.h"

/* PATH lies in DIRECTORY (or is it), which belongs to one user with all that is in it; ERROR is why
 * it could not be used. Where that is a matter of permissions, appends to OUT whose the file or
 * folder in the way is, as whom this process runs, and the command that cures it; else nothing. */
void denied_explain(const char *path, const char *directory, int error, struct buf *out);

#endif
