/*
 * Polling as scenarios: the state machine against a small model of an API, with virtual time and
 * dice. Whatever the mode, after enough polls every record of the model has been accepted once, or
 * lies in a gap that was reported; with clocks that go wrong, too, none is accepted twice.
 * TRAWLD_TEST_SEED repeats a run.
 */
#include "source/poll_internal.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/number.h"
#include "source_fixture.h"

#define S NSEC_PER_SEC
#define N_RECORDS 3000
#define BASE_TIME (INT64_C(1700000000) * S)

/* The model: record i happens at time[i] and can be seen from visible[i] on; the log order is that
 * of visibility. */
struct model {
	nsec_t time[N_RECORDS], visible[N_RECORDS];
	unsigned seen[N_RECORDS], delivered[N_RECORDS];
	nsec_t key_time[N_RECORDS]; /* of the record's key; NSEC_NONE: there is none, or no more */
	uint32_t dice;
	bool newest_first;
	size_t page_size;
	size_t cap; /* no more of a window is given, nor counted; 0: no limit */
	size_t page_cap; /* pages are shorter than requested; 0: as long as requested */
	bool total_of_page;
	bool no_future; /* nothing is given of windows that end well after now */
};

static uint32_t roll(struct model *model, uint32_t bound)
{
	model->dice = model->dice * 1664525u + 1013904223u;
	return (model->dice >> 8) % bound;
}

static void model_init(struct model *model, uint32_t seed, nsec_t late)
{
	*model = (struct model){.dice = seed, .page_size = 7};
	nsec_t now = BASE_TIME;
	for (size_t i = 0; i < N_RECORDS; i++) {
		/* ties are common; some records are seen late, but within LATE */
		now += roll(model, 3) ? 0 : (nsec_t)roll(model, 4) * S;
		model->key_time[i] = NSEC_NONE;
		model->visible[i] = now;
		model->time[i] =
			now - (nsec_t)(roll(model, 5) ? 0 : roll(model, (uint32_t)(late / S))) * S;
	}
}

static void print_record(struct buf *out, const struct model *model, size_t i, bool first)
{
	buf_printf(out, "%s{\"i\":%zu,\"t\":%lld}", first ? "" : ",", i,
		(long long)(model->time[i] / S));
}

/* A page of records in the window [from, to) that are visible, by a token that names how many were
 * given. */
static void window_page(
	struct model *model, const struct request_values *ask, nsec_t now, struct buf *out)
{
	size_t skip = ask->page         ? (size_t)strtoul(ask->page, NULL, 10)
		      : ask->offset > 0 ? (size_t)ask->offset
					: 0;
	size_t n = 0, total = 0;
	size_t size = ask->page || !ask->size ? model->page_size : (size_t)ask->size;
	if (model->page_cap && size > model->page_cap)
		size = model->page_cap;
	if (model->cap && skip + size > model->cap)
		size = skip < model->cap ? model->cap - skip : 0;
	buf_append_text(out, "{\"list\":[");
	if (model->no_future && ask->end_time > now + 62 * S)
		size = 0;
	for (size_t k = 0; k < N_RECORDS && size > 0; k++) {
		size_t i = model->newest_first ? N_RECORDS - 1 - k : k;
		if (model->visible[i] > now || model->time[i] < ask->start_time ||
			model->time[i] >= ask->end_time)
			continue;
		if (total >= skip && n < size)
			print_record(out, model, i, n++ == 0);
		total++;
	}
	buf_printf(out, "],\"total\":%zu",
		model->total_of_page               ? n
		: model->cap && total > model->cap ? model->cap
						   : total);
	if (skip + n < total)
		buf_printf(out, ",\"next\":%zu", skip + n);
	buf_append_text(out, "}");
}

/* A page behind a position in the log; `more` always says where to go on. */
static void log_page(struct model *model, const struct request_values *ask, const char *link,
	nsec_t now, struct buf *out)
{
	size_t from = link ? (size_t)strtoul(strchr(link, '=') + 1, NULL, 10) : 0, n = 0;
	buf_append_text(out, "{\"list\":[");
	for (; from < N_RECORDS && model->visible[from] <= now && n < model->page_size; from++)
		if (link || model->time[from] >= ask->start_time)
			print_record(out, model, from, n++ == 0);
	bool more = from < N_RECORDS && model->visible[from] <= now;
	buf_printf(out, "],\"more\":\"https://h/x?c=%zu\"", from);
	if (more)
		buf_printf(out, ",\"next\":\"https://h/x?c=%zu\"", from);
	buf_append_text(out, "}");
}

