/* See workbench/propose_fields.h. */
#include "workbench/propose_fields.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/pointer.h"
#include "base/timestamp.h"

#define DEPTH 5
#define S_MIN INT64_C(946684800) /* 2000-01-01 */
#define S_MAX INT64_C(4102444800) /* 2100-01-01 */

struct array_list {
	struct {
		char *pointer;
		size_t size;
	} items[32];
	size_t n_items;
};

/* `/` and `~` in NAME are escaped. */
static char *child_of(const char *pointer, const char *name)
{
	struct buf text = BUF_NULL;
	buf_printf(&text, "%s/", pointer);
	for (; *name; name++)
		if (*name == '~' || *name == '/')
			buf_append_text(&text, *name == '~' ? "~0" : "~1");
		else
			buf_append_char(&text, *name);
	return buf_take(&text);
}

static void collect_arrays(json_t *value, const char *pointer, int depth, struct array_list *list)
{
	const char *name;
	json_t *member;
	size_t n = json_array_size(value);
	if (json_is_array(value) && n > 0 && json_is_object(json_array_get(value, 0)) &&
		list->n_items < 32) {
		list->items[list->n_items].pointer = mem_strdup(pointer);
		list->items[list->n_items++].size = n;
	}
	if (!json_is_object(value) || depth == DEPTH)
		return;
	json_object_foreach(value, name, member)
	{
		char *child CLEANUP_FREE = child_of(pointer, name);
		collect_arrays(member, child, depth + 1, list);
	}
}

void fields_find_arrays(json_t *root, struct str_list *ret_pointers)
{
	struct array_list list = {.n_items = 0};
	collect_arrays(root, "", 0, &list);
	for (size_t taken = 0; taken < list.n_items; taken++) {
		size_t best = 0;
		for (size_t i = 1; i < list.n_items; i++)
			if (list.items[i].size > list.items[best].size)
				best = i;
		str_list_add(ret_pointers, list.items[best].pointer);
		list.items[best].size = 0;
	}
	for (size_t i = 0; i < list.n_items; i++)
		free(list.items[i].pointer);
}

enum fields_time fields_time_of(struct slice text)
{
	nsec_t time;
	int64_t number;
	if (timestamp_parse_rfc3339(text, &time) == 0)
		return FIELDS_TIME_RFC3339;
	if (number_parse(text, 0, INT64_MAX, &number) != 0)
		return FIELDS_TIME_NONE;
	return number >= S_MIN && number < S_MAX                 ? FIELDS_TIME_S
	       : number >= S_MIN * 1000 && number < S_MAX * 1000 ? FIELDS_TIME_MS
								 : FIELDS_TIME_NONE;
}

/* The text of a string or a number; NULL: neither. The caller frees. */
static char *text_of(const json_t *value)
{
	if (json_is_string(value))
		return mem_strdup(json_string_value(value));
	return json_is_number(value) ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
}

static enum fields_time time_of(const json_t *value)
{
	char *text CLEANUP_FREE = text_of(value);
	return text ? fields_time_of(slice_of(text)) : FIELDS_TIME_NONE;
}

static const char *last_name(const char *pointer)
{
	const char *slash = strrchr(pointer, '/');
	return slash ? slash + 1 : pointer;
}

static bool ends_in(const char *name, const char *word)
{
	size_t size = strlen(name), own = strlen(word);
	return size >= own && strcasecmp(name + size - own, word) == 0;
}

/* How much NAME looks like that of an ID; nested ones are mostly another thing's. */
static int id_score(const char *pointer)
{
	const char *name = last_name(pointer);
	int score = strcasecmp(name, "id") == 0 || strcasecmp(name, "uuid") == 0 ? 4
		    : ends_in(name, "id") || ends_in(name, "uuid")               ? 2
										 : 0;
	return score - (last_name(pointer) != pointer + 1 ? 3 : 0);
}

static int time_score(const char *pointer)
{
	static const char *const words[] = {"time", "timestamp", "date", "created", "published"};
	const char *name = last_name(pointer);
	int score = 0;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		score += strcasestr(name, words[i]) != NULL;
	return 2 * score - (last_name(pointer) != pointer + 1 ? 3 : 0);
}

