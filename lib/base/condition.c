/* See condition.h. */
#include "base/condition.h"

#include "base/cleanup.h"
#include "base/mem.h"

static const struct {
	const char *text;
	enum condition_operator op;
	enum { NOTHING, GLOB, GLOBS } operand;
} operators[] = {
	{"!=", CONDITION_NOT_EQUAL, GLOB},
	{"=", CONDITION_EQUAL, GLOB},
	{"in", CONDITION_IN, GLOBS},
	{"present", CONDITION_PRESENT, NOTHING},
	{"absent", CONDITION_ABSENT, NOTHING},
};

int condition_parse(struct condition *ret, struct slice text)
{
	struct condition condition = CONDITION_NULL;
	text = str_trim(text);
	size_t size = 0;
	while (size < text.size && text.data[size] != ' ' && text.data[size] != '\t')
		size++;
	struct slice rest = str_trim((struct slice){text.data + size, text.size - size});
	if (size == 0 || pointer_parse(&condition.pointer, (struct slice){text.data, size}))
		return CONDITION_E_SYNTAX;
	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
		struct slice word = slice_of(operators[i].text);
		if (rest.size < word.size || memcmp(rest.data, word.data, word.size) != 0)
			continue;
		const char *after = rest.data + word.size;
		bool ends = after == text.data + text.size;
		rest = str_trim((struct slice){rest.data + word.size, rest.size - word.size});
		if (operators[i].operand == NOTHING && rest.size)
			break;
		if (operators[i].operand == GLOB && !ends && *after == '=')
			break; /* `==`: a glob never meant, and a test that never holds drops
				  records */
		if (operators[i].operand == GLOBS && !ends && *after != ' ' && *after != '\t')
			break;
		condition.op = operators[i].op;
		if (operators[i].operand == GLOBS)
			str_list_split(&condition.globs, rest, ',');
		if (operators[i].operand == GLOB) {
			char *glob CLEANUP_FREE = mem_strndup(rest.data, rest.size);
			str_list_add(&condition.globs, glob);
		}
		*ret = condition;
		return 0;
	}
	condition_deinit(&condition);
	return CONDITION_E_SYNTAX;
}

bool condition_next_part(struct slice *rest, struct slice *ret, bool *ret_joined)
{
	static const char word[] = "and";
	const size_t size = sizeof(word) - 1;
	if (!rest->data)
		return false;
	*ret = *rest;
	*ret_joined = false;
	for (size_t i = 1; i + size + 1 < rest->size && !*ret_joined; i++) {
		const char *at = rest->data + i;
		struct slice after = {at + size, rest->size - i - size};
		*ret_joined = (at[-1] == ' ' || at[-1] == '\t') && memcmp(at, word, size) == 0 &&
			      (after.data[0] == ' ' || after.data[0] == '\t') &&
			      str_trim(after).size && str_trim(after).data[0] == '/';
		if (!*ret_joined)
			continue;
		*ret = str_trim((struct slice){rest->data, i});
		*rest = after;
	}
	if (!*ret_joined)
		*rest = SLICE_NULL;
	return true;
}

size_t condition_count_parts(const struct str_list *lines)
{
	size_t n = 0;
	for (size_t i = 0; i < lines->n_items; i++) {
		struct slice rest = slice_of(lines->items[i]), part;
		for (bool joined; condition_next_part(&rest, &part, &joined); n++)
			;
	}
	return n;
}

void condition_deinit(struct condition *condition)
{
	pointer_deinit(&condition->pointer);
	str_list_deinit(&condition->globs);
	*condition = CONDITION_NULL;
}

void conditions_free(struct condition *conditions, size_t n)
{
	for (size_t i = 0; i < n; i++)
		condition_deinit(&conditions[i]);
	free(conditions);
}

static bool matches(const struct condition *condition, struct slice value)
{
	for (size_t i = 0; i < condition->globs.n_items; i++)
		if (str_glob(condition->globs.items[i], value))
			return true;
	return false;
}

bool condition_test(const struct condition *condition, struct slice value)
{
	switch (condition->op) {
	case CONDITION_EQUAL:
	case CONDITION_IN:
		return value.data && matches(condition, value);
	case CONDITION_NOT_EQUAL:
		return !value.data || !matches(condition, value);
	case CONDITION_PRESENT:
		return value.data != NULL;
	case CONDITION_ABSENT:
		return value.data == NULL;
	}
	return false;
}
