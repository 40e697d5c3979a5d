/* One source at work, against an API that answers: what it hands on, what it asks its owner, and
 * what an errand of it waits for. */
#include "poller.h"

#include <ev.h>
#include <time.h>

#include "check_unit.h"
#include "errand.h"
#include "http_peer.h"
#include "pipeline/fanout.h"
#include "pollers.h"
#include "source_fixture.h"
#include "store_fixture.h"

/* http_peer.py says that it is 2025-09-15T08:15:00Z. */
#define PEER_TIME (INT64_C(1757924100) * NSEC_PER_SEC)

static struct ev_loop *loop;
static struct http_client *client;
static struct committer *committer;
static struct fanout *fanout;
static struct source_fixture source;

static struct owner {
	bool may_poll, has_room;
	unsigned n_asked, n_rested;
	size_t n_records; /* that were committed */
} owner;

static bool may_poll(void *userdata)
{
	(void)userdata;
	owner.n_asked++;
	return owner.may_poll;
}

static bool has_room(void *userdata)
{
	(void)userdata;
	return owner.has_room;
}

static void unreadable(const struct fault *fault, void *userdata)
{
	(void)userdata;
	ck_abort_msg("%s", fault->text);
}

static void rested(void *userdata)
{
	(void)userdata;
	owner.n_rested++;
}

static const struct poller_callbacks callbacks = {
	.may_poll = may_poll,
	.has_room = has_room,
	.unreadable = unreadable,
	.rested = rested,
};

static void committed(const struct batch *batch, void *userdata)
{
	(void)userdata;
	owner.n_records += batch->n_records;
}

static nsec_t real_clock(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (nsec_t)now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

static nsec_t peers_wall(void)
{
	return PEER_TIME;
}

static void set_up(void)
{
	char *text = mem_printf("request.url = http://127.0.0.1:%d/records/3?from=${window.start}\n"
				"records.at = /list\nrecords.id = /id\nrecords.time = /time\n"
				"resume.window = yes\nstart = -1h\n",
		peer.port);
	clock_set_source(real_clock, peers_wall);
	fixture_open_setup();
	loop = ev_loop_new(EVFLAG_AUTO);
	client = http_client_new(loop, "trawld/test");
	committer = committer_new(loop, store, NULL, NULL);
	fanout = fanout_new(loop, store, committer, state);
	fanout_on_committed(fanout, committed, NULL);
	source_fixture_good(&source, text);
	owner = (struct owner){.may_poll = true, .has_room = true};
	free(text);
}

static void tear_down(void)
{
	committer_flush(committer);
	fanout_free(fanout);
	http_client_free(client);
	committer_free(committer);
	source_fixture_deinit(&source);
	fixture_teardown();
	ev_loop_destroy(loop);
}

static struct poller *begin(bool paused)
{
	struct fault fault = FAULT_NULL;
	struct poller *poller;
	int r = poller_new(&poller,
		&(struct poller_setup){
			.loop = loop,
			.client = client,
			.store = store,
			.committer = committer,
			.fanout = fanout,
			.source = source.source,
			.state_directory = state,
			.paused = paused,
			.callbacks = &callbacks,
		},
		&fault);
	ck_assert_msg(r == 0, "%s", fault.text);
	return poller;
}

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

static void start(void)
{
	peer_start(NULL, NULL);
}

int main(void)
{
	Suite *suite = suite_create("poller");
	TCase *tcase = tcase_create("poller");
	tcase_add_unchecked_fixture(tcase, start, peer_stop);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, hands_on);
	tcase_add_test(tcase, asks_first);
	tcase_add_test(tcase, pauses);
	tcase_add_test(tcase, errand_waits_for_room);
	tcase_add_test(tcase, errand_is_interrupted);
	tcase_add_test(tcase, a_list);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
