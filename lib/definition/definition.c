/*
 * Reading a provider definition: find the file, overlay the source's inline keys, run the readers
 * of each section. What the sections mean stands in definition_request.c and definition_records.c;
 * this file is the frame.
 */
#include "definition/definition.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "definition/definition_internal.h"

#define CUSTOM "custom"
#define HINT_MIN 3 /* shorter names are in too many others */
#define HINT_NAMES 4 /* that a message lists */

/* Sections of a definition. Variants add a name in the header: [auth token]. */
const char *const definition_sections[] = {"request.resume", "request.first", "request.next",
	"parameters", "provider", "request", "records", "resume", "limits", "errors", "fetch",
	"login", "watch", "auth", "page", NULL};

static const char *const runtime_times[] = {"window.start", "window.end", "now", NULL};
static const char *const runtime_json[] = {
	"page.cursor", "page.size", "page.offset", "page.number", "resume.cursor", NULL};

static const char *const auth_variables[] = {"jwt", "method", "uri", "host", "path", "query",
	"query.names", "query.values", "body", "body.sha256", "body.sha512", "nonce", "signature",
	"date.rfc2822", "date.rfc3339", "date.epoch_s", "date.epoch_ms", "expires", NULL};

static bool in_list(const char *const *list, const char *name)
{
	for (; *list; list++)
		if (strcmp(*list, name) == 0)
			return true;
	return false;
}

enum template_kind reader_known_parameter(const char *name, void *userdata)
{
	const struct definition *definition = userdata;
	for (size_t i = 0; i < definition->n_parameters; i++)
		if (strcmp(definition->parameters[i].name, name) == 0)
			return TEMPLATE_TEXT;
	return TEMPLATE_ABSENT;
}

enum template_kind definition_known_variable(const char *name, void *userdata)
{
	if (in_list(runtime_times, name))
		return TEMPLATE_TIME;
	if (in_list(runtime_json, name))
		return TEMPLATE_JSON;
	if (strcmp(name, "fetch.from") == 0)
		return TEMPLATE_TEXT;
	return reader_known_parameter(name, userdata);
}

bool definition_is_auth_variable(const struct definition *definition, const char *name)
{
	return in_list(auth_variables, name) &&
	       reader_known_parameter(name, (void *)definition) == TEMPLATE_ABSENT;
}

enum template_kind definition_known_in_auth(const char *name, void *userdata)
{
	return definition_is_auth_variable(userdata, name) ? TEMPLATE_TEXT
							   : reader_known_parameter(name, userdata);
}

const char *definition_parameter(const struct definition *definition, const char *name)
{
	for (size_t i = 0; i < definition->n_parameters; i++)
		if (strcmp(definition->parameters[i].name, name) == 0)
			return definition->parameters[i].value;
	return NULL;
}

void reader_fault(struct definition_reader *reader, const struct ini_section *section,
	const char *key, const char *format, ...)
{
	const struct ini_entry *entry = section && key ? ini_section_find(section, key) : NULL;
	/* provider = custom: the section of the source is all there is */
	if (!section && !reader->definition->file)
		section = reader->source;
	const char *file = entry ? entry->file : section ? section->file : reader->definition->file;
	unsigned line = entry ? entry->line : section ? section->line : 0;
	va_list args;
	va_start(args, format);
	char *text CLEANUP_FREE = NULL;
	if (vasprintf(&text, format, args) >= 0)
		findings_add(reader->findings, file, line, "%s", text);
	va_end(args);
}

/* A parameter that has a value, and not one that says no. */
static bool is_on(const char *value)
{
	return value && strcasecmp(value, "off") != 0 && strcasecmp(value, "no") != 0 &&
	       strcasecmp(value, "false") != 0;
}

bool reader_applies(struct definition_reader *reader, struct ini_section *section)
{
	struct ini_entry *when = ini_section_find(section, "when");
	if (!when)
		return true;
	when->used = true;
	if (reader_known_parameter(when->value, reader->definition) == TEMPLATE_TEXT)
		return is_on(definition_parameter(reader->definition, when->value));
	reader_fault(reader, section, "when", "`when = %s`: no such parameter", when->value);
	return false;
}

