/* Single decisions of a poll: ends, loops, restarts, lost cursors, gaps. */
#include "source/request.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include "poll_fixture.h"

#define LINKS                                                                                      \
	"request.url = https://h/x\nrequest.query.from = ${window.start}\nrecords.at = /l\n"       \
	"records.time = /t\nrecords.time_format = epoch_s\npage.url = /n\nresume.url = /m\n"       \
	"overlap = 100s\n"

START_TEST(links_are_followed_and_kept)
{
	struct steps s;
	set_up(&s, LINKS);
	ck_assert(s.poll.request.start_time == NOW - 1000 * S && !s.poll.link);
	ck_assert_int_eq(poll_scope(&s.poll), RECORD_SCOPE_EXACT);
	ck_assert_int_eq(
		answer(&s, "{\"l\":[{\"t\":1699999990}],\"n\":\"?c=1\",\"m\":\"?c=1\"}", NSEC_NONE),
		0);
	ck_assert_int_eq(s.verdict, POLL_MORE);
	ck_assert_str_eq(s.poll.link, "https://h/x?c=1");
	ck_assert_int_eq(answer(&s, "{\"l\":[],\"n\":null,\"m\":\"?c=2\"}", NSEC_NONE), 0);
	ck_assert_int_eq(s.verdict, POLL_CAUGHT_UP);
	ck_assert_str_eq(s.poll.cursor.resume, "https://h/x?c=2");
	ck_assert(begin(&s, NOW + S));
	ck_assert_str_eq(s.poll.link, "https://h/x?c=2");
	ck_assert(s.poll.stored && s.poll.request.start_time == NSEC_NONE);
	tear_down(&s);
}
END_TEST

START_TEST(a_lost_place_is_replaced_by_a_time)
{
	struct steps s;
	nsec_t from;
	set_up(&s, LINKS);
	answer(&s, "{\"l\":[{\"t\":1699999990}],\"m\":\"?c=1\"}", NSEC_NONE);
	ck_assert(begin(&s, NOW));
	poll_lost(&s.poll, &now, &from);
	ck_assert_int_eq(from, INT64_C(1699999890) * S);
	ck_assert(!s.poll.link && s.poll.request.start_time == from && !s.poll.stored);
	ck_assert_int_eq(poll_scope(&s.poll), RECORD_SCOPE_CHAIN);
	/* not exact before the chain has come to its end */
	answer(&s, "{\"l\":[{\"t\":1699999990}],\"n\":\"?c=5\",\"m\":\"?c=5\"}", NSEC_NONE);
	ck_assert_int_eq(poll_scope(&s.poll), RECORD_SCOPE_CHAIN);
	answer(&s, "{\"l\":[],\"m\":\"?c=6\"}", NSEC_NONE);
	ck_assert_int_eq(poll_scope(&s.poll), RECORD_SCOPE_EXACT);
	tear_down(&s);
}
END_TEST

START_TEST(an_open_last_page_is_read_again)
{
	struct steps s;
	set_up(&s, LINKS);
	answer(&s, "{\"l\":[],\"m\":\"?c=1\"}", NSEC_NONE);
	ck_assert(begin(&s, NOW));
	answer(&s, "{\"l\":[{\"t\":1}],\"m\":\"?c=1\"}", NSEC_NONE);
	ck_assert_int_eq(poll_scope(&s.poll), RECORD_SCOPE_CHAIN);
	ck_assert(begin(&s, NOW));
	ck_assert_str_eq(s.poll.link, "https://h/x?c=1");
	tear_down(&s);
}
END_TEST

