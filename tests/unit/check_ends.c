/* Ends of chains: a small API that caps pages, lies about totals or has a limit of depth, read by
 * the poll; what was received, in how many requests, and what is told. */
#include "source/ends.h"
#include "source/newest.h"
#include "source/poll_internal.h"
#include "source/request.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "source_fixture.h"

#define S NSEC_PER_SEC
#define NOW (INT64_C(1780000000) * S)

static const struct clocks now = {NOW, NSEC_NONE, NSEC_NONE};

#define BASE                                                                                       \
	"request.url = https://h/x\nrequest.query.from = ${window.start:epoch_s}\n"                \
	"request.query.c = ${page.cursor}\nrequest.query.o = ${page.offset}\n"                     \
	"request.query.n = ${page.number}\nrequest.query.s = ${page.size}\nrecords.at = /l\n"      \
	"records.id = /i\nresume.window = yes\nresume.step = 1d\n"
#define OFFSET BASE "page.offset = yes\npage.size = 100\n"
#define NUMBER BASE "page.number = yes\npage.size = 100\n"
#define CURSOR BASE "page.cursor = /next\npage.size = 100\npage.end = short\n"
#define TIES BASE "page.cursor = last:/v\npage.size = 100\npage.end = short\npage.ties = yes\n"

enum totals {
	TOTAL_NONE,
	TOTAL_TRUE,
	TOTAL_OF_PAGE,
	TOTAL_ZERO,
	TOTAL_AT_100, /* stops counting there */
};

struct api {
	int n; /* elements in the window */
	int page_cap; /* pages are no longer than this; 0: as requested */
	int hole; /* on every other page so many fewer, as filters leave them */
	enum totals totals;
	int depth; /* 400 for what lies beyond; 0: no limit */
	int after_last; /* the status of a page after the last one; 0: an empty one */
	int ties; /* so many elements have the same value (TIES) */
};

struct run {
	struct source_fixture fixture;
	struct poll poll;
	struct fault fault;
	enum poll_verdict verdict;
	const struct api *api;
	bool got[1000];
	int n_got, n_requests, n_gaps;
	unsigned told;
};

/* The element that the request begins with. */
static int first_of(const struct run *run)
{
	const struct request_values *ask = &run->poll.request;
	const struct definition *definition = run->fixture.source->definition;
	int size = (int)definition->page.size, cap = run->api->page_cap;
	if (definition->page.number)
		return (int)(ask->number - 1) * (cap && cap < size ? cap : size);
	if (definition->page.offset)
		return (int)ask->offset;
	int cursor = ask->page ? (int)strtol(ask->page, NULL, 10) : 0;
	return definition->page.ties && ask->page ? (cursor + 1) * run->api->ties : cursor;
}

static int total_of(const struct api *api, int n)
{
	return api->totals == TOTAL_OF_PAGE ? n
	       : api->totals == TOTAL_ZERO  ? 0
	       : api->totals == TOTAL_TRUE  ? api->n
	       : api->n < 100               ? api->n
					    : 100;
}

static void answer_page(struct run *run, struct http_response *response)
{
	const struct api *api = run->api;
	int size = (int)run->poll.request.size, first = first_of(run);
	if (api->page_cap && api->page_cap < size)
		size = api->page_cap;
	int end = first + size < api->n ? first + size : api->n;
	if (api->depth && first + run->poll.request.size > api->depth)
		response->status = 400;
	else if (api->after_last && first >= api->n)
		response->status = api->after_last;
	int shown = end - (run->n_requests % 2 ? api->hole : 0), n = 0;
	buf_append_text(&response->body, "{\"l\":[");
	for (int i = first; i < end; i++)
		if (i < shown || i >= end - 1)
			buf_printf(&response->body, "%s{\"i\":%d,\"v\":%d}", n++ ? "," : "", i,
				api->ties ? i / api->ties : i);
	buf_append_text(&response->body, "]");
	if (api->totals != TOTAL_NONE)
		buf_printf(&response->body, ",\"total\":%d", total_of(api, n));
	buf_printf(&response->body, ",\"next\":%d}", end);
}

