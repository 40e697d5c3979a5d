/* Which limit of journald applies, from what systemd publishes about the unit. */
#include "sink/journal_limit.h"

#include "base/str.h"
#include "check_unit.h"
#include "store_fixture.h"

#define SERVICE "0::/system.slice/trawld.service\n"

static const struct {
	const char *cgroup;
	const char *burst, *interval; /* what the unit's links say, or NULL */
	enum journal_limit wanted;
	const char *unit;
} rows[] = {
	{SERVICE, "100000000", NULL, JOURNAL_LIMIT_HIGH, "trawld.service"},
	{SERVICE, NULL, NULL, JOURNAL_LIMIT_APPLIES, "trawld.service"},
	/* an interval of 0 is not published, and neither is a burst of 0 */
	{SERVICE, NULL, "1000000", JOURNAL_LIMIT_APPLIES, "trawld.service"},
	{SERVICE, "10000", NULL, JOURNAL_LIMIT_APPLIES, "trawld.service"},
	{SERVICE, "1000000", NULL, JOURNAL_LIMIT_APPLIES, "trawld.service"},
	{SERVICE, "1000000", "1000000", JOURNAL_LIMIT_HIGH, "trawld.service"},
	{SERVICE, "100000000", "3600000000", JOURNAL_LIMIT_APPLIES, "trawld.service"},
	{SERVICE, "many", NULL, JOURNAL_LIMIT_APPLIES, "trawld.service"},
	{"0::/system.slice/system-trawld.slice/trawld@one.service\n", "100000000", NULL,
		JOURNAL_LIMIT_HIGH, "trawld@one.service"},
	/* cgroup v1 and the hybrid layout name the unit in systemd's own hierarchy */
	{"9:memory:/x\n1:name=systemd:/system.slice/trawld.service\n0::/\n", NULL, NULL,
		JOURNAL_LIMIT_APPLIES, "trawld.service"},
	{"0::/user.slice/user-0.slice/session-3.scope\n", NULL, NULL, JOURNAL_LIMIT_APPLIES,
		"session-3.scope"},
	/* journald looks at the unit of the system's manager, not at those of a user's */
	{"0::/user.slice/user-7.slice/user@7.service/app.slice/trawld.service\n", "100000000", NULL,
		JOURNAL_LIMIT_APPLIES, "user@7.service"},
	/* a container within the service */
	{"0::/system.slice/trawld.service/inner\n", "100000000", NULL, JOURNAL_LIMIT_HIGH,
		"trawld.service"},
	{"0::/\n", NULL, NULL, JOURNAL_LIMIT_UNKNOWN, ""},
	{"", NULL, NULL, JOURNAL_LIMIT_UNKNOWN, ""},
	{"0::/docker/0123456789abcdef\n", NULL, NULL, JOURNAL_LIMIT_UNKNOWN, ""},
};

static void link_unit(const char *what, const char *unit, const char *value)
{
	char *path = mem_printf("%s/log-rate-limit-%s:%s", state, what, unit);

	if (value)
		ck_assert_int_eq(symlink(value, path), 0);
	free(path);
}

START_TEST(limits)
{
	struct buf unit = BUF_NULL;
	enum journal_limit found;

	ck_assert_int_eq(mkdir(state, 0700), 0);
	link_unit("burst", "trawld.service", rows[_i].burst);
	link_unit("interval", "trawld.service", rows[_i].interval);
	link_unit("burst", "trawld@one.service", rows[_i].burst);
	found = journal_limit_find(slice_of(rows[_i].cgroup), state, &unit);
	ck_assert_str_eq(buf_text(&unit), rows[_i].unit);
	ck_assert_msg(found == rows[_i].wanted, "row %d: %d", _i, (int)found);
	buf_deinit(&unit);
}
END_TEST

static char *said;

static void note(enum log_level level, const struct log_subject *subject, struct slice text)
{
	(void)subject;
	free(said);
	said = mem_printf("%d %.*s", (int)level, (int)text.size, text.data);
}

/* Whatever this machine is: the check says nothing, or what to do. */
START_TEST(the_check_names_the_key)
{
	struct log_subject subject = {"sink", "out", "t.conf:3"};

	log_set_level(LOG_LEVEL_NOTICE);
	log_divert(note);
	journal_limit_check(&subject);
	log_divert(NULL);
	ck_assert(!said || strstr(said, "LogRateLimitBurst=100000000"));
	free(said);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("journal_limit");
	TCase *tcase = tcase_create("journal_limit");

	tcase_add_checked_fixture(tcase, fixture_setup, fixture_teardown);
	tcase_add_loop_test(tcase, limits, 0, (int)(sizeof(rows) / sizeof(rows[0])));
	tcase_add_test(tcase, the_check_names_the_key);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
