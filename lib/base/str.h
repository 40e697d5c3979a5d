/* Text helpers that the C library lacks. */
#ifndef TRAWLD_BASE_STR_H
#define TRAWLD_BASE_STR_H

#include "base/slice.h"

/* Without white space (space, tab, CR, LF) at both ends. */
struct slice str_trim(struct slice text);

/* "" for one, "s" for any other number: printf("%zu record%s", n, str_plural(n)). */
const char *str_plural(unsigned long long n);

/* Is TEXT a token of HTTP (RFC 9110 section 5.6.2): the name of a header, a method? */
bool str_is_token(const char *text);

bool str_starts(const char *text, const char *prefix);
bool str_ends(const char *text, const char *suffix);

/* A list of strings, owned. */
struct str_list {
	char **items;
	size_t n_items;
	size_t capacity;
};

#define STR_LIST_NULL ((struct str_list){0})

void str_list_deinit(struct str_list *list);
void str_list_add(struct str_list *list, const char *text); /* copies */
bool str_list_has(const struct str_list *list, const char *text);
/* Splits at SEPARATOR, trims each part, leaves empty parts out, appends copies to LIST. */
void str_list_split(struct str_list *list, struct slice text, char separator);

/* Takes the next part up to SEPARATOR off *REST (trimmed). False when *REST is used up. */
bool str_next_part(struct slice *rest, char separator, struct slice *ret_part);

/* Shell-like match of the whole TEXT: '*' any run, '?' one byte, '[' is literal; '\' takes the next
 * character as it is. Linear in practice: no exponential backtracking. */
bool str_glob(const char *pattern, struct slice text);

/* The candidate with the smallest edit distance to NAME (transposition counts one), or NULL when
 * none is near enough to be meant (distance above 1/3 of the length, at least 2 allowed from 4
 * letters on). */
const char *str_nearest(const char *name, const char *const *candidates, size_t n_candidates);

/* ": did you mean `x`?" to end a message with, or "" when no candidate is near; the caller frees.
 */
char *str_hint(const char *name, const char *const *candidates, size_t n_candidates);
/* The same, but where none is near, all of them: "; expected one of file, http". */
char *str_hint_or_all(const char *name, const char *const *candidates, size_t n_candidates);

#endif
