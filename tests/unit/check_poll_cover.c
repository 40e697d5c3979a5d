/* What a chain of cursors is said to have read: from when on, and not before it has ended. */
#include "base/cleanup.h"

#include "poll_fixture.h"

#define BY_TIME "request.url = https://h/x\nrequest.query.from = ${window.start}\n"
#define NOT_BY_TIME "request.url = https://h/x\n"
#define LINKS                                                                                      \
	"records.at = /l\nrecords.time = /t\nrecords.time_format = epoch_s\npage.url = /n\n"       \
	"resume.url = /m\noverlap = 100s\n"
#define FIRST "{\"l\":[{\"t\":1699999950}],\"n\":\"?c=1\",\"m\":\"?c=1\"}" /* NOW - 50 s */
#define LAST "{\"l\":[{\"t\":1699999990}],\"m\":\"?c=2\"}" /* NOW - 10 s */

#define NONE 1 /* seconds from NOW: no time */

static nsec_t from_now(int64_t seconds)
{
	return seconds == NONE ? NSEC_NONE : NOW + seconds * S;
}

/* Another process goes on. */
static void restart(struct steps *s)
{
	char *text CLEANUP_FREE = cursor_print(&s->poll.cursor);
	struct cursor cursor CLEANUP(cursor_deinit) = CURSOR_NULL;
	ck_assert_int_eq(cursor_parse(&cursor, text), 0);
	poll_deinit(&s->poll);
	poll_init(&s->poll, s->fixture.source);
	poll_set_cursor(&s->poll, &cursor);
	ck_assert(begin(s, NOW));
}

static void assert_cover(struct steps *s, nsec_t start, size_t i)
{
	struct poll_cover cover = poll_take_cover(&s->poll);
	nsec_t end = start == NSEC_NONE ? NSEC_NONE : NOW;
	ck_assert_msg(cover.span.start_time == start && cover.span.end_time == end &&
			      cover.chain == (start != NSEC_NONE),
		"case %zu: %lld to %lld", i, (long long)((cover.span.start_time - NOW) / S),
		(long long)((cover.span.end_time - NOW) / S));
	ck_assert(s->poll.cursor.since_time == NSEC_NONE);
}

START_TEST(a_chain_tells_from_when_on_it_has_read)
{
	static const struct {
		const char *keys;
		int64_t started;
		const char *resume; /* where the last chain ended */
		int64_t newest; /* record of it */
		int64_t one, two; /* from when on, if the chain has one page, or two */
	} cases[] = {
		{BY_TIME LINKS, -1000, NULL, NONE, -1000, -1000},
		/* no more than it keeps */
		{BY_TIME LINKS "resume.retention = 300s\n", -1000, NULL, NONE, -300, -300},
		/* what the API begins with is not known */
		{BY_TIME LINKS, NONE, NULL, NONE, NONE, -50},
		{NOT_BY_TIME LINKS, -1000, NULL, NONE, NONE, -50},
		/* whatever its first page holds */
		{BY_TIME LINKS, -1000, "https://h/x?c=0", -500, -500, -500},
		{NOT_BY_TIME LINKS, -1000, "https://h/x?c=0", -500, -500, -500},
		/* moved back: all of it again */
		{BY_TIME LINKS, -1000, NULL, -500, -1000, -1000},
	};
	for (size_t i = 0; i < 3 * (sizeof(cases) / sizeof(cases[0])); i++) {
		size_t n = i / 3, way = i % 3;
		struct steps s;
		set_up(&s, cases[n].keys);
		poll_stop(&s.poll);
		s.poll.cursor.started_time = from_now(cases[n].started);
		s.poll.cursor.newest_time = from_now(cases[n].newest);
		if (cases[n].resume)
			cursor_set(&s.poll.cursor.resume, slice_of(cases[n].resume));
		if (way > 0) {
			ck_assert_int_eq(answer(&s, FIRST, NSEC_NONE), 0);
			ck_assert(poll_take_cover(&s.poll).span.start_time == NSEC_NONE);
		}
		if (way > 1)
			restart(&s);
		ck_assert_int_eq(answer(&s, LAST, NSEC_NONE), 0);
		assert_cover(&s, from_now(way > 0 ? cases[n].two : cases[n].one), i);
		tear_down(&s);
	}
}
END_TEST

/* What was read before the cursor was lost is not proven, nor what a person has skipped. */
START_TEST(a_chain_that_is_begun_again_tells_of_what_follows)
{
	struct steps s;
	nsec_t from;
	set_up(&s, BY_TIME LINKS);
	answer(&s, FIRST, NSEC_NONE);
	poll_lost(&s.poll, &now, &from);
	ck_assert_int_eq(from, NOW - 150 * S);
	answer(&s, FIRST, NSEC_NONE);
	restart(&s);
	answer(&s, LAST, NSEC_NONE);
	assert_cover(&s, from, 0);
	/* a quiet source says so once a minute, but for what it was asked for again */
	answer(&s, "{\"l\":[],\"m\":\"?c=2\"}", NSEC_NONE);
	assert_cover(&s, NSEC_NONE, 1);
	poll_lost(&s.poll, &now, &from);
	answer(&s, "{\"l\":[],\"m\":\"?c=2\"}", NSEC_NONE);
	assert_cover(&s, from, 2);
	tear_down(&s);
}
END_TEST

UNIT_MAIN("poll_cover", a_chain_tells_from_when_on_it_has_read,
	a_chain_that_is_begun_again_tells_of_what_follows)
