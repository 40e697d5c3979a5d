/*
 * The splitter against jansson: both accept or refuse the same texts, find the same values at the
 * same pointers and the same records. Where the splitter deliberately takes more (splitter.c says
 * why) the text is made acceptable to jansson first, or jansson's own message shows that the
 * difference is the documented one.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/json.h"
#include "source/splitter.h"

#define MAX_DEPTH 100 /* both have a limit; neither is what is compared here */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const texts[] = {"/a", "/a/b", "/list/1", "", "/\"q"};
enum { N_ENVELOPE = 5, N_FIELDS = 4 };
static const char *const field_texts[] = {"/a", "/b/c", "/0", ""};

static struct pointer envelope[N_ENVELOPE], fields[N_FIELDS], records;
static struct splitter_plan *plan;

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
	plan = splitter_plan_new(&(struct splitter_wanted){
		&records, false, envelope_refs, N_ENVELOPE, field_refs, N_FIELDS});
}

static unsigned depth_of(const char *text, size_t size)
{
	unsigned depth = 0, most = 0;
	for (size_t i = 0; i < size; i++) {
		depth += text[i] == '{' || text[i] == '[';
		most = depth > most ? depth : most;
	}
	return most;
}

/* jansson refuses these, the splitter does not: it converts no number and passes escapes on. */
static bool is_documented(const json_error_t *error)
{
	static const char *const messages[] = {"real number overflow", "too big integer",
		"too big negative integer", "invalid Unicode", "NUL byte in object key"};
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
		if (strstr(error->text, messages[i]))
			return true;
	return false;
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

static void compare_records(const struct split *split, json_t *root)
{
	json_t *array = pointer_find(&records, root);
	assert((split->array == SPLIT_ARRAY_ABSENT) == (array == NULL));
	assert((split->array == SPLIT_ARRAY_FOUND) == json_is_array(array));
	assert(split->n_elements == json_array_size(array));
	for (size_t i = 0; i < split->n_elements; i++) {
		json_t *element = json_array_get(array, i);
		compare(split->elements[i].raw, element);
		for (size_t j = 0; j < N_FIELDS; j++)
			compare(split->fields[i * N_FIELDS + j], pointer_find(&fields[j], element));
		struct buf text = BUF_NULL;
		json_minify(split->elements[i].raw, &text);
		assert(split->elements[i].spaced == (text.size != split->elements[i].raw.size));
		buf_deinit(&text);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct split split = SPLIT_NULL;
	struct fault fault;
	json_error_t error;
	const char *text = (const char *)data;
	if (!plan)
		make_plan();
	if (depth_of(text, size) > MAX_DEPTH)
		return 0;
	int r = splitter_run(plan, (struct slice){text, size}, &split, &fault);
	if (size && memchr(text, '\0', size)) {
		assert(r != 0); /* jansson passes over some raw NUL bytes */
		split_deinit(&split);
		return 0;
	}
	json_t *root = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	if (root) {
		assert(r == 0);
		for (size_t i = 0; i < N_ENVELOPE; i++)
			compare(split.envelope[i], pointer_find(&envelope[i], root));
		compare_records(&split, root);
	} else {
		assert(r != 0 || is_documented(&error));
	}
	json_decref(root);
	split_deinit(&split);
	return 0;
}
