/* What windows make of clocks that are wrong: requests up to the later one, nothing complete beyond
 * the earlier one, and a way back for a watermark that went too far. */
#include "poll_fixture.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/timestamp.h"

#define HOUR (3600 * S)
#define DAY (24 * HOUR)
#define UNSET (INT64_C(1000) * S) /* 1970 */
#define TIMED WINDOW "records.time = /t\nrecords.time_format = epoch_s\n"

/* One poll of NOW - 1000 s and later. All times are seconds after NOW, NONE is unknown. */
#define NONE INT64_MIN
static nsec_t at(int64_t seconds)
{
	return seconds == NONE ? NSEC_NONE : seconds < -1000000 ? UNSET : NOW + seconds * S;
}

static struct clocks clocks_at(int64_t host, int64_t server, int64_t steady)
{
	return (struct clocks){at(host), at(server), at(steady)};
}

/* Empty pages until the poll is done. The end of its last window. */
static nsec_t answer_all(struct steps *s, const struct clocks *clocks)
{
	nsec_t end;
	do {
		ck_assert(poll_begin(&s->poll, clocks));
		end = s->poll.request.end_time;
		ck_assert_int_eq(answer_at(s, "{\"l\":[]}", *clocks), 0);
	} while (s->verdict == POLL_LAST);
	return end;
}

#define SECONDS(time) ((long long)(((time)-NOW) / S))

/* Everything up to the watermark is said to have been read, and no more. */
static void assert_covered(const struct steps *s, size_t i)
{
	const struct span *span = &s->poll.cover.span;
	const struct cursor *cursor = &s->poll.cursor;
	nsec_t start = cursor->watermark_time == NSEC_NONE ? NSEC_NONE : cursor->started_time;
	ck_assert_msg(span->end_time == cursor->watermark_time && span->start_time == start,
		"case %zu: %lld to %lld", i, SECONDS(span->start_time), SECONDS(span->end_time));
}

START_TEST(a_watermark_trusts_no_clock_alone)
{
	static const struct {
		const char *keys;
		int64_t host, server, steady; /* when it is requested */
		int64_t host_later, server_later; /* when it is answered, with a Date or NONE */
		int64_t newest; /* known before */
		int64_t cut, end, watermark;
	} cases[] = {
		{"", 0, NONE, NONE, 0, NONE, NONE, 0, 0, 0},
		{"", 0, 0, 0, 1, 1, NONE, 0, 0, 0},
		{"lag = 5s\n", 0, 0, 0, 0, 0, NONE, -5, -5, -5},
		/* the server's clock is ahead: requested up to it, not believed */
		{"", 0, 300, 0, 0, 300, NONE, 0, 300, 0},
		{"", 0, 0, 0, 0, 300, NONE, 0, 0, 0},
		{"", 0, 300, 0, 0, 0, NONE, 0, 0, 0},
		{"", 0, 300, 0, 60, 360, NONE, 0, 300, 0},
		/* ours is ahead: what is in the future for the server is requested by itself */
		{"", 300, 0, NONE, 300, 0, NONE, 0, 300, 0},
		{"", 300, NONE, NONE, 300, 0, NONE, 300, 300, 0},
		{"lag = 5s\n", 300, 0, NONE, 360, 60, NONE, -5, 295, -5},
		/* a record from there proves nothing of what is between */
		{"", 300, 0, NONE, 300, 0, 100, 0, 300, 0},
		{"", 0, -2000000, NONE, 0, NONE, NONE, 0, 0, NONE},
		/* ours was set while the request was under way, or since it was confirmed */
		{"", 300, NONE, NONE, 0, NONE, NONE, 300, 300, 0},
		{"", 0, NONE, NONE, 300, NONE, NONE, 0, 0, 0},
		{"", 300, NONE, 0, 300, NONE, NONE, 0, 300, 0},
		{"", 300, 300, 0, 300, 300, NONE, 0, 300, 0},
		/* ours is behind: what is known of records is done */
		{"", -600, 0, NONE, -600, 0, NONE, -600, 0, -600},
		{"", -600, 0, NONE, -600, 0, -100, -600, 0, -100},
		{"lag = 5s\n", -600, 0, NONE, -600, 0, -100, -605, -5, -105},
		{"", -2000000, 0, NONE, -2000000, 0, -100, 0, 0, -100},
		/* never past the later clock, or the end of what was requested */
		{"", 0, 0, 0, 0, 0, 500, 0, 0, 0},
		{"resume.span_max = 300s\n", 0, 0, 0, 0, 0, NONE, -700, 0, 0},
		/* long after: the first page was requested then, by the server's clock of then */
		{"", 0, 0, 0, 500, 500, NONE, 0, 0, 0},
		{"", 0, NONE, 0, 500, 200, NONE, 0, 0, -300},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct steps s = {0};
		char *keys CLEANUP_FREE = mem_printf(TIMED "overlap = 60s\n%s", cases[i].keys);
		source_fixture_good(&s.fixture, keys);
		poll_init(&s.poll, s.fixture.source);
		s.poll.cursor.started_time = NOW - 1000 * S;
		s.poll.cursor.newest_time = at(cases[i].newest);
		struct clocks asked = clocks_at(cases[i].host, cases[i].server, cases[i].steady);
		struct clocks answered =
			clocks_at(cases[i].host_later, cases[i].server_later, cases[i].steady);
		ck_assert_msg(poll_begin(&s.poll, &asked), "case %zu", i);
		ck_assert_msg(s.poll.request.end_time == at(cases[i].cut),
			"case %zu: first end %lld", i, SECONDS(s.poll.request.end_time));
		nsec_t end = answer_all(&s, &answered);
		ck_assert_msg(end == at(cases[i].end), "case %zu: end %lld", i, SECONDS(end));
		ck_assert_msg(s.poll.cursor.watermark_time == at(cases[i].watermark),
			"case %zu: watermark %lld", i, SECONDS(s.poll.cursor.watermark_time));
		assert_covered(&s, i);
		tear_down(&s);
	}
}
END_TEST

