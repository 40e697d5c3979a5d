/* [records], [page], [resume], [limits] and [errors] of a definition, and what must hold between
 * sections. */
#include "definition/definition_internal.h"

#include "base/cleanup.h"
#include "base/json_scanner.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/str.h"

/* Those of the list KEY that are right, behind the first *N of CONDITIONS. */
static void append_tests(struct definition_reader *reader, const struct ini_section *section,
	const char *key, const struct str_list *list, struct condition *conditions, size_t *n)
{
	for (size_t i = 0; i < list->n_items; i++) {
		struct slice rest = slice_of(list->items[i]), part;
		size_t first = *n;
		bool whole = true;
		for (bool joined; condition_next_part(&rest, &part, &joined);) {
			char *text CLEANUP_FREE = mem_strndup(part.data, part.size);
			whole &= reader_condition(reader, section, key, text, &conditions[*n]);
			conditions[*n].joined = joined;
			if (!whole)
				condition_deinit(&conditions[*n]);
			*n += whole;
		}
		/* a line without one of its parts would hold for more */
		while (!whole && *n > first)
			condition_deinit(&conditions[--*n]);
	}
}

static struct condition *conditions_room(const struct str_list *one, const struct str_list *other)
{
	size_t n = condition_count_parts(one) + (other ? condition_count_parts(other) : 0);
	return mem_array(n, sizeof(struct condition));
}

static void read_conditions(struct definition_reader *reader, struct ini_section *section)
{
	struct definition *definition = reader->definition;
	const struct records_options *options = &definition->records;
	definition->conditions = conditions_room(&options->include, &options->exclude);
	append_tests(reader, section, "include", &options->include, definition->conditions,
		&definition->n_conditions);
	definition->n_include = definition->n_conditions;
	append_tests(reader, section, "exclude", &options->exclude, definition->conditions,
		&definition->n_conditions);
}

static void read_missing(struct definition_reader *reader, struct ini_section *section)
{
	const struct records_options *options = &reader->definition->records;
	if (options->missing && strcmp(options->missing, "empty") != 0)
		reader_fault(reader, section, "missing", "missing = %s: expected `empty`",
			options->missing);
	if (options->expect && !options->missing)
		reader_fault(reader, section, "expect", "`expect` requires `missing = empty`");
	reader_condition(reader, section, "expect", options->expect, &reader->definition->expect);
	reader->definition->records_empty = reader_statuses(reader, section, "empty",
		&options->empty, 200, &reader->definition->n_records_empty);
	for (size_t i = 0; i < reader->definition->n_records_empty; i++)
		if (reader->definition->records_empty[i] >= 300)
			reader_fault(reader, section, "empty",
				"empty = %d: expected a status from 200 to 299",
				reader->definition->records_empty[i]);
}

void reader_time_format(struct definition_reader *reader, const struct ini_section *section,
	const char *format, const char *zone_text, struct timestamp_format **ret)
{
	char *zone CLEANUP_FREE = NULL;
	if (zone_text)
		reader_parameter_text(reader, section, "time_zone", zone_text, &zone);
	if (format && timestamp_format_new(ret, format, zone))
		reader_fault(reader, section, zone ? "time_zone" : "time_format",
			"time_format = %s%s%s: no such format or zone", format,
			zone ? ", time_zone = " : "", zone ? zone : "");
}

static bool is_any(const struct pointer_token *token)
{
	return strcmp(token->name, "*") == 0;
}

/* Would records of one of them be looked for among those of the other? */
static bool leads_into(const struct pointer *a, const struct pointer *b)
{
	for (size_t i = 0; i < a->n_tokens && i < b->n_tokens; i++)
		if (strcmp(a->tokens[i].name, b->tokens[i].name) != 0 && !is_any(&a->tokens[i]) &&
			!is_any(&b->tokens[i]))
			return false;
	return true;
}

