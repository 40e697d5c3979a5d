/* Strings of records replaced by others, so that a conversation can be shown to anybody. */
#ifndef TRAWLD_DAEMON_REPLACE_H
#define TRAWLD_DAEMON_REPLACE_H

#include "base/str.h"
#include "source/source.h"

/* The same string is replaced by the same text. */
struct replacements {
	struct str_list texts;
};

/* Appends BODY, an answer to SOURCE, to OUT with the strings of its records replaced, but for their
 * IDs, times and what else the definition reads of a record. What is not JSON is appended as it is.
 */
void replace_strings(struct replacements *replacements, const struct source *source,
	struct slice body, struct buf *out);
void replacements_deinit(struct replacements *replacements);

#endif