/* The start is later than both clocks, which differ. */
START_TEST(a_start_in_the_future)
{
	struct steps s;
	struct clocks clocks = {NOW - 50 * HOUR, NOW - 90 * HOUR, NSEC_NONE};
	/* records that were read tell that the clocks are slow */
	set_up(&s, TIMED "page.cursor = /c\n");
	poll_stop(&s.poll);
	s.poll.cursor.newest_time = NOW - 3 * S;
	ck_assert(poll_begin(&s.poll, &clocks));
	ck_assert_int_eq(s.poll.request.start_time, NOW - 1000 * S);
	ck_assert(s.poll.request.end_time > NOW);
	ck_assert_int_eq(answer_at(&s, "{\"l\":[{\"i\":1,\"t\":1700000000}]}", clocks), 0);
	ck_assert_int_eq(s.poll.cursor.watermark_time, NSEC_NONE);
	tear_down(&s);
	/* without any, it may have been counted from a clock that was fast */
	set_up(&s, TIMED "page.cursor = /c\n");
	poll_stop(&s.poll);
	ck_assert(poll_begin(&s.poll, &clocks));
	ck_assert_int_eq(s.poll.cursor.started_time, NOW - 51 * HOUR);
	ck_assert_int_eq(s.poll.request.start_time, NOW - 51 * HOUR);
	ck_assert_int_eq(s.poll.request.end_time, NOW - 50 * HOUR);
	tear_down(&s);
	/* a time that a person gave stays */
	set_up(&s, TIMED "start = 2023-11-14T22:13:20Z\n");
	poll_stop(&s.poll);
	s.poll.cursor.started_time = NOW;
	ck_assert(poll_begin(&s.poll, &clocks));
	ck_assert_int_eq(s.poll.cursor.started_time, NOW);
	ck_assert_int_eq(s.poll.request.start_time, NOW);
	tear_down(&s);
}
END_TEST

