/* Between the files that read a response: what a value in it says. */
#ifndef TRAWLD_SOURCE_PAGE_INTERNAL_H
#define TRAWLD_SOURCE_PAGE_INTERNAL_H

#include "source/page.h"

#include "base/cleanup.h"
#include "base/json.h"

#define PAGE_EXCERPT_SIZE 200

/* PAGE is rejected whole, because of WHAT. Returns CLASS. */
int page_refuse(
	const struct page *page, struct fault *fault, enum fault_class class, const char *what);

/* Decodes the records that are texts inside their elements. */
void page_read_items(struct page *page, const struct source *source);
/* The record of an element. */
struct slice page_record_text(const struct page *page, const struct source *source, size_t element);
/* Has it none? */
bool page_is_bad(const struct page *page, const struct source *source, size_t element);
/* Rejects a page with such elements, or sets them apart. 0 or FAULT_BODY. */
int page_check_records(struct page *page, const struct source *source, struct fault *reterr);

static inline const struct slice *field_at(const struct page *page, size_t element, int column)
{
	return &page->scan.fields[element * page->scan.n_fields + (size_t)column];
}

static inline struct slice field(const struct page *page, size_t element, int column)
{
	return column < 0 ? SLICE_NULL : *field_at(page, element, column);
}

static inline bool condition_holds(const struct condition *condition, struct slice value)
{
	struct buf scratch CLEANUP(buf_deinit) = BUF_NULL;
	if (!value.data)
		return condition_test(condition, SLICE_NULL);
	return condition_test(condition, json_content(value, &scratch));
}

/* An absent value, null and "" all mean: no further page. */
static inline bool is_nothing(struct slice value)
{
	return !value.data || json_kind_of(value) == JSON_KIND_NULL || slice_is(value, "\"\"");
}

#endif
