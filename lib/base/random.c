/* See random.h. getrandom(2) does not fail for small requests once the kernel's pool is ready, and
 * blocks until then. */
#include "base/random.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

#include "base/digest.h"

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

void random_uuid(char ret[RANDOM_UUID_SIZE])
{
	unsigned char bytes[16];
	char hex[33];
	random_bytes(bytes, sizeof(bytes));
	bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40);
	bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
	digest_hex(bytes, sizeof(bytes), hex);
	snprintf(ret, RANDOM_UUID_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
		hex + 16, hex + 20);
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
