/* See utf8.h. */
#include "base/utf8.h"

#include <stdint.h>

size_t utf8_size(const char *text, size_t size)
{
	const unsigned char *p = (const unsigned char *)text;
	unsigned low = 0x80, high = 0xbf; /* of the second byte */
	size_t n;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf) {
		n = 2;
	} else if (p[0] >= 0xe0 && p[0] <= 0xef) {
		n = 3;
		low = p[0] == 0xe0 ? 0xa0 : low;
		high = p[0] == 0xed ? 0x9f : high;
	} else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
		n = 4;
		low = p[0] == 0xf0 ? 0x90 : low;
		high = p[0] == 0xf4 ? 0x8f : high;
	} else {
		return 0;
	}
	if (size < n || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	return n;
}

/* The first byte from P on that is not ASCII, or up to seven before it. */
static const char *skip_ascii(const char *p, const char *end)
{
	uint64_t eight;

	for (; end - p >= 8; p += 8) {
		memcpy(&eight, p, sizeof(eight));
		if (eight & UINT64_C(0x8080808080808080))
			break;
	}
	return p;
}

size_t utf8_step(const char *text, size_t size)
{
	size_t n = utf8_size(text, size);

	return n ? n : 1;
}

bool utf8_is_valid(struct slice text)
{
	const char *p = text.data, *end = p + text.size;

	while (p < end) {
		size_t n;

		p = skip_ascii(p, end);
		if (p == end)
			break;
		n = utf8_size(p, (size_t)(end - p));
		if (n == 0)
			return false;
		p += n;
	}
	return true;
}

unsigned utf8_decode(const char *text, size_t size)
{
	static const unsigned char firsts[] = {0, 0xff, 0x1f, 0x0f, 0x07};
	unsigned code = (unsigned char)text[0] & firsts[size];

	for (size_t i = 1; i < size; i++)
		code = code << 6 | ((unsigned char)text[i] & 0x3f);
	return code;
}

bool utf8_is_control(const char *text, size_t size)
{
	unsigned code = utf8_decode(text, size);

	return code < 0x20 || (code >= 0x7f && code < 0xa0) || (size == 1 && code >= 0x80) ||
	       code == 0x61c || code == 0x200e || code == 0x200f ||
	       (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

size_t utf8_cut(const char *text, size_t size)
{
	while (size && ((unsigned char)text[size] & 0xc0) == 0x80)
		size--;
	return size;
}

size_t utf8_encode(unsigned c, char bytes[4])
{
	static const unsigned char marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = n; i-- > 1; c >>= 6)
		bytes[i] = (char)(0x80 | (c & 0x3f));
	bytes[0] = (char)(marks[n] | c);
	return n;
}
