/* See str.h. */
#include "base/str.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice str_trim(struct slice text)
{
	while (text.size && is_space(text.data[0])) {
		text.data++;
		text.size--;
	}
	while (text.size && is_space(text.data[text.size - 1]))
		text.size--;
	return text;
}

const char *str_plural(unsigned long long n)
{
	return n == 1 ? "" : "s";
}

bool str_is_token(const char *text)
{
	static const char allowed[] =
		"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

	return *text && text[strspn(text, allowed)] == '\0';
}

bool str_starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *text, const char *suffix)
{
	size_t size = strlen(text), n = strlen(suffix);
	return size >= n && memcmp(text + size - n, suffix, n) == 0;
}

void str_list_deinit(struct str_list *list)
{
	for (size_t i = 0; i < list->n_items; i++)
		free(list->items[i]);
	free(list->items);
	*list = STR_LIST_NULL;
}

static void list_add(struct str_list *list, char *text)
{
	list->items = mem_grow(list->items, list->n_items, &list->capacity, sizeof(char *));
	list->items[list->n_items++] = text;
}

void str_list_add(struct str_list *list, const char *text)
{
	list_add(list, mem_strdup(text));
}

bool str_list_has(const struct str_list *list, const char *text)
{
	for (size_t i = 0; i < list->n_items; i++)
		if (strcmp(list->items[i], text) == 0)
			return true;
	return false;
}

bool str_next_part(struct slice *rest, char separator, struct slice *ret_part)
{
	if (!rest->data)
		return false;
	const char *end = rest->size ? memchr(rest->data, separator, rest->size) : NULL;
	size_t size = end ? (size_t)(end - rest->data) : rest->size;
	*ret_part = str_trim((struct slice){rest->data, size});
	if (end)
		*rest = (struct slice){end + 1, rest->size - size - 1};
	else
		*rest = SLICE_NULL;
	return true;
}

void str_list_split(struct str_list *list, struct slice text, char separator)
{
	struct slice part;
	while (str_next_part(&text, separator, &part))
		if (part.size)
			list_add(list, mem_strndup(part.data, part.size));
}

/* The classic two-pointer match: on a mismatch only the last '*' is widened, since a later one
 * covers all that an earlier could. */
bool str_glob(const char *pattern, struct slice text)
{
	const char *star = NULL;
	size_t at = 0, star_at = 0;
	for (;;) {
		if (*pattern == '*') {
			star = ++pattern;
			star_at = at;
			continue;
		}
		bool escaped = pattern[0] == '\\' && pattern[1];
		char wanted = escaped ? pattern[1] : pattern[0];
		if (at == text.size && !*pattern)
			return true;
		if (at < text.size && *pattern &&
			((*pattern == '?' && !escaped) || wanted == text.data[at])) {
			pattern += escaped ? 2 : 1;
			at++;
			continue;
		}
		if (!star || star_at >= text.size)
			return false;
		pattern = star;
		at = ++star_at;
	}
}

static size_t min_of(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Optimal string alignment distance: insert, delete, replace, swap of neighbours. */
static size_t distance(const char *a, const char *b)
{
	enum { SIZE = 64 };
	size_t rows[3][SIZE + 1];
	size_t n = strlen(a), m = strlen(b);
	if (n > SIZE || m > SIZE)
		return SIZE_MAX;
	size_t *before = rows[0], *last = rows[1], *now = rows[2];
	for (size_t j = 0; j <= m; j++)
		last[j] = before[j] = j;
	for (size_t i = 1; i <= n; i++) {
		now[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t cost = a[i - 1] != b[j - 1];
			now[j] = min_of(min_of(last[j] + 1, now[j - 1] + 1), last[j - 1] + cost);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = min_of(now[j], before[j - 2] + 1);
		}
		size_t *spare = before;
		before = last;
		last = now;
		now = spare;
	}
	return last[m];
}

const char *str_nearest(const char *name, const char *const *candidates, size_t n_candidates)
{
	size_t size = strlen(name);
	size_t best_distance = size / 3 > 2 ? size / 3 : size >= 4 ? 2 : 1;
	const char *best = NULL;
	for (size_t i = 0; i < n_candidates; i++) {
		size_t d = distance(name, candidates[i]);
		if (d < best_distance || (!best && d == best_distance)) {
			best = candidates[i];
			best_distance = d;
		}
	}
	return best;
}

char *str_hint(const char *name, const char *const *candidates, size_t n_candidates)
{
	const char *nearest = str_nearest(name, candidates, n_candidates);
	return nearest ? mem_printf(": did you mean `%s`?", nearest) : mem_strdup("");
}

char *str_hint_or_all(const char *name, const char *const *candidates, size_t n_candidates)
{
	char *hint = str_hint(name, candidates, n_candidates);
	struct buf out = BUF_NULL;
	if (*hint)
		return hint;
	free(hint);
	for (size_t i = 0; i < n_candidates; i++)
		buf_printf(&out, "%s%s", i ? ", " : "; expected one of ", candidates[i]);
	return buf_take(&out);
}
