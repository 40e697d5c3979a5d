/* See random.h. getrandom(2) does not fail for small requests once the kernel's pool is ready, and
 * blocks until then. */
#include "base/random.h"

#include <errno.h>
#include <sys/random.h>

static uint64_t (*below_source)(uint64_t bound);

void random_bytes(void *data, size_t size)
{
	unsigned char *to = data;
	while (size) {
		ssize_t n = getrandom(to, size, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			__builtin_trap();
		to += n;
		size -= (size_t)n;
	}
}

uint64_t random_below(uint64_t bound)
{
	if (below_source)
		return below_source(bound);
	/* values in the incomplete last run of BOUND would make small results likelier: drawn again
	 */
	uint64_t limit = UINT64_MAX - UINT64_MAX % bound, value;
	do
		random_bytes(&value, sizeof(value));
	while (value >= limit);
	return value % bound;
}

void random_set_source(uint64_t (*source)(uint64_t bound))
{
	below_source = source;
}
