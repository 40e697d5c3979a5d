/*
 * See ini.h. The text is read whole, then walked line by line with the true line number; a
 * continuation belongs to the key above it, whose line stays the one that is reported.
 */
#include "conf/ini.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"

#define FILE_MAX (4u << 20)
#define LINE_MAX_SIZE (1u << 20)
#define WORD_MAX 40 /* a longer word is not a key that someone mistyped */

struct reader {
	struct ini *ini;
	const char *file;
	struct findings *findings;
	unsigned line;
	size_t section; /* index + 1; 0: none yet */
	size_t entry; /* index + 1 of the entry that a continuation belongs to; 0: none */
	bool skips; /* below a header that could not be read */
	size_t first_section; /* sections from here on were opened by this file */
};

void ini_section_deinit(struct ini_section *section)
{
	for (size_t i = 0; i < section->n_entries; i++) {
		struct ini_entry *entry = &section->entries[i];
		if (entry->secret && entry->value)
			secret_wipe(entry->value, strlen(entry->value));
		free(entry->key);
		free(entry->value);
		free(entry->written);
	}
	free(section->entries);
	free(section->kind);
	free(section->name);
	free(section->each_name);
	*section = (struct ini_section){0};
}

void ini_deinit(struct ini *ini)
{
	for (size_t i = 0; i < ini->n_sections; i++)
		ini_section_deinit(&ini->sections[i]);
	free(ini->sections);
	names_deinit(&ini->titles);
	for (size_t i = 0; i < ini->n_files; i++)
		free(ini->files[i]);
	free(ini->files);
	file_watch_deinit(&ini->expanded);
	*ini = INI_NULL;
}

static char *title_of(const char *kind, const char *name)
{
	return mem_printf("%s%s%s", kind, name ? " " : "", name ? name : "");
}

struct ini_section *ini_find(struct ini *ini, const char *kind, const char *name)
{
	char *title CLEANUP_FREE = title_of(kind, name);
	size_t at;
	return names_find(&ini->titles, title, &at) ? &ini->sections[at] : NULL;
}

struct ini_section *ini_add(
	struct ini *ini, const char *kind, const char *name, const char *file, unsigned line)
{
	char *title CLEANUP_FREE = title_of(kind, name);
	size_t at = names_add(&ini->titles, title);
	assert(at == ini->n_sections);
	ini->sections = mem_grow(
		ini->sections, ini->n_sections, &ini->capacity, sizeof(struct ini_section));
	ini->sections[ini->n_sections++] = (struct ini_section){.kind = mem_strdup(kind),
		.name = name ? mem_strdup(name) : NULL,
		.file = file,
		.line = line};
	return &ini->sections[at];
}

void ini_drop(struct ini *ini, const char *kind)
{
	size_t n_kept = 0;
	names_deinit(&ini->titles);
	for (size_t i = 0; i < ini->n_sections; i++) {
		struct ini_section *section = &ini->sections[i];
		if (strcmp(section->kind, kind) == 0) {
			ini_section_deinit(section);
			continue;
		}
		char *title CLEANUP_FREE = title_of(section->kind, section->name);
		names_add(&ini->titles, title);
		ini->sections[n_kept++] = *section;
	}
	ini->n_sections = n_kept;
}

struct ini_entry *ini_section_find(const struct ini_section *section, const char *key)
{
	for (size_t i = 0; i < section->n_entries; i++)
		if (strcmp(section->entries[i].key, key) == 0)
			return &section->entries[i];
	return NULL;
}

/* A comment begins at a line's start or after white space. */
static struct slice cut_comment(struct slice line)
{
	for (size_t i = 0; i < line.size; i++)
		if ((line.data[i] == '#' || line.data[i] == ';') &&
			(i == 0 || line.data[i - 1] == ' ' || line.data[i - 1] == '\t'))
			return (struct slice){line.data, i};
	return line;
}

/* Does LINE, of which SIZE bytes are not a comment, look as if the comment was part of the value? `
 * ;` is as common in commands and headers as before comments; ` #word` may be a colour or a
 * fragment. */
static bool may_be_cut(struct slice line, size_t size)
{
	return size < line.size &&
	       (line.data[size] == ';' ||
		       (size + 1 < line.size && isalnum((unsigned char)line.data[size + 1])));
}

/* Keys that take more than one line, by what follows the last dot. */
static const char *const multi_line_keys[] = {"brokers", "include", "exclude", "remove", "body",
	"columns", "incomplete", "retry", "expired", "id", "end", "none", "origins", "gone",
	"empty", "lost", "auth", "sinks", "allow_origins", "reconcile", "labels", "severity_map",
	"listen_names", "credentials", NULL};
/* Those whose lines may themselves be `name=value`. */
static const char *const pair_keys[] = {"body", "labels", "severity_map", NULL};

static bool is_among(const char *const *keys, const char *key)
{
	const char *dot = strrchr(key, '.');
	for (; *keys; keys++)
		if (strcmp(*keys, dot ? dot + 1 : key) == 0)
			return true;
	return false;
}