START_TEST(loops_are_faults)
{
	static const char *const bodies[] = {"{\"l\":[{\"t\":1}],\"n\":\"?from=1\",\"m\":\"?c=1\"}",
		"{\"l\":[{\"t\":2}],\"n\":\"?c=1\",\"m\":\"?c=1\"}"};
	struct steps s;
	set_up(&s, LINKS);
	ck_assert_int_eq(answer(&s, bodies[0], NSEC_NONE), FAULT_LOOP);
	ck_assert_ptr_null(s.poll.cursor.resume);
	ck_assert_int_eq(answer(&s, bodies[1], NSEC_NONE), 0);
	ck_assert_int_eq(answer(&s, bodies[1], NSEC_NONE), FAULT_LOOP);
	tear_down(&s);
	/* an API that ignores the offset */
	set_up(&s, WINDOW "page.offset = yes\npage.size = 2\n");
	int r = 0;
	for (int i = 0; i < 10 && r == 0; i++)
		r = answer(&s, "{\"l\":[{\"i\":1},{\"i\":2}]}", NSEC_NONE);
	ck_assert_int_eq(r, FAULT_LOOP);
	tear_down(&s);
	set_up(&s, LINKS);
	ck_assert_int_eq(answer(&s, "{\"l\":[{\"t\":1}]}", NSEC_NONE), FAULT_BODY);
	tear_down(&s);
}
END_TEST

START_TEST(ends_of_chains)
{
	static const struct {
		const char *keys, *body;
		enum poll_verdict verdict;
	} cases[] = {
		{"page.cursor = /c\n", "{\"l\":[],\"c\":\"t\"}", POLL_MORE},
		{"page.cursor = /c\n", "{\"l\":[{\"i\":1}]}", POLL_CAUGHT_UP},
		{"page.cursor = /c\npage.end = empty\n", "{\"l\":[],\"c\":\"t\"}", POLL_CAUGHT_UP},
		{"page.cursor = /c\npage.end = /more = false\n",
			"{\"l\":[],\"c\":\"t\",\"more\":false}", POLL_CAUGHT_UP},
		{"page.cursor = /c\npage.end = /more = false\n",
			"{\"l\":[],\"c\":\"t\",\"more\":true}", POLL_MORE},
		{"page.cursor = /c\npage.size = 2\npage.end = short\n",
			"{\"l\":[{\"i\":1}],\"c\":\"t\"}", POLL_MORE},
		{"page.offset = yes\npage.size = 2\n", "{\"l\":[{\"i\":1},{\"i\":2}]}", POLL_MORE},
		{"page.offset = yes\npage.size = 2\n", "{\"l\":[{\"i\":1}]}", POLL_MORE},
		{"page.offset = yes\npage.size = 2\n", "{\"l\":[]}", POLL_CAUGHT_UP},
		{"page.number = yes\npage.size = 2\npage.end = empty\n", "{\"l\":[{\"i\":1}]}",
			POLL_MORE},
		{"page.offset = yes\npage.size = 2\npage.total = /n\n",
			"{\"l\":[{\"i\":1}],\"n\":5}", POLL_MORE},
		{"page.offset = yes\npage.size = 2\npage.total = /n\n",
			"{\"l\":[{\"i\":1}],\"n\":1}", POLL_MORE},
		{"page.cap = 2\npage.total = /n\n", "{\"l\":[{\"i\":1}],\"n\":5}", POLL_AGAIN},
		{"page.cap = 2\n", "{\"l\":[{\"i\":1},{\"i\":2}]}", POLL_AGAIN},
		{"page.total = /n\n", "{\"l\":[{\"i\":1}],\"n\":2}", POLL_AGAIN},
		{"page.total = /n\n", "{\"l\":[{\"i\":1}],\"n\":1}", POLL_CAUGHT_UP},
		{"page.size = 1\n", "{\"l\":[{\"i\":1}]}", POLL_AGAIN},
		{"page.size = 2\n", "{\"l\":[{\"i\":1}]}", POLL_CAUGHT_UP},
		{"resume.span_max = 100s\n", "{\"l\":[]}", POLL_LAST},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct steps s;
		struct buf keys = BUF_NULL;
		buf_printf(&keys, "%s%s", WINDOW, cases[i].keys);
		set_up(&s, buf_text(&keys));
		ck_assert_msg(
			answer(&s, cases[i].body, NSEC_NONE) == 0 && s.verdict == cases[i].verdict,
			"case %zu: %d, %s", i, s.verdict, s.fault.text);
		buf_deinit(&keys);
		tear_down(&s);
	}
}
END_TEST

