/*
 * A document's bytes in plain: what begins as gzip (RFC 1952, also several members one after the
 * other) is decompressed step by step, anything else is passed through.
 */
#ifndef TRAWLD_SOURCE_GUNZIP_H
#define TRAWLD_SOURCE_GUNZIP_H

#include "base/buf.h"
#include "base/fault.h"

struct gunzip;

/* BODY is borrowed until gunzip_free. */
struct gunzip *gunzip_new(struct slice body);
void gunzip_free(struct gunzip *gunzip); /* NULL allowed */

/* Appends some more plain bytes to OUT, at most 64 KiB; *RET_END: that was the last. 0, FAULT_BODY
 * (damaged or cut) or FAULT_LIMIT (more than LIMIT plain bytes in all). */
int gunzip_next(struct gunzip *gunzip, uint64_t limit, struct buf *out, bool *ret_end,
	struct fault *reterr);

#endif
