/*
 * The content of a compressed response, piece by piece: gzip and deflate (zlib), zstd. libcurl ends
 * at the first member of a gzip stream and drops what follows in the same read, which is a loss
 * without a word; here every member and frame is decoded.
 */
#ifndef TRAWLD_NET_DECODING_H
#define TRAWLD_NET_DECODING_H

#include "base/buf.h"

#include <stdbool.h>

#define DECODING_ACCEPTED "gzip, zstd" /* for Accept-Encoding */

struct decoding;

enum {
	DECODING_E_DAMAGED = 1,
	DECODING_E_FULL, /* the content is larger than the limit of the buffer */
};

/* For a Content-Encoding; NULL: it is not known. */
struct decoding *decoding_new(struct slice name);
void decoding_free(struct decoding *decoding); /* NULL allowed */

/* Appends to OUT what PIECE, the next of the body, stands for. 0, or DECODING_E_*. */
int decoding_add(struct decoding *decoding, struct slice piece, struct buf *out);

/* Did the body end where it may? */
bool decoding_is_whole(const struct decoding *decoding);

#endif