static void read_at(struct definition_reader *reader, struct ini_section *section, const char *text)
{
	struct definition *definition = reader->definition;
	struct str_list list CLEANUP(str_list_deinit) = STR_LIST_NULL;
	str_list_split(&list, slice_of(text), ',');
	if (list.n_items == 0 || list.n_items > JSON_SCANNER_MAX_ARRAYS) {
		reader_fault(reader, section, "at", "at: expected 1 to %d JSON Pointers",
			JSON_SCANNER_MAX_ARRAYS);
		return;
	}
	definition->records_at = mem_array(list.n_items, sizeof(struct pointer));
	for (size_t i = 0; i < list.n_items; i++) {
		const char *item = list.items[i];
		struct pointer *pointer = &definition->records_at[definition->n_records_at];
		reader_pointer(
			reader, section, "at", strcmp(item, "\"\"") == 0 ? "" : item, pointer);
		if (!pointer_is_set(pointer))
			continue;
		for (size_t j = 0; j < definition->n_records_at; j++)
			if (leads_into(&definition->records_at[j], pointer))
				reader_fault(reader, section, "at",
					"at: `%s` and `%s` overlap; expected arrays that are apart",
					list.items[j], item);
		definition->n_records_at++;
	}
}

static void read_item(struct definition_reader *reader, struct ini_section *section)
{
	struct definition *definition = reader->definition;
	const char *text = definition->records.item;
	definition->records_item_text = text && str_starts(text, "json:");
	reader_pointer(reader, section, "item",
		definition->records_item_text ? text + strlen("json:") : text,
		&definition->records_item);
}

static void read_pointers(struct definition_reader *reader, struct ini_section *section,
	const char *key, const struct str_list *list, struct pointer **ret, size_t *ret_n)
{
	*ret = mem_array(list->n_items, sizeof(struct pointer));
	for (size_t i = 0; i < list->n_items; i++)
		reader_pointer(reader, section, key, list->items[i], &(*ret)[(*ret_n)++]);
}

void reader_records(struct definition_reader *reader)
{
	struct definition *definition = reader->definition;
	struct records_options *options = &definition->records;
	struct ini_section *section = ini_find(&definition->ini, "records", NULL);
	reader_options(reader, &rows_records, section, options, NULL);
	definition->records_lines = options->at && strcmp(options->at, "lines") == 0;
	if (!options->at)
		reader_fault(reader, section, NULL,
			"[records] needs `at`: the JSON Pointer to the array of records");
	else if (!definition->records_lines)
		read_at(reader, section, options->at);
	read_item(reader, section);
	struct str_list times CLEANUP(str_list_deinit) = STR_LIST_NULL;
	str_list_split(&times, slice_of(options->time), ',');
	read_pointers(reader, section, "time", &times, &definition->records_time,
		&definition->n_records_time);
	read_pointers(reader, section, "id", &options->id, &definition->records_id,
		&definition->n_records_id);
	reader_time_format(reader, section, options->time_format, options->time_zone,
		&definition->time_format);
	read_conditions(reader, section);
	read_missing(reader, section);
}

/* Several pointers: the members that make up the cursor. */
static void read_parts(struct definition_reader *reader, struct ini_section *section,
	const char *key, struct cursor_definition *ret)
{
	struct str_list parts CLEANUP(str_list_deinit) = STR_LIST_NULL;
	str_list_split(&parts, slice_of(ret->text), ',');
	if (parts.n_items < 2) {
		reader_pointer(reader, section, key, ret->text, &ret->pointer);
		return;
	}
	if (ret->is_url)
		reader_fault(
			reader, section, key, "a URL has one pointer; several make a `cursor`");
	reader_pointer(reader, section, key, parts.items[0], &ret->pointer);
	ret->more = mem_array(parts.n_items - 1, sizeof(struct pointer));
	for (size_t i = 1; i < parts.n_items; i++)
		reader_pointer(reader, section, key, parts.items[i], &ret->more[ret->n_more++]);
}

