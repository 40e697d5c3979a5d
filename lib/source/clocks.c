/* See clocks.h. */
#include "source/clocks.h"

#define UNSET_BEFORE (INT64_C(1577836800) * NSEC_PER_SEC) /* 2020-01-01 */
#define AGREEMENT NSEC_PER_MIN
#define DRIFT (2 * NSEC_PER_SEC) /* between two readings, as a clock is slewed */
#define BELIEVED_AFTER NSEC_PER_HOUR

static nsec_t earlier(nsec_t a, nsec_t b)
{
	return b == NSEC_NONE || a < b ? a : b;
}

nsec_t clocks_early(const struct clocks *clocks)
{
	return earlier(earlier(clocks->host_time, clocks->server_time), clocks->steady_time);
}

nsec_t clocks_late(const struct clocks *clocks)
{
	return clocks->server_time > clocks->host_time ? clocks->server_time : clocks->host_time;
}

nsec_t clocks_server(const struct clocks *clocks)
{
	return clocks->server_time != NSEC_NONE ? clocks->server_time : clocks->host_time;
}

nsec_t clocks_sure(const struct clocks *clocks)
{
	return clocks_unset(clocks->host_time) ? clocks_server(clocks) : clocks_early(clocks);
}

bool clocks_agree(const struct clocks *clocks)
{
	nsec_t server = clocks_server(clocks);
	return clocks->server_time != NSEC_NONE && server - clocks->host_time <= AGREEMENT &&
	       clocks->host_time - server <= AGREEMENT;
}

bool clocks_unset(nsec_t host_time)
{
	return host_time < UNSET_BEFORE;
}

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
