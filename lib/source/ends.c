/* See ends.h. */
#include "source/ends.h"

#include "base/cleanup.h"
#include "base/idset.h"
#include "base/json.h"
#include "base/mem.h"
#include "source/poll_internal.h"

bool ends_may_be_full(const struct poll *poll, const struct page *page)
{
	size_t n = page->n_elements;
	if (n <= poll->n_again)
		return false;
	if (poll->cursor.page_size <= 0)
		return true;
	return (int64_t)n >= poll->cursor.page_size ||
	       (ends_size(poll) > 0 && (int64_t)n >= ends_size(poll));
}

/* Is there a way to request a next page? */
static bool has_pages(const struct definition *definition)
{
	return definition->page_cursor.kind != CURSOR_NONE || counts_pages(definition);
}

/* Records of PAGE are there twice, by their IDs. Of what was left out (excluded, known, no record)
 * it is not known. */
static bool has_doubles(const struct page *page)
{
	struct idset seen CLEANUP(idset_deinit) = IDSET_NULL;
	if (page->hashed)
		return false;
	for (size_t i = 0; i < page->n_records; i++) {
		if (idset_has(&seen, &page->records[i].key))
			return true;
		idset_add(&seen, &page->records[i].key);
	}
	return page->n_records < page->n_elements;
}

int64_t ends_counted(const struct poll *poll, const struct page *page)
{
	int64_t n = (int64_t)page->n_elements, size = ends_size(poll);
	bool beyond = definition_of(poll)->page.offset && size > 0 && n > size;
	return beyond && has_doubles(page) ? size : n;
}

int64_t ends_new(const struct poll *poll, const struct page *page)
{
	int64_t n = ends_counted(poll, page) - (int64_t)poll->n_again;
	return n > 0 ? n : 0;
}

int64_t ends_received(const struct poll *poll, const struct page *page)
{
	const struct definition *definition = definition_of(poll);
	if (definition->page.offset)
		return poll->request.offset - definition->page.first + ends_counted(poll, page);
	return poll->from_first ? poll->n_elements + ends_new(poll, page) : -1;
}

/* The total, unless it is known to count something else; -1: not known. */
static int64_t total_of(const struct poll *poll, const struct page *page)
{
	return poll->total_wrong ? -1 : page->total;
}

/* By its total, the window holds more than what was received. */
static bool total_says_more(const struct poll *poll, const struct page *page)
{
	return ends_received(poll, page) >= 0 && ends_received(poll, page) < total_of(poll, page);
}

/* By the number of pages, there are more. */
bool ends_pages_more(const struct poll *poll, const struct page *page)
{
	return page->pages >= 0 &&
	       poll->request.number - definition_of(poll)->page.first + 1 < page->pages;
}

static bool says_more(const struct poll *poll, const struct page *page)
{
	return page->more || total_says_more(poll, page) || ends_pages_more(poll, page);
}

static bool counts_to_end(const struct poll *poll, const struct page *page)
{
	int64_t total = total_of(poll, page);
	bool all = (total >= 0 && ends_received(poll, page) >= total) ||
		   (page->pages >= 0 && !ends_pages_more(poll, page));
	return all && !ends_may_be_full(poll, page);
}

bool ends_same_cursor(const char *a, const char *b)
{
	struct buf scratch_a CLEANUP(buf_deinit) = BUF_NULL,
			     scratch_b CLEANUP(buf_deinit) = BUF_NULL;
	if (strcmp(a, b) == 0)
		return true;
	if (json_kind_of(slice_of(a)) > JSON_KIND_NUMBER ||
		json_kind_of(slice_of(b)) > JSON_KIND_NUMBER)
		return false;
	return slice_equal(
		json_content(slice_of(a), &scratch_a), json_content(slice_of(b), &scratch_b));
}

bool ends_chain(const struct poll *poll, const struct page *page)
{
	const struct definition *definition = definition_of(poll);
	unsigned end = definition->page_end;
	bool empty = page->n_elements == 0, counted = counts_pages(definition);
	if (page->ends || (definition->resume.newest && page->all_known))
		return true;
	if (!counted && !page->next)
		return true;
	if (ends_at_cap(poll, page))
		return true;
	if (page->more)
		return counted && empty; /* ends_check() refuses it */
	if (counted && counts_to_end(poll, page))
		return true;
	if (end & END_EMPTY && empty)
		return true;
	if (end & END_SHORT && !ends_may_be_full(poll, page) && !says_more(poll, page))
		return true;
	const char *cursor = requested_cursor(poll);
	return end & END_SAME && !counted && cursor && ends_same_cursor(cursor, page->next);
}

/* What says that there is a page after PAGE, though nothing leads to it; NULL: nothing. */
static char *contradiction(const struct poll *poll, const struct page *page)
{
	const struct definition *definition = definition_of(poll);
	bool absent = definition->page_end & END_ABSENT;
	if (page->more)
		return mem_printf("`more = %s` holds", definition->page.more);
	if (!counts_pages(definition) && total_says_more(poll, page))
		return mem_printf("its total at `%s` is %lld (received: %lld)",
			definition->page_total.text, (long long)page->total,
			(long long)ends_received(poll, page));
	if (!counts_pages(definition) && page->unmet && !page->no_more && !absent)
		return mem_printf("`%s`, which shows the last page, does not hold",
			definition->page_end_tests[0].pointer.text);
	return NULL;
}

