/*
 * A test on a JSON value: `/pointer = glob`, `/pointer != glob`, `/pointer in GLOB, GLOB ...`,
 * `/pointer present`, `/pointer absent`. A string is matched by its decoded content, a number,
 * true, false and null by their text, an object or array by its own JSON text. An absent member
 * fulfils `!=` and `absent` only. `in` with no glob at all is never fulfilled. A glob that begins
 * with '=' is written behind a blank; `==` is a fault.
 */
#ifndef TRAWLD_BASE_CONDITION_H
#define TRAWLD_BASE_CONDITION_H

#include "base/pointer.h"
#include "base/str.h"

enum condition_operator {
	CONDITION_EQUAL,
	CONDITION_NOT_EQUAL,
	CONDITION_IN,
	CONDITION_PRESENT,
	CONDITION_ABSENT
};

struct condition {
	struct pointer pointer;
	enum condition_operator op;
	struct str_list globs; /* one, for `in` any number, for present and absent none */
	bool joined; /* in a list: holds only together with the next one */
};

/* For messages. */
#define CONDITION_FORMS                                                                            \
	"/pointer = glob, /pointer != glob, /pointer in glob, glob ..., /pointer present, "        \
	"/pointer absent"

#define CONDITION_NULL ((struct condition){0})

enum {
	CONDITION_E_SYNTAX = 1,
};

/* Takes the next condition off a line of a list, `CONDITION and CONDITION ...`; ` and /` always
 * separates. False: none is left. *RET_JOINED: another one follows. */
bool condition_next_part(struct slice *rest, struct slice *ret, bool *ret_joined);
size_t condition_count_parts(const struct str_list *lines);

/* Does one of a list hold? Zeroed, it takes them in their order. */
struct condition_any {
	bool broken, holds;
};

static inline void condition_any_add(
	struct condition_any *any, const struct condition *condition, bool holds)
{
	any->broken |= !holds;
	if (condition->joined)
		return;
	any->holds |= !any->broken;
	any->broken = false;
}

int condition_parse(struct condition *ret, struct slice text);
void condition_deinit(struct condition *condition);
void conditions_free(struct condition *conditions, size_t n); /* the array, too */
/* VALUE: the text to match as said above, or SLICE_NULL when the pointer leads nowhere. */
bool condition_test(const struct condition *condition, struct slice value);

#endif