/* However far the watermark was moved by clocks that were wrong, it may be pulled back. */
START_TEST(keys_reach_back_to_the_newest_record)
{
	struct steps s;
	set_up(&s, TIMED "overlap = 60s\n");
	s.poll.cursor.watermark_time = NOW + 900 * HOUR;
	s.poll.cursor.newest_time = NOW;
	ck_assert(poll_horizon(&s.poll) <= NOW - 60 * S);
	ck_assert(poll_horizon(&s.poll) > NOW - 2 * HOUR);
	/* where records have no time, keys would pile up */
	answer_at(&s, "{\"l\":[{\"i\":1}]}", now);
	s.poll.cursor.watermark_time = NOW + 900 * HOUR;
	ck_assert(poll_horizon(&s.poll) > NOW + 800 * HOUR);
	tear_down(&s);
}
END_TEST

/* What the first page of a chain did not show cannot be done, however long the chain is. */
START_TEST(a_chain_counts_from_its_first_page)
{
	struct steps s;
	set_up(&s, TIMED "page.cursor = /c\n");
	struct clocks clocks = {NOW, NOW + HOUR, NSEC_NONE};
	poll_stop(&s.poll);
	ck_assert(poll_begin(&s.poll, &clocks));
	answer_at(&s, "{\"l\":[{\"i\":1}],\"c\":1}", clocks);
	clocks = (struct clocks){NOW + 600 * S, NOW + 600 * S + HOUR, NSEC_NONE};
	ck_assert(poll_begin(&s.poll, &clocks));
	/* and another process goes on with it */
	char *cursor CLEANUP_FREE = cursor_print(&s.poll.cursor);
	poll_deinit(&s.poll);
	poll_init(&s.poll, s.fixture.source);
	ck_assert_int_eq(cursor_parse(&s.poll.cursor, cursor), 0);
	ck_assert(poll_begin(&s.poll, &clocks));
	ck_assert_str_eq(s.poll.request.page, "1");
	answer_at(&s, "{\"l\":[{\"i\":2}]}", clocks);
	ck_assert_int_eq(s.verdict, POLL_LAST);
	ck_assert_int_eq(s.poll.cursor.watermark_time, NOW);
	tear_down(&s);
}
END_TEST

START_TEST(a_watermark_in_the_future_is_pulled_back)
{
	static const struct {
		const char *keys;
		int64_t watermark, newest, host, server;
		unsigned notice;
		int64_t expected, start, end;
		size_t n_gaps;
	} cases[] = {
		/* back to the newest record */
		{TIMED, 5000, -300, 0, 0, POLL_NOTICE_WATERMARK, -300, -360, 0, 0},
		{TIMED, 68 * 365 * 86400LL, -300, 0, 0, POLL_NOTICE_WATERMARK, -300, -360, 0, 0},
		{TIMED, 5000, -300, 0, 100, POLL_NOTICE_WATERMARK, -300, -360, 0, 0},
		/* not for what two readings of a clock may differ by */
		{TIMED, 4, -300, 0, 0, 0, 4, 0, 0, 0},
		/* one clock has reached it */
		{TIMED, 5000, -300, 0, 6000, 0, 5000, 4940, 6000, 0},
		{TIMED, 5000, -300, 6000, 0, 0, 5000, 4940, 6000, 0},
		/* a record that is in the future, too: two clocks that agree are right */
		{TIMED, 5000, 5000, 0, 0, POLL_NOTICE_WATERMARK, 0, 0, 0, 1},
		{TIMED, 3000, 3000, 0, 0, POLL_NOTICE_DOUBT, 3000, 2940, 3000 + 86400, 0},
		/* and two that do not are not */
		{TIMED, 5000, 5000, 0, -7200, POLL_NOTICE_DOUBT, 5000, 4940, 5000 + 86400, 0},
		{TIMED, 5000, 5000, -2000000, -7200, POLL_NOTICE_DOUBT, 5000, 4940, 5000 + 86400,
			0},
		/* nothing is known of records */
		{WINDOW, 5000, NONE, 0, 0, POLL_NOTICE_WATERMARK, 0, 0, 0, 1},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct steps s;
		char *keys CLEANUP_FREE = mem_printf("%soverlap = 60s\n", cases[i].keys);
		set_up(&s, keys);
		poll_stop(&s.poll);
		s.poll.cursor.watermark_time = at(cases[i].watermark);
		s.poll.cursor.newest_time = at(cases[i].newest);
		struct clocks clocks = clocks_at(cases[i].host, cases[i].server, NONE);
		bool begun = poll_begin(&s.poll, &clocks);
		ck_assert_msg(s.poll.notices == cases[i].notice, "case %zu: %x", i, s.poll.notices);
		ck_assert_msg(s.poll.cursor.watermark_time == at(cases[i].expected),
			"case %zu: watermark %lld", i,
			(long long)((s.poll.cursor.watermark_time - NOW) / S));
		nsec_t retracted = cases[i].notice == POLL_NOTICE_WATERMARK ? at(cases[i].expected)
									    : NSEC_NONE;
		ck_assert_msg(s.poll.cover.retract_time == retracted, "case %zu", i);
		ck_assert_msg(begun == (cases[i].start < cases[i].end), "case %zu", i);
		ck_assert_msg(!begun || (s.poll.request.start_time == at(cases[i].start) &&
						s.poll.request.end_time == at(cases[i].end)),
			"case %zu: %lld to %lld", i,
			(long long)((s.poll.request.start_time - NOW) / S),
			(long long)((s.poll.request.end_time - NOW) / S));
		ck_assert_msg(s.poll.n_gaps == cases[i].n_gaps, "case %zu", i);
		tear_down(&s);
	}
}
END_TEST

