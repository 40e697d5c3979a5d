/* Standing by while the database does not answer, and what holds without a cluster. What needs a
 * database is in tests/cluster. */
#include "cluster.h"

#include <signal.h>

#include "daemon_fixture.h"
#include "signals.h"
#include "trawld_internal.h"

#define WAITS "trawld waits, and retries every 5 s"
/* DIRECTORY: where no database listens. */
#define CLUSTER(directory)                                                                         \
	"state = postgresql\n[cluster]\nname = c\nnode = n\nrequire_synchronous = no\n"            \
	"connect = host=" directory " dbname=x user=x\n" SOURCE("a", "")

static const char *then; /* the configuration that a person writes, and SIGHUP; NULL: SIGTERM */
static struct cluster_status status;

static unsigned n_logged(const char *text)
{
	unsigned n = 0;
	for (const char *at = buf_text(&daemon_log); (at = strstr(at, text)); at++)
		n++;
	return n;
}

/* The signal is blocked until trawld waits. */
static void on_line(enum log_level level, const struct log_subject *subject, struct slice text)
{
	daemon_note(level, subject, text);
	bool waits = memmem(text.data, text.size, WAITS, strlen(WAITS)) != NULL;
	if (waits && then) {
		daemon_configure(then);
		then = NULL;
		kill(getpid(), SIGHUP);
	} else if (waits || slice_is(text, "the configuration was read again")) {
		kill(getpid(), SIGTERM);
	}
}

static int stand_by(const char *first, const char *second)
{
	then = second;
	log_divert(on_line);
	signals_block();
	daemon_configure(first);
	return daemon_start(false);
}

START_TEST(a_signal_ends_it)
{
	ck_assert_int_eq(stand_by(CLUSTER("%D") SINK("out"), NULL), 0);
	ck_assert_uint_eq(n_logged(WAITS), 1);
	ck_assert_ptr_null(trawld->parts.store);
}
END_TEST

/* The same trouble is told once, another is told. */
START_TEST(reads_the_configuration_again)
{
	ck_assert_int_eq(stand_by(CLUSTER("%D") SINK("out"), CLUSTER("%D") SINK("more")), 0);
	ck_assert_uint_eq(n_logged("the configuration was read again"), 1);
	ck_assert_uint_eq(n_logged(WAITS), 1);
	daemon_end();
	buf_clear(&daemon_log);
	ck_assert_int_eq(stand_by(CLUSTER("%D") SINK("out"), CLUSTER("%D/x") SINK("out")), 0);
	ck_assert_uint_eq(n_logged(WAITS), 2);
}
END_TEST

START_TEST(another_state_ends_it)
{
	ck_assert_int_eq(stand_by(CLUSTER("%D") SINK("out"), SOURCE("a", "") SINK("out")), 0);
	ck_assert_uint_eq(n_logged("no longer has `state = postgresql`; exiting"), 1);
	ck_assert_ptr_null(trawld->parts.store);
}
END_TEST

START_TEST(once_does_not_wait)
{
	daemon_configure(CLUSTER("%D") SINK("out"));
	ck_assert_int_eq(daemon_start(true), EX_TEMPFAIL);
	ck_assert_uint_eq(n_logged(WAITS), 0);
	ck_assert(daemon_logged(daemon_directory));
}
END_TEST

START_TEST(without_one)
{
	struct fault fault;
	daemon_open(SOURCE("a", "") SINK("out"));
	const struct source *source = trawld->parts.pollers.items[0]->source;
	ck_assert(cluster_polls(trawld, trawld->parts.setup, source));
	ck_assert(!cluster_is_elsewhere(trawld, source, &fault));
	ck_assert_int_eq(cluster_look_elsewhere(trawld, &fault), 0);
	ck_assert(!cluster_status(trawld, &status));
	ck_assert_ptr_null(cluster_database(trawld));
	cluster_say(trawld);
	cluster_away(trawld);
	cluster_back(trawld);
}
END_TEST

DAEMON_MAIN("cluster", a_signal_ends_it, reads_the_configuration_again, another_state_ends_it,
	once_does_not_wait, without_one)