/* False: the poll is over, or failed. */
static bool one_page(struct run *run)
{
	struct http_response response = {.status = 200, .server_time = NSEC_NONE};
	struct page page = PAGE_NULL;
	run->n_requests++;
	answer_page(run, &response);
	char url[64];
	snprintf(url, sizeof(url), "https://h/x?%d", run->n_requests);
	int r = request_read(&run->poll, &response, url, NOW, &page, &run->fault);
	buf_deinit(&response.body);
	if (r)
		return false;
	r = poll_page(&run->poll, &page, url, &now, &run->verdict, &run->fault);
	run->told |= run->poll.notices;
	for (size_t i = 0; r == 0 && run->verdict != POLL_AGAIN && i < page.n_records; i++) {
		int64_t id;
		ck_assert_int_eq(number_parse(page.records[i].id_text, 0, 999, &id), 0);
		run->n_got += !run->got[id];
		run->got[id] = true;
	}
	page_deinit(&page);
	run->n_gaps += (int)run->poll.n_gaps;
	run->poll.n_gaps = 0;
	return r == 0 && run->verdict != POLL_CAUGHT_UP && run->n_requests < 100;
}

static void run_chain(struct run *run, const char *keys, const struct api *api, const char *cursor)
{
	*run = (struct run){.api = api};
	source_fixture_good(&run->fixture, keys);
	poll_init(&run->poll, run->fixture.source);
	struct cursor stored CLEANUP(cursor_deinit) = CURSOR_NULL;
	if (cursor)
		ck_assert_int_eq(cursor_parse(&stored, cursor), 0);
	poll_set_cursor(&run->poll, &stored);
	run->poll.cursor.started_time = NOW - 1000 * S;
	ck_assert(poll_begin(&run->poll, &now));
	while (one_page(run))
		;
}

static void run_deinit(struct run *run)
{
	poll_deinit(&run->poll);
	source_fixture_deinit(&run->fixture);
}

#define TOTAL "page.total = /total\n"