START_TEST(same_cursor_ends_where_it_is_said)
{
	/* a number and a string of the same digits are the same cursor */
	static const char *const last[] = {"{\"l\":[],\"c\":\"93\"}", "{\"l\":[],\"c\":93}"};
	for (size_t i = 0; i < 2; i++) {
		struct steps s;
		set_up(&s, WINDOW "page.cursor = /c\npage.end = same\n");
		ck_assert_int_eq(answer(&s, "{\"l\":[{\"i\":1}],\"c\":\"93\"}", NSEC_NONE), 0);
		ck_assert_int_eq(s.verdict, POLL_MORE);
		ck_assert_int_eq(answer(&s, last[i], NSEC_NONE), 0);
		ck_assert_msg(s.verdict == POLL_CAUGHT_UP, "case %zu", i);
		tear_down(&s);
	}
}
END_TEST

/* The API begins a page with elements of the one before, and has not shown its size yet. */
START_TEST(ties_of_an_api_that_repeats)
{
	static const char body[] = "{\"l\":[{\"i\":1},{\"i\":2},{\"i\":3}]}";
	struct steps s;
	set_up(&s, WINDOW "page.cursor = last:/i\npage.size = 9\npage.end = short\n"
			  "page.ties = yes\nrecords.id = /i\n");
	ck_assert_int_eq(answer(&s, body, NSEC_NONE), 0);
	ck_assert_str_eq(s.poll.request.page, "2");
	ck_assert_msg(answer(&s, body, NSEC_NONE) == 0, "%s", s.fault.text);
	ck_assert_str_eq(s.poll.request.page, "3");
	ck_assert_int_eq(answer(&s, "{\"l\":[]}", NSEC_NONE), 0);
	ck_assert_int_eq(s.verdict, POLL_CAUGHT_UP);
	tear_down(&s);
}
END_TEST

START_TEST(a_place_that_is_not_followed_is_no_loop)
{
	static const char *const ends[] = {"/more = false", "empty", "short", "same"};
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct steps s;
		struct buf keys = BUF_NULL;
		buf_printf(&keys, "%spage.cursor = /c\npage.size = 2\npage.end = %s\n", WINDOW,
			ends[i]);
		set_up(&s, buf_text(&keys));
		answer(&s, "{\"l\":[{\"i\":1},{\"i\":2}],\"c\":\"t\"}", NSEC_NONE);
		ck_assert_int_eq(s.verdict, POLL_MORE);
		ck_assert_int_eq(answer(&s, "{\"l\":[],\"c\":\"t\",\"more\":false}", NSEC_NONE), 0);
		ck_assert_int_eq(s.verdict, POLL_CAUGHT_UP);
		buf_deinit(&keys);
		tear_down(&s);
	}
}
END_TEST

START_TEST(a_list_that_moves_is_read_again)
{
	struct steps s;
	set_up(&s, WINDOW "page.offset = yes\npage.size = 1\npage.total = /n\n");
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(answer(&s, "{\"l\":[{\"i\":1}],\"n\":5}", NSEC_NONE), 0);
		ck_assert_int_eq(s.poll.request.offset, 1);
		ck_assert_int_eq(answer(&s, "{\"l\":[{\"i\":2}],\"n\":6}", NSEC_NONE), 0);
		ck_assert_int_eq(s.verdict, POLL_AGAIN);
		ck_assert_int_eq(s.poll.request.offset, 0);
	}
	answer(&s, "{\"l\":[{\"i\":1}],\"n\":5}", NSEC_NONE);
	ck_assert_int_eq(answer(&s, "{\"l\":[{\"i\":2}],\"n\":6}", NSEC_NONE), FAULT_INCOMPLETE);
	ck_assert(s.poll.cursor.watermark_time == NSEC_NONE);
	/* the next attempt reads from the beginning, not from where the last one stood */
	ck_assert(begin(&s, NOW));
	ck_assert_int_eq(s.poll.request.offset, 0);
	/* once is enough then: what comes after it is a matter of waiting */
	answer(&s, "{\"l\":[{\"i\":1}],\"n\":5}", NSEC_NONE);
	ck_assert_int_eq(answer(&s, "{\"l\":[{\"i\":2}],\"n\":6}", NSEC_NONE), FAULT_INCOMPLETE);
	ck_assert_int_eq(answer(&s, "{\"l\":[{\"i\":1}],\"n\":1}", NSEC_NONE), 0);
	ck_assert_int_eq(answer(&s, "{\"l\":[],\"n\":1}", NSEC_NONE), 0);
	ck_assert_int_eq(s.verdict, POLL_CAUGHT_UP);
	tear_down(&s);
	set_up(&s, WINDOW "page.offset = yes\npage.size = 1\npage.total = /n\n");
	ck_assert_int_eq(answer(&s, "{\"l\":[],\"n\":5}", NSEC_NONE), 0);
	ck_assert_int_eq(s.verdict, POLL_AGAIN);
	ck_assert_int_eq(answer(&s, "{\"l\":[],\"n\":0}", NSEC_NONE), 0);
	ck_assert_int_eq(s.verdict, POLL_CAUGHT_UP);
	tear_down(&s);
}
END_TEST

