/* See keeper.h. */
#include "keeper.h"

#include <ev.h>
#include <sys/statvfs.h>

#include "base/mem.h"
#include "base/timer.h"
#include "conf/config.h"
#include "pipeline/committer.h"
#include "store/kept.h"

#define LOOK_AGAIN NSEC_PER_SEC
/* Bytes: with less on the disk, the state does not grow for what is kept. Once it is full, nothing
 * can be deleted either. */
#define DISK_LEAST ((unsigned long long)16 << 20)
#define ROOM_LEAST ((uint64_t)4 << 20) /* within the state's file, then */

struct keeper {
	struct ev_loop *loop;
	struct store *store;
	struct committer *committer;
	char *state_directory;
	ev_timer timer;
};

void keeper_configure(struct store *store, const struct daemon_options *options)
{
	kept_set(store, options->keep_ns, options->keep_limit);
}

static bool needs_room(const struct keeper *keeper)
{
	struct statvfs status;
	return statvfs(keeper->state_directory, &status) == 0 &&
	       (unsigned long long)status.f_bavail * status.f_frsize < DISK_LEAST &&
	       kept_room(keeper->store) < ROOM_LEAST;
}

static void timer_fired(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct keeper *keeper = timer->data;
	struct kept_status status;
	struct fault fault;
	bool more = false;
	(void)events;
	kept_status(keeper->store, &status);
	bool forced = status.bytes > 0 && needs_room(keeper);
	int r = forced || kept_is_due(keeper->store)
			? kept_drop(keeper->store, forced, &more, &fault)
			: 0;
	if (r == STORE_E_CORRUPT) {
		committer_damaged(keeper->committer, &fault);
		return;
	}
	/* what cannot be written now is told by the committer, and goes later */
	timer_start(loop, timer, !r && (more || forced) ? 0 : LOOK_AGAIN);
}

struct keeper *keeper_new(struct ev_loop *loop, struct store *store, struct committer *committer,
	const char *state_directory)
{
	struct keeper *keeper = MEM_NEW(struct keeper);
	keeper->loop = loop;
	keeper->store = store;
	keeper->committer = committer;
	keeper->state_directory = mem_strdup(state_directory);
	ev_init(&keeper->timer, timer_fired);
	keeper->timer.data = keeper;
	timer_start(loop, &keeper->timer, 0);
	return keeper;
}

void keeper_free(struct keeper *keeper)
{
	if (!keeper)
		return;
	ev_timer_stop(keeper->loop, &keeper->timer);
	free(keeper->state_directory);
	free(keeper);
}
