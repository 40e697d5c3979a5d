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