static const struct {
	const char *keys;
	struct api api;
	int n_got, n_requests, n_gaps;
	unsigned told;
} cases[] = {
	/* a size that is honoured needs no further request after the first full page */
	{OFFSET, {.n = 230}, 230, 3, 0, 0},
	{OFFSET, {.n = 30}, 30, 2, 0, 0},
	{NUMBER, {.n = 230}, 230, 3, 0, 0},
	{CURSOR, {.n = 230}, 230, 3, 0, 0},
	{OFFSET, {.n = 0}, 0, 1, 0, 0},
	/* one that is not is found out; twice the same size is believed */
	{OFFSET, {.n = 230, .page_cap = 50}, 230, 5, 0, POLL_NOTICE_SIZE},
	{OFFSET, {.n = 60, .page_cap = 50}, 60, 3, 0, POLL_NOTICE_SIZE},
	{NUMBER, {.n = 230, .page_cap = 50}, 230, 5, 0, POLL_NOTICE_SIZE},
	{CURSOR, {.n = 230, .page_cap = 50}, 230, 5, 0, POLL_NOTICE_SIZE},
	{OFFSET, {.n = 20, .page_cap = 1}, 20, 21, 0, POLL_NOTICE_SIZE},
	{NUMBER, {.n = 330, .hole = 3}, 326, 5, 0, POLL_NOTICE_SIZE | POLL_NOTICE_UNEVEN},
	/* APIs that have no page after the last one */
	{NUMBER, {.n = 30, .after_last = 404}, 30, 2, 0, 0},
	{OFFSET, {.n = 30, .after_last = 416}, 30, 2, 0, 0},
	{OFFSET TOTAL, {.n = 200, .totals = TOTAL_TRUE, .after_last = 404}, 200, 3, 0, 0},
	/* equal values at the edge of a page that is shorter than requested */
	{TIES, {.n = 230, .ties = 7}, 230, 3, 0, 0},
	{TIES, {.n = 30, .ties = 7}, 30, 2, 0, 0},
	{TIES, {.n = 30, .ties = 1}, 30, 2, 0, 0},
	{TIES, {.n = 230, .ties = 7, .page_cap = 50}, 230, 5, 0, POLL_NOTICE_SIZE},
	{TIES, {.n = 230, .ties = 1, .page_cap = 50}, 230, 5, 0, POLL_NOTICE_SIZE},
	/* totals: one that is true saves nothing but never ends a chain too early */
	{OFFSET TOTAL, {.n = 230, .totals = TOTAL_TRUE}, 230, 3, 0, 0},
	{OFFSET TOTAL, {.n = 30, .totals = TOTAL_TRUE}, 30, 2, 0, 0},
	{OFFSET TOTAL, {.n = 200, .totals = TOTAL_TRUE}, 200, 3, 0, 0},
	{NUMBER TOTAL, {.n = 230, .totals = TOTAL_TRUE}, 230, 3, 0, 0},
	{OFFSET TOTAL, {.n = 230, .totals = TOTAL_OF_PAGE}, 230, 3, 0, POLL_NOTICE_TOTAL},
	{NUMBER TOTAL, {.n = 230, .totals = TOTAL_OF_PAGE}, 230, 3, 0, POLL_NOTICE_TOTAL},
	{OFFSET TOTAL, {.n = 230, .totals = TOTAL_OF_PAGE, .page_cap = 50}, 230, 5, 0,
		POLL_NOTICE_TOTAL | POLL_NOTICE_SIZE},
	{OFFSET TOTAL, {.n = 230, .totals = TOTAL_ZERO}, 230, 3, 0, POLL_NOTICE_TOTAL},
	{OFFSET TOTAL, {.n = 330, .totals = TOTAL_AT_100}, 330, 4, 0, POLL_NOTICE_TOTAL},
	/* a window that cannot be halved ends at its cap, with a gap, and nothing beyond is asked
	 */
	{OFFSET "page.cap = 100\n", {.n = 330, .depth = 100}, 100, 1, 1, 0},
	{OFFSET TOTAL "page.cap = 100\n", {.n = 330, .totals = TOTAL_AT_100, .depth = 100}, 100, 1,
		1, 0},
	{OFFSET "page.cap = 250\n", {.n = 330, .depth = 250}, 250, 3, 1, 0},
	{OFFSET "page.cap = 250\n", {.n = 240, .depth = 250}, 240, 3, 0, 0},
	{NUMBER "page.cap = 250\n", {.n = 330, .depth = 250}, 200, 2, 1, 0},
	/* the second page would pass the limit; what the total counts is not known */
	{NUMBER TOTAL "page.cap = 150\n", {.n = 330, .totals = TOTAL_OF_PAGE, .depth = 150}, 100, 1,
		1, 0},
	{OFFSET TOTAL "page.cap = 250\n", {.n = 330, .totals = TOTAL_TRUE, .depth = 250}, 250, 3, 1,
		0},
	{OFFSET TOTAL "page.cap = 250\n", {.n = 330, .totals = TOTAL_TRUE}, 250, 3, 1, 0},
};

START_TEST(chains_end_on_proof)
{
	struct run run;
	run_chain(&run, cases[_i].keys, &cases[_i].api, NULL);
	ck_assert_msg(run.fault.class == FAULT_NONE, "%s", run.fault.text);
	ck_assert_int_eq(run.n_got, cases[_i].n_got);
	ck_assert_int_eq(run.n_requests, cases[_i].n_requests);
	ck_assert_int_eq(run.n_gaps, cases[_i].n_gaps);
	ck_assert_uint_eq(run.told, cases[_i].told);
	run_deinit(&run);
}
END_TEST