static void read_cursor(struct definition_reader *reader, struct ini_section *section,
	const char *key, const char *text, struct cursor_definition *ret)
{
	if (!text || ret->kind != CURSOR_NONE) /* a second way was reported already */
		return;
	ret->is_url = strcmp(key, "url") == 0;
	ret->none = &reader->definition->page.none;
	ret->path_only = reader->definition->page.link == LINK_PATH;
	if (str_starts(text, "header:")) {
		ret->header = mem_strdup(text + strlen("header:"));
		ret->kind = strcasecmp(ret->header, "link") == 0 ? CURSOR_LINK : CURSOR_HEADER;
		ret->is_url |= ret->kind == CURSOR_LINK;
		return;
	}
	ret->kind = str_starts(text, "last:") ? CURSOR_LAST : CURSOR_POINTER;
	ret->text = mem_strdup(ret->kind == CURSOR_LAST ? text + strlen("last:") : text);
	read_parts(reader, section, key, ret);
}

static void read_ends(struct definition_reader *reader, struct ini_section *section)
{
	static const struct {
		const char *name;
		unsigned flag;
	} names[] = {{"absent", END_ABSENT}, {"empty", END_EMPTY}, {"short", END_SHORT},
		{"same", END_SAME}};
	struct definition *definition = reader->definition;
	const struct str_list *list = &definition->page.end;
	definition->page_end_tests = mem_array(list->n_items, sizeof(struct condition));
	for (size_t i = 0; i < list->n_items; i++) {
		unsigned flag = 0;
		for (size_t j = 0; j < sizeof(names) / sizeof(names[0]); j++)
			if (strcmp(list->items[i], names[j].name) == 0)
				flag = names[j].flag;
		definition->page_end |= flag;
		if (!flag)
			definition->n_page_end_tests +=
				reader_condition(reader, section, "end", list->items[i],
					&definition->page_end_tests[definition->n_page_end_tests]);
	}
	if (list->n_items == 0)
		definition->page_end = definition->page.offset || definition->page.number
					       ? END_EMPTY | END_SHORT
					       : END_ABSENT;
	if (definition->page_end & END_SHORT && definition->page.size == 0)
		reader_fault(reader, section, list->n_items ? "end" : NULL,
			"a chain that ends with a short page requires `size` in [page]");
}

/* What is asked again is known by its ID; that a page is full tells that it may be cut. */
static void read_ties(struct definition_reader *reader, struct ini_section *section)
{
	struct definition *definition = reader->definition;
	if (!definition->page.ties)
		return;
	if (definition->page_cursor.kind != CURSOR_LAST)
		reader_fault(reader, section, "ties", "ties requires cursor = last:/pointer");
	else if (definition->page_cursor.n_more)
		reader_fault(reader, section, "ties", "ties requires a cursor of one member");
	else if (!(definition->page_end & END_SHORT) || definition->page.size < 2)
		reader_fault(reader, section, "ties",
			"ties requires `end = short` and a `size` of 2 or more");
	else if (definition->n_records_id == 0)
		reader_fault(reader, section, "ties", "ties requires `id` in [records]");
	else
		definition->page_cursor.ties = (size_t)definition->page.size;
}

