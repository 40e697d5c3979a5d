/* [parameters]: what a definition asks of the source that uses it, and the values that the source
 * gives. */
#include "source/definition_internal.h"

#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"

/* Takes the next word off TEXT. */
static struct slice take_word(struct slice *text)
{
	*text = str_trim(*text);
	size_t size = 0;
	while (size < text->size && !strchr(" \t\n", text->data[size]))
		size++;
	struct slice word = {text->data, size};
	*text = str_trim((struct slice){text->data + size, text->size - size});
	return word;
}

static void declare(struct definition_reader *reader, struct ini_section *section,
	const struct ini_entry *entry, struct parameter *parameter)
{
	struct slice rest = slice_of(entry->value);
	bool optional = false;
	while (rest.size) {
		struct slice word = take_word(&rest);
		if (slice_is(word, "required"))
			parameter->required = true;
		else if (slice_is(word, "optional"))
			optional = true;
		else if (slice_is(word, "secret"))
			parameter->secret = true;
		else if (slice_is(word, "default")) {
			parameter->default_text = mem_strndup(rest.data, rest.size);
			break;
		} else {
			reader_fault(reader, section, entry->key,
				"parameter `%s`: `%.*s` is not one of: required, optional, secret, "
				"default VALUE",
				entry->key, (int)word.size, word.data);
			return;
		}
	}
	if (parameter->required && parameter->default_text)
		reader_fault(reader, section, entry->key,
			"parameter `%s` is required and has a default: it can be only one of them",
			entry->key);
	else if (!parameter->required && !optional && !parameter->default_text)
		reader_fault(reader, section, entry->key,
			"parameter `%s`: say required, optional or default VALUE", entry->key);
}

static void bind(
	struct definition_reader *reader, struct ini_section *source, struct parameter *parameter)
{
	struct ini_entry *entry = ini_section_find(source, parameter->name);
	if (entry) {
		entry->used = true;
		parameter->file = entry->file;
		parameter->line = entry->line;
		if (entry->value[0])
			parameter->value = mem_strdup(entry->value);
	} else if (parameter->default_text && parameter->default_text[0]) {
		parameter->value = mem_strdup(parameter->default_text);
	}
	if (parameter->value && parameter->secret)
		secret_register(slice_of(parameter->value));
	if (parameter->required && !parameter->value)
		findings_add(reader->findings, source->file, entry ? entry->line : source->line,
			"[source %s] needs `%s`: %s requires it", source->name, parameter->name,
			reader->definition->title ? reader->definition->title
						  : reader->definition->name);
}

void reader_parameters(struct definition_reader *reader, struct ini_section *source)
{
	struct definition *definition = reader->definition;
	struct ini_section *section = ini_find(&definition->ini, "parameters", NULL);
	if (!section)
		return;
	definition->parameters = mem_array(section->n_entries, sizeof(struct parameter));
	for (size_t i = 0; i < section->n_entries; i++) {
		struct parameter *parameter = &definition->parameters[definition->n_parameters++];
		parameter->name = mem_strdup(section->entries[i].key);
		declare(reader, section, &section->entries[i], parameter);
		if (source)
			bind(reader, source, parameter);
		else if (parameter->default_text)
			parameter->value = mem_strdup(parameter->default_text);
	}
}
