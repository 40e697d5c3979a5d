/*
 * What trawlctl may show of a conversation with an API. Registered secrets go everywhere; beside
 * them what only its name gives away: a password in a request's body, a signature in an address, a
 * cookie in an answer. All texts come out as one line.
 */
#ifndef TRAWLD_DAEMON_MASK_H
#define TRAWLD_DAEMON_MASK_H

#include "base/buf.h"

/* Appends an address, or any text with addresses in it: values of sensitive query parameters
 * become `***`. */
void mask_url(struct slice text, struct buf *out);

/* Appends a body: the same for `name=value` pairs and for scalar members of JSON. */
void mask_body(struct slice body, struct buf *out);

/* Appends TEXT, registered secrets masked. */
void mask_plain(struct slice text, struct buf *out);

#endif
