#include "base/json_remove.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/json_skip.h"
#include "base/mem.h"
#include "base/pointer.h"

struct json_remove {
	struct pointer *pointers;
	size_t n_pointers;
	size_t print_max;
};

/* On its way through a value. */
struct cut {
	const struct json_remove *remove;
	const char *p, *end;
	struct buf *out;
	struct buf scratch; /* a key without its escapes */
	uint64_t removed;
};

/* What the pointers say of one member or element. */
struct aim {
	uint64_t whole; /* mean it */
	uint64_t inside; /* mean a value in it */
};

int json_remove_new(struct json_remove **ret, const struct str_list *pointers, struct fault *reterr)
{
	CLEANUP(buf_deinit) struct buf text = BUF_NULL;
	struct json_remove *remove = MEM_NEW(struct json_remove);

	remove->pointers = mem_array(pointers->n_items, sizeof(*remove->pointers));
	for (size_t i = 0; i < pointers->n_items; i++) {
		const char *item = pointers->items[i];
		int r = pointer_parse(&remove->pointers[i], slice_of(item));

		if (!r)
			remove->n_pointers++;
		if (r || *item == '\0' || i == JSON_REMOVE_MAX) {
			json_remove_free(remove);
			return i == JSON_REMOVE_MAX
				       ? fault_set(reterr, FAULT_CONFIG,
						 "remove: more than %d JSON Pointers",
						 JSON_REMOVE_MAX)
				       : fault_set(reterr, FAULT_CONFIG,
						 "remove: `%s` is not a JSON Pointer to a member (such as /user/email)",
						 item);
		}
	}
	json_remove_print(remove, UINT64_MAX, &text);
	remove->print_max = text.size;
	*ret = remove;
	return 0;
}

void json_remove_free(struct json_remove *remove)
{
	if (!remove)
		return;
	for (size_t i = 0; i < remove->n_pointers; i++)
		pointer_deinit(&remove->pointers[i]);
	free(remove->pointers);
	free(remove);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_space(struct cut *cut)
{
	while (cut->p < cut->end && is_space(*cut->p))
		cut->p++;
}

static void skip_string(struct cut *cut)
{
	cut->p = json_string_end(cut->p + 1, cut->end);
	if (cut->p < cut->end)
		cut->p++;
}

static void skip_container(struct cut *cut)
{
	size_t depth = 0;

	do {
		char c = *cut->p;

		if (c == '"') {
			skip_string(cut);
			continue;
		}
		depth += c == '{' || c == '[';
		depth -= c == '}' || c == ']';
		cut->p++;
	} while (cut->p < cut->end && depth > 0);
}

/* P, at the beginning of a value, moves to its end. */
static struct slice skip_value(struct cut *cut)
{
	const char *begin = cut->p;

	if (*begin == '"')
		skip_string(cut);
	else if (*begin == '{' || *begin == '[')
		skip_container(cut);
	else
		while (cut->p < cut->end && !is_space(*cut->p) && *cut->p != ',' &&
			*cut->p != '}' && *cut->p != ']')
			cut->p++;
	return (struct slice){begin, (size_t)(cut->p - begin)};
}

static bool token_is(const struct pointer_token *token, struct slice name)
{
	return token->size == name.size && memcmp(token->name, name.data, name.size) == 0;
}

/* NAME.data is NULL: the INDEX-th element of an array. */
static struct aim find_aim(
	const struct cut *cut, uint64_t active, size_t depth, struct slice name, int64_t index)
{
	struct aim aim = {0};

	for (size_t i = 0; i < cut->remove->n_pointers; i++) {
		const struct pointer *pointer = &cut->remove->pointers[i];
		uint64_t bit = (uint64_t)1 << i;

		if (!(active & bit))
			continue;
		if (name.data ? !token_is(&pointer->tokens[depth], name)
			      : pointer->tokens[depth].index != index)
			continue;
		if (pointer->n_tokens == depth + 1)
			aim.whole |= bit;
		else
			aim.inside |= bit;
	}
	return aim;
}

static void cut_value(struct cut *cut, uint64_t active, size_t depth);

/* At a member or an element; FIRST: nothing of its container is in OUT yet. True: it was kept. */
static bool cut_item(
	struct cut *cut, uint64_t active, size_t depth, bool object, int64_t index, bool first)
{
	struct slice key = SLICE_NULL, name = SLICE_NULL;
	struct aim aim;

	if (object) {
		key = skip_value(cut);
		name = json_content(key, &cut->scratch);
		skip_space(cut);
		cut->p++; /* the colon */
		skip_space(cut);
	}
	aim = find_aim(cut, active, depth, name, index);
	if (aim.whole) {
		cut->removed |= aim.whole;
		skip_value(cut);
		return false;
	}
	if (!first)
		buf_append_char(cut->out, ',');
	if (object) {
		buf_append_slice(cut->out, key);
		buf_append_char(cut->out, ':');
	}
	cut_value(cut, aim.inside, depth + 1);
	return true;
}

static void cut_value(struct cut *cut, uint64_t active, size_t depth)
{
	bool object = *cut->p == '{';
	bool first = true;

	if (!active || (!object && *cut->p != '[')) {
		buf_append_slice(cut->out, skip_value(cut));
		return;
	}
	buf_append_char(cut->out, *cut->p++);
	skip_space(cut);
	for (int64_t index = 0; cut->p < cut->end && *cut->p != '}' && *cut->p != ']'; index++) {
		first = !cut_item(cut, active, depth, object, index, first) && first;
		skip_space(cut);
		if (cut->p < cut->end && *cut->p == ',')
			cut->p++;
		skip_space(cut);
	}
	buf_append_char(cut->out, object ? '}' : ']');
	cut->p++;
}

uint64_t json_remove_run(const struct json_remove *remove, struct slice value, struct buf *out)
{
	size_t size = out->size;
	struct cut cut = {
		.remove = remove,
		.p = value.data,
		.end = value.data + value.size,
		.out = out,
	};

	skip_space(&cut);
	if (cut.p < cut.end)
		cut_value(&cut, UINT64_MAX, 0);
	buf_deinit(&cut.scratch);
	if (!cut.removed)
		out->size = size;
	return cut.removed;
}

void json_remove_print(const struct json_remove *remove, uint64_t removed, struct buf *out)
{
	const char *separator = "[";

	for (size_t i = 0; i < remove->n_pointers; i++) {
		if (!(removed & (uint64_t)1 << i))
			continue;
		buf_append_text(out, separator);
		json_encode(slice_of(remove->pointers[i].text), out);
		separator = ",";
	}
	buf_append_char(out, ']');
}

size_t json_remove_print_max(const struct json_remove *remove)
{
	return remove->print_max;
}