int ends_check(struct poll *poll, const struct page *page, struct fault *reterr)
{
	const struct definition *definition = definition_of(poll);
	bool counted = counts_pages(definition);
	if (!has_pages(definition) || page->ends || (!counted && page->next) ||
		ends_at_cap(poll, page) || (definition->resume.newest && page->all_known))
		return 0;
	const char *key = definition->page.url ? "url" : "cursor";
	const char *cursor = definition->page.url ? definition->page.url : definition->page.cursor;
	char *why CLEANUP_FREE = contradiction(poll, page);
	if (why && counted)
		return fault_set(reterr, FAULT_BODY,
			"the page is rejected: it has no elements, but %s, so there is another page",
			why);
	if (why)
		return fault_set(reterr, FAULT_BODY,
			"the page is rejected: it has no %s at `%s`, but %s, so there is another page (check page.%s)",
			definition->page.url ? "URL" : key, cursor, why, key);
	bool proven = page->no_more || page->unmet || total_of(poll, page) >= 0;
	if (!counted && !proven && page->n_elements > 0 &&
		(int64_t)page->n_elements == ends_size(poll))
		poll->notices |= POLL_NOTICE_FULL;
	return 0;
}

/* The most that can be had of one window; 0: no limit. Numbered pages of a fixed size do not reach
 * a limit that is not a multiple of the size. */
static int64_t cap_of(const struct poll *poll)
{
	const struct page_options *options = &definition_of(poll)->page;
	if (options->number && options->size > 0 && options->size < options->cap)
		return options->cap - options->cap % options->size;
	return options->cap;
}

bool ends_capped(const struct poll *poll, const struct page *page)
{
	const struct definition *definition = definition_of(poll);
	const struct page_options *options = &definition->page;
	int64_t n = poll->n_elements + ends_new(poll, page), total = total_of(poll, page);
	if (!definition->resume.window)
		return false;
	if (!has_pages(definition) &&
		(total >= 0 ? total > n : options->size > 0 && n >= options->size))
		return true;
	return options->cap > 0 && (n >= cap_of(poll) || total >= options->cap);
}

bool ends_at_cap(const struct poll *poll, const struct page *page)
{
	int64_t cap = cap_of(poll);
	return definition_of(poll)->resume.window && cap > 0 &&
	       poll->n_elements + ends_new(poll, page) >= cap;
}

bool ends_whole(const struct poll *poll, const struct page *page)
{
	int64_t n = poll->n_elements + ends_new(poll, page), total = total_of(poll, page);
	return total >= 0 && n >= total && total != definition_of(poll)->page.cap &&
	       !ends_may_be_full(poll, page); /* it may count the page */
}

int64_t ends_size(const struct poll *poll)
{
	const struct page_options *options = &definition_of(poll)->page;
	int64_t left = options->cap - (poll->request.offset - options->first);
	bool limited = definition_of(poll)->resume.window && options->offset && options->cap > 0 &&
		       left > 0 && left < options->size;
	return limited ? left : options->size;
}

/* The total is contradicted where all that it counts was there and more came. (A total that changes
 * as well may be a list that moved.) A list without pages proves nothing: it may repeat an element.
 */
void ends_learn_total(struct poll *poll, const struct page *page)
{
	int64_t received = ends_received(poll, page), fresh = ends_new(poll, page);
	if (!has_pages(definition_of(poll)) || page->total < 0 || poll->total_wrong || fresh == 0 ||
		received <= page->total)
		return;
	if (poll->n_pages > 0 && received - fresh < poll->total)
		return;
	poll->total_wrong = true;
	poll->notices |= POLL_NOTICE_TOTAL;
}

static void set_uneven(struct poll *poll)
{
	poll->cursor.page_size = 0;
	poll->notices |= POLL_NOTICE_UNEVEN;
}

/* A page of N elements was not the last: so many the API gives where a page is full. */
static void learn_cut(struct poll *poll, int64_t n)
{
	struct cursor *cursor = &poll->cursor;
	if (cursor->page_size >= 0) {
		if (n < cursor->page_size)
			set_uneven(poll);
	} else if (cursor->page_cut < 0) {
		cursor->page_cut = n;
		poll->notices |= POLL_NOTICE_SIZE;
	} else if (cursor->page_cut == n) {
		cursor->page_size = n;
	} else {
		set_uneven(poll);
	}
}

void ends_learn_size(struct poll *poll, const struct page *page)
{
	const struct definition *definition = definition_of(poll);
	struct cursor *cursor = &poll->cursor;
	int64_t size = definition->page.size;
	bool needed = definition->page_end & END_SHORT || pointer_is_set(&definition->page_total) ||
		      pointer_is_set(&definition->page_pages);
	if (size == 0 || !needed)
		return;
	if (poll->n_before > 0 && poll->n_before != size && ends_new(poll, page) > 0)
		learn_cut(poll, poll->n_before);
	if ((int64_t)page->n_elements != size || cursor->page_size >= 0 || cursor->page_cut > size)
		return;
	if (cursor->page_cut > 0)
		set_uneven(poll);
	else
		cursor->page_size = size;
}

bool ends_probes(const struct poll *poll, const struct page *page)
{
	int64_t total = total_of(poll, page), n = (int64_t)page->n_elements;
	int64_t full = poll->cursor.page_cut > 0 ? poll->cursor.page_cut : ends_size(poll);
	return n < full || (total >= 0 && ends_received(poll, page) >= total) ||
	       (page->pages >= 0 && !ends_pages_more(poll, page));
}

const char *ends_next(const struct poll *poll, const struct page *page, size_t *ret_n_again)
{
	const char *requested = requested_cursor(poll);
	/* where a page begins with elements of the one before, back may be where it was requested
	 * from
	 */
	bool stuck = page->back && requested && ends_same_cursor(requested, page->back) &&
		     (int64_t)page->n_elements < ends_size(poll);
	bool again = page->back && !stuck && ends_may_be_full(poll, page);
	*ret_n_again = again ? page->n_tied : 0;
	return again ? page->back : page->next;
}
