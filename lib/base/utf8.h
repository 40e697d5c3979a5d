/* UTF-8 as RFC 3629 section 4 defines it: no overlong forms, no surrogates, nothing above U+10FFFF.
 */
#ifndef TRAWLD_BASE_UTF8_H
#define TRAWLD_BASE_UTF8_H

#include "base/slice.h"

/* The length of the valid sequence that begins at TEXT (SIZE bytes, at least 1); 0: there is none.
 */
size_t utf8_size(const char *text, size_t size);

/* The same, but 1 for a byte that is not a character: how far to go to the next one. */
size_t utf8_step(const char *text, size_t size);

/* Is TEXT made of valid sequences only? */
bool utf8_is_valid(struct slice text);

/* Is the character of SIZE bytes at TEXT one that steers a terminal, or that changes the direction
 * or the line in which others are shown? A single byte that is not a character counts as one, too.
 */
bool utf8_is_control(const char *text, size_t size);

/* Its number. */
unsigned utf8_decode(const char *text, size_t size);

/* The largest size up to SIZE at which TEXT, which is longer, can be cut without leaving a part of
 * a character. */
size_t utf8_cut(const char *text, size_t size);

/* Writes the 1 to 4 bytes of code point C, at most 0x10ffff, and returns how many there are. */
size_t utf8_encode(unsigned c, char bytes[4]);

#endif