START_TEST(pages_that_overlap_must_agree)
{
	static const struct {
		const char *first, *second;
		int64_t offset;
		enum poll_verdict verdict;
	} cases[] = {
		{"1,2,3,4", "3,4,5,6", 2, POLL_MORE},
		{"1,2,3,4", "4,5,6,7", 2, POLL_AGAIN},
		{"1,2,3,4", "2,3,4,5", 2, POLL_AGAIN},
		{"1,2,3,4", "3", 2, POLL_AGAIN},
		{"1,2,3,4", "3,4", 2, POLL_MORE},
		/* a page as short as the overlap still goes on */
		{"1,2", "2,3,4,5", 1, POLL_MORE},
		{"1", "2,3,4,5", 1, POLL_MORE},
		/* records that are excluded count as elements */
		{"1,2,90,4", "90,4,5,6", 2, POLL_MORE},
		{"1,2,90,91", "90,91,5,6", 2, POLL_MORE},
		{"1,2,90,4", "4,5,6,7", 2, POLL_AGAIN},
		{"1,2,3,4", "90,4,5,6", 2, POLL_AGAIN},
		{"90,91,92,93", "92,93,1,2", 2, POLL_MORE},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *pages[] = {cases[i].first, cases[i].second};
		struct steps s;
		set_up(&s, WINDOW "page.offset = yes\npage.size = 4\npage.overlap = 2\n"
				  "page.total = /n\nrecords.exclude = /i = 9?\n");
		for (int j = 0; j < 2; j++) {
			struct buf body = BUF_NULL;
			buf_append_text(&body, "{\"n\":50,\"l\":[{\"i\":");
			for (const char *p = pages[j]; *p; p++)
				if (*p == ',')
					buf_append_text(&body, "},{\"i\":");
				else
					buf_append_char(&body, *p);
			buf_append_text(&body, "}]}");
			ck_assert_int_eq(answer(&s, buf_text(&body), NSEC_NONE), 0);
			buf_deinit(&body);
			ck_assert_msg(
				(j ? cases[i].verdict : POLL_MORE) == s.verdict, "case %zu", i);
			ck_assert_msg(j || s.poll.request.offset == cases[i].offset, "case %zu", i);
		}
		tear_down(&s);
	}
}
END_TEST

/* Keys of a long window are kept by the time of the records, not by the window's end, unless the
 * API goes by another time. */
START_TEST(keys_of_a_long_window)
{
	static const struct {
		const char *times;
		int64_t key_time;
	} cases[] = {
		{"1699000000,1699000300", 1699000300},
		{"1699000300,1699000000", 1699000300},
		{"1699000300,1600000000", 1700000000},
		{"1699000300,1700000900", 1700000900},
		{"1699000300,null", 1700000000},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct steps s;
		struct page page;
		char first[32], second[32];
		ck_assert_int_eq(sscanf(cases[i].times, "%31[^,],%31s", first, second), 2);
		char *body CLEANUP_FREE = mem_printf(
			"{\"l\":[{\"i\":1,\"t\":%s},{\"i\":2,\"t\":%s}]}", first, second);
		set_up(&s, WINDOW "records.time = /t\nrecords.time_format = epoch_s\n");
		poll_stop(&s.poll);
		s.poll.cursor.started_time = NOW - 20 * NSEC_PER_DAY;
		ck_assert(begin(&s, NOW));
		ck_assert_int_eq(
			source_fixture_page(&s.fixture, &page, body, "https://h/x", &s.fault), 0);
		ck_assert_int_eq(
			poll_page(&s.poll, &page, "https://h/x",
				&(struct clocks){NOW + NSEC_PER_HOUR, NSEC_NONE, NSEC_NONE},
				&s.verdict, &s.fault),
			0);
		struct records records = {page.records, page.n_records};
		ck_assert_msg(poll_key_time(&s.poll, &records) == cases[i].key_time * S,
			"case %zu: %lld", i, (long long)(poll_key_time(&s.poll, &records) / S));
		page_deinit(&page);
		tear_down(&s);
	}
}
END_TEST

