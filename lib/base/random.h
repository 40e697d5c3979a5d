/* Randomness for jitter and identifiers, from getrandom(2). Not for keys that outlive a run. */
#ifndef TRAWLD_BASE_RANDOM_H
#define TRAWLD_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *data, size_t size);
/* A UUID of version 4 (RFC 9562), as text. */
#define RANDOM_UUID_SIZE 37
void random_uuid(char ret[RANDOM_UUID_SIZE]);
uint64_t random_below(uint64_t bound); /* uniform in 0..bound-1; bound > 0 */

/* Test seam: random_below answers SOURCE(bound) from now on; NULL restores. */
void random_set_source(uint64_t (*source)(uint64_t bound));

#endif