/* As the dedupe does. */
static void accept_page(struct model *model, const struct page *page, const struct poll *poll,
	enum record_scope scope)
{
	struct records records = {page->records, page->n_records};
	nsec_t key_time = poll_key_time(poll, &records), horizon = poll_horizon(poll);
	for (size_t i = 0; i < page->n_records; i++) {
		int64_t n;
		ck_assert_int_eq(number_parse(page->records[i].id_text, 0, N_RECORDS - 1, &n), 0);
		/* an exact cursor must never need it */
		ck_assert_msg(scope != RECORD_SCOPE_EXACT || model->seen[n] == 0, "%lld twice",
			(long long)n);
		model->seen[n]++;
		if (model->key_time[n] != NSEC_NONE)
			continue;
		model->key_time[n] = key_time;
		ck_assert_msg(model->delivered[n]++ == 0, "record %lld of %lld was repeated",
			(long long)n, (long long)(model->time[n] / S));
	}
	for (size_t i = 0; i < N_RECORDS && horizon != NSEC_NONE; i++)
		if (model->key_time[i] < horizon)
			model->key_time[i] = NSEC_NONE;
}

struct run {
	struct model *model;
	struct source_fixture *fixture;
	struct poll poll;
	bool by_log;
	unsigned restart_of; /* one in so many pages the process dies before its commit */
	uint32_t lost_of; /* one in so many requests with a stored cursor is refused */
	nsec_t now; /* the true time */
	bool wrong_clocks;
	nsec_t host_off, date_off; /* from the true time; date_off NSEC_NONE: no Date */
	struct steady steady;
	nsec_t server_time, server_at; /* as a runner keeps it; NSEC_NONE: not known */
	unsigned n_requests;
	struct span gaps[1000];
	size_t n_gaps;
};

static void take_gaps(struct run *run)
{
	for (size_t i = 0; i < run->poll.n_gaps; i++) {
		ck_assert_uint_lt(run->n_gaps, sizeof(run->gaps) / sizeof(run->gaps[0]));
		run->gaps[run->n_gaps++] = run->poll.gaps[i].span;
	}
	run->poll.n_gaps = 0;
}

static bool in_gap(const struct run *run, nsec_t time)
{
	for (size_t i = 0; i < run->n_gaps; i++)
		if (run->gaps[i].start_time <= time && time < run->gaps[i].end_time)
			return true;
	return false;
}

/* The process ends and starts again with what was committed. */
static void restart(struct run *run)
{
	char *text = cursor_print(&run->poll.cursor);
	struct cursor stored = CURSOR_NULL;
	poll_deinit(&run->poll);
	poll_init(&run->poll, run->fixture->source);
	ck_assert_int_eq(cursor_parse(&stored, text), 0);
	poll_set_cursor(&run->poll, &stored);
	cursor_deinit(&stored);
	free(text);
	/* both clocks ahead, and nothing to know it by: not before the first response */
	if (run->host_off > 0)
		run->host_off = 0;
	steady_init(&run->steady, run->now + run->host_off, run->now);
	run->server_time = NSEC_NONE;
}

static struct clocks read_clocks(struct run *run)
{
	nsec_t host = run->now + run->host_off;
	if (!run->wrong_clocks)
		return (struct clocks){run->now, NSEC_NONE, NSEC_NONE};
	return (struct clocks){host,
		run->server_time == NSEC_NONE ? NSEC_NONE
					      : run->server_time + (run->now - run->server_at),
		steady_read(&run->steady, host, run->now)};
}

/* A clock that is right, or off by seconds, minutes, hours or days in either direction. */
static nsec_t roll_off(struct model *model)
{
	static const uint32_t sizes[] = {60, 3600, 12 * 3600, 30 * 86400};
	if (roll(model, 3) == 0)
		return 0;
	nsec_t off = (nsec_t)(1 + roll(model, sizes[roll(model, 4)])) * S;
	return roll(model, 2) ? off : -off;
}

/* Now and then the host's clock is set, and Dates come from another server. */
static void disturb_clocks(struct run *run)
{
	if (!run->wrong_clocks)
		return;
	if (roll(run->model, 12) == 0)
		run->host_off = roll(run->model, 20) ? roll_off(run->model) : 1000 * S - run->now;
	if (roll(run->model, 4) == 0)
		run->date_off = roll(run->model, 10) ? roll_off(run->model) : NSEC_NONE;
	/* but where two agree on a wrong time there is nothing to know it by */
	nsec_t apart = run->date_off - run->host_off;
	if (run->date_off != NSEC_NONE && apart <= 3 * S && apart >= -3 * S)
		run->date_off = 0;
	if (run->host_off <= 3 * S && run->host_off >= -3 * S)
		run->host_off = 0;
}

