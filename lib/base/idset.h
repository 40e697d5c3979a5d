/*
 * A set of 16-byte record keys: open addressing, no deletion of single keys, grows by doubling.
 * Keys are already uniform (digests), so their own bytes are the hash. 16 bytes a slot.
 */
#ifndef TRAWLD_BASE_IDSET_H
#define TRAWLD_BASE_IDSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct id {
	uint8_t bytes[16];
};

struct idset {
	struct id *slots; /* an all-zero slot is free; the all-zero key is kept in has_zero */
	size_t n_slots; /* 0 or a power of two */
	size_t n_ids;
	bool has_zero;
};

#define IDSET_NULL ((struct idset){0})

void idset_deinit(struct idset *set);
void idset_clear(struct idset *set); /* empty, memory released */
bool idset_has(const struct idset *set, const struct id *id);
bool idset_add(struct idset *set, const struct id *id); /* true: it was new */
void idset_reserve(struct idset *set, size_t n_ids);

#endif
