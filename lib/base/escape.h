/*
 * Escapes: how a byte is written in a URL (`%2f`, `+`), in a string of JSON and of most programming
 * languages (`\/`, `\u003c`, `\x3c`) and in HTML (`&lt;`, `&#60;`, `&#x3c;`). What a peer echoes is
 * written in one of these, or in one inside another.
 */
#ifndef TRAWLD_BASE_ESCAPE_H
#define TRAWLD_BASE_ESCAPE_H

#include "base/slice.h"

struct escape {
	char bytes[4]; /* what it stands for */
	size_t n_bytes;
	size_t size; /* of the escape itself */
};

/* Whether an escape can begin with C. */
bool escape_begins_with(char c);

/* The escape that TEXT begins with. False: none. A `+`, which is a blank in forms only, is not
 * read as one unless PLUS. */
bool escape_read(struct slice text, bool plus, struct escape *ret);

#endif
