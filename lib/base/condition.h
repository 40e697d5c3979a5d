/*
 * A test on a JSON value: `/pointer = glob`, `/pointer != glob`, `/pointer present`, `/pointer
 * absent`. A string is matched by its decoded content, a number, true, false and null by their
 * text, an object or array by its own JSON text. An absent member fulfils `!=` and `absent` only.
 * A glob that begins with '=' is written behind a blank; `==` is a fault.
 */
#ifndef TRAWLD_BASE_CONDITION_H
#define TRAWLD_BASE_CONDITION_H

#include "base/pointer.h"

enum condition_operator {
	CONDITION_EQUAL,
	CONDITION_NOT_EQUAL,
	CONDITION_PRESENT,
	CONDITION_ABSENT
};

struct condition {
	struct pointer pointer;
	enum condition_operator op;
	char *glob; /* NULL for present and absent */
};

#define CONDITION_NULL ((struct condition){0})

enum {
	CONDITION_E_SYNTAX = 1,
};

int condition_parse(struct condition *ret, struct slice text);
void condition_deinit(struct condition *condition);
/* VALUE: the text to match as said above, or SLICE_NULL when the pointer leads nowhere. */
bool condition_test(const struct condition *condition, struct slice value);

#endif
