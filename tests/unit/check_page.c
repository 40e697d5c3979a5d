/* From an answer to records: what is taken out of a page, and what makes it refused whole. */
#include "source/poll_internal.h"
#include "source/request.h"
#include "source/page.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "source_fixture.h"

#define URL "https://h.example/x?a=1"
#define BASE                                                                                       \
	"request.url = https://h.example/x\n"                                                      \
	"records.at = /list\n"                                                                     \
	"resume.url = /more\n"

static bool key_is(const struct record *record, const char *text)
{
	return slice_is(record->id_text, text);
}

START_TEST(records_and_places)
{
	struct source_fixture f;
	struct page page;
	struct fault fault;
	source_fixture_good(&f, BASE "records.id = /id\nrecords.time = /t\npage.url = /next\n"
				     "page.total = /total\nrecords.exclude = /kind = read\n");
	ck_assert_int_eq(
		source_fixture_page(&f, &page,
			"{\"list\":[{\"id\":\"a\",\"t\":\"1970-01-01T00:00:02Z\"},"
			"{\"id\":7,\"kind\":\"read\"},{\"id\":7 ,\"t\":\"never\"},{\"id\":null}],"
			"\"next\":\"?c=2\",\"more\":\"https://h.example/y\",\"total\":\"12\"}",
			URL, &fault),
		0);
	ck_assert_uint_eq(page.n_elements, 4);
	ck_assert_uint_eq(page.n_records, 3);
	ck_assert_uint_eq(page.n_excluded, 1);
	ck_assert(slice_is(page.excluded[0], "{\"id\":7,\"kind\":\"read\"}"));
	ck_assert(key_is(&page.records[0], "a") && key_is(&page.records[1], "7"));
	ck_assert(!page.records[2].id_text.data && page.hashed);
	ck_assert(page.records[1].spaced && !page.records[0].spaced);
	/* a time that cannot be read is the last known one */
	ck_assert_int_eq(page.records[1].time, 2 * NSEC_PER_SEC);
	ck_assert(page.n_without_time == 2 && page.n_without_id == 1);
	ck_assert_str_eq(page.next, "https://h.example/x?c=2");
	ck_assert_str_eq(page.resume, "https://h.example/y");
	ck_assert_int_eq(page.total, 12);
	page_deinit(&page);
	source_fixture_deinit(&f);
}
END_TEST

START_TEST(only_some_of_the_excluded_are_kept)
{
	struct source_fixture f;
	struct page page;
	struct fault fault;
	struct buf text = BUF_NULL;
	source_fixture_good(&f, BASE "records.item = /o\nrecords.exclude = /drop = 1\n");
	for (int i = 0; i < PAGE_EXCLUDED + 3; i++)
		buf_printf(&text, "%s{\"drop\":1,\"o\":{\"n\":%d}}", i ? "," : "{\"list\":[", i);
	buf_append_text(&text, "]}");
	ck_assert_int_eq(source_fixture_page(&f, &page, buf_text(&text), URL, &fault), 0);
	ck_assert_uint_eq(page.n_excluded, PAGE_EXCLUDED + 3);
	ck_assert(slice_is(page.excluded[0], "{\"n\":0}"));
	ck_assert(slice_is(page.excluded[PAGE_EXCLUDED - 1], "{\"n\":9}"));
	buf_deinit(&text);
	page_deinit(&page);
	source_fixture_deinit(&f);
}
END_TEST

START_TEST(compound_ids_do_not_meet)
{
	struct source_fixture f;
	struct page page;
	struct fault fault;
	source_fixture_good(&f, BASE "records.id = /a, /b\n");
	ck_assert_int_eq(
		source_fixture_page(&f, &page,
			"{\"list\":[{\"a\":\"1:2\",\"b\":\"3\"},{\"a\":\"1\",\"b\":\"2:3\"}]}", URL,
			&fault),
		0);
	ck_assert(key_is(&page.records[0], "1:2:3") && key_is(&page.records[1], "1:2:3"));
	ck_assert_mem_ne(&page.records[0].key, &page.records[1].key, sizeof(struct id));
	page_deinit(&page);
	source_fixture_deinit(&f);
}
END_TEST

