/* --once: when it is over, and what the exit code says. */
#include "once.h"

#include "daemon_fixture.h"
#include "http_peer.h"

static char *source(const char *name, const char *path)
{
	return mem_printf("[source %s]\nprovider = custom\nrequest.url = http://127.0.0.1:%d%s\n"
			  "records.at = /list\nrecords.id = /id\nresume.newest = yes\n",
		name, peer.port, path);
}

START_TEST(reads_all)
{
	char *a = source("a", "/records/3"), *b = source("b", "/records/1");
	char *text = mem_printf("%s%s%s", a, b, SINK("out"));
	daemon_configure(text);
	ck_assert_int_eq(daemon_start(true), 0);
	ck_assert_int_eq(trawld_run(trawld), 0);
	ck_assert(daemon_logged("source a: up to date: 3 new records, 0 duplicates"));
	ck_assert(daemon_logged("source b: up to date: 1 new record, 0 duplicates"));
	ck_assert(daemon_logged("sink out: 4 records delivered"));
	free(a);
	free(b);
	free(text);
}
END_TEST

START_TEST(gives_up)
{
	char *a = source("a", "/records/3"), *b = source("b", "/status/401");
	char *text = mem_printf("%s%s%s", a, b, SINK("out"));
	daemon_configure(text);
	ck_assert_int_eq(daemon_start(true), 0);
	ck_assert_int_eq(trawld_run(trawld), EX_TEMPFAIL);
	ck_assert(daemon_logged("source a: up to date: 3 new records"));
	ck_assert(daemon_logged("source b: gave up: 0 new records"));
	ck_assert(daemon_logged("sink out: 3 records delivered"));
	free(a);
	free(b);
	free(text);
}
END_TEST

static void start(void)
{
	peer_start(NULL, NULL);
}

int main(void)
{
	Suite *suite = suite_create("once");
	TCase *tcase = tcase_create("once");
	tcase_add_unchecked_fixture(tcase, start, peer_stop);
	tcase_add_checked_fixture(tcase, daemon_setup, daemon_teardown);
	tcase_add_test(tcase, reads_all);
	tcase_add_test(tcase, gives_up);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
