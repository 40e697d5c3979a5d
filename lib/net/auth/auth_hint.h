/*
 * What a refused credential looks like, without a word of it: a token that was pasted together with
 * its quotes or with `Bearer ` is seen at once, and so is one that was cut short.
 */
#ifndef TRAWLD_NET_AUTH_HINT_H
#define TRAWLD_NET_AUTH_HINT_H

#include "base/buf.h"
#include "base/fault.h"

/* Appends "`NAME` has N characters" and what is odd about VALUE to OUT. */
void auth_hint_add(struct buf *out, const char *name, struct slice value);
/* Is the value of the key NAME of [auth] a secret? */
bool auth_hint_is_secret(const char *name);
/* Adds HINT (empty: nothing) to the text of FAULT; nothing else of it changes. */
void auth_hint_append(struct fault *fault, const struct buf *hint);

#endif
