/* The INI reader takes any text: no crash, and what was read holds together (each entry has a key
 * and a line inside the text). */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "conf/ini.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ini ini = INI_NULL;
	struct findings findings = FINDINGS_NULL;
	unsigned n_lines = 1;
	for (size_t i = 0; i < size; i++)
		n_lines += data[i] == '\n';
	int r = ini_read_text(&ini, "fuzz", (const char *)data, size, &findings);
	assert((r == 0) == (findings.n_items == 0));
	for (size_t i = 0; i < findings.n_items; i++)
		assert(findings.items[i].line <= n_lines);
	for (size_t i = 0; i < ini.n_sections; i++) {
		const struct ini_section *section = &ini.sections[i];
		assert(section->kind[0] && section->line >= 1 && section->line <= n_lines);
		for (size_t j = 0; j < section->n_entries; j++) {
			const struct ini_entry *entry = &section->entries[j];
			assert(entry->key[0] && entry->line >= section->line &&
				entry->line <= n_lines);
			assert(strlen(entry->value) <= size);
		}
	}
	ini_deinit(&ini);
	findings_deinit(&findings);
	return 0;
}
