/* See escape.h. */
#include "base/escape.h"

#include <ctype.h>

#include "base/encode.h"
#include "base/utf8.h"

static const struct {
	const char *name;
	char c;
} entities[] = {
	{"amp", '&'},
	{"apos", '\''},
	{"ast", '*'},
	{"bsol", '\\'},
	{"colon", ':'},
	{"comma", ','},
	{"commat", '@'},
	{"dollar", '$'},
	{"equals", '='},
	{"excl", '!'},
	{"grave", '`'},
	{"gt", '>'},
	{"Hat", '^'},
	{"lbrace", '{'},
	{"lbrack", '['},
	{"lcub", '{'},
	{"lowbar", '_'},
	{"lpar", '('},
	{"lsqb", '['},
	{"lt", '<'},
	{"NewLine", '\n'},
	{"num", '#'},
	{"percnt", '%'},
	{"period", '.'},
	{"plus", '+'},
	{"quest", '?'},
	{"quot", '"'},
	{"rbrace", '}'},
	{"rbrack", ']'},
	{"rcub", '}'},
	{"rpar", ')'},
	{"rsqb", ']'},
	{"semi", ';'},
	{"sol", '/'},
	{"Tab", '\t'},
	{"verbar", '|'},
};

bool escape_begins_with(char c)
{
	return c == '%' || c == '\\' || c == '&' || c == '+';
}

/* N digits of hexadecimal at AT. */
static bool read_hex(struct slice text, size_t at, size_t n, unsigned *ret)
{
	unsigned value = 0;
	if (at + n > text.size)
		return false;
	for (size_t i = at; i < at + n; i++) {
		if (encode_hex_digit(text.data[i]) < 0)
			return false;
		value = value << 4 | (unsigned)encode_hex_digit(text.data[i]);
	}
	*ret = value;
	return true;
}

static bool stands_for_byte(struct escape *ret, unsigned byte, size_t size)
{
	*ret = (struct escape){{(char)byte}, 1, size};
	return true;
}

static bool stands_for(struct escape *ret, unsigned code, size_t size)
{
	*ret = (struct escape){.size = size};
	if (code <= 0x10ffff)
		ret->n_bytes = utf8_encode(code, ret->bytes);
	return ret->n_bytes > 0;
}

static bool read_unicode(struct slice text, struct escape *ret)
{
	unsigned high, low;
	if (!read_hex(text, 2, 4, &high))
		return false;
	if (high >= 0xd800 && high < 0xdc00 && text.size >= 12 && text.data[6] == '\\' &&
		text.data[7] == 'u' && read_hex(text, 8, 4, &low) && low >= 0xdc00 && low < 0xe000)
		return stands_for(ret, 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00), 12);
	return stands_for(ret, high, 6);
}

static bool read_backslash(struct slice text, struct escape *ret)
{
	static const char letters[] = "abfnrtve", stand_for[] = "\a\b\f\n\r\t\v\x1b";
	unsigned byte;
	if (text.size < 2)
		return false;
	char c = text.data[1];
	const char *letter = c ? strchr(letters, c) : NULL;
	if (c == 'u')
		return read_unicode(text, ret);
	if (c == 'x')
		return read_hex(text, 2, 2, &byte) && stands_for_byte(ret, byte, 4);
	if (letter)
		return stands_for_byte(ret, (unsigned char)stand_for[letter - letters], 2);
	return ispunct((unsigned char)c) && stands_for_byte(ret, (unsigned char)c, 2);
}

static bool read_number(struct slice text, struct escape *ret)
{
	bool hex = text.size > 2 && (text.data[2] == 'x' || text.data[2] == 'X');
	size_t begin = hex ? 3 : 2, at = begin;
	unsigned code = 0, base = hex ? 16 : 10;
	for (; at < text.size && at < begin + 8; at++) {
		int value = encode_hex_digit(text.data[at]);
		if (value < 0 || (unsigned)value >= base)
			break;
		code = code * base + (unsigned)value;
	}
	return at > begin && at < text.size && text.data[at] == ';' &&
	       stands_for(ret, code, at + 1);
}

static bool read_entity(struct slice text, struct escape *ret)
{
	size_t size = 1;
	if (text.size > 1 && text.data[1] == '#')
		return read_number(text, ret);
	while (size < text.size && size < 9 && isalpha((unsigned char)text.data[size]))
		size++;
	if (size == text.size || text.data[size] != ';')
		return false;
	for (size_t i = 0; i < sizeof(entities) / sizeof(entities[0]); i++)
		if (slice_is((struct slice){text.data + 1, size - 1}, entities[i].name))
			return stands_for_byte(ret, (unsigned char)entities[i].c, size + 1);
	return false;
}

bool escape_read(struct slice text, bool plus, struct escape *ret)
{
	unsigned byte;
	switch (text.size ? text.data[0] : 0) {
	case '%':
		return read_hex(text, 1, 2, &byte) && stands_for_byte(ret, byte, 3);
	case '\\':
		return read_backslash(text, ret);
	case '&':
		return read_entity(text, ret);
	case '+':
		return plus && stands_for_byte(ret, ' ', 1);
	default:
		return false;
	}
}
