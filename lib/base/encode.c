/* See encode.h. */
#include "base/encode.h"

static bool is_unreserved(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '.' || c == '~';
}

void encode_percent(struct slice text, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < text.size; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (is_unreserved(c)) {
			buf_append_char(out, (char)c);
		} else {
			char code[3] = {'%', digits[c >> 4], digits[c & 15]};

			buf_append(out, code, sizeof(code));
		}
	}
}

int encode_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void decode_percent(struct slice text, bool plus_is_blank, struct buf *out)
{
	for (size_t i = 0; i < text.size; i++) {
		char c = text.data[i];
		int high = i + 2 < text.size ? encode_hex_digit(text.data[i + 1]) : -1;
		int low = i + 2 < text.size ? encode_hex_digit(text.data[i + 2]) : -1;

		if (c == '%' && high >= 0 && low >= 0) {
			c = (char)(high << 4 | low);
			i += 2;
		} else if (c == '+' && plus_is_blank) {
			c = ' ';
		}
		buf_append_char(out, c);
	}
}

void encode_base64(struct slice text, struct buf *out)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *at = (const unsigned char *)text.data;

	for (size_t i = 0; i < text.size; i += 3) {
		size_t n = text.size - i < 3 ? text.size - i : 3;
		unsigned group = (unsigned)at[i] << 16 | (n > 1 ? (unsigned)at[i + 1] << 8 : 0) |
				 (n > 2 ? at[i + 2] : 0);
		char quad[4] = {digits[group >> 18], digits[group >> 12 & 63],
			n > 1 ? digits[group >> 6 & 63] : '=', n > 2 ? digits[group & 63] : '='};

		buf_append(out, quad, sizeof(quad));
	}
}

static int base64_value(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = memchr(digits, c, 64);

	return at ? (int)(at - digits) : -1;
}

int decode_base64(struct slice text, struct buf *out)
{
	size_t n_padding = 0;

	if (text.size % 4 != 0)
		return ENCODE_E_SYNTAX;
	while (n_padding < 2 && n_padding < text.size &&
		text.data[text.size - 1 - n_padding] == '=')
		n_padding++;
	for (size_t i = 0; i < text.size; i += 4) {
		size_t n = i + 4 == text.size ? 4 - n_padding : 4;
		unsigned bits = 0;

		for (size_t j = 0; j < 4; j++) {
			int value = j < n ? base64_value(text.data[i + j]) : 0;

			if (value < 0)
				return ENCODE_E_SYNTAX;
			bits = bits << 6 | (unsigned)value;
		}
		buf_append(out, (char[]){(char)(bits >> 16), (char)(bits >> 8), (char)bits}, n - 1);
	}
	return 0;
}

void encode_base64url(struct slice text, struct buf *out)
{
	size_t start = out->size;

	encode_base64(text, out);
	while (out->size > start && out->data[out->size - 1] == '=')
		out->data[--out->size] = '\0';
	for (size_t i = start; i < out->size; i++) {
		if (out->data[i] == '+')
			out->data[i] = '-';
		else if (out->data[i] == '/')
			out->data[i] = '_';
	}
}
