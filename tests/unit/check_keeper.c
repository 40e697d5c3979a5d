/* Kept records go by themselves: one part a turn of the loop, and those over the limit too. */
#include "keeper.h"

#include <ev.h>

#include "check_unit.h"
#include "conf/config.h"
#include "pipeline/committer.h"
#include "store/kept.h"
#include "store_fixture.h"

static nsec_t ahead_ns; /* of the wall clock */

static nsec_t wall(void)
{
	return INT64_C(1757924100) * NSEC_PER_SEC + ahead_ns;
}

static uint64_t n_kept(void)
{
	struct kept_status status;
	kept_status(store, &status);
	return status.n_records;
}

START_TEST(lets_go)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct daemon_options options = {.keep_ns = NSEC_PER_HOUR, .keep_limit = UINT64_MAX};
	clock_set_source(NULL, wall);
	fixture_open_setup();
	struct committer *committer = committer_new(loop, store, NULL, NULL);
	keeper_configure(store, &options);
	for (int i = 0; i < 3; i++) {
		struct batch *batch = batch_new("a", "p", wall());
		struct id key = digest_id(SLICE("{}"));
		key.bytes[0] = (uint8_t)i;
		batch_add(batch, SLICE("{}"), &key, SLICE_NULL, wall());
		commit_add_page(store, "a", batch, NULL, NULL, NULL);
		batch_unref(batch);
		fixture_run();
	}
	commit_add_release(store, "a", INT64_MAX);
	fixture_run();
	ck_assert_uint_eq(n_kept(), 3);
	struct keeper *keeper = keeper_new(loop, store, committer, state);
	ev_run(loop, EVRUN_ONCE);
	ck_assert_uint_eq(n_kept(), 3);
	/* `keep` is over, or shorter after a reload */
	options.keep_ns = NSEC_PER_SEC;
	ahead_ns = NSEC_PER_MIN;
	keeper_configure(store, &options);
	while (n_kept() > 0)
		ev_run(loop, EVRUN_ONCE);
	keeper_free(keeper);
	committer_free(committer);
	fixture_teardown();
	ev_loop_destroy(loop);
}
END_TEST

UNIT_MAIN("keeper", lets_go)
