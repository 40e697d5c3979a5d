/* [fetch] of a definition: documents behind what a page lists. */
#include "definition/definition_internal.h"

#include <strings.h>

#include "base/cleanup.h"
#include "base/mem.h"

/* One byte, as delimiters and quotes are; `\t` is a tab. */
static char read_byte(struct definition_reader *reader, struct ini_section *section,
	const char *key, const char *text)
{
	if (strcmp(text, "\\t") == 0)
		return '\t';
	if (strlen(text) != 1)
		reader_fault(
			reader, section, key, "%s = %s: expected one character, or \\t", key, text);
	return text[0];
}

static int find_column(struct definition_reader *reader, struct ini_section *section,
	const char *key, const char *name)
{
	const struct str_list *columns = &reader->definition->fetch.columns;
	for (size_t i = 0; name && i < columns->n_items; i++)
		if (strcmp(columns->items[i], name) == 0)
			return (int)i;
	if (name)
		reader_fault(
			reader, section, key, "%s = %s: no such column in `columns`", key, name);
	return -1;
}

static void read_csv(struct definition_reader *reader, struct ini_section *section)
{
	const struct fetch_options *options = &reader->definition->fetch;
	struct rows_format *rows = &reader->definition->rows;
	rows->delimiter = read_byte(reader, section, "delimiter", options->delimiter);
	rows->quote = read_byte(reader, section, "quote", options->quote);
	rows->rest = rows->time = -1;
	rows->has_header =
		options->columns.n_items == 1 && strcmp(options->columns.items[0], "header") == 0;
	if (rows->has_header) {
		rows->time_name = options->time ? mem_strdup(options->time) : NULL;
		if (options->rest)
			reader_fault(reader, section, "rest",
				"[fetch] rest cannot be used with columns = header");
		return;
	}
	rows->rest = find_column(reader, section, "rest", options->rest);
	rows->time = find_column(reader, section, "time", options->time);
	if (options->columns.n_items == 0 || options->columns.n_items > ROW_COLUMNS_MAX)
		reader_fault(reader, section, "columns",
			"[fetch] format = csv needs `columns`: 1 to %d names, or `header`",
			ROW_COLUMNS_MAX);
	for (size_t i = 0; i < options->columns.n_items; i++)
		str_list_add(&rows->columns, options->columns.items[i]);
}

static void read_whole(struct definition_reader *reader, struct ini_section *section)
{
	const char *at = reader->definition->fetch.at;
	struct pointer array = POINTER_NULL;
	if (!at)
		return;
	reader_pointer(reader, section, "at", strcmp(at, "\"\"") == 0 ? "" : at, &array);
	reader->definition->rows.whole =
		json_scanner_new(&(struct json_scanner_wanted){.records = &array});
	pointer_deinit(&array);
}

static void read_lines(struct definition_reader *reader, struct ini_section *section)
{
	struct rows_format *rows = &reader->definition->rows;
	struct pointer time = POINTER_NULL;
	const struct pointer *wanted = &time;
	reader_pointer(reader, section, "time", reader->definition->fetch.time, &time);
	rows->plan = json_scanner_new(&(struct json_scanner_wanted){
		.envelope = &wanted, .n_envelope = pointer_is_set(&time)});
	pointer_deinit(&time);
}

static bool read_regex(struct definition_reader *reader, struct ini_section *section,
	const char *key, const char *text, regex_t *ret)
{
	if (!text || regcomp(ret, text, REG_EXTENDED) == 0)
		return text != NULL;
	reader_fault(reader, section, key, "%s = %s: not a regular expression", key, text);
	return false;
}

/* Rows are looked at as records: a column is a member. */
static void read_row_id(struct definition_reader *reader, struct ini_section *section)
{
	struct definition *definition = reader->definition;
	const struct str_list *names = &definition->fetch.id;
	definition->fetch_id = mem_array(names->n_items, sizeof(struct pointer));
	for (size_t i = 0; i < names->n_items; i++) {
		struct pointer *pointer = &definition->fetch_id[definition->n_fetch_id++];
		struct buf text CLEANUP(buf_deinit) = BUF_NULL;
		*pointer = POINTER_NULL;
		if (definition->rows.kind != ROWS_CSV) {
			reader_pointer(reader, section, "id", names->items[i], pointer);
			continue;
		}
		if (!definition->rows.has_header)
			find_column(reader, section, "id", names->items[i]);
		buf_append_char(&text, '/');
		for (const char *c = names->items[i]; *c; c++)
			if (*c == '~' || *c == '/')
				buf_append_text(&text, *c == '~' ? "~0" : "~1");
			else
				buf_append_char(&text, *c);
		reader_pointer(reader, section, "id", buf_text(&text), pointer);
	}
}

