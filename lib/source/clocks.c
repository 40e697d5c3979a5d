/* See clocks.h. */
#include "source/clocks.h"

#define UNSET_BEFORE (INT64_C(1577836800) * NSEC_PER_SEC) /* 2020-01-01 */
#define AGREEMENT NSEC_PER_MIN

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
