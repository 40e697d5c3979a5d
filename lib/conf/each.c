/* See each.h. */
#include "conf/each.h"

#include <ctype.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"

#define EACH "each."

/* The name of the source for VALUE: what a name cannot contain becomes `-`. */
static char *name_of(const char *name, const char *value)
{
	char *text = mem_printf("%s.%s", name, value);
	for (char *at = text + strlen(name) + 1; *at; at++)
		if (!isalnum((unsigned char)*at) && !strchr("-_.", *at))
			*at = '-';
	return text;
}

static void add_entry(struct ini_section *section, const struct ini_entry *from, const char *key,
	const char *value)
{
	section->entries = mem_grow(
		section->entries, section->n_entries, &section->capacity, sizeof(struct ini_entry));
	struct ini_entry *entry = &section->entries[section->n_entries++];
	*entry = *from;
	entry->key = mem_strdup(key);
	entry->value = mem_strdup(value);
	entry->written = mem_strdup(from->written);
}

/* Appends the section of SECTION, an index of INI, for VALUE of its EACH, another index. */
static void add_section(struct ini *ini, size_t section, size_t each, const char *value)
{
	const struct ini_section *from = &ini->sections[section];
	char *name CLEANUP_FREE = name_of(from->name, value);
	struct ini_section *to = ini_add(ini, "source", name, from->file, from->line);
	from = &ini->sections[section];
	to->each_name = mem_strdup(from->name);
	for (size_t i = 0; i < from->n_entries; i++) {
		const struct ini_entry *entry = &from->entries[i];
		bool is_each = i == each;
		add_entry(to, entry, is_each ? entry->key + strlen(EACH) : entry->key,
			is_each ? value : entry->value);
	}
}

/* The index of the entry each.NAME; n_entries: there is none. More than one is a finding. */
static size_t find_each(const struct ini_section *section, struct findings *findings)
{
	size_t found = section->n_entries;
	for (size_t i = 0; i < section->n_entries; i++) {
		const struct ini_entry *entry = &section->entries[i];
		if (!str_starts(entry->key, EACH))
			continue;
		if (found < section->n_entries)
			findings_add(findings, entry->file, entry->line,
				"[source %s] has `%s` and `%s`; expected one of them",
				section->name, section->entries[found].key, entry->key);
		found = i;
	}
	return found;
}

static bool has_section(const struct ini *ini, const char *name)
{
	return ini_find((struct ini *)ini, "source", name) != NULL;
}

static void expand_section(struct ini *ini, size_t section, size_t each, struct findings *findings)
{
	const struct ini_entry *entry = &ini->sections[section].entries[each];
	const char *file = entry->file;
	unsigned line = entry->line;
	char *key CLEANUP_FREE = mem_strdup(entry->key);
	struct str_list values CLEANUP(str_list_deinit) = STR_LIST_NULL;
	str_list_split(&values, slice_of(entry->value), ',');
	if (ini_section_find(&ini->sections[section], key + strlen(EACH)))
		findings_add(findings, file, line,
			"[source %s] has `%s` and `%s`; expected one of them",
			ini->sections[section].name, key, key + strlen(EACH));
	if (values.n_items == 0)
		findings_add(findings, file, line, "%s: expected values, separated by commas", key);
	for (size_t i = 0; i < values.n_items; i++) {
		char *name CLEANUP_FREE = name_of(ini->sections[section].name, values.items[i]);
		if (has_section(ini, name))
			findings_add(findings, file, line, "%s: `%s` makes a second [source %s]",
				key, values.items[i], name);
		else
			add_section(ini, section, each, values.items[i]);
	}
}

void each_expand(struct ini *ini, struct findings *findings)
{
	size_t n = ini->n_sections;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(ini->sections[i].kind, "source") != 0 || !ini->sections[i].name)
			continue;
		size_t each = find_each(&ini->sections[i], findings);
		if (each < ini->sections[i].n_entries)
			expand_section(ini, i, each, findings);
	}
}

bool each_is_expanded(const struct ini_section *section)
{
	for (size_t i = 0; i < section->n_entries; i++)
		if (str_starts(section->entries[i].key, EACH))
			return true;
	return false;
}
