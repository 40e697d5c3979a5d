/*
 * An answer as a page of records, read by definitions that between them use every way to find
 * records, times and the next page. The first byte chooses one; the first line is a header that it
 * may read. Of an accepted page: each record lies in the body, is valid JSON on one line, and a
 * link leads where the source may ask.
 */
#include "source/page.h"

#include "fuzz.h"

#define BY_TIME "request.url = https://api.example/x?${window.start}\nresume.window = yes\n"
#define BY_CURSOR                                                                                  \
	"request.url = https://api.example/x\nrequest.query.c = ${page.cursor|resume.cursor}\n"

static const char *const texts[] = {
	(BY_CURSOR "records.at = /items\nrecords.id = /id, /a/b\nrecords.time = /t\n"
		   "page.cursor = /next\npage.end = /more = false\npage.total = /total\n"
		   "resume.cursor = /next\n"),
	(BY_TIME "records.at = \"\"\nrecords.item = /r\nrecords.exclude = /op = read\n"
		 "page.url = header:link\n"),
	(BY_TIME "records.at = lines\nrecords.time = /t\nrecords.time_format = epoch_ms\n"
		 "records.order = unordered\n"),
	(BY_TIME "records.at = /items\nrecords.missing = empty\nrecords.expect = /kind = e*\n"
		 "errors.incomplete = /partial = true\npage.url = /next\n"),
	(BY_CURSOR "records.at = \"\"\npage.cursor = last:/seq\nresume.cursor = last:/seq\n"),
};
enum { N_SOURCES = sizeof(texts) / sizeof(texts[0]) };

static struct source *sources[N_SOURCES];
static struct ini inis[N_SOURCES];

static struct source *source_of(unsigned i)
{
	static const struct definition_path where = {NULL, 0};
	struct findings findings = FINDINGS_NULL;
	if (sources[i])
		return sources[i];
	char *text = mem_printf("[source a]\nprovider = custom\n%s", texts[i]);
	assert(ini_read_text(&inis[i], "c", text, strlen(text), &findings) == 0);
	sources[i] = source_new(&inis[i].sections[0], &where, &findings);
	assert(sources[i]);
	free(text);
	return sources[i];
}

static void check(const struct source *source, const struct page *page)
{
	const char *end = page->body.data + page->body.size;
	struct fault fault;
	assert(page->n_records + page->n_excluded <= page->n_elements);
	for (size_t i = 0; i < page->n_records; i++) {
		const struct slice *text = &page->records[i].text;
		assert(text->data >= page->body.data && text->data + text->size <= end);
	}
	if (page->next && source->definition->page_cursor.is_url)
		assert(source_may_request(source, page->next, &fault) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = fuzz_input(data, size);
	const struct source *source = source_of(fuzz_byte(&rest) % N_SOURCES);
	struct http_response response = {.status = 200, .server_time = NSEC_NONE};
	struct page page = PAGE_NULL;
	struct fault fault = FAULT_NULL;
	http_headers_add(&response.headers, "Link", fuzz_line(&rest));
	buf_append_slice(&response.body, rest);
	if (page_read(&page, source, &response, "https://api.example/x", NSEC_NONE, &fault) == 0)
		check(source, &page);
	else
		assert(fault.text[0]);
	page_deinit(&page);
	response.status = 400;
	page_outcome(source, &response, 0, &fault);
	http_headers_deinit(&response.headers);
	buf_deinit(&response.body);
	return 0;
}