void reader_page(struct definition_reader *reader)
{
	struct definition *definition = reader->definition;
	struct page_options *options = &definition->page;
	struct ini_section *section = ini_find(&definition->ini, "page", NULL);
	reader_options(reader, &rows_page, section, options, NULL);
	int n_ways = !!options->cursor + !!options->url + options->offset + options->number;
	if (n_ways > 1)
		reader_fault(reader, section, NULL,
			"[page] has %d ways to request pages; keep one of cursor, url, offset, number",
			n_ways);
	read_cursor(reader, section, "cursor", options->cursor, &definition->page_cursor);
	read_cursor(reader, section, "url", options->url, &definition->page_cursor);
	reader_pointer(reader, section, "total", options->total, &definition->page_total);
	reader_pointer(reader, section, "pages", options->pages, &definition->page_pages);
	reader_condition(reader, section, "more", options->more, &definition->page_more);
	if (options->pages && !options->number)
		reader_fault(reader, section, "pages", "[page] pages requires number = yes");
	if (options->more && n_ways == 0)
		reader_fault(reader, section, "more",
			"[page] more requires a way to request pages: cursor, url, offset or number");
	if (options->link == LINK_PATH && !options->url &&
		!(ini_find(&definition->ini, "resume", NULL) &&
			ini_section_find(ini_find(&definition->ini, "resume", NULL), "url")))
		reader_fault(reader, section, "link", "[page] link requires `url`");
	if (options->repeats && definition->page_cursor.kind == CURSOR_NONE)
		reader_fault(reader, section, "repeats", "[page] repeats requires cursor or url");
	if (options->first < 0)
		options->first = options->number ? 1 : 0;
	if (options->overlap && !options->offset)
		reader_fault(reader, section, "overlap", "[page] overlap requires offset = yes");
	if (options->overlap && options->size && options->overlap >= options->size)
		reader_fault(
			reader, section, "overlap", "[page] overlap must be smaller than size");
	read_ends(reader, section);
	read_ties(reader, section);
}

static nsec_t request_step(const struct request_definition *request)
{
	nsec_t step = request->url ? template_time_step(request->url) : 0;
	for (size_t i = 0; i < request->n_query; i++) {
		nsec_t inner = template_time_step(request->query[i].template);
		step = inner > step ? inner : step;
	}
	for (size_t i = 0; i < request->n_form; i++) {
		nsec_t inner = template_time_step(request->form[i].template);
		step = inner > step ? inner : step;
	}
	nsec_t body = request->json   ? json_template_time_step(request->json)
		      : request->text ? template_time_step(request->text)
				      : 0;
	return body > step ? body : step;
}

/* Slices that end at a multiple and begin before the last end would never get past it. */
static void read_align(struct definition_reader *reader, struct ini_section *section)
{
	const struct definition *definition = reader->definition;
	const struct resume_options *options = &definition->resume;
	if (!options->align_ns)
		return;
	if (!options->window)
		reader_fault(reader, section, "align", "[resume] align requires window = yes");
	else if (options->overlap_pieces)
		reader_fault(reader, section, "align",
			"[resume] align cannot be used with overlap_pieces");
	else if (definition->step_ns && options->align_ns % definition->step_ns)
		reader_fault(
			reader, section, "align", "[resume] align must be a multiple of `step`");
}

/* `2d every 6h` */
static void read_sweep(struct definition_reader *reader, struct ini_section *section)
{
	static const char every[] = " every ";
	struct definition *definition = reader->definition;
	const struct resume_options *options = &definition->resume;
	const char *middle = options->sweep ? strstr(options->sweep, every) : NULL;
	if (!options->sweep)
		return;
	if (!middle ||
		number_parse_duration(
			(struct slice){options->sweep, (size_t)(middle - options->sweep)},
			options->overlap_ns + 1, 366 * NSEC_PER_DAY, &definition->sweep_ns) ||
		number_parse_duration(slice_of(middle + strlen(every)), NSEC_PER_SEC,
			366 * NSEC_PER_DAY, &definition->sweep_every_ns))
		reader_fault(reader, section, "sweep",
			"sweep = %s: expected two durations such as `2d every 6h`, of which the first exceeds `overlap`",
			options->sweep);
	else if (!options->window)
		reader_fault(reader, section, "sweep", "[resume] sweep requires window = yes");
}