bool ini_takes_lines(const char *key)
{
	return is_among(multi_line_keys, key);
}

/* The word that TEXT begins with if it looks like a name, else nothing: the rest of a line that
 * cannot be read may be a secret. */
static struct slice first_word(struct slice text)
{
	size_t size = 0;
	while (size < text.size && text.data[size] != ' ' && text.data[size] != '\t' &&
		text.data[size] != ':' && text.data[size] != '=')
		size++;
	bool named = size <= WORD_MAX;
	for (size_t i = 0; i < size; i++)
		named &= isalnum((unsigned char)text.data[i]) || strchr("_.-", text.data[i]);
	return (struct slice){text.data, named ? size : 0};
}

/* `name =`; CLOSE: `name=`, too. */
static bool looks_like_key(struct slice text, bool close)
{
	struct slice word = first_word(text);
	if (word.size == 0)
		return false;
	struct slice rest = str_trim((struct slice){text.data + word.size, text.size - word.size});
	return rest.size && rest.data[0] == '=' && (close || rest.data != text.data + word.size);
}

/* The caller frees. */
static char *line_name(struct slice text)
{
	struct slice word = first_word(text);
	return word.size ? mem_printf("the line that begins with `%.*s`", (int)word.size, word.data)
			 : mem_strdup("this line");
}

/* What follows is skipped: in another section each of its keys would be one more error. */
static void report_header(struct reader *reader, struct slice text)
{
	struct slice word = first_word((struct slice){text.data + 1, text.size - 1});
	findings_add(reader->findings, reader->file, reader->line,
		"%s%.*s%s not a section header; expected [kind] or [kind name]",
		word.size ? "the line that begins with `[" : "this line", (int)word.size, word.data,
		word.size ? "` is" : " is");
	reader->entry = 0;
	reader->section = 0;
	reader->skips = true;
}

static void report_line(struct reader *reader, struct slice text)
{
	char *name CLEANUP_FREE = line_name(text);
	size_t size = first_word(text).size;
	if (!reader->skips)
		findings_add(reader->findings, reader->file, reader->line,
			"%s is neither a [section] nor `key = value`%s", name,
			size && size < text.size && text.data[size] == ':'
				? "; write `=` for the `:`"
				: "");
}

static void report_indented(
	struct reader *reader, const struct ini_entry *entry, struct slice text, const char *why)
{
	char *name CLEANUP_FREE = line_name(text);
	findings_add(reader->findings, reader->file, reader->line,
		"%s is indented, so it continues `%s` in line %u%s; remove the white space before it",
		name, entry->key, entry->line, why);
}

static void open_section(struct reader *reader, struct slice header)
{
	struct ini *ini = reader->ini;
	size_t size = 0;
	while (size < header.size && header.data[size] != ' ' && header.data[size] != '\t')
		size++;
	char *kind CLEANUP_FREE = mem_strndup(header.data, size);
	struct slice rest = str_trim((struct slice){header.data + size, header.size - size});
	char *name CLEANUP_FREE = rest.size ? mem_strndup(rest.data, rest.size) : NULL;
	struct ini_section *section = ini_find(ini, kind, name);
	reader->entry = 0;
	reader->skips = false;
	if (!section)
		section = ini_add(ini, kind, name, reader->file, reader->line);
	else if ((size_t)(section - ini->sections) >= reader->first_section)
		findings_add(reader->findings, reader->file, reader->line,
			"duplicate section [%.*s]; first defined in line %u", (int)header.size,
			header.data, section->line);
	reader->section = (size_t)(section - ini->sections) + 1;
}

static void add_entry(struct reader *reader, struct slice key, struct slice value, bool cut)
{
	if (!reader->section) {
		if (!reader->skips)
			findings_add(reader->findings, reader->file, reader->line,
				"`%.*s` precedes the first [section]", (int)key.size, key.data);
		return;
	}
	struct ini_section *section = &reader->ini->sections[reader->section - 1];
	char *key_text = mem_strndup(key.data, key.size);
	struct ini_entry *first = ini_section_find(section, key_text);
	if (first)
		findings_add(reader->findings, reader->file, reader->line,
			"duplicate key `%s` in [%s%s%s]; first set in %s:%u", key_text,
			section->kind, section->name ? " " : "", section->name ? section->name : "",
			first->file, first->line);
	section->entries = mem_grow(
		section->entries, section->n_entries, &section->capacity, sizeof(struct ini_entry));
	section->entries[section->n_entries++] = (struct ini_entry){.key = key_text,
		.value = mem_strndup(value.data, value.size),
		.file = reader->file,
		.line = reader->line,
		.cut = cut ? reader->line : 0,
		.used = first != NULL}; /* one error is enough */
	reader->entry = section->n_entries;
}

