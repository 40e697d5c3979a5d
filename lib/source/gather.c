/* See gather.h. */
#include "source/gather.h"

#include "base/mem.h"

struct sort_entry {
	struct record record;
	size_t index; /* position as the API gave it: the last word among equals */
};

void gather_init(struct gather *gather, size_t limit)
{
	*gather = (struct gather){.limit = limit};
}

bool gather_fits(const struct gather *gather, size_t size)
{
	return gather->n_pages == 0 || gather->size + size <= gather->limit;
}

void gather_add(struct gather *gather, struct page *page)
{
	gather->pages =
		mem_grow(gather->pages, gather->n_pages, &gather->capacity, sizeof(struct page));
	gather->size += page->body.size;
	gather->n_records += page->n_records;
	gather->pages[gather->n_pages++] = *page;
	*page = PAGE_NULL;
}

static int compare_slices(struct slice a, struct slice b)
{
	size_t n = a.size < b.size ? a.size : b.size;
	int order = n ? memcmp(a.data, b.data, n) : 0;
	return order ? order : (a.size > b.size) - (a.size < b.size);
}

static int compare(const void *left, const void *right)
{
	const struct sort_entry *a = left, *b = right;
	if (a->record.time != b->record.time)
		return a->record.time < b->record.time ? -1 : 1;
	int order = compare_slices(a->record.id_text, b->record.id_text);
	return order ? order : (a->index > b->index) - (a->index < b->index);
}

struct records gather_sorted(const struct gather *gather)
{
	struct sort_entry *entries = mem_array(gather->n_records, sizeof(struct sort_entry));
	size_t n = 0;
	for (size_t i = 0; i < gather->n_pages; i++)
		for (size_t j = 0; j < gather->pages[i].n_records; j++, n++)
			entries[n] = (struct sort_entry){gather->pages[i].records[j], n};
	qsort(entries, n, sizeof(struct sort_entry), compare);
	struct records records = {mem_array(n, sizeof(struct record)), n};
	for (size_t i = 0; i < n; i++)
		records.items[i] = entries[i].record;
	free(entries);
	return records;
}

size_t gather_n_excluded(const struct gather *gather)
{
	size_t n = 0;
	for (size_t i = 0; i < gather->n_pages; i++)
		n += gather->pages[i].n_excluded;
	return n;
}

void gather_clear(struct gather *gather)
{
	for (size_t i = 0; i < gather->n_pages; i++)
		page_deinit(&gather->pages[i]);
	free(gather->pages);
	gather_init(gather, gather->limit);
}