/* The Date of a response, which shows whole seconds; as a runner takes it. */
static nsec_t take_date(struct run *run)
{
	nsec_t host = run->now + run->host_off;
	if (!run->wrong_clocks || run->date_off == NSEC_NONE)
		return NSEC_NONE;
	nsec_t date = span_floor(run->now + run->date_off, S), skew = date - host;
	if (skew <= 2 * S && skew >= -2 * S) {
		skew = 0;
		steady_confirm(&run->steady, host, run->now);
	}
	run->server_time = host + skew;
	run->server_at = run->now;
	return date;
}

static bool begin(struct run *run)
{
	struct clocks clocks = read_clocks(run);
	return poll_begin(&run->poll, &clocks);
}

/* False: caught up. */
static bool one_page(struct run *run)
{
	struct buf body = BUF_NULL;
	struct page page;
	struct fault fault = FAULT_NULL;
	struct cursor before = CURSOR_NULL;
	enum poll_verdict verdict;
	struct poll *poll = &run->poll;
	disturb_clocks(run);
	nsec_t server_time = take_date(run);
	struct clocks clocks = read_clocks(run);
	nsec_t from;
	const char *url = poll->link ? poll->link : "https://h/x?first";
	if (run->lost_of && poll->stored && roll(run->model, run->lost_of) == 0) {
		poll_lost(poll, &clocks, &from);
		if (roll(run->model, 2))
			poll_halve(poll);
		return true;
	}
	if (run->by_log)
		log_page(run->model, &poll->request, poll->link, run->now, &body);
	else
		window_page(run->model, &poll->request, run->now, &body);
	char *asked = mem_strdup(url);
	ck_assert_msg(source_fixture_page(run->fixture, &page, buf_text(&body), asked, &fault) == 0,
		"%s", fault.text);
	page.server_time = server_time;
	run->n_requests++;
	enum record_scope scope = poll_scope(poll);
	cursor_copy(&before, &poll->cursor);
	int r = poll_page(poll, &page, asked, &clocks, &verdict, &fault);
	ck_assert_msg(!r || unit_class(r, &fault) == FAULT_INCOMPLETE, "%s", fault.text);
	take_gaps(run);
	bool more = r || verdict != POLL_CAUGHT_UP;
	if (run->restart_of && roll(run->model, run->restart_of) == 0) {
		/* nothing of this page was made durable */
		cursor_copy(&poll->cursor, &before);
		restart(run);
		more = false;
	} else if (r == 0 && verdict != POLL_AGAIN) {
		accept_page(run->model, &page, poll, scope);
	}
	cursor_deinit(&before);
	page_deinit(&page);
	free(asked);
	buf_deinit(&body);
	return more;
}

static void run_all(struct run *run)
{
	nsec_t end = run->model->visible[N_RECORDS - 1] + 200 * S;
	poll_init(&run->poll, run->fixture->source);
	steady_init(&run->steady, BASE_TIME, BASE_TIME);
	run->server_time = NSEC_NONE;
	run->poll.cursor.started_time = BASE_TIME - 100 * S;
	run->poll.cursor.exact = true;
	for (run->now = BASE_TIME; run->now < end; run->now += (1 + roll(run->model, 40)) * S)
		for (unsigned n = 0; begin(run) && one_page(run);)
			ck_assert_msg(++n < 20000, "a poll without end");
	run->now = end + 10 * S;
	run->host_off = run->date_off = 0;
	run->wrong_clocks = false;
	restart(run);
	run->restart_of = run->lost_of = 0;
	for (unsigned n = 0; begin(run) && one_page(run);)
		ck_assert_msg(++n < 20000, "a poll without end");
	bool clocks = run->fixture->source->definition->resume.retention_ns > 0;
	for (size_t i = 0; i < N_RECORDS; i++)
		ck_assert_msg(
			run->model->seen[i] > 0 || (!clocks && in_gap(run, run->model->time[i])),
			"record %zu of %lld was never accepted", i,
			(long long)(run->model->time[i] / S));
	/* that records may have expired is told on the word of the server alone, but they are read
	 */
	ck_assert_msg(run->n_gaps == 0 || run->model->cap || clocks, "%zu gaps", run->n_gaps);
	poll_deinit(&run->poll);
}