START_TEST(pieces_that_overlap)
{
	struct steps s;
	set_up(&s, WINDOW "resume.span_max = 400s\noverlap = 100s\nresume.overlap_pieces = yes\n"
			  "lag = 0s\n");
	static const int64_t starts[] = {0, 300, 600};
	for (int i = 0; i < 3; i++) {
		nsec_t start = NOW + (starts[i] - 1000) * S;
		ck_assert_int_eq(s.poll.request.start_time, start);
		ck_assert_int_eq(s.poll.request.end_time, start + 400 * S);
		answer(&s, "{\"l\":[]}", NSEC_NONE);
		ck_assert_int_eq(s.verdict, i < 2 ? POLL_LAST : POLL_CAUGHT_UP);
		ck_assert_int_eq(s.poll.cursor.watermark_time, start + 400 * S);
	}
	tear_down(&s);
	/* an overlap longer than a piece still lets the poll come to its end */
	set_up(&s, WINDOW "resume.span_max = 10s\noverlap = 100s\nresume.overlap_pieces = yes\n");
	int n = 1;
	for (; answer(&s, "{\"l\":[]}", NSEC_NONE) == 0 && s.verdict == POLL_LAST; n++)
		;
	ck_assert_int_eq(s.verdict, POLL_CAUGHT_UP);
	ck_assert_int_eq(n, 199);
	tear_down(&s);
}
END_TEST

/* One second holds more than a page: it is told as a gap, all around it is whole. */
START_TEST(what_cannot_be_cut_is_a_gap)
{
	struct steps s;
	const nsec_t crowded = NOW - 500 * S;
	nsec_t expected_start = NOW - 1000 * S, gap_start = NSEC_NONE, gap_end = NSEC_NONE;
	set_up(&s, WINDOW "page.total = /n\nresume.step = 1s\nlag = 250ms\n");
	poll_stop(&s.poll);
	s.poll.cursor.started_time += S / 3;
	ck_assert(begin(&s, NOW));
	for (int i = 0; i < 200 && s.verdict != POLL_CAUGHT_UP; i++) {
		struct span asked = {s.poll.request.start_time, s.poll.request.end_time};
		bool hit = asked.start_time <= crowded && crowded < asked.end_time;
		ck_assert_int_eq(asked.start_time, expected_start);
		ck_assert_int_eq(asked.start_time % S, 0);
		ck_assert_int_eq(
			answer(&s, hit ? "{\"l\":[{\"i\":1}],\"n\":3}" : "{\"l\":[],\"n\":0}",
				NSEC_NONE),
			0);
		if (s.verdict != POLL_AGAIN)
			expected_start = asked.end_time;
		if (s.poll.n_gaps) {
			ck_assert(gap_start == NSEC_NONE && hit && s.poll.n_gaps == 1);
			ck_assert_int_eq(s.poll.gaps[0].reason, GAP_CAPPED);
			gap_start = s.poll.gaps[0].span.start_time;
			gap_end = s.poll.gaps[0].span.end_time;
			s.poll.n_gaps = 0;
		}
	}
	ck_assert_int_eq(s.verdict, POLL_CAUGHT_UP);
	ck_assert_int_eq(gap_start, crowded);
	ck_assert_int_eq(gap_end, crowded + S);
	tear_down(&s);
}
END_TEST

