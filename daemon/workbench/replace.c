/* See replace.h. */
#include "workbench/replace.h"

#include <jansson.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"

void replacements_deinit(struct replacements *replacements)
{
	str_list_deinit(&replacements->texts);
}

/* Words of a closed set (`true`, an event's type) would be better kept, but nothing tells them from
 * a name. */
static char *replace_text(struct replacements *replacements, const char *text)
{
	struct str_list *texts = &replacements->texts;
	size_t at = 0;
	while (at < texts->n_items && strcmp(texts->items[at], text) != 0)
		at++;
	if (at == texts->n_items)
		str_list_add(texts, text);
	return mem_printf("text-%zu", at + 1);
}

static void replace_value(struct replacements *replacements, json_t *value)
{
	const char *key;
	json_t *member;
	size_t i;
	if (json_is_string(value) && json_string_length(value)) {
		char *text CLEANUP_FREE = replace_text(replacements, json_string_value(value));
		json_string_set(value, text);
	}
	json_array_foreach(value, i, member) replace_value(replacements, member);
	json_object_foreach(value, key, member) replace_value(replacements, member);
}

/* The value at POINTER stays what it was in ORIGINAL. */
static void keep(const struct pointer *pointer, json_t *original, json_t *changed)
{
	json_t *from = pointer_is_set(pointer) ? pointer_find(pointer, original) : NULL;
	json_t *to = from ? pointer_find(pointer, changed) : NULL;
	if (json_is_string(from) && json_is_string(to))
		json_string_set(to, json_string_value(from));
}

static void keep_text(const char *text, json_t *original, json_t *changed)
{
	struct pointer pointer = POINTER_NULL;
	if (text && pointer_parse(&pointer, slice_of(text)) == 0)
		keep(&pointer, original, changed);
	pointer_deinit(&pointer);
}

static void keep_cursor(const struct cursor_definition *cursor, json_t *original, json_t *element)
{
	if (cursor->kind != CURSOR_LAST)
		return;
	keep(&cursor->pointer, original, element);
	for (size_t i = 0; i < cursor->n_more; i++)
		keep(&cursor->more[i], original, element);
}

static void replace_element(
	struct replacements *replacements, const struct definition *definition, json_t *element)
{
	json_t *original = json_deep_copy(element);
	replace_value(replacements, element);
	for (size_t i = 0; i < definition->n_records_id; i++)
		keep(&definition->records_id[i], original, element);
	for (size_t i = 0; i < definition->n_records_time; i++)
		keep(&definition->records_time[i], original, element);
	keep(&definition->fetch_from, original, element);
	for (size_t i = 0; i < definition->n_conditions; i++)
		keep(&definition->conditions[i].pointer, original, element);
	keep_cursor(&definition->page_cursor, original, element);
	keep_cursor(&definition->resume_cursor, original, element);
	keep_text(definition->fetch.time, original, element);
	json_decref(original);
}

static bool replace_array(
	struct replacements *replacements, const struct definition *definition, json_t *array)
{
	json_t *element;
	size_t i;
	if (!json_is_array(array))
		return false;
	json_array_foreach(array, i, element) replace_element(replacements, definition, element);
	return true;
}

static void append_json(json_t *value, struct buf *out)
{
	char *text CLEANUP_FREE = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	if (text)
		buf_append_text(out, text);
}

static void replace_lines(struct replacements *replacements, const struct definition *definition,
	struct slice body, struct buf *out)
{
	struct slice line;
	while (str_next_part(&body, '\n', &line)) {
		json_t *value = json_loadb(line.data, line.size, JSON_DECODE_ANY, NULL);
		if (value)
			replace_element(replacements, definition, value);
		if (value)
			append_json(value, out);
		else
			buf_append_slice(out, line);
		buf_append_char(out, '\n');
		json_decref(value);
	}
}

struct records_found {
	struct replacements *replacements;
	const struct definition *definition;
	bool replaced;
};

/* An array of records, or one of them. */
static void replace_found(json_t *value, void *userdata)
{
	struct records_found *found = userdata;
	if (!replace_array(found->replacements, found->definition, value))
		replace_element(found->replacements, found->definition, value);
	found->replaced = true;
}

void replace_strings(struct replacements *replacements, const struct source *source,
	struct slice body, struct buf *out)
{
	const struct definition *definition = source->definition;
	json_t *root;
	if (definition->records_lines) {
		replace_lines(replacements, definition, body, out);
		return;
	}
	root = json_loadb(body.data, body.size, JSON_DECODE_ANY, NULL);
	struct records_found found = {replacements, definition, false};
	for (size_t i = 0; i < definition->n_records_at; i++)
		pointer_find_each(&definition->records_at[i], root, replace_found, &found);
	bool replaced = found.replaced;
	struct pointer rows = POINTER_NULL;
	if (root && !replaced && definition->fetch.at &&
		pointer_parse(&rows, slice_of(definition->fetch.at)) == 0)
		replaced = replace_array(replacements, definition, pointer_find(&rows, root));
	pointer_deinit(&rows);
	if (replaced)
		append_json(root, out);
	else
		buf_append_slice(out, body);
	json_decref(root);
}
