/* One source at work, against an API that answers, with an owner that is asked. */
#ifndef TRAWLD_TESTS_POLLER_FIXTURE_H
#define TRAWLD_TESTS_POLLER_FIXTURE_H

#include <ev.h>
#include <time.h>

#include "check_unit.h"
#include "http_peer.h"
#include "pipeline/fanout.h"
#include "poller.h"
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

/* N records, and MORE lines. */
static inline void set_source(int n, const char *more)
{
	char *text =
		mem_printf("request.url = http://127.0.0.1:%d/records/%d?from=${window.start}\n"
			   "records.at = /list\nrecords.id = /id\nrecords.time = /time\n"
			   "resume.window = yes\nstart = -1h\n%s",
			peer.port, n, more);
	source_fixture_good(&source, text);
	free(text);
}

static void set_up(void)
{
	clock_set_source(real_clock, peers_wall);
	fixture_open_setup();
	loop = ev_loop_new(EVFLAG_AUTO);
	client = http_client_new(loop, "trawld/test");
	committer = committer_new(loop, store, NULL, NULL);
	fanout = fanout_new(loop, store, committer, state);
	fanout_on_committed(fanout, committed, NULL);
	set_source(3, "");
	owner = (struct owner){.may_poll = true, .has_room = true};
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

static void start(void)
{
	peer_start(NULL, NULL);
}

/* main() of a program whose tests each have a source of their own. */
#define POLLER_MAIN(name, ...)                                                                     \
	int main(void)                                                                             \
	{                                                                                          \
		const TTest *const tests[] = {__VA_ARGS__};                                        \
		Suite *suite = suite_create(name);                                                 \
		TCase *tcase = tcase_create(name);                                                 \
		tcase_add_unchecked_fixture(tcase, start, peer_stop);                              \
		tcase_add_checked_fixture(tcase, set_up, tear_down);                               \
		for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)                      \
			tcase_add_test(tcase, tests[i]);                                           \
		suite_add_tcase(suite, tcase);                                                     \
		return unit_run(suite);                                                            \
	}

#endif
