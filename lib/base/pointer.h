/* JSON Pointer, RFC 6901 (the string form: `/a/b~1c/0`; "" is the whole document). */
#ifndef TRAWLD_BASE_POINTER_H
#define TRAWLD_BASE_POINTER_H

#include "base/slice.h"

#include <jansson.h>

enum {
	POINTER_E_SYNTAX = 1, /* no leading '/', or a '~' not followed by 0 or 1 */
};

struct pointer_token {
	char *name; /* unescaped, NUL-terminated (a NUL cannot be written in a pointer here) */
	size_t size;
	int64_t index; /* the token as an array index (RFC 6901 section 4: no leading zeros), or -1
			*/
};

struct pointer {
	char *text; /* as written */
	struct pointer_token *tokens;
	size_t n_tokens;
};

#define POINTER_NULL ((struct pointer){0})

int pointer_parse(struct pointer *ret, struct slice text);
void pointer_deinit(struct pointer *pointer);
static inline bool pointer_is_set(const struct pointer *pointer)
{
	return pointer->text != NULL;
}

/* The borrowed value inside a jansson tree, or NULL. */
json_t *pointer_find(const struct pointer *pointer, json_t *root);

/* Every value where POINTER leads, with `*` for any member or element, is FOUND. */
typedef void (*pointer_found_fn)(json_t *value, void *userdata);
void pointer_find_each(
	const struct pointer *pointer, json_t *root, pointer_found_fn found, void *userdata);

#endif
