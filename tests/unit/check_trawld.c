/* The whole daemon: what a reload keeps, what a pause outlives, when it ends. */
#include "trawld.h"

#include <ev.h>
#include <signal.h>

#include "conf/findings.h"
#include "daemon_fixture.h"
#include "rewind.h"

static void assert_sources(const char *expected)
{
	const struct pollers *pollers = &trawld_parts(trawld)->pollers;
	struct buf names = BUF_NULL;
	for (size_t i = 0; i < pollers->n_items; i++)
		buf_printf(&names, "%s%s", i ? " " : "", pollers->items[i]->source->name);
	ck_assert_str_eq(buf_text(&names), expected);
	buf_deinit(&names);
}

static int reload(struct fault *reterr)
{
	struct findings findings = FINDINGS_NULL;
	int code = trawld_reload(trawld, NULL, "alice", &findings, reterr);
	findings_deinit(&findings);
	return code;
}

START_TEST(reloads)
{
	struct fault fault = FAULT_NULL;
	daemon_open(SOURCE("a", "") SOURCE("b", "") SOURCE("c", "") SINK("out"));
	const struct poller *c = pollers_find(&trawld_parts(trawld)->pollers, "c");
	assert_sources("a b c");
	daemon_configure(
		SOURCE("d", "") SOURCE("c", "") SOURCE("a", "interval = 2m\n") SINK("out"));
	ck_assert_int_eq(reload(&fault), 0);
	assert_sources("c d a");
	ck_assert_ptr_eq(pollers_find(&trawld_parts(trawld)->pollers, "c"), c);
	ck_assert(daemon_logged("source a: changed: restarting"));
	ck_assert(daemon_logged("source b: removed"));
	ck_assert(!daemon_logged("source c: "));
	daemon_configure(SOURCE("a", "interval = soon\n") SINK("out"));
	ck_assert_int_eq(reload(&fault), EX_CONFIG);
	assert_sources("c d a");
}
END_TEST

START_TEST(pauses)
{
	struct fault fault = FAULT_NULL;
	struct pause_result result;
	daemon_open(SOURCE("a", "") SOURCE("b", "enabled = no\n") SINK("a"));
	ck_assert_int_eq(trawld_pause(trawld, "x", true, "alice", &result, &fault), EX_USAGE);
	ck_assert_int_eq(trawld_pause(trawld, "a", true, "alice", &result, &fault), 0);
	ck_assert(result.source && result.sink && result.changed && !result.disabled);
	ck_assert_int_eq(trawld_pause(trawld, "a", true, "alice", &result, &fault), 0);
	ck_assert(!result.changed);
	ck_assert_int_eq(trawld_pause(trawld, "b", true, "alice", &result, &fault), 0);
	ck_assert(result.source && !result.sink && result.disabled);
	daemon_end();
	ck_assert_int_eq(daemon_start(false), 0);
	const struct pollers *pollers = &trawld_parts(trawld)->pollers;
	ck_assert(pollers_find(pollers, "a")->paused);
	ck_assert(pollers_have_rested(pollers));
	ck_assert_int_eq(trawld_pause(trawld, "a", false, "alice", &result, &fault), 0);
	ck_assert(!pollers_find(pollers, "a")->paused);
}
END_TEST

START_TEST(rewinds)
{
	struct fault fault = FAULT_NULL;
	struct buf out = BUF_NULL;
	struct rewind_request request = {.source = "a", .to = "-1h", .by = "alice"};
	daemon_open(SOURCE("a", "") SOURCE("b", "") SINK("out"));
	request.definition = trawld_parts(trawld)->pollers.items[0]->source->definition;
	request.dry_run = true;
	const struct poller *before = pollers_find(&trawld_parts(trawld)->pollers, "b");
	ck_assert_int_eq(trawld_rewind(trawld, &request, &out, &fault), 0);
	ck_assert_ptr_nonnull(strstr(buf_text(&out), "Nothing was changed."));
	request.dry_run = false;
	ck_assert_int_eq(trawld_rewind(trawld, &request, &out, &fault), 0);
	assert_sources("a b");
	ck_assert_ptr_eq(pollers_find(&trawld_parts(trawld)->pollers, "b"), before);
	ck_assert(daemon_logged("source a: rewound to -1h by alice"));
	request.source = "x";
	ck_assert_int_eq(trawld_rewind(trawld, &request, &out, &fault), EX_USAGE);
	buf_deinit(&out);
}
END_TEST

START_TEST(stops)
{
	daemon_open(SOURCE("a", "") SINK("out"));
	ck_assert(!trawld_is_stopping(trawld));
	trawld_stop(trawld);
	ck_assert(trawld_is_stopping(trawld));
	ck_assert_int_eq(trawld_run(trawld), 0);
	ck_assert(daemon_logged("stopping: delivering what has been read"));
}
END_TEST

/* They are events of the loop: a signal that is there is acted on at its next turn. */
START_TEST(obeys_signals)
{
	daemon_open(SOURCE("a", "") SINK("out"));
	struct ev_loop *loop = trawld_parts(trawld)->loop;
	kill(getpid(), SIGUSR1);
	while (!daemon_logged("reopening files"))
		ev_run(loop, EVRUN_ONCE);
	kill(getpid(), SIGUSR2);
	while (!daemon_logged("polling every source now"))
		ev_run(loop, EVRUN_ONCE);
	kill(getpid(), SIGHUP);
	while (!daemon_logged("reloaded: 1 source, 1 sink"))
		ev_run(loop, EVRUN_ONCE);
	kill(getpid(), SIGTERM);
	ck_assert_int_eq(trawld_run(trawld), 0);
	ck_assert(trawld_is_stopping(trawld));
}
END_TEST

DAEMON_MAIN("trawld", reloads, pauses, rewinds, stops, obeys_signals)