struct ini_section *reader_variant(struct definition_reader *reader, const char *kind)
{
	struct ini *ini = &reader->definition->ini;
	for (size_t i = 0; i < ini->n_sections; i++) {
		struct ini_section *section = &ini->sections[i];
		if (strcmp(section->kind, kind) == 0 && reader_applies(reader, section))
			return section;
	}
	return NULL;
}

void reader_options(struct definition_reader *reader, const struct definition_rows *rows,
	struct ini_section *section, void *target, const char *const *extra)
{
	struct ini_section empty = {.kind = (char *)rows->section};
	struct option_table table = {rows->rows, rows->n_rows, target};
	options_parse(&table, 1, section ? section : &empty, reader->findings);
	if (section)
		options_unknown(&table, 1, extra, section, reader->findings);
}

struct template *reader_template(struct definition_reader *reader,
	const struct ini_section *section, const char *key, const char *text)
{
	struct template *template = NULL;
	char *error CLEANUP_FREE = NULL;
	bool in_auth = section && strcmp(section->kind, "auth") == 0;
	if (template_parse(&template, text,
		    in_auth ? definition_known_in_auth : definition_known_variable,
		    reader->definition, &error))
		reader_fault(reader, section, key, "%s: %s", key, error);
	return template;
}

void reader_pointer(struct definition_reader *reader, const struct ini_section *section,
	const char *key, const char *text, struct pointer *ret)
{
	if (text && pointer_parse(ret, slice_of(text)))
		reader_fault(reader, section, key,
			"%s: `%s` is not a JSON Pointer (expected a text that starts with `/`, such as /meta/next; \"\" is the whole document)",
			key, text);
}

bool reader_parameter_text(struct definition_reader *reader, const struct ini_section *section,
	const char *key, const char *text, char **ret)
{
	struct definition *definition = reader->definition;
	struct template *template = NULL;
	struct buf out CLEANUP(buf_deinit) = BUF_NULL;
	char *error CLEANUP_FREE = NULL;
	if (template_parse(&template, text, reader_known_parameter, definition, &error)) {
		reader_fault(reader, section, key, "%s: %s", key, error);
		return false;
	}
	if (template_prints_json(template))
		reader_fault(reader, section, key,
			"%s: the formats list, numbers and json are for requests", key);
	bool has_value = template_render(template, definition_value, definition, &out) == 0;
	template_free(template);
	if (has_value)
		*ret = buf_take(&out);
	return has_value;
}

bool reader_condition(struct definition_reader *reader, const struct ini_section *section,
	const char *key, const char *text, struct condition *ret)
{
	char *expanded CLEANUP_FREE = NULL;
	if (!text || !reader_parameter_text(reader, section, key, text, &expanded))
		return false;
	if (condition_parse(ret, slice_of(expanded)) == 0)
		return true;
	reader_fault(reader, section, key,
		"%s: `%s` is not a condition (expected " CONDITION_FORMS ")", key, expanded);
	return false;
}

/* The file of NAME along PATH, or NULL. One that cannot be reached is the one: the next would be
 * another definition. */
static char *find_file(const char *name, const struct definition_path *path)
{
	for (size_t i = 0; i < path->n_directories; i++) {
		char *file = mem_printf("%s/%s.conf", path->directories[i], name);
		struct stat status;
		if (lstat(file, &status) == 0 || (errno != ENOENT && errno != ENOTDIR))
			return file;
		free(file);
	}
	return NULL;
}

/* What the user may have meant: a name that is spelt like NAME, or those that contain it. */
static char *hint_of(const char *name, const struct str_list *names)
{
	char *hint = str_hint(name, (const char *const *)names->items, names->n_items);
	struct buf out = BUF_NULL;
	size_t n = 0;
	if (*hint)
		return hint;
	free(hint);
	for (size_t i = 0; i < names->n_items && strlen(name) >= HINT_MIN; i++)
		if (strstr(names->items[i], name) && n++ < HINT_NAMES)
			buf_printf(
				&out, "%s`%s`", n > 1 ? ", " : ": did you mean ", names->items[i]);
	buf_append_text(&out,
		n ? n > HINT_NAMES ? " or another of those that `trawlctl providers` lists?" : "?"
		  : ": `trawlctl providers` lists those that are installed");
	return buf_take(&out);
}