/* What was learned is kept, but only for the same requests. */
START_TEST(the_proof_survives_a_restart)
{
	static const struct {
		const char *keys, *later;
		struct api api, api_later;
		int n_requests;
	} rows[] = {
		{OFFSET, OFFSET, {.n = 230}, {.n = 30}, 1},
		{OFFSET, OFFSET, {.n = 30}, {.n = 30}, 2},
		{OFFSET, OFFSET, {.n = 230, .page_cap = 50}, {.n = 30, .page_cap = 50}, 1},
		{OFFSET, OFFSET, {.n = 60, .page_cap = 50}, {.n = 160, .page_cap = 50}, 4},
		{OFFSET, OFFSET "request.query.x = 1\n", {.n = 230}, {.n = 30}, 2},
		{OFFSET, OFFSET "page.size = 90\n", {.n = 230}, {.n = 30}, 2},
		{NUMBER, NUMBER, {.n = 330, .hole = 3}, {.n = 30}, 2},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct run run;
		run_chain(&run, rows[i].keys, &rows[i].api, NULL);
		run.poll.cursor.watermark_time = NSEC_NONE;
		char *cursor = cursor_print(&run.poll.cursor);
		run_deinit(&run);
		run_chain(&run, rows[i].later, &rows[i].api_later, cursor);
		ck_assert_msg(
			run.n_requests == rows[i].n_requests && run.n_got == rows[i].api_later.n,
			"row %zu: %d requests, %d received", i, run.n_requests, run.n_got);
		run_deinit(&run);
		free(cursor);
	}
}
END_TEST

START_TEST(errors_that_are_no_end)
{
	static const struct {
		const char *keys;
		struct api api;
	} rows[] = {
		/* beyond a depth that no key declares; an error after a full page */
		{OFFSET, {.n = 330, .depth = 250}},
		{OFFSET, {.n = 30, .after_last = 400}},
		{OFFSET, {.n = 30, .after_last = 500}},
		{NUMBER, {.n = 300, .after_last = 404}},
		{CURSOR, {.n = 30, .after_last = 404}},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct run run;
		run_chain(&run, rows[i].keys, &rows[i].api, NULL);
		ck_assert_msg(run.fault.class != FAULT_NONE, "row %zu", i);
		ck_assert(run.poll.cursor.watermark_time == NSEC_NONE);
		run_deinit(&run);
	}
}
END_TEST

#define LIST                                                                                       \
	"request.url = https://h/x\nrequest.query.o = ${page.offset}\n"                            \
	"request.query.s = ${page.size}\nrecords.at = /l\nrecords.id = /i\n"                       \
	"page.offset = yes\npage.size = 100\nresume.newest = yes\n"

static bool known(const struct record *record, void *userdata)
{
	(void)record;
	return *(const bool *)userdata;
}

/* 150 elements where 100 were requested: the API counts them as 100 where some are there twice,
 * also where a walk that was interrupted left them known. */
START_TEST(known_doubles_move_the_offset_no_further)
{
	static const struct {
		int times; /* that each element is there */
		bool known;
		int64_t counted;
	} rows[] = {{1, false, 150}, {2, false, 100}, {2, true, 100}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct source_fixture fixture;
		struct poll poll;
		struct page page;
		struct fault fault;
		struct buf body = BUF_NULL;
		bool is_known = rows[i].known;
		source_fixture_good(&fixture, LIST);
		poll_init(&poll, fixture.source);
		ck_assert(poll_begin(&poll, &now));
		buf_append_text(&body, "{\"l\":[");
		for (int k = 0; k < 150; k++)
			buf_printf(&body, "%s{\"i\":%d}", k ? "," : "", k / rows[i].times);
		buf_append_text(&body, "]}");
		ck_assert_int_eq(
			source_fixture_page(&fixture, &page, buf_text(&body), "u", &fault), 0);
		newest_drop_known(&poll, &page, known, &is_known);
		ck_assert_msg(ends_counted(&poll, &page) == rows[i].counted, "row %zu: %lld", i,
			(long long)ends_counted(&poll, &page));
		page_deinit(&page);
		poll_deinit(&poll);
		source_fixture_deinit(&fixture);
		buf_deinit(&body);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ends");
	TCase *tcase = tcase_create("ends");
	tcase_add_loop_test(tcase, chains_end_on_proof, 0, (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_test(tcase, the_proof_survives_a_restart);
	tcase_add_test(tcase, errors_that_are_no_end);
	tcase_add_test(tcase, known_doubles_move_the_offset_no_further);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
