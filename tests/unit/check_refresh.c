/* What is reloaded without being asked: a credential that was renewed, and a reload that is due. */
#include "refresh.h"

#include <ev.h>
#include <unistd.h>

#include "../clock_symbols.h"
#include "daemon_fixture.h"
#include "http_peer.h"
#include "trawld_internal.h"

#define RELOADING "a file with a credential has changed: reloading"

static time_t ahead_s; /* of the monotonic clock */

/* In place of the library's: the loop's timers are due when a test says so. */
int clock_gettime(clockid_t clock, struct timespec *ret)
{
	int r = (int)syscall(KERNEL_CLOCK_GETTIME, clock, ret);
	if (clock == CLOCK_MONOTONIC)
		ret->tv_sec += ahead_s;
	return r;
}

/* The files are looked at once. How often it has reloaded by itself? */
static unsigned looks(void)
{
	unsigned n = 0;
	ahead_s += 6;
	ev_run(trawld->parts.loop, EVRUN_NOWAIT);
	for (const char *at = buf_text(&daemon_log); (at = strstr(at, RELOADING)); at++)
		n++;
	return n;
}

/* Each text has another size: this tells, whatever the file system's clock does. */
static void renew(const char *token)
{
	char *path = daemon_path("token");
	FILE *file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fputs(token, file);
	fclose(file);
	free(path);
}

static void configure(const char *path, const char *more)
{
	char *text = mem_printf(
		"[source a]\nprovider = custom\nrequest.url = "
		"http://127.0.0.1:%d%s?${window.start}\nrecords.at = /list\n"
		"resume.window = yes\nauth.type = bearer\nauth.token = ${file:%%D/token}\n%s"
		"%s",
		peer.port, path, more, SINK("out"));
	daemon_configure(text);
	free(text);
}

static void begin(const char *path)
{
	renew("a");
	configure(path, "");
	ck_assert_int_eq(daemon_start(false), 0);
	ck_assert_uint_eq(looks(), 0);
}

static void reload(void)
{
	struct findings findings = FINDINGS_NULL;
	struct fault fault;
	ck_assert_int_eq(trawld_reload(trawld, NULL, "alice", &findings, &fault), 0);
	findings_deinit(&findings);
}

/* It may be written in parts. */
START_TEST(waits_until_it_rests)
{
	begin("/records/0");
	renew("bb");
	ck_assert_uint_eq(looks(), 0);
	renew("ccc");
	ck_assert_uint_eq(looks(), 0);
	ck_assert_uint_eq(looks(), 1);
	ck_assert(daemon_logged("reloaded: 1 source, 1 sink"));
	ck_assert_uint_eq(looks(), 1);
}
END_TEST

/* The configuration may not be ready. What a person's reload has read is no longer new. */
START_TEST(waits_for_who_edits)
{
	begin("/records/0");
	renew("bb");
	configure("/records/0", "interval = 2m\n");
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(looks(), 0);
	reload();
	ck_assert_uint_eq(looks(), 0);
	ck_assert_uint_eq(looks(), 0);
	renew("ccc");
	ck_assert_uint_eq(looks(), 0);
	ck_assert_uint_eq(looks(), 1);
}
END_TEST

/* A source that is denied cannot become worse. */
START_TEST(does_not_wait_when_denied)
{
	struct runner_status status;
	begin("/status/401");
	do {
		ev_run(trawld->parts.loop, EVRUN_ONCE);
		runner_status(trawld->parts.pollers.items[0]->runner, &status);
	} while (!status.failing);
	ck_assert_int_eq(status.fault.class, FAULT_AUTH);
	configure("/status/401", "interval = 2m\n");
	ck_assert_uint_eq(looks(), 0);
	renew("bb");
	ck_assert_uint_eq(looks(), 1);
}
END_TEST

START_TEST(reloads_what_is_due)
{
	begin("/records/0");
	trawld->reload_due = true;
	ck_assert_uint_eq(looks(), 0);
	ck_assert(!trawld->reload_due);
	ck_assert(daemon_logged("reloaded: 1 source, 1 sink"));
	renew("bb");
	looks();
	trawld_stop(trawld);
	ck_assert_uint_eq(looks(), 0);
}
END_TEST

static void start(void)
{
	peer_start(NULL, NULL);
}

int main(void)
{
	const TTest *const tests[] = {waits_until_it_rests, waits_for_who_edits,
		does_not_wait_when_denied, reloads_what_is_due};
	Suite *suite = suite_create("refresh");
	TCase *tcase = tcase_create("refresh");
	tcase_add_unchecked_fixture(tcase, start, peer_stop);
	tcase_add_checked_fixture(tcase, daemon_setup, daemon_teardown);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
