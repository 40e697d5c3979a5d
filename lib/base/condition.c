/* See condition.h. */
#include "base/condition.h"

#include "base/mem.h"
#include "base/str.h"

static const struct {
	const char *text;
	enum condition_operator op;
	bool has_glob;
} operators[] = {
	{"!=", CONDITION_NOT_EQUAL, true},
	{"=", CONDITION_EQUAL, true},
	{"present", CONDITION_PRESENT, false},
	{"absent", CONDITION_ABSENT, false},
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
		rest = str_trim((struct slice){rest.data + word.size, rest.size - word.size});
		if (!operators[i].has_glob && rest.size)
			break;
		if (operators[i].has_glob && text.data + text.size > after && *after == '=')
			break; /* `==`: a glob never meant, and a test that never holds drops
				  records */
		condition.op = operators[i].op;
		if (operators[i].has_glob)
			condition.glob = mem_strndup(rest.data, rest.size);
		*ret = condition;
		return 0;
	}
	condition_deinit(&condition);
	return CONDITION_E_SYNTAX;
}

void condition_deinit(struct condition *condition)
{
	pointer_deinit(&condition->pointer);
	free(condition->glob);
	*condition = CONDITION_NULL;
}

bool condition_test(const struct condition *condition, struct slice value)
{
	switch (condition->op) {
	case CONDITION_EQUAL:
		return value.data && str_glob(condition->glob, value);
	case CONDITION_NOT_EQUAL:
		return !value.data || !str_glob(condition->glob, value);
	case CONDITION_PRESENT:
		return value.data != NULL;
	case CONDITION_ABSENT:
		return value.data == NULL;
	}
	return false;
}
