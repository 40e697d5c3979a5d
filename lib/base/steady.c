/* See steady.h. */
#include "base/steady.h"

#include <stdbool.h>

#define DRIFT (2 * NSEC_PER_SEC) /* between two readings, as a clock is slewed */
#define BELIEVED_AFTER NSEC_PER_HOUR

void steady_init(struct steady *steady, nsec_t host_time, nsec_t now_at)
{
	*steady = (struct steady){.wall_time = host_time, .at = now_at};
}

void steady_confirm(struct steady *steady, nsec_t host_time, nsec_t now_at)
{
	steady_init(steady, host_time, now_at);
}

static bool is_close(nsec_t difference)
{
	return difference <= DRIFT && difference >= -DRIFT;
}

nsec_t steady_read(struct steady *steady, nsec_t host_time, nsec_t now_at)
{
	nsec_t shown = steady->wall_time + (now_at - steady->at), ahead = host_time - shown;
	if (is_close(ahead)) {
		steady_confirm(steady, host_time, now_at);
		return host_time;
	}
	if (!is_close(ahead - steady->ahead_ns)) {
		steady->ahead_ns = ahead;
		steady->ahead_at = now_at;
	}
	if (now_at - steady->ahead_at < BELIEVED_AFTER)
		return shown;
	steady_confirm(steady, host_time, now_at);
	return host_time;
}
