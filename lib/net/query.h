/*
 * A URL's query in the canonical form that request signatures want: names and values decoded, then
 * percent-encoded byte by byte (RFC 3986 unreserved characters stay), sorted by name and value,
 * `name=value` joined by `&`. Nothing outside lib/net includes it.
 */
#ifndef TRAWLD_NET_QUERY_H
#define TRAWLD_NET_QUERY_H

#include "base/buf.h"

enum query_order {
	QUERY_ORDER_DECODED, /* by the bytes before encoding */
	QUERY_ORDER_ENCODED, /* by the text as it stands in the result */
	QUERY_ORDER_AS_IS, /* not sorted, and a pair without '=' gets none: to be sent */
};

/* Appends the canonical form of QUERY (without '?'; SLICE_NULL: nothing) to OUT. A '+' is a blank,
 * as servers read it. A pair without '=' gets one. */
void query_canonical(struct slice query, enum query_order order, struct buf *out);

#endif
