/*
 * The comment at the beginning of a provider definition: `# Field: text`, whose following lines are
 * indented, and `# Example:`, whose lines are a source for trawld.conf. A definition without such
 * a comment has no fields.
 */
#ifndef TRAWLD_DAEMON_PROVIDER_HEADER_H
#define TRAWLD_DAEMON_PROVIDER_HEADER_H

#include "base/buf.h"

/* Appends the text of FIELD in the comment of FILE, its lines joined by blanks. False: there is no
 * such file or field. */
bool provider_header_field(const char *file, const char *field, struct buf *out);
/* The same with the lines of the example as they are, without the comment's signs. */
bool provider_header_example(const char *file, struct buf *out);

#endif