START_TEST(a_clock_that_is_behind_is_doubted)
{
	struct steps s;
	set_up(&s, WINDOW "request.query.t = ${window.end:epoch_s}\noverlap = 60s\nlag = 10s\n");
	ck_assert_int_eq(answer(&s, "{\"l\":[]}", NSEC_NONE), 0);
	ck_assert_int_eq(s.poll.cursor.watermark_time, NOW - 10 * S);
	/* a little is no more than two looks at a clock */
	ck_assert(!begin(&s, NOW - 14 * S));
	/* an hour behind: the end of what is done is asked again, and then at once by what the
	 * answer says */
	struct clocks behind = {NOW - HOUR, NSEC_NONE, NSEC_NONE};
	ck_assert(poll_begin(&s.poll, &behind));
	ck_assert(s.poll.request.start_time == NOW - 70 * S &&
		  s.poll.request.end_time == NOW - 10 * S);
	ck_assert_int_eq(answer_at(&s, "{\"l\":[]}", behind), 0);
	ck_assert_int_eq(s.verdict, POLL_LAST);
	ck_assert_int_eq(s.poll.cursor.watermark_time, NOW - 10 * S);
	/* it said nothing: what follows is requested at each poll */
	for (int i = 0; i < 3; i++) {
		ck_assert(poll_begin(&s.poll, &behind));
		ck_assert(s.poll.request.start_time == NOW - 70 * S);
		ck_assert_int_eq(s.poll.request.end_time, NOW - 10 * S + DAY);
		ck_assert_int_eq(answer_at(&s, "{\"l\":[]}", behind), 0);
		ck_assert_int_eq(s.verdict, POLL_CAUGHT_UP);
		ck_assert_int_eq(s.poll.cursor.watermark_time, NOW - 10 * S);
	}
	ck_assert(begin(&s, NOW + 100 * S));
	ck_assert(s.poll.request.start_time == NOW - 70 * S &&
		  s.poll.request.end_time == NOW + 90 * S);
	/* a refusal tells the time, too: then the poll is begun anew and is a usual one */
	poll_stop(&s.poll);
	ck_assert(poll_begin(&s.poll, &behind));
	poll_stop(&s.poll);
	ck_assert(begin(&s, NOW + 100 * S));
	ck_assert_int_eq(answer(&s, "{\"l\":[]}", NSEC_NONE), 0);
	ck_assert_int_eq(s.verdict, POLL_CAUGHT_UP);
	tear_down(&s);
}
END_TEST

/* A host without a clock follows the records; quiet times between them hold it up no more than a
 * date far in the future does. */
