/* [parameters]: what a definition asks of the source that uses it, and the values that the source
 * gives. */
#include "definition/definition_internal.h"

#include "base/cleanup.h"
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

/* `choice A, B=b`: the list goes on behind each comma. */
static void declare_choices(struct slice *rest, struct str_list *choices)
{
	bool more = true;
	while (more && rest->size) {
		struct slice word = take_word(rest);
		more = word.data[word.size - 1] == ',' || (rest->size && rest->data[0] == ',');
		str_list_split(choices, word, ',');
	}
}

/* What requests get for TEXT; NULL: it is none of the choices. BY_DEFAULT: a choice `*` stands for
 * any other text. */
static const char *chosen(const struct parameter *parameter, const char *text, bool by_default)
{
	size_t size = strlen(text);
	for (size_t i = 0; i < parameter->choices.n_items; i++) {
		const char *choice = parameter->choices.items[i];
		if (!str_starts(choice, text))
			continue;
		if (choice[size] == '\0')
			return choice;
		if (choice[size] == '=')
			return choice + size + 1;
	}
	for (size_t i = 0; by_default && i < parameter->choices.n_items; i++)
		if (str_starts(parameter->choices.items[i], "*="))
			return parameter->choices.items[i] + 2;
	return parameter->choices.n_items ? NULL : text;
}

static void print_choices(const struct parameter *parameter, struct buf *out)
{
	for (size_t i = 0; i < parameter->choices.n_items; i++) {
		const char *choice = parameter->choices.items[i];
		if (str_starts(choice, "*="))
			continue;
		buf_printf(out, "%s%.*s", i ? ", " : "", (int)strcspn(choice, "="), choice);
	}
}

static void check_declared(struct definition_reader *reader, struct ini_section *section,
	const char *key, const struct parameter *parameter, bool optional)
{
	if (parameter->required && parameter->default_text)
		reader_fault(reader, section, key,
			"parameter `%s` cannot both be required and have a default", key);
	else if (!parameter->required && !optional && !parameter->default_text)
		reader_fault(reader, section, key,
			"parameter `%s`: expected required, optional or default VALUE", key);
	if (parameter->default_text && !strstr(parameter->default_text, "${") &&
		!chosen(parameter, parameter->default_text, true))
		reader_fault(reader, section, key,
			"parameter `%s`: the default `%s` is not one of its choices", key,
			parameter->default_text);
}

static void declare_with(struct definition_reader *reader, struct ini_section *section,
	struct parameter *parameter, struct slice name)
{
	free(parameter->with);
	parameter->with = mem_strndup(name.data, name.size);
	if (reader_known_parameter(parameter->with, reader->definition) == TEMPLATE_ABSENT)
		reader_fault(reader, section, parameter->name,
			"parameter `%s`: `with %s` does not name a parameter that is declared before it",
			parameter->name, parameter->with);
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
		else if (slice_is(word, "choice")) {
			declare_choices(&rest, &parameter->choices);
			if (parameter->choices.n_items == 0)
				reader_fault(reader, section, entry->key,
					"parameter `%s`: `choice` needs at least one word",
					entry->key);
		} else if (slice_is(word, "with")) {
			declare_with(reader, section, parameter, take_word(&rest));
		} else if (slice_is(word, "default")) {
			parameter->default_text = mem_strndup(rest.data, rest.size);
			break;
		} else {
			reader_fault(reader, section, entry->key,
				"parameter `%s`: `%.*s` is not one of: required, optional, secret, with NAME, choice WORD, WORD ..., default VALUE",
				entry->key, (int)word.size, word.data);
			return;
		}
	}
	check_declared(reader, section, entry->key, parameter, optional);
}

/* The source's word, which must be one of the choices, becomes the value that stands for it. */
static void set_value(struct definition_reader *reader, const struct parameter *parameter,
	const struct ini_entry *entry, const char *text, char **ret)
{
	struct buf choices CLEANUP(buf_deinit) = BUF_NULL;
	const char *value = chosen(parameter, text, !entry);
	if (value) {
		*ret = mem_strdup(value);
		return;
	}
	if (!entry) { /* one without variables was judged where it is declared */
		reader_fault(reader, ini_find(&reader->definition->ini, "parameters", NULL),
			parameter->name,
			"parameter `%s`: the default `%s` is not one of its choices",
			parameter->name, text);
		return;
	}
	print_choices(parameter, &choices);
	findings_add(reader->findings, entry->file, entry->line, "%s = %s: expected one of %s",
		parameter->name, parameter->secret ? "***" : text, buf_text(&choices));
}

