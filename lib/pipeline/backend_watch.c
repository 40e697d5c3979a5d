/* See backend_watch.h. What to wait for is asked each time before the loop waits, since everybody
 * may have given the backend something to do. */
#include "pipeline/backend_watch.h"

#include <ev.h>

#include "base/mem.h"
#include "base/timer.h"
#include "store/backend.h"

struct backend_watch {
	struct ev_loop *loop;
	struct store_backend *backend;
	void (*worked)(void *userdata);
	void *userdata;
	ev_prepare prepare;
	ev_io io;
	uint64_t socket; /* of io */
	ev_timer timer;
};

static void work(struct backend_watch *watch)
{
	watch->backend->functions->step(watch->backend);
	watch->worked(watch->userdata);
}

static void on_io(struct ev_loop *loop, ev_io *io, int events)
{
	(void)loop;
	(void)events;
	work(io->data);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	work(timer->data);
}

static void on_prepare(struct ev_loop *loop, ev_prepare *prepare, int events)
{
	struct backend_watch *watch = prepare->data;
	struct backend_wants wants;
	int wanted;

	(void)events;
	watch->backend->functions->wants(watch->backend, &wants);
	wanted = (wants.readable ? EV_READ : 0) | (wants.writable ? EV_WRITE : 0);
	/* a new socket with the number of a closed one is unknown to the kernel's list */
	if (wants.socket != watch->socket || wants.fd != watch->io.fd ||
		wanted != (watch->io.events & (EV_READ | EV_WRITE)) || !ev_is_active(&watch->io)) {
		ev_io_stop(loop, &watch->io);
		ev_io_set(&watch->io, wants.fd, wanted);
		watch->socket = wants.socket;
		if (wants.fd >= 0 && wanted)
			ev_io_start(loop, &watch->io);
	}
	if (wants.wake_at == NSEC_NONE)
		ev_timer_stop(loop, &watch->timer);
	else
		timer_start(loop, &watch->timer, wants.wake_at - clock_monotonic());
}

struct backend_watch *backend_watch_new(struct ev_loop *loop, struct store_backend *backend,
	void (*worked)(void *userdata), void *userdata)
{
	struct backend_watch *watch = MEM_NEW(struct backend_watch);

	watch->loop = loop;
	watch->backend = backend;
	watch->worked = worked;
	watch->userdata = userdata;
	ev_io_init(&watch->io, on_io, -1, 0);
	ev_timer_init(&watch->timer, on_timer, 0., 0.);
	ev_prepare_init(&watch->prepare, on_prepare);
	watch->io.data = watch->timer.data = watch->prepare.data = watch;
	ev_prepare_start(loop, &watch->prepare);
	return watch;
}

void backend_watch_free(struct backend_watch *watch)
{
	if (!watch)
		return;
	ev_prepare_stop(watch->loop, &watch->prepare);
	ev_io_stop(watch->loop, &watch->io);
	ev_timer_stop(watch->loop, &watch->timer);
	free(watch);
}