static void fault_unknown(const char *name, const struct definition_path *path,
	struct ini_section *source, struct findings *findings)
{
	struct str_list names CLEANUP(str_list_deinit) = STR_LIST_NULL;
	struct ini_entry *entry = source ? ini_section_find(source, "provider") : NULL;
	definition_names(path, &names);
	char *hint CLEANUP_FREE = hint_of(name, &names);
	findings_add(findings, entry ? entry->file : NULL, entry ? entry->line : 0,
		"unknown provider `%s`%s", name, hint);
}

static void check_sections(struct definition_reader *reader)
{
	struct ini *ini = &reader->definition->ini;
	size_t n_known = 0;
	while (definition_sections[n_known])
		n_known++;
	for (size_t i = 0; i < ini->n_sections; i++) {
		struct ini_section *section = &ini->sections[i];
		if (in_list(definition_sections, section->kind))
			continue;
		char *hint CLEANUP_FREE = str_hint(section->kind, definition_sections, n_known);
		reader_fault(reader, section, NULL, "unknown section [%s]%s", section->kind, hint);
	}
}

static void read_title(struct definition_reader *reader)
{
	struct ini_section *section = ini_find(&reader->definition->ini, "provider", NULL);
	for (size_t i = 0; section && i < section->n_entries; i++) {
		struct ini_entry *entry = &section->entries[i];
		if (strcmp(entry->key, "title") == 0)
			reader->definition->title = mem_strdup(entry->value);
		else
			reader_fault(reader, section, entry->key,
				"unknown key `%s` in [provider]; its only key is `title`",
				entry->key);
	}
}

struct definition *definition_load(const char *name, const struct definition_path *path,
	struct ini_section *source, struct findings *findings)
{
	size_t n_before = findings->n_items;
	struct definition *definition = MEM_NEW(struct definition);
	struct definition_reader reader = {definition, findings, source};
	definition->name = mem_strdup(name);
	definition->source_file = mem_strdup(source ? source->file : NULL);
	if (strcmp(name, CUSTOM) != 0) {
		char *file CLEANUP_FREE = find_file(name, path);
		if (!file)
			fault_unknown(name, path, source, findings);
		else if (ini_read(&definition->ini, file, findings) == 0)
			definition->file = definition->ini.files[0];
	}
	if (findings->n_items == n_before) {
		if (source)
			definition_overlay(definition, source, findings);
		check_sections(&reader);
		read_title(&reader);
		reader_parameters(&reader, source);
		reader_auth(&reader);
		reader_requests(&reader);
		reader_records(&reader);
		reader_page(&reader);
		reader_resume(&reader);
		reader_fetch(&reader);
		reader_watch(&reader);
		reader_errors(&reader);
		reader_consistency(&reader);
		reader_without_effect(&reader);
	}
	return definition;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void definition_names(const struct definition_path *path, struct str_list *names)
{
	str_list_add(names, CUSTOM);
	for (size_t i = 0; i < path->n_directories; i++) {
		DIR *directory = opendir(path->directories[i]);
		struct dirent *entry;
		while (directory && (entry = readdir(directory))) {
			if (!str_ends(entry->d_name, ".conf") || entry->d_name[0] == '.')
				continue;
			char *name CLEANUP_FREE =
				mem_strndup(entry->d_name, strlen(entry->d_name) - strlen(".conf"));
			if (!str_list_has(names, name))
				str_list_add(names, name);
		}
		if (directory)
			closedir(directory);
	}
	qsort(names->items, names->n_items, sizeof(char *), compare_names);
}

bool definition_lists_status(const int *statuses, size_t n, int status)
{
	for (size_t i = 0; i < n; i++)
		if (statuses[i] == status)
			return true;
	return false;
}

struct template_value definition_value(const char *name, void *userdata)
{
	const char *value = definition_parameter(userdata, name);
	return value ? (struct template_value){TEMPLATE_TEXT, slice_of(value), 0}
		     : (struct template_value){TEMPLATE_ABSENT, SLICE_NULL, 0};
}

static void named_templates_free(struct named_template *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(list[i].name);
		template_free(list[i].template);
	}
	free(list);
}