#define COMMON                                                                                     \
	"records.at = /list\nrecords.id = /i\nrecords.time = /t\nrecords.time_format = epoch_s\n"  \
	"request.url = https://h/x\n"                                                              \
	"request.body = {\"a\":\"${window.start:epoch_s}\",\"b\":\"${window.end:epoch_s}\","       \
	"\"c\":\"${page.cursor}\",\"o\":\"${page.offset}\",\"n\":\"${page.size}\"}\n"
#define WIDE COMMON "resume.window = yes\noverlap = 40s\nlag = 3s\n"
#define WINDOW WIDE "resume.span_max = 30s\n"

#define OFFSET "page.offset = yes\npage.size = 7\n"

static const struct {
	const char *keys;
	bool by_log, newest_first;
	unsigned restart_of, lost_of;
	size_t cap, page_cap;
	bool total_of_page, wrong_clocks, no_future;
} modes[] = {
	{COMMON "page.url = /next\nresume.url = /more\n", true, false, 0, 0},
	{COMMON "page.url = /next\nresume.url = /more\n", true, false, 5, 0},
	{COMMON "page.url = /next\nresume.url = /more\noverlap = 40s\n", true, false, 9, 30},
	{WINDOW "page.cursor = /next\n", false, false, 0, 0},
	{WINDOW "page.cursor = /next\n", false, false, 6, 20},
	{WINDOW "page.cursor = /next\nrecords.order = unordered\n", false, true, 6, 20},
	{WINDOW OFFSET "page.total = /total\n", false, false, 6, 0},
	{WINDOW OFFSET "page.overlap = 2\n", false, false, 6, 0},
	{WINDOW OFFSET "page.cap = 20\npage.total = /total\n", false, true, 6, 0, .cap = 20},
	{WINDOW OFFSET "page.cap = 20\n", false, false, 6, 0, .cap = 20},
	/* pages that are shorter than requested, totals that count something else */
	{WINDOW OFFSET, false, false, 6, 0, .page_cap = 5},
	{WINDOW OFFSET "page.overlap = 2\n", false, true, 6, 0, .page_cap = 5},
	{WINDOW OFFSET "page.total = /total\n", false, true, 6, 0, .page_cap = 5,
		.total_of_page = true},
	/* any sequence of wrong Dates and steps of our clock costs requests, never a record */
	{WINDOW "page.cursor = /next\n", false, false, 0, 0, .wrong_clocks = true},
	{WINDOW "page.cursor = /next\n", false, false, 9, 0, .wrong_clocks = true},
	{WINDOW "page.cursor = /next\nrecords.order = unordered\n", false, true, 9, 20,
		.wrong_clocks = true},
	{WINDOW OFFSET "page.total = /total\nresume.retention = 1d\n", false, false, 0, 0,
		.wrong_clocks = true},
	/* of an API that pretends to know nothing where a window ends in its own future */
	{WIDE "page.cursor = /next\n", false, false, 9, 0, .wrong_clocks = true, .no_future = true},
	{WIDE "page.cursor = /next\nrecords.order = unordered\n", false, true, 0, 20,
		.wrong_clocks = true, .no_future = true},
};

START_TEST(every_record_in_every_mode)
{
	const char *given = getenv("TRAWLD_TEST_SEED");
	uint32_t seed = given ? (uint32_t)strtoul(given, NULL, 10) : 20261120;
	struct source_fixture fixture;
	struct model model;
	source_fixture_good(&fixture, modes[_i].keys);
	uint32_t rounds = modes[_i].wrong_clocks ? 2 : 5;
	for (uint32_t round = 0; round < rounds; round++) {
		printf("mode %d, seed %u\n", _i, seed + round);
		fflush(stdout);
		model_init(&model, seed + round, 30 * S);
		model.newest_first = modes[_i].newest_first;
		model.cap = modes[_i].cap;
		model.page_cap = modes[_i].page_cap;
		model.total_of_page = modes[_i].total_of_page;
		model.no_future = modes[_i].no_future;
		struct run run = {.model = &model,
			.fixture = &fixture,
			.by_log = modes[_i].by_log,
			.restart_of = modes[_i].restart_of,
			.lost_of = modes[_i].lost_of,
			.wrong_clocks = modes[_i].wrong_clocks};
		run_all(&run);
	}
	source_fixture_deinit(&fixture);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("poll");
	TCase *tcase = tcase_create("poll");
	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(
		tcase, every_record_in_every_mode, 0, (int)(sizeof(modes) / sizeof(modes[0])));
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
