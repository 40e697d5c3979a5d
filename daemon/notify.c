/* See notify.h. */
#include "notify.h"

#include <systemd/sd-daemon.h>

#include "trawld.h"

void notify_ready(const struct trawld *trawld)
{
	sd_notifyf(0, "READY=1\nSTATUS=%zu sources, %zu sinks", trawld->setup->n_sources,
		trawld->setup->n_sinks);
}

void notify_reloading(void)
{
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
		(long long)(clock_monotonic() / NSEC_PER_USEC));
}

void notify_stopping(void)
{
	sd_notify(0, "STOPPING=1");
}
