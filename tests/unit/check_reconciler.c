/* Reconciliation: which window is requested again, and what its records say. */
#include "reconciler.h"

#include "base/digest.h"
#include "base/log.h"
#include "poller_fixture.h"
#include "store/reconcile.h"

#define AT(minute) (PEER_TIME + ((minute)-15) * NSEC_PER_MIN) /* 08:MINUTE */
#define RECONCILE "reconcile = 2m\n"

static struct buf told;

static void note(enum log_level level, const struct log_subject *subject, struct slice text)
{
	(void)level;
	(void)subject;
	buf_append_slice(&told, text);
	buf_append_char(&told, '\n');
}

static unsigned n_told(const char *text)
{
	unsigned n = 0;
	for (const char *at = buf_text(&told); (at = strstr(at, text)); at++)
		n++;
	return n;
}

/* A poll of N records of 08:08, one a second; the peer says that it is 08:15. */
static void poll_once(int n, const char *more)
{
	source_fixture_deinit(&source);
	set_source(n, more);
	struct poller *poller = begin(false);
	owner.n_rested = 0;
	while (!owner.n_rested)
		ev_run(loop, EVRUN_ONCE);
	ck_assert(committer_flush(committer));
	poller_free(poller);
}

/* It was reconciled up to 08:08, and the API returns N records. */
static struct poller *reconcile(int n, const char *more)
{
	struct fault fault;
	source_fixture_deinit(&source);
	set_source(n, more);
	ck_assert_int_eq(reconcile_settle(store,
				 &(struct reconcile_result){.source = "acme",
					 .shape = source.source->page_shape,
					 .delay_ns = 2 * NSEC_PER_MIN,
					 .until_time = AT(8)},
				 &fault),
		0);
	log_divert(note);
	struct poller *poller = begin(false);
	ck_assert_int_eq(reconciler_time(poller->reconciler), AT(8));
	/* the windows from 08:08 and 08:10 are due, that from 08:12 is not */
	while (reconciler_time(poller->reconciler) != AT(12) || poller->errand)
		ev_run(loop, EVRUN_ONCE);
	return poller;
}

START_TEST(begins_now)
{
	poll_once(3, RECONCILE);
	struct poller *poller = begin(true);
	ck_assert_int_eq(reconciler_time(poller->reconciler), AT(16));
	ck_assert_int_eq(reconciler_late(poller->reconciler), 0);
	poller_free(poller);
	poll_once(3, "");
	poller = begin(true);
	ck_assert_ptr_null(poller->reconciler);
	ck_assert_int_eq(reconciler_time(NULL), NSEC_NONE);
	ck_assert_int_eq(reconciler_overlap(NULL), 0);
	reconciler_look(NULL);
	reconciler_free(NULL);
	poller_free(poller);
}
END_TEST

START_TEST(finds_nothing)
{
	poll_once(5, RECONCILE);
	struct poller *poller = reconcile(5, RECONCILE);
	ck_assert_uint_eq(n_told("reconciled"), 0);
	ck_assert_uint_eq(poller->tally.n_vanished, 0);
	ck_assert_int_eq(reconciler_late(poller->reconciler), 0);
	/* the peer returns those of 08:08 for any window */
	ck_assert_uint_eq(n_told("the API also returns records of other times"), 1);
	poller_free(poller);
	poller = begin(true); /* it is in the state */
	ck_assert_int_eq(reconciler_time(poller->reconciler), AT(12));
	poller_free(poller);
	buf_deinit(&told);
}
END_TEST

/* A record that the API returned once, and will not again. */
static void accept_one(struct poller *poller, const char *text)
{
	struct record record = {
		.text = slice_of(text), .id_text = slice_of(text), .time = AT(8) + NSEC_PER_SEC};
	record.key = digest_id(record.text);
	intake_accept(&(struct record_batch){.records = {&record, 1},
			      .scope = RECORD_SCOPE_CHAIN,
			      .key_time = PEER_TIME,
			      .horizon = NSEC_NONE},
		poller->intake);
}

START_TEST(tells_what_vanished)
{
	poll_once(3, RECONCILE);
	struct poller *poller = begin(false);
	owner.n_rested = 0;
	while (!owner.n_rested)
		ev_run(loop, EVRUN_ONCE);
	accept_one(poller, "\"x\"");
	accept_one(poller, "\"y\"");
	ck_assert(committer_flush(committer));
	poller_free(poller);
	poller = reconcile(3, RECONCILE);
	ck_assert_uint_eq(poller->tally.n_vanished, 2);
	ck_assert_uint_eq(n_told("2 records from 2025-09-15T08:08:00Z to 2025-09-15T08:10:00Z that "
				 "were accepted before are no longer returned by the API"),
		1);
	ck_assert_int_eq(reconciler_late(poller->reconciler), 0);
	poller_free(poller);
	/* once: they are marked */
	poller = reconcile(3, RECONCILE);
	ck_assert_uint_eq(poller->tally.n_vanished, 0);
	poller_free(poller);
	buf_deinit(&told);
}
END_TEST

/* What the state has without times does not count as accepted. */
START_TEST(tells_what_was_late)
{
	poll_once(5, "");
	struct poller *poller = reconcile(5, RECONCILE);
	ck_assert_int_eq(reconciler_late(poller->reconciler), 7 * NSEC_PER_MIN);
	ck_assert_uint_eq(n_told("5 records came late, up to 420 s after their time"), 1);
	ck_assert_uint_eq(n_told("`overlap = 7m` would have read them in time"), 1);
	ck_assert_int_eq(reconciler_overlap(poller->reconciler), 0);
	poller_free(poller);
	buf_deinit(&told);
}
END_TEST

START_TEST(extends_the_overlap)
{
	const char *more = RECONCILE "resume.overlap = 1m\noverlap = auto\n";
	poll_once(5, "");
	struct poller *poller = reconcile(5, more);
	ck_assert_int_eq(reconciler_overlap(poller->reconciler), 7 * NSEC_PER_MIN);
	ck_assert_uint_eq(n_told("overlap = auto: polls reach back by 7m from now on"), 1);
	poller_free(poller);
	buf_deinit(&told);
}
END_TEST

START_TEST(proposes)
{
	ck_assert_int_eq(reconciler_proposal(NSEC_PER_SEC), NSEC_PER_MIN);
	ck_assert_int_eq(reconciler_proposal(61 * NSEC_PER_SEC), 2 * NSEC_PER_MIN);
	ck_assert_int_eq(reconciler_proposal(NSEC_PER_HOUR), NSEC_PER_HOUR);
	ck_assert_int_eq(reconciler_proposal(NSEC_PER_HOUR + 1), 2 * NSEC_PER_HOUR);
}
END_TEST

POLLER_MAIN("reconciler", begins_now, finds_nothing, tells_what_vanished, tells_what_was_late,
	extends_the_overlap, proposes)
