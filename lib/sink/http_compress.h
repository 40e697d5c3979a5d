/* A request's body compressed: the same input gives the same bytes, so a retry stays the same. */
#ifndef TRAWLD_SINK_HTTP_COMPRESS_H
#define TRAWLD_SINK_HTTP_COMPRESS_H

#include "base/buf.h"
#include "base/fault.h"

enum http_compression { HTTP_COMPRESSION_NONE, HTTP_COMPRESSION_GZIP, HTTP_COMPRESSION_ZSTD };

extern const char *const http_compression_names[]; /* as the option and Content-Encoding say it */

/* Replaces BODY. 0, or FAULT_INTERNAL: BODY is as before. */
int http_compress(enum http_compression compression, struct buf *body, struct fault *reterr);

#endif
