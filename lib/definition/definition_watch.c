/* [watch] of a definition: a request beside the polls, whose response shows what a list of records
 * cannot, such as an audit log that is switched off. */
#include "definition/definition_internal.h"

static void read_warning(struct definition_reader *reader, struct ini_section *section)
{
	struct definition *definition = reader->definition;
	const struct watch_options *options = &definition->watch;
	if (!options->warn)
		reader_fault(reader, section, NULL,
			"[watch] needs `warn`: a condition on the response, such as /enabled = false");
	else
		reader_condition(reader, section, "warn", options->warn, &definition->watch_warn);
	if (!options->text || !options->text[0])
		reader_fault(reader, section, "text",
			"[watch] needs `text`: what the log says while the condition holds");
}

void reader_watch(struct definition_reader *reader)
{
	struct definition *definition = reader->definition;
	struct ini_section *section = reader_variant(reader, "watch");
	if (!section)
		return;
	for (size_t i = 0; i < section->n_entries; i++)
		section->entries[i].used |= reader_is_request_key(section->entries[i].key);
	definition->watches = true;
	reader_options(reader, &rows_watch, section, &definition->watch, reader_request_keys);
	reader_request(reader, section, &definition->watch_request);
	read_warning(reader, section);
}
