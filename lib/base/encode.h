/* Bytes as text: percent-encoding (RFC 3986) and base64 (RFC 4648). All functions append to OUT. */
#ifndef TRAWLD_BASE_ENCODE_H
#define TRAWLD_BASE_ENCODE_H

#include "base/buf.h"

/* Encodes every byte but A-Z a-z 0-9 - _ . ~ (RFC 3986 section 2.3), upper-case hex. */
void encode_percent(struct slice text, struct buf *out);

/* Undoes %XX; what is not a valid escape is copied. PLUS_IS_BLANK: a '+' is a blank, as in forms.
 */
void decode_percent(struct slice text, bool plus_is_blank, struct buf *out);

/* The value of a digit of hexadecimal, of either case; -1: it is not one. */
int encode_hex_digit(char c);

/* RFC 4648 section 4, with padding. */
void encode_base64(struct slice text, struct buf *out);
/* RFC 4648 section 5, without padding. */
void encode_base64url(struct slice text, struct buf *out);

/* Undoes it. ENCODE_E_SYNTAX: a character, a length or a padding that encode_base64 does not write.
 */
enum {
	ENCODE_E_SYNTAX = 1,
};
int decode_base64(struct slice text, struct buf *out);

#endif
