/* A stored cursor: a text is refused, or what it says is printed and read again to the same. */
#include "source/place.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(fuzz_input(data, size));
	struct place place = PLACE_NULL, again = PLACE_NULL;
	if (place_parse(&place, text) == 0) {
		char *printed = place_print(&place);
		assert(place_parse(&again, printed) == 0);
		char *second = place_print(&again);
		assert(strcmp(printed, second) == 0);
		free(printed);
		free(second);
		place_rewind(&again, 0);
	}
	place_deinit(&place);
	place_deinit(&again);
	free(text);
	return 0;
}
