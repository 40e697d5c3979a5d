/*
 * From an answer to records. Nothing of a page is used until all of it is valid: the JSON scanner
 * checks the whole text, then the cursors are read, then the records are made; a fault at any step
 * leaves the page to be refused whole.
 */
#include "source/page_internal.h"

#include <assert.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/utf8.h"
#include "net/outcome.h"
#include "net/url.h"

#define NEXT_MAX (64 * 1024) /* a cursor or link longer than this is refused */

static struct slice envelope(const struct page *page, int column)
{
	return column < 0 ? SLICE_NULL : page->scan.envelope[column];
}

/* What is not a cursor: nothing, false, and an empty object or array. */
static bool is_blank(struct slice value)
{
	if (is_nothing(value))
		return true;
	enum json_kind kind = json_kind_of(value);
	bool nested = kind == JSON_KIND_OBJECT || kind == JSON_KIND_ARRAY;
	return kind == JSON_KIND_FALSE ||
	       (nested && str_trim((struct slice){value.data + 1, value.size - 2}).size == 0);
}

/* What [page] none lists is not a cursor, either; there, `\"\"` stands for the empty text. */
static bool is_no_cursor(const struct cursor_definition *cursor, struct slice value)
{
	struct buf scratch CLEANUP(buf_deinit) = BUF_NULL;
	if (is_blank(value) || !cursor->none)
		return is_blank(value);
	struct slice content = json_content(value, &scratch);
	for (size_t i = 0; i < cursor->none->n_items; i++)
		if (slice_is(content, cursor->none->items[i]))
			return true;
	return false;
}

/* What a message calls the cursor: as the definition writes it. */
static const char *cursor_text(const struct cursor_definition *cursor)
{
	return cursor->header ? cursor->header : cursor->text;
}

/* A cursor of the definition, and the response that it is looked for in. */
struct search {
	struct page *page;
	const struct source *source;
	const struct http_response *response;
	const char *url; /* of the response */
	const struct cursor_definition *cursor;
	int column; /* of the envelope; -1: it is not there */
	int column_last; /* of the last element, the same */
};

static int refuse_cursor(
	const struct search *search, struct fault *fault, enum fault_class class, const char *what)
{
	char *text CLEANUP_FREE =
		mem_printf("the cursor at `%s` %s", cursor_text(search->cursor), what);
	return page_refuse(search->page, fault, class, text);
}

/* Scheme, host and port of an absolute URL, as they are written. */
static size_t origin_size(const char *url)
{
	const char *host = strstr(url, "://");
	host = host ? host + 3 : url;
	return (size_t)(host - url) + strcspn(host, "/?#");
}

static int read_single_value(
	const struct search *search, struct slice value, char **ret, struct fault *reterr)
{
	const struct cursor_definition *cursor = search->cursor;
	if (is_no_cursor(cursor, value))
		return 0;
	if (json_kind_of(value) == JSON_KIND_TRUE)
		return refuse_cursor(search, reterr, FAULT_BODY, "is true, which is not a cursor");
	if (value.size > NEXT_MAX)
		return refuse_cursor(search, reterr, FAULT_LIMIT, "is longer than 64 KiB");
	if (!utf8_is_valid(value))
		return refuse_cursor(search, reterr, FAULT_BODY, "is not valid UTF-8");
	if (!cursor->is_url) {
		*ret = mem_strndup(value.data, value.size);
		return 0;
	}
	if (json_kind_of(value) != JSON_KIND_STRING)
		return refuse_cursor(search, reterr, FAULT_BODY, "is not a string");
	struct buf scratch CLEANUP(buf_deinit) = BUF_NULL;
	struct slice content = json_content(value, &scratch);
	char *reference CLEANUP_FREE = mem_strndup(content.data, content.size);
	char *link CLEANUP_FREE = NULL;
	char *origin CLEANUP_FREE = mem_strndup(search->url, origin_size(search->url));
	if (strlen(reference) != content.size || url_resolve(search->url, reference, &link) ||
		(cursor->path_only && url_replace_origin(link, origin, ret)))
		return refuse_cursor(search, reterr, FAULT_ORIGIN,
			"is not an http or https URL of the configured origin");
	if (!cursor->path_only) {
		*ret = link;
		link = NULL;
	}
	return 0;
}

