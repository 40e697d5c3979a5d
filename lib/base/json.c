/* See json.h. Values are known to be valid, so every function may trust quotes and brackets. */
#include "base/json.h"

#include <stdint.h>

#include "base/json_skip.h"
#include "base/timestamp.h"
#include "base/utf8.h"

enum json_kind json_kind_of(struct slice value)
{
	switch (value.data[0]) {
	case '{':
		return JSON_KIND_OBJECT;
	case '[':
		return JSON_KIND_ARRAY;
	case '"':
		return JSON_KIND_STRING;
	case 't':
		return JSON_KIND_TRUE;
	case 'f':
		return JSON_KIND_FALSE;
	case 'n':
		return JSON_KIND_NULL;
	default:
		return JSON_KIND_NUMBER;
	}
}

static unsigned hex4(const char *p)
{
	unsigned value = 0;
	for (int i = 0; i < 4; i++) {
		unsigned c = (unsigned char)p[i];
		value = value << 4 | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return value;
}

static void append_utf8(struct buf *out, unsigned c)
{
	char bytes[4];
	buf_append(out, bytes, utf8_encode(c, bytes));
}

/* One escape at P (behind the backslash); returns what follows it. Half a surrogate pair is U+FFFD.
 */
static const char *decode_escape(const char *p, const char *end, struct buf *out)
{
	static const char plain[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
	if (*p != 'u') {
		buf_append_char(out, meant[strchr(plain, *p) - plain]);
		return p + 1;
	}
	unsigned c = hex4(p + 1);
	p += 5;
	if (c >= 0xd800 && c < 0xdc00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
		unsigned low = hex4(p + 2);
		if (low >= 0xdc00 && low < 0xe000) {
			append_utf8(out, 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00));
			return p + 6;
		}
	}
	append_utf8(out, c >= 0xd800 && c < 0xe000 ? 0xfffd : c);
	return p;
}

int json_decode(struct slice value, struct buf *out)
{
	if (value.data[0] != '"')
		return buf_append_slice(out, value);
	const char *p = value.data + 1, *end = value.data + value.size - 1;
	while (p < end) {
		const char *escape = memchr(p, '\\', (size_t)(end - p));
		int r = buf_append(out, p, (size_t)((escape ? escape : end) - p));
		if (r || !escape)
			return r;
		p = decode_escape(escape + 1, end, out);
	}
	return 0;
}

struct slice json_content(struct slice value, struct buf *scratch)
{
	if (value.data[0] != '"')
		return value;
	struct slice inner = {value.data + 1, value.size - 2};
	if (inner.size == 0 || !memchr(inner.data, '\\', inner.size))
		return inner;
	buf_clear(scratch);
	json_decode(value, scratch);
	return buf_slice(scratch);
}

struct slice json_skip_bom(struct slice text)
{
	if (text.size >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0)
		return (struct slice){text.data + 3, text.size - 3};
	return text;
}

int json_minify(struct slice value, struct buf *out)
{
	char *to = buf_reserve(out, value.size);
	const char *p = value.data, *end = value.data + value.size;
	if (!to)
		return BUF_E_LIMIT;
	while (p < end) {
		const char *start = p;
		if (*p == '"') {
			p = json_string_end(p + 1, end) + 1;
			memmove(to, start, (size_t)(p - start));
			to += p - start;
		} else {
			if (*p != ' ' && *p != '\n' && *p != '\t' && *p != '\r')
				*to++ = *p;
			p++;
		}
	}
	out->size = (size_t)(to - out->data);
	out->data[out->size] = '\0';
	return 0;
}

static void encode_special(unsigned char c, struct buf *out)
{
	static const char plain[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
	const char *at = c ? strchr(plain, c) : NULL;
	if (at)
		buf_printf(out, "\\%c", letters[at - plain]);
	else
		buf_printf(out, "\\u%04x", c);
}

int json_encode(struct slice text, struct buf *out)
{
	const unsigned char *p = (const unsigned char *)text.data, *end = p + text.size;
	int r = buf_append_char(out, '"');
	while (p < end && !r) {
		const unsigned char *start = p;
		size_t n = 1;
		while (p < end && *p >= 0x20 && *p != '"' && *p != '\\' &&
			(n = utf8_size((const char *)p, (size_t)(end - p))))
			p += n;
		r = buf_append(out, start, (size_t)(p - start));
		if (p == end)
			break;
		if (n == 0)
			buf_append_text(out, "\xef\xbf\xbd");
		else
			encode_special(*p, out);
		p++;
	}
	return r ? r : buf_append_char(out, '"');
}

void json_encode_time(nsec_t time, unsigned digits, struct buf *out)
{
	if (time == NSEC_NONE) {
		buf_append_text(out, "null");
		return;
	}
	buf_append_char(out, '"');
	timestamp_print_rfc3339(time, digits, out);
	buf_append_char(out, '"');
}
