/* See pointer.h. */
#include "base/pointer.h"

#include <string.h>

#include "base/mem.h"
#include "base/number.h"

/* RFC 6901 section 4: digits without a leading zero, or the zero itself. */
static int64_t token_index(struct slice name)
{
	int64_t index;
	if (name.size == 0 || name.data[0] == '-' || (name.size > 1 && name.data[0] == '0') ||
		number_parse(name, 0, INT32_MAX, &index))
		return -1;
	return index;
}

static int token_parse(struct pointer_token *ret, struct slice text)
{
	char *name = mem_alloc(text.size + 1);
	size_t size = 0;
	for (size_t i = 0; i < text.size; i++) {
		char c = text.data[i];
		if (c == '~') {
			if (++i == text.size || (text.data[i] != '0' && text.data[i] != '1')) {
				free(name);
				return POINTER_E_SYNTAX;
			}
			c = text.data[i] == '0' ? '~' : '/';
		}
		name[size++] = c;
	}
	*ret = (struct pointer_token){name, size, token_index((struct slice){name, size})};
	return 0;
}

int pointer_parse(struct pointer *ret, struct slice text)
{
	struct pointer pointer = {.text = mem_strndup(text.data, text.size)};
	size_t capacity = 0;
	if (text.size && (text.data[0] != '/' || memchr(text.data, '\0', text.size))) {
		pointer_deinit(&pointer);
		return POINTER_E_SYNTAX;
	}
	while (text.size) {
		text = (struct slice){text.data + 1, text.size - 1};
		const char *end = memchr(text.data, '/', text.size);
		size_t size = end ? (size_t)(end - text.data) : text.size;
		pointer.tokens = mem_grow(
			pointer.tokens, pointer.n_tokens, &capacity, sizeof(struct pointer_token));
		if (token_parse(
			    &pointer.tokens[pointer.n_tokens], (struct slice){text.data, size})) {
			pointer_deinit(&pointer);
			return POINTER_E_SYNTAX;
		}
		pointer.n_tokens++;
		text = (struct slice){text.data + size, text.size - size};
	}
	*ret = pointer;
	return 0;
}

void pointer_deinit(struct pointer *pointer)
{
	for (size_t i = 0; i < pointer->n_tokens; i++)
		free(pointer->tokens[i].name);
	free(pointer->tokens);
	free(pointer->text);
	*pointer = POINTER_NULL;
}

json_t *pointer_find(const struct pointer *pointer, json_t *root)
{
	for (size_t i = 0; root && i < pointer->n_tokens; i++) {
		const struct pointer_token *token = &pointer->tokens[i];
		if (json_is_object(root))
			root = json_object_get(root, token->name);
		else if (json_is_array(root) && token->index >= 0)
			root = json_array_get(root, (size_t)token->index);
		else
			root = NULL;
	}
	return root;
}

static void find_from(const struct pointer *pointer, size_t at, json_t *value,
	pointer_found_fn found, void *userdata)
{
	if (!value)
		return;
	if (at == pointer->n_tokens) {
		found(value, userdata);
		return;
	}
	const struct pointer_token *token = &pointer->tokens[at];
	bool any = strcmp(token->name, "*") == 0;
	const char *name;
	json_t *inner;
	size_t i;
	if (any && json_is_object(value))
		json_object_foreach(value, name, inner)
			find_from(pointer, at + 1, inner, found, userdata);
	else if (any && json_is_array(value))
		json_array_foreach(value, i, inner)
			find_from(pointer, at + 1, inner, found, userdata);
	else if (json_is_object(value))
		find_from(pointer, at + 1, json_object_get(value, token->name), found, userdata);
	else if (json_is_array(value) && token->index >= 0)
		find_from(pointer, at + 1, json_array_get(value, (size_t)token->index), found,
			userdata);
}

void pointer_find_each(
	const struct pointer *pointer, json_t *root, pointer_found_fn found, void *userdata)
{
	find_from(pointer, 0, root, found, userdata);
}