START_TEST(no_clock_makes_a_source_stand_still)
{
	struct steps s;
	struct clocks unset = {UNSET, NOW, NSEC_NONE};
	set_up(&s, TIMED "resume.span_max = 100s\noverlap = 60s\n");
	poll_stop(&s.poll);
	s.poll.cursor.started_time = NOW - 30000 * S;
	s.poll.cursor.newest_time = NOW - 29000 * S;
	ck_assert(poll_begin(&s.poll, &unset));
	int n = 0;
	do {
		ck_assert(poll_begin(&s.poll, &unset));
		bool last = s.poll.request.end_time >= NOW;
		ck_assert_int_eq(
			answer_at(&s, last ? "{\"l\":[{\"i\":1,\"t\":1699999990}]}" : "{\"l\":[]}",
				unset),
			0);
		n++;
	} while (s.verdict == POLL_LAST);
	ck_assert_int_eq(n, 300);
	ck_assert_int_eq(s.poll.cursor.watermark_time, NOW - 29000 * S);
	/* the next one has nothing to repeat but the last piece */
	ck_assert(poll_begin(&s.poll, &unset));
	ck_assert_int_eq(answer_at(&s, "{\"l\":[]}", unset), 0);
	ck_assert_int_eq(s.poll.cursor.watermark_time, NOW - 28960 * S);
	tear_down(&s);

	/* 2094: as many empty pieces as are asked of one poll */
	struct clocks ahead = {NOW, NOW + 68 * 365 * DAY, NSEC_NONE};
	set_up(&s, TIMED "resume.span_max = 100s\n");
	poll_stop(&s.poll);
	for (n = 0; n == 0 || s.verdict == POLL_LAST; n++) {
		ck_assert(poll_begin(&s.poll, &ahead));
		ck_assert_int_eq(answer_at(&s, "{\"l\":[]}", ahead), 0);
	}
	ck_assert_int_lt(n, 120);
	ck_assert_int_eq(s.poll.cursor.watermark_time, NOW);
	/* and a right one ends it at once */
	ck_assert(poll_begin(&s.poll, &ahead));
	ck_assert_int_eq(answer(&s, "{\"l\":[]}", NOW), 0);
	ck_assert_int_eq(s.verdict, POLL_LAST);
	ck_assert_int_eq(answer(&s, "{\"l\":[]}", NOW), 0);
	tear_down(&s);
}
END_TEST

START_TEST(outside_the_retention_is_a_gap)
{
	struct steps s;
	set_up(&s, WINDOW "resume.retention = 100s\n");
	answer(&s, "{\"l\":[]}", NSEC_NONE);
	nsec_t done = s.poll.cursor.watermark_time;
	ck_assert(begin(&s, NOW + 1000 * S));
	ck_assert_uint_eq(s.poll.n_gaps, 1);
	ck_assert_int_eq(s.poll.gaps[0].reason, GAP_RETENTION);
	ck_assert_int_eq(s.poll.gaps[0].span.start_time, done);
	ck_assert_int_eq(s.poll.gaps[0].span.end_time, NOW + 960 * S);
	ck_assert_int_eq(s.poll.request.start_time, NOW + 960 * S);
	tear_down(&s);
}
END_TEST