void reader_resume(struct definition_reader *reader)
{
	struct definition *definition = reader->definition;
	struct resume_options *options = &definition->resume;
	struct ini_section *section = ini_find(&definition->ini, "resume", NULL);
	reader_options(reader, &rows_resume, section, options, NULL);
	if (options->window + !!options->url + !!options->cursor + options->newest > 1)
		reader_fault(reader, section, NULL,
			"[resume] has two ways to resume; keep one of window, url, cursor, newest");
	else if (options->overlap_pieces && !options->window)
		reader_fault(reader, section, "overlap_pieces",
			"[resume] overlap_pieces requires window = yes");
	else if (!options->window && !options->url && !options->cursor && !options->newest)
		reader_fault(reader, section, NULL,
			"[resume] must say where the next poll continues: window = yes, url, cursor or newest = yes");
	read_cursor(reader, section, "url", options->url, &definition->resume_cursor);
	read_cursor(reader, section, "cursor", options->cursor, &definition->resume_cursor);
	nsec_t first = request_step(&definition->first), next = request_step(&definition->next);
	definition->step_ns = options->step_ns ? options->step_ns : first > next ? first : next;
	read_align(reader, section);
	read_sweep(reader, section);
	/* the request takes time, too: a window begins a minute after the retention does */
	if (options->retention_ns && options->retention_ns - options->lag_ns <= NSEC_PER_MIN)
		reader_fault(reader, section, "retention",
			"retention leaves nothing to request: it must exceed lag by more than a minute");
	if (definition->page.repeats && !options->window)
		reader_fault(reader, ini_find(&definition->ini, "page", NULL), "repeats",
			"[page] repeats requires [resume] window = yes");
	struct ini_section *limits = ini_find(&definition->ini, "limits", NULL);
	reader_options(reader, &rows_limits, limits, &definition->limits, NULL);
}

int *reader_statuses(struct definition_reader *reader, struct ini_section *section, const char *key,
	const struct str_list *list, int64_t least, size_t *ret_n)
{
	int *statuses = mem_array(list->n_items, sizeof(int));
	for (size_t i = 0; i < list->n_items; i++) {
		int64_t status;
		if (number_parse(slice_of(list->items[i]), least, 599, &status))
			reader_fault(reader, section, key, "%s: `%s` is not an HTTP status", key,
				list->items[i]);
		else
			statuses[(*ret_n)++] = (int)status;
	}
	return statuses;
}

static struct condition *read_tests(struct definition_reader *reader, struct ini_section *section,
	const char *key, const struct str_list *list, size_t *ret_n)
{
	struct condition *conditions = conditions_room(list, NULL);
	append_tests(reader, section, key, list, conditions, ret_n);
	return conditions;
}

void reader_errors(struct definition_reader *reader)
{
	struct definition *definition = reader->definition;
	struct errors_options *options = &definition->errors;
	struct ini_section *section = ini_find(&definition->ini, "errors", NULL);
	reader_options(reader, &rows_errors, section, options, NULL);
	reader_pointer(reader, section, "message", options->message, &definition->errors_message);
	definition->errors_incomplete = read_tests(reader, section, "incomplete",
		&options->incomplete, &definition->n_errors_incomplete);
	definition->errors_retry =
		read_tests(reader, section, "retry", &options->retry, &definition->n_errors_retry);
	definition->errors_expired = read_tests(
		reader, section, "expired", &options->expired, &definition->n_errors_expired);
	definition->errors_lost = reader_statuses(
		reader, section, "lost", &options->lost, 300, &definition->n_errors_lost);
	definition->errors_auth = reader_statuses(
		reader, section, "auth", &options->auth, 300, &definition->n_errors_auth);
}

static bool any_uses(const struct named_template *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (template_uses(list[i].template, name))
			return true;
	return false;
}

static bool request_uses(const struct request_definition *request, const char *name)
{
	if (request->url && template_uses(request->url, name))
		return true;
	if (any_uses(request->query, request->n_query, name) ||
		any_uses(request->headers, request->n_headers, name) ||
		any_uses(request->form, request->n_form, name))
		return true;
	if (request->json && json_template_uses(request->json, name))
		return true;
	return request->text && template_uses(request->text, name);
}