START_TEST(ids_are_told_apart)
{
	static const struct {
		const char *a, *b;
		bool same;
	} cases[] = {
		{"\"x\\ud800\"", "\"x\\ud801\"", false},
		{"\"x\\ud800\"", "\"x\xef\xbf\xbd\"", false},
		{"\"x\\ud800\"", "\"x\\ud800\"", true},
		{"\"\\u0041\"", "\"A\"", true},
		{"1", "\"1\"", true},
		{"1", "1.0", false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct source_fixture f;
		struct page page;
		struct fault fault = FAULT_NULL;
		char *body CLEANUP_FREE =
			mem_printf("{\"list\":[{\"id\":%s},{\"id\":%s}]}", cases[i].a, cases[i].b);
		source_fixture_good(&f, BASE "records.id = /id\n");
		ck_assert_int_eq(source_fixture_page(&f, &page, body, URL, &fault), 0);
		ck_assert_msg((memcmp(&page.records[0].key, &page.records[1].key,
				       sizeof(struct id)) == 0) == cases[i].same,
			"case %zu", i);
		page_deinit(&page);
		source_fixture_deinit(&f);
	}
}
END_TEST

START_TEST(digest_is_of_the_text_without_white_space)
{
	struct source_fixture f;
	struct page page;
	struct fault fault;
	source_fixture_good(&f, BASE "records.item = /_source\n");
	ck_assert_int_eq(source_fixture_page(&f, &page,
				 "{\"list\":[{\"_source\":{\"a\":[1,2]},\"sort\":1},"
				 "{\"sort\":2,\"_source\" : { \"a\" : [ 1,2 ] }}]}",
				 URL, &fault),
		0);
	ck_assert(slice_is(page.records[0].text, "{\"a\":[1,2]}"));
	ck_assert_mem_eq(&page.records[0].key, &page.records[1].key, sizeof(struct id));
	page_deinit(&page);
	source_fixture_deinit(&f);
}
END_TEST

START_TEST(refusals)
{
	static const struct {
		const char *keys, *body;
		enum fault_class class;
		const char *words;
	} cases[] = {
		{"", "<html>", FAULT_BODY, "<html>"},
		{"", "{}", FAULT_BODY, "no array of records at `/list`"},
		{"", "{\"list\":{}}", FAULT_BODY, "`/list` is not an array"},
		{"", "{\"list\":[7]}", FAULT_BODY, "`/list/0` is a number"},
		{"", "{\"list\":null}", FAULT_BODY, "no array of records"},
		{"records.missing = empty\n", "{\"list\":7}", FAULT_BODY,
			"`/list` is not an array"},
		{"records.missing = empty\nrecords.expect = /k = v\n", "{\"list\":null}",
			FAULT_BODY, "no array"},
		{"records.item = /i\n", "{\"list\":[{}]}", FAULT_BODY, "`/list/0/i` is missing"},
		{"page.url = /n\n", "{\"list\":[],\"n\":\"https://other.example/\"}", FAULT_ORIGIN,
			"https://other.example"},
		{"page.url = /n\n", "{\"list\":[],\"n\":\"http://h.example/\"}", FAULT_ORIGIN,
			"not https"},
		{"page.url = /n\n", "{\"list\":[],\"n\":\"https://u:p@h.example/\"}", FAULT_ORIGIN,
			""},
		{"page.url = /n\n", "{\"list\":[],\"n\":7}", FAULT_BODY, "not a string"},
		{"errors.incomplete = /part = true\n", "{\"list\":[],\"part\":true}",
			FAULT_INCOMPLETE, "at `/part` that it is not whole"},
		{"errors.incomplete = /part = true\n\t/n/failed != 0\n",
			"{\"list\":[],\"part\":false,\"n\":{\"failed\":2}}", FAULT_INCOMPLETE,
			"at `/n/failed`"},
		{"errors.incomplete = /part = true\n\t/n/failed != 0\n", "{\"list\":[]}",
			FAULT_INCOMPLETE, "at `/n/failed`"},
		{"records.missing = empty\nrecords.expect = /k = v\n", "{\"k\":\"w\"}", FAULT_BODY,
			"no array"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct source_fixture f;
		struct buf text = BUF_NULL;
		struct page page;
		struct fault fault = FAULT_NULL;
		buf_printf(&text, "%s%s", BASE, cases[i].keys);
		source_fixture_good(&f, buf_text(&text));
		int r = source_fixture_page(&f, &page, cases[i].body, URL, &fault);
		ck_assert_msg(unit_class(r, &fault) == cases[i].class &&
				      strstr(fault.text, cases[i].words),
			"case %zu: %d: %s", i, r, fault.text);
		buf_deinit(&text);
		source_fixture_deinit(&f);
	}
}
END_TEST

START_TEST(errors_that_pass)
{
	static const char keys[] = BASE "errors.message = /m\n"
					"errors.retry = /code in E1, E2\n\t/busy = true\n";
	static const struct {
		int status;
		const char *body;
		enum fault_class class;
	} cases[] = {
		{400, "{\"code\":\"E1\"}", FAULT_SERVER},
		{400, "{\"code\":\"E2\",\"m\":\"x\"}", FAULT_SERVER},
		{403, "{\"busy\":true}", FAULT_SERVER},
		{400, "{\"code\":\"E3\",\"m\":\"x\"}", FAULT_CONFIG},
		{400, "{\"m\":\"x\"}", FAULT_CONFIG},
		{400, "code E1", FAULT_CONFIG},
		{401, "{\"code\":\"E1\"}", FAULT_AUTH},
		{503, "{\"code\":\"E3\"}", FAULT_SERVER},
		{200, "{\"code\":\"E1\"}", FAULT_NONE},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct source_fixture f;
		struct fault fault = FAULT_NULL;
		struct http_response response = {.status = cases[i].status};
		source_fixture_good(&f, keys);
		buf_append_text(&response.body, cases[i].body);
		int r = page_outcome(f.source, &response, 0, &fault);
		ck_assert_msg(unit_class(r, &fault) == cases[i].class, "case %zu: %d: %s", i, r,
			fault.text);
		/* the status of a lost cursor counts only where the body did not decide */
		struct poll poll = {.source = f.source};
		request_classify(&poll, true, &fault);
		bool lost = cases[i].status == 400 && cases[i].class == FAULT_CONFIG;
		ck_assert_msg(fault.class == (lost ? FAULT_LOST : cases[i].class), "case %zu", i);
		buf_deinit(&response.body);
		source_fixture_deinit(&f);
	}
}
END_TEST

START_TEST(taken_as_empty)
{
	static const struct {
		const char *keys, *body;
	} cases[] = {
		{"records.missing = empty\nrecords.expect = /k = v\n", "{\"k\":\"v\"}"},
		{"records.missing = empty\n", "{}"},
		{"errors.incomplete = /part = true\n\t/failed != 0\n",
			"{\"list\":[],\"failed\":0}"},
		{"records.missing = empty\n", "{\"list\":null}"},
		{"page.url = /n\n", "{\"list\":[],\"n\":null}"},
		{"page.url = /n\n", "{\"list\":[],\"n\":\"\"}"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct source_fixture f;
		struct buf text = BUF_NULL;
		struct page page;
		struct fault fault = FAULT_NULL;
		buf_printf(&text, "%s%s", BASE, cases[i].keys);
		source_fixture_good(&f, buf_text(&text));
		ck_assert_msg(source_fixture_page(&f, &page, cases[i].body, URL, &fault) == 0,
			"case %zu: %s", i, fault.text);
		ck_assert(page.n_records == 0 && page.next == NULL);
		page_deinit(&page);
		buf_deinit(&text);
		source_fixture_deinit(&f);
	}
}
END_TEST

#define PARTS                                                                                      \
	"request.url = https://h.example/x\nrequest.query.s = ${window.start}\n"                   \
	"request.query.c = ${page.cursor}\nrecords.at = /list\nrecords.id = /id\n"                 \
	"resume.window = yes\npage.cursor = "

/* A cursor of several members: all of them, or none. */
START_TEST(a_cursor_of_several_members)
{
	static const struct {
		const char *cursor, *body, *next, *words; /* WORDS: it is rejected */
	} cases[] = {
		{"last:/t, /id", "{\"list\":[{\"id\":1,\"t\":2},{\"id\":\"b\",\"t\":3}]}",
			"[3,\"b\"]", NULL},
		{"last:/t, /id", "{\"list\":[]}", NULL, NULL},
		{"last:/t, /u", "{\"list\":[{\"id\":1}]}", NULL, NULL},
		{"last:/t, /u", "{\"list\":[{\"id\":1,\"t\":2}]}", NULL, "`/t, /u` lacks a member"},
		{"last:/u, /t", "{\"list\":[{\"id\":1,\"t\":2,\"u\":\"\"}]}", NULL,
			"lacks a member"},
		{"/a, /b/c", "{\"list\":[],\"a\":\"x\",\"b\":{\"c\":{\"d\":0}}}",
			"[\"x\",{\"d\":0}]", NULL},
		{"/a, /b/c", "{\"list\":[],\"a\":null}", NULL, NULL},
		{"/a, /b/c", "{\"list\":[],\"a\":null,\"b\":{\"c\":1}}", NULL, "lacks a member"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct source_fixture f;
		struct buf text = BUF_NULL;
		struct page page;
		struct fault fault = FAULT_NULL;
		buf_printf(&text, "%s%s\n", PARTS, cases[i].cursor);
		source_fixture_good(&f, buf_text(&text));
		int r = source_fixture_page(&f, &page, cases[i].body, URL, &fault);
		ck_assert_msg((r == 0) == !cases[i].words, "case %zu: %s", i, fault.text);
		ck_assert(!cases[i].words || strstr(fault.text, cases[i].words));
		const char *next = r || !page.next ? "none" : page.next;
		ck_assert_msg(strcmp(next, cases[i].next ? cases[i].next : "none") == 0,
			"case %zu: %s", i, next);
		page_deinit(&page);
		buf_deinit(&text);
		source_fixture_deinit(&f);
	}
}
END_TEST

#define TIES                                                                                       \
	"request.url = https://h.example/x\nrequest.query.s = ${window.start}\n"                   \
	"request.query.c = ${page.cursor}\nrequest.query.n = ${page.size}\nrecords.at = /list\n"   \
	"records.id = /id\npage.cursor = last:/s\npage.size = 4\npage.end = short\npage.ties = "   \
	"yes\n"                                                                                    \
	"resume.window = yes\n"

START_TEST(ties_at_a_page_edge)
{
	static const struct {
		const char *values[5];
		const char *next, *back;
		size_t n_tied;
		enum fault_class class;
	} cases[] = {
		{{"[1]", "[2]", "[3]", "[4]"}, "[4]", "[3]", 1, FAULT_NONE},
		{{"[1]", "[2]", "[3]", "[3]"}, "[3]", "[2]", 2, FAULT_NONE},
		{{"[1]", "[2,1]", "[2,1]", "[2,1]"}, "[2,1]", "[1]", 3, FAULT_NONE},
		{{"[1]", "[2,1]", "[2,1]", "[2,2]"}, "[2,2]", "[2,1]", 1, FAULT_NONE},
		{{"[1]", "[1]", "[2]", "[2]", "[2]"}, "[2]", "[1]", 3, FAULT_NONE},
		{{"[1]", "[1]", "[1]", "[11]"}, "[11]", "[1]", 1, FAULT_NONE},
		{{"[1]", "[1]", "[1]", "[1]"}, NULL, NULL, 0, FAULT_LIMIT},
		{{"[1]", "[1]", "[1]", "null"}, NULL, NULL, 0, FAULT_BODY},
		/* perhaps the last page: then it does not matter */
		{{"[1]", "[1]", "[1]"}, "[1]", NULL, 3, FAULT_NONE},
		{{"[1]", "[1]", "[2]"}, "[2]", "[1]", 1, FAULT_NONE},
		{{NULL}, NULL, NULL, 0, FAULT_NONE},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct source_fixture f;
		struct page page;
		struct fault fault = FAULT_NULL;
		struct buf body = BUF_NULL;
		buf_append_text(&body, "{\"list\":[");
		for (size_t j = 0; j < 5 && cases[i].values[j]; j++)
			buf_printf(&body, "%s{\"id\":%zu,\"s\":%s}", j ? "," : "", j,
				cases[i].values[j]);
		buf_append_text(&body, "]}");
		source_fixture_good(&f, TIES);
		int r = source_fixture_page(&f, &page, buf_text(&body), URL, &fault);
		ck_assert_msg(unit_class(r, &fault) == cases[i].class, "case %zu: %d: %s", i, r,
			fault.text);
		const char *next = r ? NULL : page.next;
		ck_assert_msg(cases[i].next ? next && strcmp(next, cases[i].next) == 0 : !next,
			"case %zu: %s", i, next ? next : "none");
		const char *back = r ? NULL : page.back;
		ck_assert_msg(cases[i].back ? back && strcmp(back, cases[i].back) == 0 : !back,
			"case %zu: %s", i, back ? back : "none");
		ck_assert_msg(r || page.n_tied == cases[i].n_tied, "case %zu", i);
		page_deinit(&page);
		buf_deinit(&body);
		source_fixture_deinit(&f);
	}
}
END_TEST

START_TEST(cursors_keep_their_text)
{
	struct source_fixture f;
	struct page page;
	struct fault fault;
	source_fixture_good(&f, BASE "request.body = {\"after\": \"${page.cursor}\"}\n"
				     "page.cursor = last:/sort\n");
	ck_assert_int_eq(
		source_fixture_page(&f, &page,
			"{\"list\":[{\"sort\":[1]},{\"sort\":[1e400, \"\\u00e9\"]}]}", URL, &fault),
		0);
	ck_assert_str_eq(page.next, "[1e400, \"\\u00e9\"]");
	struct http_message message = HTTP_MESSAGE_NULL;
	struct request_values values = {.source = f.source,
		.start_time = NSEC_NONE,
		.end_time = NSEC_NONE,
		.page = page.next,
		.offset = -1,
		.number = -1};
	ck_assert_int_eq(source_request(f.source, &values, NULL, &message, &fault), 0);
	ck_assert_str_eq(buf_text(&message.body), "{\"after\":[1e400, \"\\u00e9\"]}");
	ck_assert_str_eq(message.url, "https://h.example/x");
	http_message_deinit(&message);
	page_deinit(&page);
	source_fixture_deinit(&f);
}
END_TEST

UNIT_MAIN("page", records_and_places, only_some_of_the_excluded_are_kept, compound_ids_do_not_meet,
	ids_are_told_apart, digest_is_of_the_text_without_white_space, refusals, errors_that_pass,
	taken_as_empty, a_cursor_of_several_members, ties_at_a_page_edge, cursors_keep_their_text)
