/* A condition on the first line, a value that it is tested with on the second, then a JSON text in
 * which its pointer is looked for. */
#include "base/condition.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = fuzz_input(data, size);
	struct slice text = fuzz_line(&rest), value = fuzz_line(&rest);
	struct condition condition = CONDITION_NULL;
	struct pointer pointer = POINTER_NULL;
	if (condition_parse(&condition, text) == 0) {
		bool absent = condition_test(&condition, SLICE_NULL);
		assert(absent ==
			(condition.op == CONDITION_NOT_EQUAL || condition.op == CONDITION_ABSENT));
		condition_test(&condition, value);
		json_t *root = json_loadb(rest.data, rest.size, JSON_DECODE_ANY, NULL);
		if (root)
			pointer_find(&condition.pointer, root);
		json_decref(root);
		condition_deinit(&condition);
	}
	if (pointer_parse(&pointer, text) == 0) {
		for (size_t i = 0; i < pointer.n_tokens; i++)
			assert(strlen(pointer.tokens[i].name) <= text.size);
		pointer_deinit(&pointer);
	}
	return 0;
}