static void read_rows(struct definition_reader *reader, struct ini_section *section)
{
	const struct fetch_options *options = &reader->definition->fetch;
	struct rows_format *rows = &reader->definition->rows;
	rows->kind = (enum rows_kind)options->format;
	if (rows->kind == ROWS_CSV)
		read_csv(reader, section);
	else
		read_lines(reader, section);
	read_row_id(reader, section);
	if (rows->kind == ROWS_JSON)
		read_whole(reader, section);
	else if (options->at)
		reader_fault(reader, section, "at", "[fetch] at requires format = json");
	if (options->auth && options->origins.n_items)
		reader_fault(reader, section, "origins",
			"[fetch] origins cannot be used with auth = yes: the credential is sent to the API's own host and to allow_origins of the source only");
	rows->has_start = read_regex(reader, section, "start", options->start, &rows->start);
	rows->has_raw = read_regex(reader, section, "raw", options->raw, &rows->raw);
	reader_time_format(reader, section, options->time ? options->time_format : NULL,
		options->time_zone, &rows->time_format);
}

/* TEXT as url_origin() spells the origin of a link, in lower case and with the port, so that `*`
 * may be a part of the host. False: TEXT has more or less than scheme, host and port. */
static bool origin_glob(const char *text, char **ret)
{
	static const struct {
		const char *scheme, *port;
	} schemes[] = {{"https://", ":443"}, {"http://", ":80"}};
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t size = strlen(schemes[i].scheme);
		if (strncasecmp(text, schemes[i].scheme, size) != 0)
			continue;
		const char *host = text + size, *address_end = strchr(host, ']');
		bool has_port = strchr(address_end ? address_end : host, ':') != NULL;
		if (!*host || host[strcspn(host, "/?#@")] != '\0')
			return false;
		*ret = mem_printf(
			"%s%s%s", schemes[i].scheme, host, has_port ? "" : schemes[i].port);
		for (char *at = *ret; *at; at++)
			*at = (char)(*at >= 'A' && *at <= 'Z' ? *at + ('a' - 'A') : *at);
		return true;
	}
	return false;
}

static void read_origins(struct definition_reader *reader, struct ini_section *section)
{
	const struct str_list *texts = &reader->definition->fetch.origins;
	for (size_t i = 0; i < texts->n_items; i++) {
		char *text CLEANUP_FREE = NULL, *glob CLEANUP_FREE = NULL;
		if (!reader_parameter_text(reader, section, "origins", texts->items[i], &text))
			continue;
		if (origin_glob(text, &glob))
			str_list_add(&reader->definition->fetch_origins, glob);
		else
			reader_fault(reader, section, "origins",
				"[fetch] origins: expected https://host, got `%s`", text);
	}
}

/* The request for a link is optional; what belongs together must be together. */
static void read_link(struct definition_reader *reader, struct ini_section *section)
{
	struct definition *definition = reader->definition;
	const struct fetch_options *options = &definition->fetch;
	bool asks = ini_section_find(section, "url") != NULL;
	reader_pointer(reader, section, "from",
		options->from && strcmp(options->from, "\"\"") == 0 ? "" : options->from,
		&definition->fetch_from);
	reader_pointer(reader, section, "link", options->link, &definition->fetch_link);
	if (!options->from)
		reader_fault(reader, section, NULL,
			"[fetch] needs `from`: the JSON Pointer to the value that identifies a listed document");
	if (options->link && !asks)
		reader_fault(reader, section, "link",
			"[fetch] link requires `url`: the request whose response contains the URL of the document");
	if (asks)
		reader_request(reader, section, &definition->link_request);
	/* the response is the document: this request is made like any other of the API */
	if (asks && !options->link)
		definition->fetch.auth = true;
	read_origins(reader, section);
	definition->fetch_gone = reader_statuses(
		reader, section, "gone", &options->gone, 300, &definition->n_fetch_gone);
}

void reader_fetch(struct definition_reader *reader)
{
	struct definition *definition = reader->definition;
	struct ini_section *section = reader_variant(reader, "fetch");
	if (!section)
		return;
	for (size_t i = 0; i < section->n_entries; i++)
		section->entries[i].used |= reader_is_request_key(section->entries[i].key);
	definition->fetches = true;
	reader_options(reader, &rows_fetch, section, &definition->fetch, reader_request_keys);
	read_link(reader, section);
	read_rows(reader, section);
	if (!definition->resume.window)
		reader_fault(reader, section, NULL,
			"[fetch] requires a time window: [resume] window = yes");
}
