/* See backoff.h. */
#include "base/backoff.h"

#include "base/random.h"

nsec_t backoff_next(struct backoff *backoff)
{
	nsec_t ceiling = backoff->min_ns;
	for (unsigned i = 0; i < backoff->n_failures && ceiling < backoff->max_ns; i++)
		ceiling = ceiling > backoff->max_ns / 2 ? backoff->max_ns : 2 * ceiling;
	if (ceiling > backoff->max_ns)
		ceiling = backoff->max_ns;
	backoff->n_failures++;
	nsec_t low = backoff->min_ns < ceiling ? backoff->min_ns : ceiling;
	return low + (nsec_t)random_below((uint64_t)(ceiling - low) + 1);
}

void backoff_reset(struct backoff *backoff)
{
	backoff->n_failures = 0;
}

nsec_t backoff_grant(nsec_t max_ns, nsec_t asked_ns)
{
	nsec_t limit = max_ns > NSEC_PER_HOUR ? max_ns : NSEC_PER_HOUR;
	return asked_ns < limit ? asked_ns : limit;
}