/* The default, in which `${NAME}` is a parameter declared further up; NULL: none, or one of those
 * has no value. */
static char *default_value(struct definition_reader *reader, struct ini_section *section,
	const struct parameter *parameter)
{
	struct definition *definition = reader->definition;
	struct template *template = NULL;
	struct buf value = BUF_NULL;
	char *error CLEANUP_FREE = NULL;
	if (!parameter->default_text || !parameter->default_text[0])
		return NULL;
	if (template_parse(
		    &template, parameter->default_text, reader_known_parameter, definition, &error))
		reader_fault(reader, section, parameter->name,
			"the default of `%s`: %s (parameters declared before it can be used)",
			parameter->name, error);
	else if (template_render(template, definition_value, definition, &value))
		buf_clear(&value);
	template_free(template);
	return value.size ? buf_take(&value) : (buf_deinit(&value), NULL);
}

static void set_default(
	struct definition_reader *reader, struct ini_section *section, struct parameter *parameter)
{
	char *text CLEANUP_FREE = default_value(reader, section, parameter);
	if (text)
		set_value(reader, parameter, NULL, text, &parameter->value);
}

/* Is `${VARIABLE}` in TEXT, alone or as one of the alternatives, with an offset or a format? */
static bool has_variable(const char *text, const char *variable)
{
	size_t size = strlen(variable);
	for (const char *at = strstr(text, variable); at; at = strstr(at + 1, variable)) {
		bool begins = at > text && (at[-1] == '{' || at[-1] == '|');
		if (begins && at[size] && strchr("}:|+-", at[size]))
			return true;
	}
	return false;
}

/* NAME as a word of TEXT. */
static bool has_word(const char *text, const char *name)
{
	struct slice rest = slice_of(text), part;
	while (str_next_part(&rest, ' ', &part)) {
		if (part.size && part.data[part.size - 1] == ',')
			part.size--;
		if (slice_is(part, name))
			return true;
	}
	return false;
}

bool definition_uses(const struct definition *definition, const char *variable)
{
	for (size_t i = 0; i < definition->ini.n_sections; i++) {
		struct ini_section *section = &definition->ini.sections[i];
		struct ini_entry *when = ini_section_find(section, "when");
		if (when && has_word(when->value, variable))
			return true;
		for (size_t j = 0; j < section->n_entries; j++)
			if (has_variable(section->entries[j].value, variable))
				return true;
	}
	return false;
}

static void bind(struct definition_reader *reader, struct ini_section *section,
	struct ini_section *source, struct parameter *parameter)
{
	struct ini_entry *entry = ini_section_find(source, parameter->name);
	if (entry) {
		entry->used = true;
		parameter->file = reader->definition->source_file;
		parameter->line = entry->line;
		if (entry->value[0])
			set_value(reader, parameter, entry, entry->value, &parameter->value);
	} else {
		set_default(reader, section, parameter);
	}
	if (parameter->value && parameter->secret)
		secret_register(slice_of(parameter->value));
	/* a source that sets auth.type may have no use for it */
	bool needed = parameter->required && definition_uses(reader->definition, parameter->name);
	if (needed && !parameter->value && !(entry && entry->value[0]))
		findings_add_at(reader->findings, source, parameter->name,
			entry ? "[source %s]: `%s` is empty: %s requires it"
			      : "[source %s] needs `%s`: %s requires it",
			source->name, parameter->name,
			reader->definition->title ? reader->definition->title
						  : reader->definition->name);
	else if (parameter->with && !parameter->value &&
		 definition_parameter(reader->definition, parameter->with))
		findings_add_at(reader->findings, source, parameter->name,
			"[source %s] needs `%s`, because `%s` is set", source->name,
			parameter->name, parameter->with);
}

void reader_parameters(struct definition_reader *reader, struct ini_section *source)
{
	struct definition *definition = reader->definition;
	struct ini_section *section = ini_find(&definition->ini, "parameters", NULL);
	if (!section)
		return;
	definition->parameters = mem_array(section->n_entries, sizeof(struct parameter));
	for (size_t i = 0; i < section->n_entries; i++) {
		struct parameter *parameter = &definition->parameters[definition->n_parameters];
		parameter->name = mem_strdup(section->entries[i].key);
		declare(reader, section, &section->entries[i], parameter);
		if (source)
			bind(reader, section, source, parameter);
		else
			set_default(reader, section, parameter);
		definition->n_parameters++;
	}
}
