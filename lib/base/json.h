/*
 * Raw JSON text: what can be known of a value that is known to be valid without building a tree.
 * Numbers keep their spelling, strings their escapes; nothing here goes through a double.
 */
#ifndef TRAWLD_BASE_JSON_H
#define TRAWLD_BASE_JSON_H

#include "base/buf.h"
#include "base/clock.h"

/* A value's kind by its first byte; the slice is known to be valid JSON. */
enum json_kind {
	JSON_KIND_OBJECT,
	JSON_KIND_ARRAY,
	JSON_KIND_STRING,
	JSON_KIND_NUMBER,
	JSON_KIND_TRUE,
	JSON_KIND_FALSE,
	JSON_KIND_NULL
};
enum json_kind json_kind_of(struct slice value);

/* A string's content with escapes undone, as UTF-8 (U+0000 becomes a NUL byte); other kinds: their
 * own text. Appends. */
int json_decode(struct slice value, struct buf *out);
/* The value's content without a copy when it holds no escape, else decoded into SCRATCH (cleared
 * first). */
struct slice json_content(struct slice value, struct buf *scratch);
/* TEXT without the byte order mark that some programs write before JSON. */
struct slice json_skip_bom(struct slice text);
/* Appends VALUE without white space between tokens. */
int json_minify(struct slice value, struct buf *out);
/* Appends TEXT as a JSON string with quotes; invalid UTF-8 becomes U+FFFD. */
int json_encode(struct slice text, struct buf *out);
/* Appends TIME as such a string, RFC 3339 with DIGITS of the second; null for NSEC_NONE. */
void json_encode_time(nsec_t time, unsigned digits, struct buf *out);

#endif