/* Does each element have a value at POINTER? UNIQUE: all different. KIND: all such times. */
static void look(json_t *array, const char *pointer_text, bool *unique, enum fields_time *kind)
{
	struct pointer pointer = POINTER_NULL;
	json_t *seen = json_object(), *element;
	size_t i;
	*unique = pointer_parse(&pointer, slice_of(pointer_text)) == 0;
	*kind = FIELDS_TIME_NONE;
	json_array_foreach(array, i, element)
	{
		json_t *value = pointer_find(&pointer, element);
		char *text CLEANUP_FREE = value ? text_of(value) : NULL;
		enum fields_time own = value ? time_of(value) : FIELDS_TIME_NONE;
		if (!text || !*text || json_object_get(seen, text))
			*unique = false;
		if (text)
			json_object_set_new_nocheck(seen, text, json_true());
		*kind = i == 0 || own == *kind ? own : FIELDS_TIME_NONE;
	}
	json_decref(seen);
	pointer_deinit(&pointer);
}

static void add_sorted(struct str_list *list, const char *pointer, int (*score)(const char *))
{
	str_list_add(list, pointer);
	for (size_t at = list->n_items - 1;
		at > 0 && score(list->items[at]) > score(list->items[at - 1]); at--) {
		char *other = list->items[at];
		list->items[at] = list->items[at - 1];
		list->items[at - 1] = other;
	}
}

static void look_at_members(
	json_t *array, json_t *object, const char *pointer, int depth, struct fields *ret)
{
	const char *name;
	json_t *member;
	json_object_foreach(object, name, member)
	{
		char *child CLEANUP_FREE = child_of(pointer, name);
		bool unique;
		enum fields_time kind;
		if (json_is_object(member) && depth < 2)
			look_at_members(array, member, child, depth + 1, ret);
		if (!json_is_string(member) && !json_is_integer(member) && !json_is_real(member))
			continue;
		look(array, child, &unique, &kind);
		if (kind != FIELDS_TIME_NONE)
			add_sorted(&ret->times, child, time_score);
		else if (unique && id_score(child) > -3)
			add_sorted(&ret->ids, child, id_score);
	}
}

static bool is_descending(json_t *array, const char *pointer_text)
{
	struct pointer pointer = POINTER_NULL;
	size_t n = json_array_size(array);
	bool descending = false;
	if (n > 1 && pointer_parse(&pointer, slice_of(pointer_text)) == 0) {
		char *first CLEANUP_FREE =
			text_of(pointer_find(&pointer, json_array_get(array, 0)));
		char *last CLEANUP_FREE =
			text_of(pointer_find(&pointer, json_array_get(array, n - 1)));
		descending = first && last && strcmp(first, last) > 0;
	}
	pointer_deinit(&pointer);
	return descending;
}

void fields_of(json_t *array, struct fields *ret)
{
	bool unique;
	*ret = (struct fields){STR_LIST_NULL, STR_LIST_NULL, FIELDS_TIME_NONE, false};
	look_at_members(array, json_array_get(array, 0), "", 0, ret);
	if (ret->times.n_items == 0)
		return;
	look(array, ret->times.items[0], &unique, &ret->time_kind);
	ret->descending = is_descending(array, ret->times.items[0]);
}

void fields_deinit(struct fields *fields)
{
	str_list_deinit(&fields->ids);
	str_list_deinit(&fields->times);
}

static bool is_named(const char *name, const char *const *words)
{
	for (; *words; words++)
		if (strcasestr(name, *words))
			return true;
	return false;
}

static void keep_first(char **field, const char *pointer)
{
	if (!*field)
		*field = mem_strdup(pointer);
}

static void look_around(json_t *value, const char *pointer, int depth, struct page_fields *ret)
{
	static const char *const next[] = {
		"next", "cursor", "continuation", "marker", "token", "after", NULL};
	static const char *const more[] = {"more", "truncated", "hasnext", NULL};
	static const char *const total[] = {"total", NULL};
	const char *name;
	json_t *member;
	if (!json_is_object(value) || depth == DEPTH)
		return;
	json_object_foreach(value, name, member)
	{
		char *child CLEANUP_FREE = child_of(pointer, name);
		const char *text = json_string_value(member);
		bool url = text && (str_starts(text, "https://") || str_starts(text, "http://"));
		if (json_is_boolean(member) && is_named(name, more))
			keep_first(&ret->more, child);
		else if (json_is_integer(member) && is_named(name, total))
			keep_first(&ret->total, child);
		else if (url && is_named(child, next) &&
			 !is_named(name,
				 (const char *const[]){"prev", "last", "first", "self", NULL}))
			keep_first(&ret->url, child);
		else if (text && *text && !url && is_named(name, next))
			keep_first(&ret->cursor, child);
		else
			look_around(member, child, depth + 1, ret);
	}
}

void fields_find_page(json_t *root, struct page_fields *ret)
{
	*ret = (struct page_fields){NULL, NULL, NULL, NULL};
	look_around(root, "", 0, ret);
}

void fields_page_deinit(struct page_fields *fields)
{
	free(fields->url);
	free(fields->cursor);
	free(fields->more);
	free(fields->total);
}
