/*
 * the JSON scanner against jansson: both accept or refuse the same texts, find the same values at
 * the same pointers and the same records. Where the JSON scanner deliberately takes more
 * (json_scanner.c says why) the text is rewritten first into one that jansson takes if and only if
 * the difference is a documented one: so these texts are compared, too. A body of lines is held
 * against its lines.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/json_scanner.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const texts[] = {"/a", "/a/b", "/list/1", "", "/\"q"};
enum { N_ENVELOPE = 5, N_FIELDS = 4 };
static const char *const field_texts[] = {"/a", "/b/c", "/0", ""};

static struct pointer envelope[N_ENVELOPE], fields[N_FIELDS], records;
static struct json_scanner *plan, *line_plan, *lines_plan;

static void make_plan(void)
{
	const struct pointer *envelope_refs[N_ENVELOPE], *field_refs[N_FIELDS];
	for (size_t i = 0; i < N_ENVELOPE; i++) {
		assert(pointer_parse(&envelope[i], slice_of(texts[i])) == 0);
		envelope_refs[i] = &envelope[i];
	}
	for (size_t i = 0; i < N_FIELDS; i++) {
		assert(pointer_parse(&fields[i], slice_of(field_texts[i])) == 0);
		field_refs[i] = &fields[i];
	}
	assert(pointer_parse(&records, SLICE("/r")) == 0);
	plan = json_scanner_new(&(struct json_scanner_wanted){
		&records, false, envelope_refs, N_ENVELOPE, field_refs, N_FIELDS});
	line_plan = json_scanner_new(
		&(struct json_scanner_wanted){.envelope = envelope_refs, .n_envelope = N_ENVELOPE});
	lines_plan = json_scanner_new(
		&(struct json_scanner_wanted){NULL, true, NULL, 0, field_refs, N_FIELDS});
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int hex_of(char c)
{
	const char digits[] = "0123456789abcdef", *at = strchr(digits, c | 0x20);
	return at && ((c >= '0' && c <= '9') || c >= 'A') ? (int)(at - digits) : -1;
}

/* The value of `\uXXXX` at P, or -1. */
static int unicode_escape(const char *p, const char *end)
{
	int value = 0;
	if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
		return -1;
	for (int i = 2; i < 6; i++) {
		int digit = hex_of(p[i]);
		if (digit < 0)
			return -1;
		value = value << 4 | digit;
	}
	return value;
}

/* One escape of a string; half a surrogate pair and U+0000 become what jansson takes everywhere. */
static const char *rewrite_escape(const char *p, const char *end, struct buf *out)
{
	int value = unicode_escape(p, end), low;
	if (value < 0) {
		size_t size = end - p > 1 ? 2 : 1;
		buf_append(out, p, size);
		return p + size;
	}
	low = unicode_escape(p + 6, end);
	if (value >= 0xd800 && value < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
		buf_append(out, p, 12);
		return p + 12;
	}
	if (value >= 0xd800 && value < 0xe000)
		buf_append_text(out, "\\ufffd");
	else if (value == 0)
		buf_append_text(out, "\\u0001");
	else
		buf_append(out, p, 6);
	return p + 6;
}

/* A number keeps its shape and loses its size: 15 digits at most, an exponent of zeros. */
static const char *rewrite_number(const char *p, const char *end, struct buf *out)
{
	bool exponent = false;
	unsigned n = 0;
	for (; p < end && (is_digit(*p) || (*p && strchr("+-.eE", *p))); p++) {
		if (!is_digit(*p)) {
			exponent |= *p == 'e' || *p == 'E';
			n = 0;
			buf_append_char(out, *p);
		} else if (n++ < 15) {
			buf_append_char(out, exponent ? '0' : *p);
		}
	}
	return p;
}

static void rewrite(struct slice text, struct buf *out)
{
	const char *p = text.data, *end = p + text.size;
	bool in_string = false;
	while (p < end) {
		if (in_string && *p == '\\') {
			p = rewrite_escape(p, end, out);
		} else if (!in_string && (is_digit(*p) || *p == '-')) {
			p = rewrite_number(p, end, out);
		} else if (in_string && (signed char)*p < 0) {
			size_t size = utf8_size(p, (size_t)(end - p));
			if (size)
				buf_append(out, p, size);
			else
				buf_append_char(out, '?');
			p += size ? size : 1;
		} else {
			in_string ^= *p == '"';
			buf_append_char(out, *p++);
		}
	}
}