/* The value at VALUES, or, of a cursor of several members, the array of the values there: all of
 * them, or none. */
static int read_cursor_value(
	const struct search *search, const struct slice *values, char **ret, struct fault *reterr)
{
	struct buf array CLEANUP(buf_deinit) = BUF_NULL;
	size_t n_missing = 0, n = search->cursor->n_more + 1;
	if (n == 1)
		return read_single_value(search, values[0], ret, reterr);
	for (size_t i = 0; i < n; i++) {
		n_missing += is_nothing(values[i]);
		buf_append_char(&array, i ? ',' : '[');
		buf_append_slice(&array, values[i]);
	}
	buf_append_char(&array, ']');
	if (n_missing == n)
		return 0;
	if (n_missing)
		return refuse_cursor(
			search, reterr, FAULT_BODY, "lacks a member, or one of them is empty");
	return read_single_value(search, buf_slice(&array), ret, reterr);
}

/* --- cursors --- */

static bool same_text(struct slice a, struct slice b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static int read_last(const struct search *search, char **ret, struct fault *reterr)
{
	const struct page *page = search->page;
	int column = search->column_last;
	size_t n = page->scan.n_elements;
	/* what cannot be a record may still have what the next page is requested with */
	while (n > 0 && page_is_bad(page, search->source, n - 1) &&
		is_blank(field(page, n - 1, column)))
		n--;
	if (n == 0 && page->scan.n_elements > 0)
		return refuse_cursor(
			search, reterr, FAULT_BODY, "is needed, but no element of the page has it");
	return n ? read_cursor_value(search, field_at(page, n - 1, column), ret, reterr) : 0;
}

/* Where ties are possible a page may be cut amid equal values: then the value before them is where
 * the next page has to begin. */
static int read_ties(const struct search *search, struct fault *reterr)
{
	const struct cursor_definition *cursor = search->cursor;
	struct page *page = search->page;
	int column = search->column_last;
	size_t n = page->scan.n_elements, at = n;
	bool full = cursor->ties && n >= cursor->ties;
	if (!cursor->ties || n == 0)
		return 0;
	struct slice value = field(page, n - 1, column);
	if (is_blank(value) && full)
		return refuse_cursor(search, reterr, FAULT_BODY,
			"is missing in the last element of a full page");
	while (at > 0 && same_text(field(page, at - 1, column), value))
		at--;
	page->n_tied = n - at;
	if (at > 0)
		return read_cursor_value(
			search, field_at(page, at - 1, column), &page->back, reterr);
	if (!full)
		return 0;
	return refuse_cursor(search, reterr, FAULT_LIMIT,
		"is the same in all elements of a full page, so that what follows cannot be requested (a larger page_size can help)");
}

/* The next link of all Link headers. One that cannot be read may hold it. */
static int read_links(const struct search *search, char **ret, struct fault *reterr)
{
	const struct http_headers *headers = &search->response->headers;
	for (size_t i = 0; i < headers->n_items; i++) {
		const struct http_header *header = &headers->items[i];
		struct buf excerpt CLEANUP(buf_deinit) = BUF_NULL;
		char *link CLEANUP_FREE = NULL;
		if (strcasecmp(header->name, "Link") != 0)
			continue;
		if (url_from_link_header(slice_of(header->value), "next", search->url, &link)) {
			http_excerpt(slice_of(header->value), PAGE_EXCERPT_SIZE, &excerpt);
			char *what CLEANUP_FREE = mem_printf(
				"its Link header cannot be read (`%s`)", buf_text(&excerpt));
			return page_refuse(search->page, reterr, FAULT_BODY, what);
		}
		if (link && !*ret) {
			*ret = link;
			link = NULL;
		}
	}
	return 0;
}

static int read_cursor(const struct search *search, char **ret, struct fault *reterr)
{
	const struct cursor_definition *cursor = search->cursor;
	struct buf text CLEANUP(buf_deinit) = BUF_NULL;
	char *link CLEANUP_FREE = NULL;
	struct slice header;
	switch (cursor->kind) {
	case CURSOR_NONE:
		return 0;
	case CURSOR_POINTER:
		return read_cursor_value(
			search, &search->page->scan.envelope[search->column], ret, reterr);
	case CURSOR_LAST:
		return read_last(search, ret, reterr);
	case CURSOR_HEADER:
		header = http_headers_get(&search->response->headers, cursor->header);
		break;
	case CURSOR_LINK:
		if (read_links(search, &link, reterr))
			return -1;
		header = slice_of(link);
		break;
	}
	if (!header.data || header.size == 0)
		return 0;
	json_encode(header, &text);
	return read_single_value(search, buf_slice(&text), ret, reterr);
}

static int check_complete(
	const struct page *page, const struct source *source, struct fault *reterr)
{
	const struct definition *definition = source->definition;
	struct condition_any any = {0};
	for (size_t i = 0; i < definition->n_errors_incomplete; i++) {
		const struct condition *condition = &definition->errors_incomplete[i];
		condition_any_add(&any, condition,
			condition_holds(
				condition, envelope(page, source->envelope_incomplete + (int)i)));
		if (!any.holds)
			continue;
		char *what CLEANUP_FREE = mem_printf(
			"it says of itself at `%s` that it is not whole", condition->pointer.text);
		return page_refuse(page, reterr, FAULT_INCOMPLETE, what);
	}
	return 0;
}

static int check_array(const struct page *page, const struct source *source, struct fault *reterr)
{
	const struct definition *definition = source->definition;
	char *what CLEANUP_FREE = NULL;
	if (page->scan.array == JSON_SCAN_ARRAY_FOUND || definition->records_lines)
		return 0;
	bool missing = page->scan.array == JSON_SCAN_ARRAY_ABSENT ||
		       page->scan.array == JSON_SCAN_ARRAY_NULL;
	if (missing && definition->records.missing &&
		(source->envelope_expect < 0 || condition_holds(&definition->expect,
							envelope(page, source->envelope_expect))))
		return 0;
	what = mem_printf(missing ? "there is no array of records at `%s`" : "`%s` is not an array",
		definition->records.at);
	return page_refuse(page, reterr, FAULT_BODY, what);
}

static bool is_selected(const struct page *page, const struct source *source, size_t element)
{
	const struct definition *definition = source->definition;
	struct condition_any included = {0}, excluded = {0};
	for (size_t i = 0; i < definition->n_conditions; i++) {
		struct slice value = field(page, element, source->column_conditions + (int)i);
		const struct condition *condition = &definition->conditions[i];
		condition_any_add(i < definition->n_include ? &included : &excluded, condition,
			condition_holds(condition, value));
	}
	return (definition->n_include == 0 || included.holds) && !excluded.holds;
}

/* What identifies an ID: its content, however it is escaped; but halves of surrogate pairs all have
 * the content U+FFFD, so an ID with one is its own JSON text. */
static struct slice id_identity(struct slice value, struct slice content)
{
	static const char replacement[] = "\xef\xbf\xbd";
	bool lost = content.data != value.data && content.size &&
		    memmem(content.data, content.size, replacement, sizeof(replacement) - 1) &&
		    memchr(value.data, '\\', value.size);
	return lost ? value : content;
}

/* No value may be missing, and not all of them blank or true: that tells no record from another.
 * Parts are joined by ':' for people; the key is the digest of the parts with their lengths, so
 * that no two different IDs meet. A number and a string of the same digits are the same ID: APIs
 * change their mind about that. */
bool page_read_id(const struct slice *values, size_t n, struct buf *out, struct id *ret_key,
	struct buf *scratch)
{
	size_t start = out->size;
	struct buf key CLEANUP(buf_deinit) = BUF_NULL;
	bool tells = false;
	for (size_t i = 0; i < n; i++) {
		if (is_nothing(values[i])) {
			out->size = start;
			return false;
		}
		tells = tells ||
			(!is_blank(values[i]) && json_kind_of(values[i]) != JSON_KIND_TRUE);
		struct slice content = json_content(values[i], scratch);
		struct slice identity = id_identity(values[i], content);
		if (n > 1)
			buf_printf(&key, "%zu:", identity.size);
		buf_append_slice(&key, identity);
		if (i > 0)
			buf_append_char(out, ':');
		buf_append_slice(out, content);
	}
	if (!tells)
		out->size = start;
	else
		*ret_key = digest_id(buf_slice(&key));
	return tells;
}

/* False: the record has none. */
static bool read_id(struct page *page, const struct source *source, size_t element,
	struct record *record, struct buf *scratch)
{
	size_t n_ids = source->definition->n_records_id;
	size_t start = page->ids.size;
	if (n_ids == 0)
		return false;
	if (!page_read_id(
		    &page->scan.fields[element * page->scan.n_fields + (size_t)source->column_id],
		    n_ids, &page->ids, &record->key, scratch)) {
		page->n_without_id++;
		return false;
	}
	/* ids may still move while it grows: the offset stands in for the address until all are
	 * read */
	record->id_text = (struct slice){(const char *)start, page->ids.size - start};
	return true;
}

static void read_time(struct page *page, const struct source *source, size_t element,
	struct record *record, nsec_t *last_time, struct buf *scratch)
{
	const struct definition *definition = source->definition;
	bool found = false;
	struct slice bad = SLICE_NULL;
	for (size_t i = 0; i < definition->n_records_time && !found; i++) {
		struct slice value = field(page, element, source->column_time + (int)i);
		nsec_t time;
		found = !is_nothing(value) && timestamp_parse(definition->time_format,
						      json_content(value, scratch), &time) == 0;
		if (found)
			*last_time = time;
		else if (!is_nothing(value) && !bad.data)
			bad = value;
	}
	if (found && (page->newest_time == NSEC_NONE || *last_time > page->newest_time))
		page->newest_time = *last_time;
	page->n_without_time += !found && definition->n_records_time > 0;
	if (!found && !page->bad_time.data)
		page->bad_time = bad;
	record->time = *last_time;
}

static struct id text_key(const struct record *record, struct buf *scratch)
{
	if (!record->spaced)
		return digest_id(record->text);
	buf_clear(scratch);
	json_minify(record->text, scratch);
	return digest_id(buf_slice(scratch));
}

static void read_records(struct page *page, const struct source *source, nsec_t last_time)
{
	struct buf scratch CLEANUP(buf_deinit) = BUF_NULL;
	size_t n = page->scan.n_elements;
	page->n_elements = n;
	if (page->records_capacity < n) {
		page->records = mem_resize(page->records, n * sizeof(struct record));
		page->records_capacity = n;
	}
	for (size_t i = 0; i < n; i++) {
		if (page->n_bad && page_is_bad(page, source, i))
			continue;
		if (!is_selected(page, source, i)) {
			if (page->n_excluded < PAGE_EXCLUDED)
				page->excluded[page->n_excluded] =
					page_record_text(page, source, i);
			page->n_excluded++;
			continue;
		}
		struct record *record = &page->records[page->n_records++];
		record->spaced = page->scan.elements[i].spaced || source->item_plan;
		record->text = page_record_text(page, source, i);
		record->id_text = SLICE_NULL;
		read_time(page, source, i, record, &last_time, &scratch);
		if (!read_id(page, source, i, record, &scratch)) {
			record->key = text_key(record, &scratch);
			page->hashed = true;
		}
	}
	for (size_t i = 0; i < page->n_records; i++) {
		struct slice *id = &page->records[i].id_text;
		if (id->size)
			id->data = buf_text(&page->ids) + (size_t)id->data;
	}
}

static void read_digest(struct page *page)
{
	struct buf keys CLEANUP(buf_deinit) = BUF_NULL;
	for (size_t i = 0; i < page->n_records; i++)
		buf_append(&keys, page->records[i].key.bytes, sizeof(struct id));
	page->digest = digest_id(buf_slice(&keys));
}

/* -1: there is none. */
static int64_t read_count(const struct page *page, int column)
{
	struct buf scratch CLEANUP(buf_deinit) = BUF_NULL;
	struct slice value = envelope(page, column);
	int64_t count;
	if (!value.data || number_parse(json_content(value, &scratch), 0, INT64_MAX, &count))
		return -1;
	return count;
}

/* What the response says of pages after it. */
static void read_signals(struct page *page, const struct source *source)
{
	const struct definition *definition = source->definition;
	struct slice more = envelope(page, source->envelope_more);
	for (size_t i = 0; i < definition->n_page_end_tests; i++) {
		struct slice value = envelope(page, source->envelope_ends + (int)i);
		bool holds = condition_holds(&definition->page_end_tests[i], value);
		page->ends |= holds;
		page->unmet |= value.data && !holds;
	}
	if (source->envelope_more >= 0)
		page->more = condition_holds(&definition->page_more, more);
	page->no_more = more.data && !page->more;
	page->unmet &= !page->ends;
	page->total = read_count(page, source->envelope_total);
	page->pages = read_count(page, source->envelope_pages);
}

static int read_envelope(struct page *page, const struct source *source,
	const struct http_response *response, const char *url, struct fault *reterr)
{
	const struct definition *definition = source->definition;
	struct search next = {
		.page = page,
		.source = source,
		.response = response,
		.url = url,
		.cursor = &definition->page_cursor,
		.column = source->envelope_page,
		.column_last = source->column_last_page,
	};
	struct search resume = next;
	resume.cursor = &definition->resume_cursor;
	resume.column = source->envelope_resume;
	resume.column_last = source->column_last_resume;
	int r = page->nothing ? 0 : check_complete(page, source, reterr);
	if (!r && !page->nothing)
		r = check_array(page, source, reterr);
	if (!r) {
		page_read_items(page, source);
		r = page_check_records(page, source, reterr);
	}
	if (!r)
		r = read_cursor(&next, &page->next, reterr);
	if (!r)
		r = read_ties(&next, reterr);
	if (!r)
		r = read_cursor(&resume, &page->resume, reterr);
	if (!r && page->next && definition->page_cursor.is_url)
		r = source_may_request(source, page->next, reterr);
	if (!r && page->resume && definition->resume_cursor.is_url)
		r = source_may_request(source, page->resume, reterr);
	if (r)
		return r;
	read_signals(page, source);
	return 0;
}

/* A response without a body, of which the definition says that it is an empty page. */
static bool stands_for_nothing(
	const struct source *source, const struct http_response *response, struct slice text)
{
	const struct definition *definition = source->definition;
	if (str_trim(text).size > 0 || definition->records_lines)
		return false;
	return (definition->records.missing && source->envelope_expect < 0) ||
	       definition_lists_status(
		       definition->records_empty, definition->n_records_empty, response->status);
}

static int scan_body(
	struct page *page, const struct source *source, int status, struct fault *reterr)
{
	struct fault fault = FAULT_NULL;
	struct slice text = json_skip_bom(buf_slice(&page->body));
	int r = json_scanner_run(
		source->plan, page->nothing ? SLICE("{}") : text, &page->scan, &fault);
	if (r && str_trim(text).size == 0)
		return fault_set(reterr, fault.class,
			"the response is rejected: HTTP %d without a body, which is not JSON (`empty = %d` in [records] makes it an empty page)",
			status, status);
	return r ? page_refuse(page, reterr, fault.class, fault.text) : 0;
}

int page_read(struct page *page, const struct source *source, struct http_response *response,
	const char *url, nsec_t last_time, struct fault *reterr)
{
	page->newest_time = NSEC_NONE;
	page->server_time = response->server_time;
	page->body = response->body;
	response->body = BUF_NULL;
	page->nothing = stands_for_nothing(source, response, json_skip_bom(buf_slice(&page->body)));
	int r = scan_body(page, source, response->status, reterr);
	if (!r)
		r = read_envelope(page, source, response, url, reterr);
	if (r) {
		page_deinit(page);
		return r;
	}
	read_records(page, source, last_time);
	read_digest(page);
	return 0;
}

void page_empty(struct page *page, const struct http_response *response)
{
	*page = PAGE_NULL;
	page->newest_time = NSEC_NONE;
	page->server_time = response->server_time;
	page->total = page->pages = -1;
	read_digest(page);
}

void page_drop_records(struct page *page, size_t n)
{
	assert(n <= page->n_records);
	page->n_records -= n;
	memmove(page->records, page->records + n, page->n_records * sizeof(struct record));
}

void page_deinit(struct page *page)
{
	buf_deinit(&page->body);
	buf_deinit(&page->ids);
	buf_deinit(&page->texts);
	free(page->items);
	json_scan_deinit(&page->scan);
	for (size_t i = 0; i < page->n_bad; i++)
		free(page->bad[i].reason);
	free(page->bad);
	free(page->records);
	free(page->next);
	free(page->back);
	free(page->resume);
	*page = PAGE_NULL;
}