/* A size that the API is not asked for says nothing of its pages: a short one would end a chain
 * too early. */
static void check_size(struct definition_reader *reader, const struct ini_section *page)
{
	const struct definition *definition = reader->definition;
	bool counted = definition->page.offset || definition->page.number;
	if (definition->page.size == 0 || request_uses(&definition->next, "page.size") ||
		(!counted && request_uses(&definition->first, "page.size")))
		return;
	reader_fault(reader, page, "size",
		"[page] size = %lld, but the request does not send ${page.size} (for example query.limit = ${page.size})",
		(long long)definition->page.size);
}

static void check_total(struct definition_reader *reader, const struct ini_section *page)
{
	const struct definition *definition = reader->definition;
	if (definition->page.total && !definition->resume.window &&
		definition->page_cursor.kind == CURSOR_NONE && !definition->page.offset &&
		!definition->page.number)
		reader_fault(reader, page, "total",
			"[page] total has no effect without a way to request pages or a time window");
}

/* What one section promises, another must carry out: a cursor that no request sends would read page
 * 1 for ever. */
void reader_consistency(struct definition_reader *reader)
{
	struct definition *definition = reader->definition;
	struct ini_section *page = ini_find(&definition->ini, "page", NULL);
	struct ini_section *resume = ini_find(&definition->ini, "resume", NULL);
	if (!definition->next.url)
		return;
	static const struct {
		size_t offset;
		const char *key, *variable;
	} ways[] = {{offsetof(struct page_options, offset), "offset", "page.offset"},
		{offsetof(struct page_options, number), "number", "page.number"}};
	for (size_t i = 0; i < 2; i++)
		if (*(bool *)((char *)&definition->page + ways[i].offset) &&
			!request_uses(&definition->next, ways[i].variable))
			reader_fault(reader, page, ways[i].key,
				"[page] %s = yes, but the request does not use ${%s}", ways[i].key,
				ways[i].variable);
	if (definition->page.cursor && !definition->page_cursor.is_url &&
		!request_uses(&definition->next, "page.cursor"))
		reader_fault(reader, page, "cursor",
			"[page] cursor is set, but the request does not send ${page.cursor}");
	check_size(reader, page);
	check_total(reader, page);
	if (definition->records.bad_element == BAD_ELEMENT_QUARANTINE &&
		(definition->fetches || definition->page.ties))
		reader_fault(reader, ini_find(&definition->ini, "records", NULL), "bad_element",
			"bad_element = quarantine cannot be combined with %s",
			definition->fetches ? "[fetch]" : "`ties` in [page]");
	definition->first_has_start = request_uses(&definition->first, "window.start");
	if (definition->resume.window && !definition->first_has_start)
		reader_fault(reader, resume, "window",
			"[resume] window = yes, but the request does not use ${window.start}");
	const struct request_definition *resumed = definition->resume_request.method
							   ? &definition->resume_request
							   : &definition->first;
	if (definition->resume.cursor && !request_uses(resumed, "resume.cursor"))
		reader_fault(reader, resume, "cursor",
			"[resume] cursor is set, but the request does not send ${resume.cursor}");
	if (definition->records.scalars && !definition->fetches)
		reader_fault(reader, ini_find(&definition->ini, "records", NULL), "scalars",
			"scalars = yes requires [fetch]: a record is an object");
	if (definition->resume_request.method && !definition->resume.cursor &&
		!definition->resume.url)
		reader_fault(reader, ini_find(&definition->ini, "request.resume", NULL), NULL,
			"[request.resume] is never used: it requires `cursor` or `url` in [resume]");
	if (definition->records.order == ORDER_UNORDERED && !definition->resume.window &&
		!definition->resume.newest)
		reader_fault(reader, ini_find(&definition->ini, "records", NULL), "order",
			"order = unordered requires a time window: [resume] window = yes");
}