/* Equal as jansson sees them: SLICE is parsed by jansson, too. */
static void compare(struct slice slice, json_t *expected)
{
	json_error_t error;
	assert((slice.data != NULL) == (expected != NULL));
	if (!expected)
		return;
	json_t *found =
		json_loadb(slice.data, slice.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	assert(found && json_equal(found, expected));
	json_decref(found);
	struct buf text = BUF_NULL;
	json_minify(slice, &text);
	found = json_loadb(text.data, text.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	assert(found && json_equal(found, expected));
	json_decref(found);
	if (json_is_string(expected)) {
		buf_clear(&text);
		json_decode(slice, &text);
		assert(text.size == json_string_length(expected) &&
			memcmp(text.data ? text.data : "", json_string_value(expected),
				text.size) == 0);
		buf_clear(&text);
		json_encode(
			(struct slice){json_string_value(expected), json_string_length(expected)},
			&text);
		found = json_loadb(text.data, text.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
		assert(found && json_equal(found, expected));
		json_decref(found);
	}
	buf_deinit(&text);
}

static void compare_records(const struct json_scan *scan, json_t *root)
{
	json_t *array = pointer_find(&records, root);
	assert((scan->array == JSON_SCAN_ARRAY_ABSENT) == (array == NULL));
	assert((scan->array == JSON_SCAN_ARRAY_FOUND) == json_is_array(array));
	assert(scan->n_elements == json_array_size(array));
	for (size_t i = 0; i < scan->n_elements; i++) {
		json_t *element = json_array_get(array, i);
		compare(scan->elements[i].raw, element);
		for (size_t j = 0; j < N_FIELDS; j++)
			compare(scan->fields[i * N_FIELDS + j], pointer_find(&fields[j], element));
		struct buf text = BUF_NULL;
		json_minify(scan->elements[i].raw, &text);
		assert(scan->elements[i].spaced == (text.size != scan->elements[i].raw.size));
		buf_deinit(&text);
	}
}

/* TEXT is one that both take. */
static void compare_values(const struct json_scan *scan, json_t *root)
{
	for (size_t i = 0; i < N_ENVELOPE; i++)
		compare(scan->envelope[i], pointer_find(&envelope[i], root));
	compare_records(scan, root);
}

static unsigned n_openings(struct slice text)
{
	unsigned n = 0;
	for (size_t i = 0; i < text.size; i++)
		n += text.data[i] == '{' || text.data[i] == '[';
	return n;
}

/* Records that an equal key would replace: jansson takes the later ones. */
static bool came_twice(int r, const struct fault *fault)
{
	return r && strstr(fault->text, "the array of records comes twice");
}

static void check_document(struct slice text)
{
	struct json_scan scan = JSON_SCAN_NULL;
	struct fault fault;
	struct buf taken = BUF_NULL;
	int r = json_scanner_run(plan, text, &scan, &fault);
	if (r && fault.class == FAULT_LIMIT) {
		assert(n_openings(text) > JSON_SCANNER_MAX_DEPTH);
	} else if (came_twice(r, &fault)) {
		assert(n_openings(text) > 1);
	} else if (text.size && memchr(text.data, '\0', text.size)) {
		assert(r != 0); /* jansson passes over some raw NUL bytes */
	} else {
		json_t *root =
			json_loadb(text.data, text.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		assert(!root || r == 0);
		if (root)
			compare_values(&scan, root);
		rewrite(text, &taken);
		json_t *other = json_loadb(
			buf_text(&taken), taken.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		assert((other != NULL) == (r == 0));
		if (other && !root) {
			assert(json_scanner_run(plan, buf_slice(&taken), &scan, &fault) == 0);
			compare_values(&scan, other);
		}
		json_decref(other);
		json_decref(root);
	}
	buf_deinit(&taken);
	json_scan_deinit(&scan);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct slice trim(struct slice text)
{
	while (text.size && is_space(text.data[0]))
		text = (struct slice){text.data + 1, text.size - 1};
	while (text.size && is_space(text.data[text.size - 1]))
		text.size--;
	return text;
}

/* A body of lines is taken if each line is, and yields each line that is not blank. */
static void check_lines(struct slice text)
{
	struct json_scan scan = JSON_SCAN_NULL, single = JSON_SCAN_NULL;
	struct fault fault;
	bool good = true;
	size_t n = 0;
	int r = json_scanner_run(lines_plan, text, &scan, &fault);
	while (text.size && good) {
		const char *feed = memchr(text.data, '\n', text.size);
		size_t size = feed ? (size_t)(feed - text.data) : text.size;
		struct slice line = trim((struct slice){text.data, size});
		text = (struct slice){
			text.data + size + (feed != NULL), text.size - size - (feed != NULL)};
		if (line.size == 0)
			continue;
		good = json_scanner_run(line_plan, line, &single, &fault) == 0;
		assert(!good || r != 0 || slice_equal(scan.elements[n].raw, line));
		n++;
	}
	assert((r == 0) == good);
	assert(r != 0 || scan.n_elements == n);
	json_scan_deinit(&scan);
	json_scan_deinit(&single);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = {(const char *)data, size};
	if (!plan)
		make_plan();
	check_document(text);
	check_lines(text);
	return 0;
}