/* A cursor that is still answered hides that records expired since the last poll. */
START_TEST(a_cursor_older_than_the_retention_is_a_gap)
{
	struct steps s;
	set_up(&s, LINKS "resume.retention = 100s\n");
	answer(&s, "{\"l\":[{\"t\":1699990000}],\"m\":\"?c=1\"}", NSEC_NONE);
	ck_assert_uint_eq(s.poll.n_gaps, 0);
	ck_assert_int_eq(s.poll.cursor.polled_time, NOW);
	/* a quiet source: its newest record is old, its last poll is not */
	s.poll.cursor.polled_time = NOW - 100 * S;
	ck_assert(begin(&s, NOW));
	answer(&s, "{\"l\":[],\"m\":\"?c=1\"}", NSEC_NONE);
	ck_assert_uint_eq(s.poll.n_gaps, 0);
	s.poll.cursor.polled_time = NOW - 300 * S;
	ck_assert(begin(&s, NOW));
	answer(&s, "{\"l\":[],\"n\":\"?c=2\",\"m\":\"?c=2\"}", NSEC_NONE);
	ck_assert_uint_eq(s.poll.n_gaps, 1);
	ck_assert_int_eq(s.poll.gaps[0].span.start_time, NOW - 300 * S);
	ck_assert_int_eq(s.poll.gaps[0].span.end_time, NOW - 100 * S);
	ck_assert_int_eq(s.poll.gaps[0].reason, GAP_RETENTION);
	/* told once */
	s.poll.n_gaps = 0;
	answer(&s, "{\"l\":[],\"m\":\"?c=3\"}", NSEC_NONE);
	ck_assert_uint_eq(s.poll.n_gaps, 0);
	tear_down(&s);
}
END_TEST

/* The poll before ended in the middle of its chain: what it had not read yet is part of the gap. */
START_TEST(an_interrupted_chain_older_than_the_retention_is_a_gap)
{
	struct steps s;
	nsec_t from;
	set_up(&s, LINKS "resume.retention = 100s\n");
	answer(&s, "{\"l\":[{\"t\":1699999000}],\"n\":\"?c=1\",\"m\":\"?c=1\"}", NSEC_NONE);
	ck_assert_int_eq(s.poll.cursor.polled_time, NOW);
	s.poll.cursor.polled_time = NOW - 300 * S;
	answer(&s, "{\"l\":[],\"m\":\"?c=2\"}", NSEC_NONE);
	ck_assert_uint_eq(s.poll.n_gaps, 1);
	ck_assert_int_eq(s.poll.gaps[0].span.start_time, NOW - 1000 * S);
	ck_assert_int_eq(s.poll.gaps[0].span.end_time, NOW - 100 * S);
	s.poll.n_gaps = 0;
	/* the same rule where the cursor is refused: an up-to-date source has lost nothing */
	ck_assert(begin(&s, NOW));
	poll_lost(&s.poll, &(struct clocks){NOW + 100 * S, NSEC_NONE, NSEC_NONE}, &from);
	ck_assert_uint_eq(s.poll.n_gaps, 0);
	poll_lost(&s.poll, &(struct clocks){NOW + 101 * S, NSEC_NONE, NSEC_NONE}, &from);
	ck_assert_uint_eq(s.poll.n_gaps, 1);
	ck_assert_int_eq(s.poll.gaps[0].span.start_time, NOW - 1000 * S);
	ck_assert_int_eq(s.poll.gaps[0].reason, GAP_LOST_CURSOR);
	tear_down(&s);
}
END_TEST

START_TEST(pieces_are_no_longer_than_allowed)
{
	static const struct {
		const char *keys;
		nsec_t span_max;
	} cases[] = {{"resume.span_max = 100s\n", 100 * S},
		{"resume.span_max = 100s\nresume.step = 30s\n", 90 * S},
		{"resume.span_max = 10s\nresume.step = 30s\n", 30 * S}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct steps s = {0};
		struct buf keys = BUF_NULL;
		buf_printf(&keys, "%s%s", WINDOW, cases[i].keys);
		source_fixture_good(&s.fixture, buf_text(&keys));
		poll_init(&s.poll, s.fixture.source);
		s.poll.cursor.started_time = NOW - 1000 * S + 123456789;
		nsec_t last = NSEC_NONE;
		ck_assert(begin(&s, NOW));
		for (s.verdict = POLL_LAST; s.verdict == POLL_LAST;) {
			nsec_t start = s.poll.request.start_time, end = s.poll.request.end_time;
			ck_assert_msg(end - start <= cases[i].span_max, "case %zu: %lld", i,
				(long long)(end - start));
			ck_assert(last == NSEC_NONE ? start <= NOW - 1000 * S + 123456789
						    : start == last);
			last = end;
			ck_assert_int_eq(answer(&s, "{\"l\":[]}", NSEC_NONE), 0);
		}
		ck_assert(last >= NOW);
		buf_deinit(&keys);
		tear_down(&s);
	}
}
END_TEST