/* By a clock that was ahead it seemed so: the answer shows it, and nothing is given up. */
START_TEST(outside_the_retention_by_a_wrong_clock)
{
	struct steps s;
	set_up(&s, WINDOW "resume.retention = 2000s\noverlap = 60s\n");
	answer(&s, "{\"l\":[]}", NSEC_NONE);
	struct clocks ahead = {NOW + DAY, NSEC_NONE, NSEC_NONE};
	struct clocks known = {NOW + DAY, NOW + 10 * S, NSEC_NONE};
	ck_assert(poll_begin(&s.poll, &ahead));
	ck_assert_uint_eq(s.poll.n_gaps, 1);
	ck_assert_int_eq(answer_at(&s, "{\"l\":[]}", known), 0);
	ck_assert_int_eq(s.verdict, POLL_AGAIN);
	ck_assert(poll_begin(&s.poll, &known));
	ck_assert_uint_eq(s.poll.n_gaps, 0);
	ck_assert_int_eq(s.poll.request.start_time, NOW - 60 * S);
	ck_assert_int_eq(answer_at(&s, "{\"l\":[]}", known), 0);
	ck_assert_int_eq(s.poll.cursor.watermark_time, NOW + 10 * S);
	tear_down(&s);
	/* the server's alone gives nothing up */
	set_up(&s, WINDOW "resume.retention = 2000s\noverlap = 60s\n");
	answer(&s, "{\"l\":[]}", NSEC_NONE);
	ck_assert(poll_begin(&s.poll, &(struct clocks){NOW + 10 * S, NOW + 2 * DAY, NSEC_NONE}));
	ck_assert_uint_eq(s.poll.n_gaps, 0);
	ck_assert_int_eq(s.poll.request.start_time, NOW - 60 * S);
	tear_down(&s);
}
END_TEST

/* A host that is days behind: what expired by the server's clock is a gap, told once, and what
 * either clock may mean is read. */
START_TEST(what_expired_by_the_server_alone)
{
	struct steps s;
	set_up(&s, TIMED "resume.retention = 1d\noverlap = 60s\n");
	struct clocks slow = {NOW, NOW + 9 * DAY, NSEC_NONE};
	size_t n_gaps = 0;
	bool by_server = false, by_host = false;
	for (int i = 0; i < 8; i++) {
		ck_assert(poll_begin(&s.poll, &slow));
		if (i > 3) {
			by_server |= s.poll.request.start_time == NOW + 8 * DAY + 60 * S;
			by_host |= s.poll.request.start_time <= NOW;
		}
		ck_assert_int_eq(answer_at(&s, "{\"l\":[]}", slow), 0);
		n_gaps += s.poll.n_gaps;
		s.poll.n_gaps = 0;
	}
	ck_assert(by_server && by_host);
	ck_assert_uint_eq(n_gaps, 1);
	ck_assert_int_eq(s.poll.cursor.watermark_time, NOW);
	tear_down(&s);
}
END_TEST

START_TEST(the_third_witness)
{
	struct steady steady;
	steady_init(&steady, NOW, 100 * S);
	/* slewed, and drifting */
	ck_assert_int_eq(steady_read(&steady, NOW + 61 * S, 160 * S), NOW + 61 * S);
	/* set forward, and back again */
	ck_assert_int_eq(steady_read(&steady, NOW + DAY, 170 * S), NOW + 71 * S);
	ck_assert_int_eq(steady_read(&steady, NOW + DAY + 100 * S, 270 * S), NOW + 171 * S);
	ck_assert_int_eq(steady_read(&steady, NOW + 181 * S, 280 * S), NOW + 181 * S);
	/* set for good: another clock confirms it, or an hour */
	ck_assert_int_eq(steady_read(&steady, NOW + DAY, 290 * S), NOW + 191 * S);
	steady_confirm(&steady, NOW + DAY, 290 * S);
	ck_assert_int_eq(steady_read(&steady, NOW + DAY + 10 * S, 300 * S), NOW + DAY + 10 * S);
	for (int64_t n = 0; n < 3600; n += 60)
		ck_assert_int_eq(steady_read(&steady, NOW + (300 + n) * S, (300 + n) * S),
			NOW + DAY + (10 + n) * S);
	ck_assert_int_eq(steady_read(&steady, NOW + 3900 * S, 3900 * S), NOW + 3900 * S);
}
END_TEST

UNIT_MAIN("clocks", a_watermark_trusts_no_clock_alone, a_start_in_the_future,
	keys_reach_back_to_the_newest_record, a_chain_counts_from_its_first_page,
	a_watermark_in_the_future_is_pulled_back, a_clock_that_is_behind_is_doubted,
	no_clock_makes_a_source_stand_still, outside_the_retention_is_a_gap,
	outside_the_retention_by_a_wrong_clock, what_expired_by_the_server_alone, the_third_witness)
