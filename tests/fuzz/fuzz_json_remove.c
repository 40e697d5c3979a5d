/* Members cut out of any JSON text: what is left is JSON, the pointers find nothing in it, and a
 * second cut finds nothing. */
#include "base/json_remove.h"

#include "base/json_scanner.h"
#include "fuzz.h"

static const char *const texts[] = {"/a", "/b/c", "/l/1", "/a~1b", "/"};
enum { N_TEXTS = sizeof(texts) / sizeof(texts[0]) };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct json_remove *remove;
	static struct json_scanner *plan;
	static struct pointer pointers[N_TEXTS];
	static const struct pointer *wanted[N_TEXTS];
	struct json_scan scan = JSON_SCAN_NULL;
	struct buf out = BUF_NULL, again = BUF_NULL;
	struct slice text = fuzz_input(data, size);

	if (!plan) {
		struct str_list list = STR_LIST_NULL;
		for (size_t i = 0; i < N_TEXTS; i++) {
			str_list_add(&list, texts[i]);
			assert(pointer_parse(&pointers[i], slice_of(texts[i])) == 0);
			wanted[i] = &pointers[i];
		}
		assert(json_remove_new(&remove, &list, NULL) == 0);
		str_list_deinit(&list);
		plan = json_scanner_new(
			&(struct json_scanner_wanted){.envelope = wanted, .n_envelope = N_TEXTS});
	}
	if (json_scanner_run(plan, text, &scan, NULL) == 0 &&
		json_remove_run(remove, text, &out) != 0) {
		assert(out.size < text.size);
		assert(json_scanner_run(plan, buf_slice(&out), &scan, NULL) == 0);
		/* elements of arrays have moved */
		for (size_t i = 0; i < N_TEXTS; i++)
			assert(!scan.envelope[i].data || i == 2);
		json_remove_run(remove, buf_slice(&out), &again);
	}
	json_scan_deinit(&scan);
	buf_deinit(&out);
	buf_deinit(&again);
	return 0;
}