static void continue_value(struct reader *reader, struct slice text, bool cut)
{
	struct ini_entry *entry =
		&reader->ini->sections[reader->section - 1].entries[reader->entry - 1];
	if (!ini_takes_lines(entry->key)) {
		report_indented(reader, entry, text, ", which takes only one line");
		return;
	}
	if (looks_like_key(text, !is_among(pair_keys, entry->key))) {
		report_indented(reader, entry, text, "");
		return;
	}
	char *joined = entry->value[0]
			       ? mem_printf("%s\n%.*s", entry->value, (int)text.size, text.data)
			       : mem_strndup(text.data, text.size);
	free(entry->value);
	entry->value = joined;
	if (cut && !entry->cut)
		entry->cut = reader->line;
}

static void read_header(struct reader *reader, struct slice text)
{
	bool closed = text.size > 2 && text.data[text.size - 1] == ']';
	struct slice header = {text.data + 1, closed ? text.size - 2 : 0};
	header = str_trim(header);
	if (first_word(header).size == 0 || memchr(header.data, '=', header.size))
		report_header(reader, text);
	else
		open_section(reader, header);
}

/* What follows is a name of the API's own, which may contain blanks. */
static bool begins_foreign_name(struct slice key, size_t at)
{
	return (at >= 5 && memcmp(key.data + at - 5, "form.", 5) == 0) ||
	       (at >= 6 && memcmp(key.data + at - 6, "query.", 6) == 0);
}

/* A name; what follows its first dot may be the name of a header, query parameter or field. It is
 * shown where it is unknown, so it must not be a part of a value that was broken into lines. */
static bool is_key(struct slice key)
{
	const char *dot = key.size ? memchr(key.data, '.', key.size) : NULL;
	bool foreign = false;
	for (size_t i = 0; i < key.size; i++) {
		foreign = foreign || begins_foreign_name(key, i);
		if ((unsigned char)key.data[i] < (foreign ? ' ' : ' ' + 1) || key.data[i] == 0x7f)
			return false;
	}
	return first_word((struct slice){key.data, dot ? (size_t)(dot - key.data) : key.size}).size;
}

static void read_line(struct reader *reader, struct slice line)
{
	bool indented = line.size && (line.data[0] == ' ' || line.data[0] == '\t');
	bool blank = str_trim(line).size == 0;
	struct slice text = cut_comment(line);
	bool cut = may_be_cut(line, text.size);
	text = str_trim(text);
	if (text.size == 0) {
		if (blank)
			reader->entry = 0;
		return;
	}
	if (indented && reader->entry) {
		continue_value(reader, text, cut);
		return;
	}
	if (text.data[0] == '[') {
		read_header(reader, text);
		return;
	}
	const char *equals = memchr(text.data, '=', text.size);
	struct slice key = {text.data, equals ? (size_t)(equals - text.data) : 0};
	key = str_trim(key);
	reader->entry = 0;
	if (!is_key(key)) {
		report_line(reader, text);
		return;
	}
	add_entry(reader, key,
		str_trim((struct slice){equals + 1, text.size - (size_t)(equals + 1 - text.data)}),
		cut);
}

int ini_read_text(
	struct ini *ini, const char *name, const char *text, size_t size, struct findings *findings)
{
	size_t n_before = findings->n_items;
	ini->files = mem_resize(ini->files, (ini->n_files + 1) * sizeof(char *));
	struct reader reader = {.ini = ini,
		.file = ini->files[ini->n_files++] = mem_strdup(name),
		.findings = findings,
		.first_section = ini->n_sections};
	if (size >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0)) {
		findings_add(findings, name, 1, "is UTF-16; save it as UTF-8");
		return 1;
	}
	const char *nul = size ? memchr(text, '\0', size) : NULL;
	if (nul) {
		unsigned line = 1;
		for (const char *p = text; p < nul; p++)
			line += *p == '\n';
		findings_add(findings, name, line, "contains a NUL byte: not a text file");
		return 1;
	}
	if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		size -= 3;
	}
	struct slice rest = {text, size};
	while (rest.size) {
		const char *end = memchr(rest.data, '\n', rest.size);
		size_t line_size = end ? (size_t)(end - rest.data) : rest.size;
		struct slice line = {rest.data, line_size};
		reader.line++;
		if (line.size && line.data[line.size - 1] == '\r')
			line.size--;
		if (line.size > LINE_MAX_SIZE)
			findings_add(findings, name, reader.line, "the line is longer than 1 MiB");
		else
			read_line(&reader, line);
		size_t taken = line_size + (end != NULL);
		rest = (struct slice){rest.data + taken, rest.size - taken};
	}
	return findings->n_items != n_before;
}

int ini_read(struct ini *ini, const char *path, struct findings *findings)
{
	struct buf text CLEANUP(buf_deinit) = BUF_LIMITED(FILE_MAX);
	int r = file_read(&text, path);
	if (r == -EFBIG)
		findings_add(findings, path, 0,
			"is too large: divide its sections among several files in conf.d");
	else if (r)
		findings_add(findings, path, 0, "cannot be read: %s", strerror(-r));
	if (r)
		return -1;
	return ini_read_text(ini, path, buf_text(&text), text.size, findings);
}
