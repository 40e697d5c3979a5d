/*
 * A set of 16-byte keys in little more than 16 bytes each. Keys are already uniform (digests), so
 * their own bytes are the hash. It grows and shrinks in small parts, one at a time: no operation
 * but idset_clear takes long, however large the set is.
 *
 * A key that is in the set can be marked; all marks are taken away at once.
 */
#ifndef TRAWLD_BASE_IDSET_H
#define TRAWLD_BASE_IDSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct id {
	uint8_t bytes[16];
};

struct idset_part;

struct idset {
	struct idset_part *parts; /* NULL: empty, and never had a key */
	size_t n_parts;
	size_t n_ids;
	unsigned generation; /* of the marks */
};

#define IDSET_NULL ((struct idset){0})

void idset_deinit(struct idset *set);
void idset_clear(struct idset *set); /* empty, memory released */
bool idset_has(const struct idset *set, const struct id *id);
bool idset_add(struct idset *set, const struct id *id); /* true: it was new */
bool idset_remove(struct idset *set, const struct id *id); /* true: it was there */
/* Room for N_IDS in an empty set: memory is used as keys come. */
void idset_reserve(struct idset *set, size_t n_ids);
/* ID is looked up or added soon: a hint. */
void idset_prefetch(const struct idset *set, const struct id *id);

bool idset_mark(struct idset *set, const struct id *id); /* false: it is not there */
bool idset_is_marked(const struct idset *set, const struct id *id);
void idset_unmark_all(struct idset *set);

size_t idset_memory(const struct idset *set); /* bytes */

#endif
