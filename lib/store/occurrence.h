/*
 * A multiset of digests inside an idset: the k-th equal digest (from 0) is a key of its own, the
 * digest itself for k = 0. Occurrences are contiguous, so they are counted by doubling and halving,
 * in logarithmic time also for a page of equal records.
 */
#ifndef TRAWLD_STORE_OCCURRENCE_H
#define TRAWLD_STORE_OCCURRENCE_H

#include "base/idset.h"

/* How often SET holds DIGEST. */
unsigned occurrence_count(const struct idset *set, const struct id *digest);

/* One more of DIGEST; one less, if there is any. */
void occurrence_add(struct idset *set, const struct id *digest);
void occurrence_remove(struct idset *set, const struct id *digest);

/* Marks the first occurrence of DIGEST that has no mark. False: all have one. */
bool occurrence_mark(struct idset *set, const struct id *digest);

#endif