static void request_deinit(struct request_definition *request)
{
	free(request->method);
	template_free(request->url);
	named_templates_free(request->query, request->n_query);
	named_templates_free(request->headers, request->n_headers);
	named_templates_free(request->form, request->n_form);
	json_template_free(request->json);
	template_free(request->text);
}

static void auth_definition_deinit(struct auth_definition *auth)
{
	free(auth->type);
	named_templates_free(auth->settings, auth->n_settings);
	request_deinit(&auth->login);
	free(auth->login_token);
	free(auth->login_expires);
	if (auth->caller)
		auth_definition_deinit(auth->caller);
	free(auth->caller);
}

static void cursor_definition_deinit(struct cursor_definition *cursor)
{
	pointer_deinit(&cursor->pointer);
	for (size_t i = 0; i < cursor->n_more; i++)
		pointer_deinit(&cursor->more[i]);
	free(cursor->more);
	free(cursor->text);
	free(cursor->header);
}

static void parameter_deinit(struct parameter *parameter)
{
	free(parameter->name);
	free(parameter->default_text);
	str_list_deinit(&parameter->choices);
	free(parameter->with);
	if (parameter->value && parameter->secret) {
		secret_unregister(slice_of(parameter->value));
		secret_wipe(parameter->value, strlen(parameter->value));
	}
	free(parameter->value);
}

static void pointers_free(struct pointer *pointers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pointer_deinit(&pointers[i]);
	free(pointers);
}

static void options_free(struct definition *definition)
{
	const struct {
		const struct definition_rows *rows;
		void *target;
	} tables[] = {{&rows_records, &definition->records}, {&rows_page, &definition->page},
		{&rows_resume, &definition->resume}, {&rows_fetch, &definition->fetch},
		{&rows_errors, &definition->errors}, {&rows_watch, &definition->watch}};
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		struct option_table table = {
			tables[i].rows->rows, tables[i].rows->n_rows, tables[i].target};
		options_deinit(&table);
	}
}

void definition_free(struct definition *definition)
{
	if (!definition)
		return;
	for (size_t i = 0; i < definition->n_parameters; i++)
		parameter_deinit(&definition->parameters[i]);
	free(definition->parameters);
	free(definition->source_file);
	auth_definition_deinit(&definition->auth);
	request_deinit(&definition->first);
	request_deinit(&definition->next);
	request_deinit(&definition->resume_request);
	pointers_free(definition->records_at, definition->n_records_at);
	pointer_deinit(&definition->records_item);
	pointers_free(definition->records_time, definition->n_records_time);
	pointers_free(definition->records_id, definition->n_records_id);
	timestamp_format_free(definition->time_format);
	conditions_free(definition->conditions, definition->n_conditions);
	condition_deinit(&definition->expect);
	cursor_definition_deinit(&definition->page_cursor);
	cursor_definition_deinit(&definition->resume_cursor);
	pointer_deinit(&definition->page_total);
	pointer_deinit(&definition->page_pages);
	condition_deinit(&definition->page_more);
	conditions_free(definition->page_end_tests, definition->n_page_end_tests);
	pointer_deinit(&definition->errors_message);
	conditions_free(definition->errors_incomplete, definition->n_errors_incomplete);
	conditions_free(definition->errors_retry, definition->n_errors_retry);
	conditions_free(definition->errors_expired, definition->n_errors_expired);
	pointer_deinit(&definition->fetch_from);
	pointer_deinit(&definition->fetch_link);
	pointers_free(definition->fetch_id, definition->n_fetch_id);
	request_deinit(&definition->link_request);
	request_deinit(&definition->watch_request);
	condition_deinit(&definition->watch_warn);
	str_list_deinit(&definition->fetch_origins);
	free(definition->fetch_gone);
	rows_format_deinit(&definition->rows);
	free(definition->records_empty);
	free(definition->errors_lost);
	free(definition->errors_auth);
	options_free(definition);
	free(definition->title);
	free(definition->name);
	ini_deinit(&definition->ini);
	free(definition);
}
