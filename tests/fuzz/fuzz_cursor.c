/* A stored cursor: a text is refused, or what it says is printed and read again to the same. */
#include "source/cursor.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(fuzz_input(data, size));
	struct cursor cursor = CURSOR_NULL, again = CURSOR_NULL;
	if (cursor_parse(&cursor, text) == 0) {
		char *printed = cursor_print(&cursor);
		assert(cursor_parse(&again, printed) == 0);
		char *second = cursor_print(&again);
		assert(strcmp(printed, second) == 0);
		free(printed);
		free(second);
		cursor_rewind(&again, 0);
	}
	cursor_deinit(&cursor);
	cursor_deinit(&again);
	free(text);
	return 0;
}
