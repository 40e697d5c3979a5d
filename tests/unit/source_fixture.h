/* A source made from INI text, and answers made from JSON text, for tests of lib/source. */
#ifndef TRAWLD_TESTS_SOURCE_FIXTURE_H
#define TRAWLD_TESTS_SOURCE_FIXTURE_H

#include <string.h>

#include "check_unit.h"
#include "source/page.h"

struct source_fixture {
	struct ini ini;
	struct findings findings;
	struct source *source;
};

/* TEXT: the lines of a [source acme] section with provider = custom. */
static inline void source_fixture_init(struct source_fixture *fixture, const char *text)
{
	struct buf whole = BUF_NULL;
	struct definition_path path = {NULL, 0};
	*fixture = (struct source_fixture){0};
	buf_printf(&whole, "[source acme]\nprovider = custom\n%s", text);
	ini_read_text(&fixture->ini, "f", whole.data, whole.size, &fixture->findings);
	fixture->source = source_new(&fixture->ini.sections[0], &path, &fixture->findings);
	buf_deinit(&whole);
}

static inline void source_fixture_deinit(struct source_fixture *fixture)
{
	source_free(fixture->source);
	findings_deinit(&fixture->findings);
	ini_deinit(&fixture->ini);
}

static inline void source_fixture_good(struct source_fixture *fixture, const char *text)
{
	source_fixture_init(fixture, text);
	ck_assert_msg(fixture->source != NULL, "%s",
		fixture->findings.n_items ? fixture->findings.items[0].text : "no source");
}

/* An answer with status 200. */
static inline int source_fixture_page(struct source_fixture *fixture, struct page *page,
	const char *body, const char *url, struct fault *fault)
{
	struct http_response response = {.status = 200, .server_time = NSEC_NONE};
	buf_append_text(&response.body, body);
	*page = PAGE_NULL;
	int r = page_read(page, fixture->source, &response, url, NSEC_NONE, fault);
	buf_deinit(&response.body);
	return r;
}

#endif
