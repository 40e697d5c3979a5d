/* A list that is walked from its newest record on. */
#include "source/newest.h"

#include "poll_fixture.h"

#define NEWEST                                                                                     \
	"request.url = https://h/x\nrequest.query.c = ${page.cursor}\nrecords.at = /l\n"           \
	"records.id = /i\nrecords.time = /t\nrecords.time_format = epoch_s\n"                      \
	"records.exclude = /x present\npage.cursor = /c\nresume.newest = yes\noverlap = 100s\n"

static bool is_known(const struct record *record, void *userdata)
{
	(void)userdata;
	return record->id_text.data[0] != 'n';
}

/* The records that a page of a walk leaves. */
static size_t walk(struct steps *s, const char *body)
{
	struct page page;
	ck_assert_int_eq(
		source_fixture_page(&s->fixture, &page, body, "https://h/x", &s->fault), 0);
	newest_drop_known(&s->poll, &page, is_known, NULL);
	size_t n = page.n_records;
	ck_assert_msg(poll_page(&s->poll, &page, "https://h/x", &now, &s->verdict, &s->fault) == 0,
		"%s", s->fault.text);
	page_deinit(&page);
	return n;
}

START_TEST(a_walk_from_the_newest_ends_behind_the_overlap)
{
	struct steps s;
	set_up(&s, NEWEST);
	ck_assert_uint_eq(walk(&s, "{\"l\":[{\"i\":\"n1\",\"t\":1699999990}],\"c\":1}"), 1);
	ck_assert_int_eq(s.verdict, POLL_MORE);
	/* far behind the first page, and new all the same */
	ck_assert_uint_eq(walk(&s, "{\"l\":[{\"i\":\"n2\",\"t\":1699999500}],\"c\":2}"), 1);
	ck_assert_int_eq(s.verdict, POLL_MORE);
	ck_assert(s.poll.cursor.newest_time == NSEC_NONE);
	/* before the start */
	ck_assert_uint_eq(walk(&s, "{\"l\":[{\"i\":\"n3\",\"t\":1699998000}],\"c\":3}"), 0);
	ck_assert_int_eq(s.verdict, POLL_CAUGHT_UP);
	ck_assert_int_eq(s.poll.cursor.newest_time, NOW - 10 * S);

	ck_assert(begin(&s, NOW));
	ck_assert_uint_eq(walk(&s, "{\"l\":[{\"i\":\"k1\",\"t\":1699999990}],\"c\":1}"), 0);
	ck_assert_int_eq(s.verdict, POLL_MORE);
	ck_assert_uint_eq(walk(&s, "{\"l\":[{\"i\":\"n4\",\"t\":1699999900}],\"c\":2}"), 1);
	ck_assert_uint_eq(walk(&s, "{\"l\":[{\"i\":\"n5\",\"x\":1}],\"c\":3}"), 0);
	ck_assert_uint_eq(walk(&s, "{\"l\":[],\"c\":4}"), 0);
	ck_assert_int_eq(s.verdict, POLL_MORE);
	ck_assert_uint_eq(walk(&s, "{\"l\":[{\"i\":\"k2\",\"t\":1699999889}],\"c\":5}"), 0);
	ck_assert_int_eq(s.verdict, POLL_CAUGHT_UP);
	tear_down(&s);
}
END_TEST

START_TEST(a_walk_never_reaches_before_the_start)
{
	struct steps s;
	set_up(&s, NEWEST);
	s.poll.cursor.started_time = NOW - 50 * S;
	ck_assert_uint_eq(walk(&s, "{\"l\":[{\"i\":\"n1\",\"t\":1699999990}]}"), 1);
	ck_assert(begin(&s, NOW));
	ck_assert_uint_eq(
		walk(&s, "{\"l\":[{\"i\":\"k1\",\"t\":1699999990},{\"i\":\"n2\",\"t\":1699999940}],"
			 "\"c\":1}"),
		0);
	ck_assert_int_eq(s.verdict, POLL_CAUGHT_UP);
	tear_down(&s);
}
END_TEST

/* The newest record is not in the list any more: nothing tells whether what is old was delivered.
 * One walk looks at the whole list, those after it do not. */
START_TEST(old_records_are_not_new_where_none_is_known)
{
	struct steps s;
	set_up(&s, NEWEST);
	ck_assert_uint_eq(walk(&s, "{\"l\":[{\"i\":\"n1\",\"t\":1699999990}]}"), 1);
	for (int i = 0; i < 2; i++) {
		ck_assert(begin(&s, NOW));
		s.poll.cursor.started_time = 0;
		ck_assert_uint_eq(walk(&s, "{\"l\":[{\"i\":\"n2\",\"t\":1699990000}],\"c\":1}"), 0);
		ck_assert_int_eq(s.verdict, i == 0 ? POLL_MORE : POLL_CAUGHT_UP);
		if (i == 0)
			ck_assert_uint_eq(walk(&s, "{\"l\":[{\"i\":\"n3\",\"t\":1699980000}]}"), 0);
		ck_assert_int_eq(s.verdict, POLL_CAUGHT_UP);
		ck_assert_uint_eq(s.poll.held.n_ids, 0);
	}
	/* it is there again */
	ck_assert(begin(&s, NOW));
	ck_assert_uint_eq(walk(&s, "{\"l\":[{\"i\":\"n4\",\"t\":1700000000}]}"), 1);
	ck_assert(begin(&s, NOW));
	ck_assert_uint_eq(
		walk(&s, "{\"l\":[{\"i\":\"n5\",\"t\":1699990000},{\"i\":\"k4\",\"t\":1700000000},"
			 "{\"i\":\"n6\",\"t\":1699990000}]}"),
		1);
	tear_down(&s);
}
END_TEST

START_TEST(a_walk_is_skipped_from_the_page_that_fails)
{
	struct steps s;
	set_up(&s, NEWEST);
	s.poll.cursor.newest_time = NOW - 500 * S;
	ck_assert_int_eq(poll_skip(&s.poll, &now), POLL_SKIP_IMPOSSIBLE);
	ck_assert_uint_eq(walk(&s, "{\"l\":[{\"i\":\"n1\",\"t\":1699999990}],\"c\":1}"), 1);
	ck_assert_int_eq(s.verdict, POLL_MORE);
	ck_assert_int_eq(poll_skip(&s.poll, &now), POLL_SKIP_DONE);
	ck_assert_uint_eq(s.poll.n_gaps, 1);
	ck_assert_int_eq(s.poll.gaps[0].reason, GAP_SKIPPED);
	ck_assert_int_eq(s.poll.gaps[0].span.start_time, NOW - 500 * S);
	ck_assert_int_eq(s.poll.gaps[0].span.end_time, NOW - 10 * S);
	ck_assert_int_eq(s.poll.cursor.newest_time, NOW - 10 * S);
	ck_assert(!s.poll.open);
	tear_down(&s);
}
END_TEST

UNIT_MAIN("newest", a_walk_from_the_newest_ends_behind_the_overlap,
	a_walk_never_reaches_before_the_start, old_records_are_not_new_where_none_is_known,
	a_walk_is_skipped_from_the_page_that_fails)
