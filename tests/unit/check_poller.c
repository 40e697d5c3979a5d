/* One source at work, against an API that answers: what it hands on, what it asks its owner, and
 * what an errand of it waits for. */
#include "poller.h"

#include "errand.h"
#include "poller_fixture.h"
#include "pollers.h"

static uint64_t n_requests(const struct poller *poller)
{
	struct runner_status status;
	runner_status(poller->runner, &status);
	return status.n_requests;
}

START_TEST(hands_on)
{
	struct poller *poller = begin(false);
	ck_assert(!poller->rested);
	while (!owner.n_rested)
		ev_run(loop, EVRUN_ONCE);
	ck_assert(committer_flush(committer));
	ck_assert_uint_eq(owner.n_records, 3);
	ck_assert(poller->rested);
	ck_assert_uint_eq(poller->n_rests, 1);
	ck_assert_int_eq(poller->caught_up_time, PEER_TIME);
	ck_assert_uint_eq(poller->tally.durations.counts[TALLY_DURATIONS], 0);
	poller_free(poller);
	/* its cursor is in the state, and so are the keys of its records */
	poller = begin(false);
	while (owner.n_rested < 2)
		ev_run(loop, EVRUN_ONCE);
	ck_assert(committer_flush(committer));
	ck_assert_uint_eq(owner.n_records, 3);
	poller_free(poller);
}
END_TEST

START_TEST(asks_first)
{
	owner.may_poll = false;
	struct poller *poller = begin(false);
	while (!owner.n_asked)
		ev_run(loop, EVRUN_ONCE);
	ck_assert_uint_eq(n_requests(poller), 0);
	owner.may_poll = true;
	runner_wake(poller->runner);
	while (!owner.n_rested)
		ev_run(loop, EVRUN_ONCE);
	ck_assert_uint_ge(n_requests(poller), 1);
	poller_free(poller);
}
END_TEST

START_TEST(pauses)
{
	struct fault fault;
	struct poller *poller = begin(true);
	ck_assert(poller->paused && poller->rested);
	ck_assert_uint_eq(n_requests(poller), 0);
	ck_assert_int_eq(poller_set_paused(poller, false, &fault), 0);
	while (!owner.n_rested)
		ev_run(loop, EVRUN_ONCE);
	ck_assert_int_eq(poller_set_paused(poller, true, &fault), 0);
	ck_assert(poller->paused && poller->rested);
	poller_free(poller);
}
END_TEST

static struct errand_seen {
	unsigned n_waits, n_ended;
	char why[80];
	uint64_t n_records, n_duplicates;
	bool failed, interrupted;
} seen;

static void errand_waits(const char *why, void *userdata)
{
	(void)userdata;
	seen.n_waits++;
	snprintf(seen.why, sizeof(seen.why), "%s", why);
}

static void errand_done(const struct errand_result *result, void *userdata)
{
	(void)userdata;
	seen.failed = result->fault != NULL;
	seen.n_records += result->n_records;
	seen.n_duplicates += result->n_duplicates;
}

static void errand_ended(bool interrupted, void *userdata)
{
	(void)userdata;
	seen.n_ended++;
	seen.interrupted = interrupted;
}

static const struct errand_kind errand_kind = {
	.waits = errand_waits, .done = errand_done, .ended = errand_ended};

static struct poller *begin_errand(void)
{
	struct span span = {PEER_TIME - 10 * NSEC_PER_MIN, PEER_TIME - 5 * NSEC_PER_MIN};
	struct poller *poller = begin(false);
	seen = (struct errand_seen){0};
	while (!owner.n_rested)
		ev_run(loop, EVRUN_ONCE);
	owner.has_room = false;
	ck_assert(errand_start(poller, &errand_kind, NULL, &span, 1));
	ck_assert(!errand_start(poller, &errand_kind, NULL, &span, 1));
	while (!seen.n_waits)
		ev_run(loop, EVRUN_ONCE);
	ck_assert_str_eq(seen.why, "until less than half of the spool is used");
	return poller;
}

START_TEST(errand_waits_for_room)
{
	struct poller *poller = begin_errand();
	errand_wake(poller->errand); /* it says so once */
	ck_assert_uint_eq(seen.n_waits, 1);
	owner.has_room = true;
	errand_wake(poller->errand);
	while (!seen.n_ended)
		ev_run(loop, EVRUN_ONCE);
	ck_assert(!seen.failed && !seen.interrupted);
	ck_assert_uint_eq(seen.n_records, 0);
	ck_assert_uint_eq(seen.n_duplicates, 3);
	ck_assert_ptr_null(poller->errand);
	poller_free(poller);
}
END_TEST

START_TEST(errand_is_interrupted)
{
	struct poller *poller = begin_errand();
	poller_stop(poller);
	ck_assert_uint_eq(seen.n_ended, 1);
	ck_assert(seen.interrupted);
	poller_free(poller);
}
END_TEST

START_TEST(a_list)
{
	struct pollers pollers = {0};
	struct poller *a = begin(true), *b = begin(true), *c = begin(true);
	ck_assert(pollers_have_rested(&pollers));
	pollers_insert(&pollers, 0, c);
	pollers_insert(&pollers, 0, a);
	pollers_insert(&pollers, 1, b);
	ck_assert(pollers.items[0] == a && pollers.items[1] == b && pollers.items[2] == c);
	ck_assert_ptr_eq(pollers_find(&pollers, "acme"), a);
	ck_assert_ptr_null(pollers_find(&pollers, "acm"));
	ck_assert_ptr_null(pollers_find(&pollers, NULL));
	c->rested = false;
	ck_assert(!pollers_have_rested(&pollers));
	ck_assert_uint_eq(pollers_remove(&pollers, b), 1);
	ck_assert(pollers.n_items == 2 && pollers.items[0] == a && pollers.items[1] == c);
	pollers_deinit(&pollers);
	ck_assert_uint_eq(pollers.n_items, 0);
}
END_TEST

POLLER_MAIN("poller", hands_on, asks_first, pauses, errand_waits_for_room, errand_is_interrupted,
	a_list)
