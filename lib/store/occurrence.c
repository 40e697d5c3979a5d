/*
 * Equal digests told apart by number. The set takes a key's first bytes as its hash, so the number
 * is spread over just these by a multiplication with an odd constant: neighbours would make one
 * long run in the table, and every look-up in it a walk.
 */
#include "store/occurrence.h"

#include <endian.h>
#include <string.h>

#define SPREAD UINT64_C(0x9e3779b97f4a7c15)

static bool has_kth(const struct idset *set, const struct id *digest, uint32_t k, struct id *ret)
{
	uint64_t head;

	*ret = *digest;
	memcpy(&head, ret->bytes, sizeof(head));
	head = htole64(le64toh(head) + k * SPREAD);
	memcpy(ret->bytes, &head, sizeof(head));
	return idset_has(set, ret);
}

/* The number of occurrences; *RET is the key of one more. */
static uint32_t count(const struct idset *set, const struct id *digest, struct id *ret)
{
	uint32_t present = 0, absent = 1, middle;
	struct id key;

	if (!has_kth(set, digest, 0, ret))
		return 0;
	while (has_kth(set, digest, absent, ret)) {
		present = absent;
		absent *= 2;
	}
	while (absent - present > 1) {
		middle = present + (absent - present) / 2;
		if (has_kth(set, digest, middle, &key)) {
			present = middle;
		} else {
			absent = middle;
			*ret = key;
		}
	}
	return absent;
}

unsigned occurrence_count(const struct idset *set, const struct id *digest)
{
	struct id next;

	return count(set, digest, &next);
}

void occurrence_add(struct idset *set, const struct id *digest)
{
	struct id next;

	if (idset_add(set, digest))
		return;
	count(set, digest, &next);
	idset_add(set, &next);
}
