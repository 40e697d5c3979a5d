/* The records inside the elements of a page, and elements that have none. */
#include "source/page_internal.h"

#include "base/digest.h"
#include "base/mem.h"
#include "net/outcome.h"

int page_refuse(
	const struct page *page, struct fault *fault, enum fault_class class, const char *what)
{
	struct buf excerpt CLEANUP(buf_deinit) = BUF_NULL;
	http_excerpt(buf_slice(&page->body), PAGE_EXCERPT_SIZE, &excerpt);
	return fault_set(fault, class, "the response is rejected: %s; it begins with: %s", what,
		buf_text(&excerpt));
}

struct slice page_record_text(const struct page *page, const struct source *source, size_t element)
{
	if (source->item_plan)
		return page->items[element];
	return source->column_item >= 0 ? field(page, element, source->column_item)
					: page->scan.elements[element].raw;
}

void page_read_items(struct page *page, const struct source *source)
{
	struct buf scratch CLEANUP(buf_deinit) = BUF_NULL;
	struct json_scan scan CLEANUP(json_scan_deinit) = JSON_SCAN_NULL;
	size_t n = page->scan.n_elements;
	if (!source->item_plan)
		return;
	page->items = mem_array(n, sizeof(struct slice));
	for (size_t i = 0; i < n; i++) {
		struct slice value = field(page, i, source->column_item);
		struct fault fault;
		if (!value.data || json_kind_of(value) != JSON_KIND_STRING)
			continue;
		struct slice text = str_trim(json_content(value, &scratch));
		if (text.size == 0 || json_scanner_run(source->item_plan, text, &scan, &fault))
			continue;
		/* texts may still move while it grows: offsets stand in for addresses */
		page->items[i] = (struct slice){(const char *)page->texts.size, text.size};
		buf_append_slice(&page->texts, text);
	}
	for (size_t i = 0; i < n; i++)
		if (page->items[i].size)
			page->items[i].data = buf_text(&page->texts) + (size_t)page->items[i].data;
}

/* What is wrong with a value that is to be a record; NULL: nothing. */
static const char *record_trouble(const struct source *source, struct slice value)
{
	static const char *const troubles[] = {[JSON_KIND_ARRAY] = "is an array",
		[JSON_KIND_STRING] = "is a string",
		[JSON_KIND_NUMBER] = "is a number",
		[JSON_KIND_TRUE] = "is true",
		[JSON_KIND_FALSE] = "is false",
		[JSON_KIND_NULL] = "is null"};
	if (value.data && source->definition->records.scalars)
		return json_kind_of(value) == JSON_KIND_NULL ? troubles[JSON_KIND_NULL] : NULL;
	if (value.data)
		return troubles[json_kind_of(value)];
	return source->item_plan ? "is not a text that holds JSON" : "is missing";
}

bool page_is_bad(const struct page *page, const struct source *source, size_t element)
{
	return record_trouble(source, page_record_text(page, source, element)) != NULL;
}

/* Names the element and what is wrong with it. */
static char *bad_element_text(const struct page *page, const struct source *source, size_t element)
{
	const struct definition *definition = source->definition;
	const char *item = definition->records_item.text ? definition->records_item.text : "";
	const char *trouble = record_trouble(source, page_record_text(page, source, element));
	if (definition->records_lines || definition->n_records_at > 1 ||
		strchr(definition->records_at[0].text, '*'))
		return mem_printf("record %zu%s%s %s; a record is an object", element + 1,
			*item ? " at " : "", item, trouble);
	return mem_printf("the element `%s/%zu%s` %s; a record is an object",
		definition->records_at[0].text, element, item, trouble);
}

static void set_apart(struct page *page, const struct source *source, size_t element)
{
	struct slice text = page->scan.elements[element].raw;
	page->bad = mem_resize(page->bad, (page->n_bad + 1) * sizeof(*page->bad));
	page->bad[page->n_bad++] = (struct bad_element){
		text, digest_id(text), bad_element_text(page, source, element)};
}

int page_check_records(struct page *page, const struct source *source, struct fault *reterr)
{
	for (size_t i = 0; i < page->scan.n_elements; i++) {
		if (!page_is_bad(page, source, i))
			continue;
		if (source->definition->records.bad_element == BAD_ELEMENT_QUARANTINE) {
			set_apart(page, source, i);
			continue;
		}
		char *text CLEANUP_FREE = bad_element_text(page, source, i);
		char *what CLEANUP_FREE = mem_printf(
			"%s (`bad_element = quarantine` in [records] sets such elements apart)",
			text);
		return page_refuse(page, reterr, FAULT_BODY, what);
	}
	return 0;
}
