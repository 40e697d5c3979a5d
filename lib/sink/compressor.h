/*
 * A stream compressor: bytes in, gzip or zstd out, in pieces of the caller's choice. Both formats
 * carry a check of the content, so that damage is noticed by whoever unpacks it. The same bytes in
 * the same pieces give the same bytes.
 */
#ifndef TRAWLD_SINK_COMPRESSOR_H
#define TRAWLD_SINK_COMPRESSOR_H

#include "base/buf.h"
#include "base/fault.h"

enum compression { COMPRESSION_NONE, COMPRESSION_GZIP, COMPRESSION_ZSTD };

/* By enum compression, NULL-terminated; Content-Encoding has the same names. */
extern const char *const compression_names[];

const char *compression_suffix(enum compression compression); /* "", ".gz", ".zst" */

struct compressor;

/* COMPRESSION is not COMPRESSION_NONE. 0, or FAULT_INTERNAL for a lack of memory. */
int compressor_new(struct compressor **ret, enum compression compression, struct fault *reterr);
void compressor_free(struct compressor *compressor); /* NULL allowed */

/* Appends to OUT what follows from DATA; LAST ends the stream, after which nothing may be added. 0
 * or FAULT_INTERNAL. */
int compressor_add(struct compressor *compressor, struct slice data, bool last, struct buf *out,
	struct fault *reterr);

/* BODY is replaced by what it becomes, all at once. COMPRESSION_NONE leaves it. 0, or
 * FAULT_INTERNAL: BODY is as before. */
int compressor_replace(enum compression compression, struct buf *body, struct fault *reterr);

#endif
