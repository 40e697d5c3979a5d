/*
 * A source may set any definition key inline (`records.id = /RequestId`), and the short forms
 * overlap, lag, page_size and rate. They are laid over the definition's INI before anything is
 * checked, so a wrong inline value is reported at its own cursor. Where a section has variants, the
 * key goes into each: whichever applies has it. `overlap = auto` leaves the definition's own.
 */
#include "definition/definition_internal.h"

#include "base/mem.h"
#include "base/str.h"

static const struct {
	const char *key;
	const char *section;
	const char *target;
} short_forms[] = {
	{"overlap", "resume", "overlap"},
	{"lag", "resume", "lag"},
	{"page_size", "page", "size"},
	{"rate", "limits", "rate"},
};

/* Sees to it that there is a plain section of KIND. */
static void section_for(
	struct definition *definition, const char *kind, const struct ini_entry *entry)
{
	struct ini *ini = &definition->ini;
	if (!ini_find(ini, kind, NULL))
		ini_add(ini, kind, NULL, definition->source_file, entry->line);
}

static void set_entry(struct ini_section *section, const char *key, const struct ini_entry *from,
	const char *file)
{
	struct ini_entry *entry = ini_section_find(section, key);
	if (!entry) {
		section->entries = mem_grow(section->entries, section->n_entries,
			&section->capacity, sizeof(struct ini_entry));
		entry = &section->entries[section->n_entries++];
		*entry = (struct ini_entry){.key = mem_strdup(key)};
	}
	free(entry->value);
	entry->value = mem_strdup(from->value);
	entry->file = file;
	entry->line = from->line;
	entry->secret = from->secret;
}

/* The section that KEY begins with, and in *RET_KEY what follows the dot. */
static const char *split_key(const char *key, const char **ret_key)
{
	for (size_t i = 0; definition_sections[i]; i++) {
		size_t size = strlen(definition_sections[i]);
		if (str_starts(key, definition_sections[i]) && key[size] == '.' && key[size + 1]) {
			*ret_key = key + size + 1;
			return definition_sections[i];
		}
	}
	return NULL;
}

/* A source that says auth.type means a credential of its own, unless the type is that of the
 * definition. */
static void drop_credential(struct definition *definition, struct ini_section *source)
{
	struct ini *ini = &definition->ini;
	struct ini_entry *type = ini_section_find(source, "auth.type");
	struct ini_section *plain = ini_find(ini, "auth", NULL);
	struct ini_entry *own = plain ? ini_section_find(plain, "type") : NULL;
	bool variant = false;
	for (size_t i = 0; i < ini->n_sections; i++)
		variant |= strcmp(ini->sections[i].kind, "auth") == 0 &&
			   ini_section_find(&ini->sections[i], "when");
	if (!type || (!variant && own && strcmp(own->value, type->value) == 0))
		return;
	ini_drop(ini, "auth");
	if (strcmp(type->value, "login") != 0)
		ini_drop(ini, "login");
}

void definition_overlay(
	struct definition *definition, struct ini_section *source, struct findings *findings)
{
	(void)findings;
	drop_credential(definition, source);
	for (size_t i = 0; i < source->n_entries; i++) {
		struct ini_entry *entry = &source->entries[i];
		const char *key = entry->key;
		const char *kind = split_key(entry->key, &key);
		for (size_t j = 0; !kind && j < sizeof(short_forms) / sizeof(short_forms[0]); j++)
			if (strcmp(entry->key, short_forms[j].key) == 0) {
				kind = short_forms[j].section;
				key = short_forms[j].target;
			}
		if (!kind)
			continue;
		if (strcmp(entry->key, "overlap") == 0 && strcmp(entry->value, "auto") == 0) {
			definition->overlap_auto = entry->used = true;
			continue;
		}
		section_for(definition, kind, entry);
		for (size_t j = 0; j < definition->ini.n_sections; j++)
			if (strcmp(definition->ini.sections[j].kind, kind) == 0)
				set_entry(&definition->ini.sections[j], key, entry,
					definition->source_file);
		entry->used = true;
	}
}