START_TEST(a_cursor_is_skipped_by_a_time_that_doubles)
{
	struct steps s;
	set_up(&s, LINKS);
	answer(&s, "{\"l\":[{\"t\":1699999990}],\"m\":\"?c=1\"}", NSEC_NONE);
	for (nsec_t span = 1; span < 10; span *= 2) {
		ck_assert_int_eq(poll_skip(&s.poll, &now), POLL_SKIP_NARROWED);
		ck_assert(begin(&s, NOW));
		ck_assert(!s.poll.link && s.poll.request.start_time == NOW + (span - 10) * S);
	}
	ck_assert_int_eq(poll_skip(&s.poll, &now), POLL_SKIP_NARROWED);
	ck_assert_int_eq(s.poll.cursor.start_time, NOW);
	ck_assert(poll_skipped(&s.poll) && !poll_skipped(&s.poll));
	ck_assert_int_eq(s.poll.gaps[0].span.start_time, NOW - 10 * S);
	ck_assert_int_eq(s.poll.gaps[0].span.end_time, NOW);
	tear_down(&s);
}
END_TEST

/* Clocks may have kept a watermark from being set, also while the next page is known: a source that
 * was read by windows all the time stays where it is. */
START_TEST(a_window_without_a_watermark_is_not_of_another_kind)
{
	static const char *const cursors[] = {
		"{\"version\":1,\"exact\":true,\"started\":\"2023-11-14T22:00:00Z\",\"newest\":\"2023-11-14T22:13:00Z\"}",
		"{\"version\":1,\"exact\":true,\"page\":\"\\\"c\\\"\",\"started\":\"2023-11-14T22:00:00Z\",\"newest\":\"2023-11-14T22:13:00Z\"}",
		"{\"version\":1,\"exact\":true,\"started\":\"2023-11-14T22:00:00Z\",\"newest\":\"2023-11-14T22:13:00Z\",\"polled\":\"2023-11-14T22:13:00Z\"}",
	};
	for (size_t i = 0; i < 3; i++) {
		struct steps s;
		struct cursor cursor CLEANUP(cursor_deinit) = CURSOR_NULL;
		set_up(&s, WINDOW "page.cursor = /c\n");
		ck_assert_int_eq(cursor_parse(&cursor, cursors[i]), 0);
		poll_set_cursor(&s.poll, &cursor);
		bool other = i == 2; /* that of a list of the newest records */
		ck_assert_int_eq((s.poll.notices & POLL_NOTICE_ADOPTED) != 0, other);
		ck_assert(s.poll.cursor.watermark_time == (other ? cursor.newest_time : NSEC_NONE));
		tear_down(&s);
	}
}
END_TEST

UNIT_MAIN("poll_steps", links_are_followed_and_kept, a_lost_place_is_replaced_by_a_time,
	an_open_last_page_is_read_again, loops_are_faults, ends_of_chains,
	same_cursor_ends_where_it_is_said, ties_of_an_api_that_repeats,
	a_place_that_is_not_followed_is_no_loop, a_list_that_moves_is_read_again,
	pages_that_overlap_must_agree, keys_of_a_long_window, pieces_that_overlap,
	what_cannot_be_cut_is_a_gap, a_cursor_older_than_the_retention_is_a_gap,
	an_interrupted_chain_older_than_the_retention_is_a_gap, pieces_are_no_longer_than_allowed,
	a_cursor_is_skipped_by_a_time_that_doubles,
	a_window_without_a_watermark_is_not_of_another_kind)
