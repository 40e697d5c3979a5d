/* See backend.h: waiting for what a backend itself would only be told of by the loop. */
#include "store/backend.h"

#include <poll.h>

static enum backend_answer look(struct store_backend *backend, struct fault *reterr)
{
	backend->functions->step(backend);
	return backend->functions->answer(backend, reterr);
}

static void wait_some(const struct store_backend *backend, nsec_t until_at)
{
	struct backend_wants wants;
	struct pollfd poll_fd;
	nsec_t now_at = clock_monotonic(), left_ns;

	backend->functions->wants(backend, &wants);
	if (wants.wake_at != NSEC_NONE && wants.wake_at < until_at)
		until_at = wants.wake_at;
	left_ns = until_at > now_at ? until_at - now_at : 0;
	poll_fd = (struct pollfd){.fd = wants.fd,
		.events = (short)((wants.readable ? POLLIN : 0) | (wants.writable ? POLLOUT : 0))};
	poll(&poll_fd, wants.fd >= 0 ? 1 : 0, (int)((left_ns + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC));
}

void backend_poll(struct store_backend *backend, nsec_t patience_ns)
{
	wait_some(backend, clock_monotonic() + patience_ns);
	backend->functions->step(backend);
}

enum backend_answer backend_wait(
	struct store_backend *backend, nsec_t patience_ns, struct fault *reterr)
{
	nsec_t until_at = clock_monotonic() + patience_ns;
	enum backend_answer answer = look(backend, reterr);

	while (answer == BACKEND_WAITS && clock_monotonic() < until_at) {
		wait_some(backend, until_at);
		answer = look(backend, reterr);
	}
	return answer;
}
