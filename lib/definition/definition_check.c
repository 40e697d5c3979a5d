/* What a definition says without effect: variants that are never used, variables where there are
 * none. Such a text would be taken as it is written, or not at all, without a word. */
#include "definition/definition_internal.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"

static bool is_kind(const struct ini_section *section, const char *const *kinds)
{
	for (; *kinds; kinds++)
		if (strcmp(section->kind, *kinds) == 0)
			return true;
	return false;
}

/* [auth NAME] that a login names, and [login NAME] of an [auth NAME], are not chosen by order. */
static bool is_named(const struct ini *ini, const struct ini_section *section)
{
	if (!section->name)
		return false;
	if (strcmp(section->kind, "login") == 0)
		return ini_find((struct ini *)ini, "auth", section->name) != NULL;
	for (size_t i = 0; strcmp(section->kind, "auth") == 0 && i < ini->n_sections; i++) {
		struct ini_entry *names = strcmp(ini->sections[i].kind, "login") == 0
						  ? ini_section_find(&ini->sections[i], "auth")
						  : NULL;
		struct slice list = slice_of(names ? names->value : NULL), part;
		while (names && str_next_part(&list, ',', &part))
			if (slice_is(str_trim(part), section->name))
				return true;
	}
	return false;
}

/* The first section that applies is used, and one without `when` always applies. */
static void check_reached(struct definition_reader *reader)
{
	static const char *const kinds[] = {"auth", "login", "request", "request.first",
		"request.next", "request.resume", "fetch", "watch", NULL};
	const struct ini *ini = &reader->definition->ini;
	for (size_t i = 0; i < ini->n_sections; i++) {
		struct ini_section *section = &ini->sections[i];
		if (!is_kind(section, kinds) || is_named(ini, section))
			continue;
		for (size_t j = 0; j < i; j++) {
			struct ini_section *before = &ini->sections[j];
			/* a key of the source is laid over every section */
			if (before->file != section->file ||
				strcmp(before->kind, section->kind) != 0 || is_named(ini, before) ||
				ini_section_find(before, "when"))
				continue;
			reader_fault(reader, section, NULL,
				"[%s%s%s] is never used: [%s%s%s] in line %u comes first and has no `when`",
				section->kind, section->name ? " " : "",
				section->name ? section->name : "", before->kind,
				before->name ? " " : "", before->name ? before->name : "",
				before->line);
			break;
		}
	}
}

/* May the value of KEY in SECTION have variables? */
static bool has_variables(const struct ini_section *section, const char *key)
{
	static const struct {
		const char *kinds[8];
		const char *keys[5];
	} where[] = {
		{{"request", "request.first", "request.next", "request.resume", "login", "fetch",
			 "watch"},
			{"url", "body"}},
		{{"records"}, {"include", "exclude", "expect", "time_zone"}},
		{{"watch"}, {"warn"}},
		{{"page"}, {"end", "more"}},
		{{"errors"}, {"incomplete", "retry", "expired"}},
		/* here `${` may be a part of a regular expression */
		{{"fetch"}, {"origins", "time_zone", "start", "raw"}},
	};
	if (strcmp(section->kind, "parameters") == 0)
		return true;
	if (strcmp(section->kind, "auth") == 0)
		return strcmp(key, "type") != 0 && strcmp(key, "when") != 0;
	if (str_starts(key, "query.") || str_starts(key, "header.") || str_starts(key, "form."))
		return true;
	for (size_t i = 0; i < sizeof(where) / sizeof(where[0]); i++)
		for (size_t j = 0; is_kind(section, where[i].kinds) && where[i].keys[j]; j++)
			if (strcmp(key, where[i].keys[j]) == 0)
				return true;
	return false;
}

static void check_left_over(struct definition_reader *reader)
{
	const struct ini *ini = &reader->definition->ini;
	for (size_t i = 0; i < ini->n_sections; i++) {
		struct ini_section *section = &ini->sections[i];
		for (size_t j = 0; j < section->n_entries; j++) {
			struct ini_entry *entry = &section->entries[j];
			if (strstr(entry->value, "${") && !has_variables(section, entry->key))
				reader_fault(reader, section, entry->key,
					"%s = %s: a variable has no effect here; variables are for requests, [auth] and conditions",
					entry->key, entry->value);
		}
	}
}

void reader_without_effect(struct definition_reader *reader)
{
	check_reached(reader);
	check_left_over(reader);
}
