/* A secret that a peer echoes never passes the mask, however its bytes are written: input is a
 * secret (the first line) and what chooses the encoding of each byte. What stands around it stays
 * as it is. */
#include "fuzz.h"

#include <ctype.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/secret.h"

static const struct {
	char c;
	const char *name;
} entities[] = {
	{'&', "amp"}, {'<', "lt"}, {'>', "gt"}, {'"', "quot"}, {'\'', "apos"}, {'/', "sol"}};

static void put_entity(struct buf *out, char c, unsigned way)
{
	for (size_t i = 0; i < sizeof(entities) / sizeof(entities[0]); i++)
		if (entities[i].c == c) {
			buf_printf(out, "&%s;", entities[i].name);
			return;
		}
	buf_printf(out, way & 8 ? "&#%d;" : way & 16 ? "&#x%X;" : "&#x%x;", (unsigned char)c);
}

/* One byte below 0x80, in one of the ways that peers know. */
static void put_byte(struct buf *out, char c, unsigned way)
{
	switch (way % 8) {
	case 0:
		buf_printf(out, "%%%02x", (unsigned char)c);
		return;
	case 1:
		buf_printf(out, "%%%02X", (unsigned char)c);
		return;
	case 2:
		buf_printf(out, "\\u%04x", (unsigned char)c);
		return;
	case 3:
		buf_printf(out, "\\x%02X", (unsigned char)c);
		return;
	case 4:
		put_entity(out, c, way);
		return;
	case 5:
		if (ispunct((unsigned char)c))
			buf_append_char(out, '\\');
		buf_append_char(out, c);
		return;
	case 6:
		buf_append_char(out, c == ' ' ? '+' : c);
		return;
	default:
		buf_append_char(out, c);
	}
}

/* STRICT: as a whole it can be undone, so what begins an escape does not stay as it is. */
static void escape_all(struct slice text, bool strict, struct slice *choices, struct buf *out)
{
	unsigned all = fuzz_byte(choices);
	for (size_t i = 0; i < text.size; i++) {
		unsigned way = all & 0x80 ? fuzz_byte(choices) : all;
		if (strict && strchr("%\\&", text.data[i]) && way % 8 > 5)
			way = 5;
		put_byte(out, text.data[i], (unsigned char)text.data[i] < 0x80 ? way : way & 1);
	}
}

/* In base64 after up to two other bytes, in hexadecimal digits, or as it is. */
static void encode(struct slice secret, unsigned way, struct buf *out)
{
	struct buf shifted = BUF_NULL;
	char *hex = mem_alloc(2 * secret.size + 1);
	if (way % 8 == 6) {
		digest_hex(secret.data, secret.size, hex);
		buf_append_text(out, hex);
	} else if (way % 8 > 2) {
		buf_append_slice(out, secret);
	} else {
		buf_append(&shifted, "xy", way % 8);
		buf_append_slice(&shifted, secret);
		encode_base64(buf_slice(&shifted), out);
		for (size_t i = 0; way & 8 && i < out->size; i++)
			out->data[i] = out->data[i] == '+'   ? '-'
				       : out->data[i] == '/' ? '_'
							     : out->data[i];
	}
	free(hex);
	buf_deinit(&shifted);
}

/* Of base64 what precedes the secret in it, and the padding, are left. */
static void check(const struct buf *text, unsigned way)
{
	const char *found = buf_text(text);
	if (way % 8 > 2)
		assert(strcmp(found, "{\"t\":<***>}") == 0);
	else
		assert(strncmp(found, "{\"t\":<", 6) == 0 && strstr(found, "***") &&
			strcmp(found + strlen(found) - 2, ">}") == 0);
}

/* Such a secret can go on in what stands around it. */
static bool is_one_character(struct slice secret)
{
	return memcmp(secret.data, secret.data + 1, secret.size - 1) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = fuzz_input(data, size);
	struct slice secret = fuzz_line(&rest);
	struct buf text = BUF_NULL;
	if (secret.size < 6 || secret.size > 60 || is_one_character(secret))
		return 0;
	secret_register(secret);
	unsigned way = fuzz_byte(&rest), depth = fuzz_byte(&rest) % 4;
	encode(secret, way, &text);
	for (unsigned i = 0; i < depth; i++) {
		struct buf next = BUF_NULL;
		escape_all(buf_slice(&text), i > 0, &rest, &next);
		buf_deinit(&text);
		text = next;
	}
	struct buf whole = BUF_NULL;
	buf_printf(&whole, "{\"t\":<");
	buf_append_slice(&whole, buf_slice(&text));
	buf_append_text(&whole, ">}");
	secret_mask(&whole);
	check(&whole, way);
	buf_deinit(&whole);
	buf_deinit(&text);
	secret_unregister(secret);
	return 0;
}
