/*
 * Equal digests told apart by number. The set takes a key's first bytes as its hash, so the number
 * is spread over just these by a multiplication with an odd constant: neighbours would make one
 * long run in the table, and every look-up in it a walk.
 */
#include "store/occurrence.h"

#include <endian.h>
#include <string.h>

#define SPREAD UINT64_C(0x9e3779b97f4a7c15)

static void make_kth(const struct id *digest, uint32_t k, struct id *ret)
{
	uint64_t head;

	*ret = *digest;
	memcpy(&head, ret->bytes, sizeof(head));
	head = htole64(le64toh(head) + k * SPREAD);
	memcpy(ret->bytes, &head, sizeof(head));
}

static bool has_kth(const struct idset *set, const struct id *digest, uint32_t k, bool marked)
{
	struct id key;

	make_kth(digest, k, &key);
	return marked ? idset_is_marked(set, &key) : idset_has(set, &key);
}

/* The number of occurrences, or of those with a mark, which are the first ones. */
static uint32_t count(const struct idset *set, const struct id *digest, bool marked)
{
	uint32_t present = 0, absent = 1;

	if (!has_kth(set, digest, 0, marked))
		return 0;
	while (has_kth(set, digest, absent, marked)) {
		present = absent;
		absent *= 2;
	}
	while (absent - present > 1) {
		uint32_t middle = present + (absent - present) / 2;

		if (has_kth(set, digest, middle, marked))
			present = middle;
		else
			absent = middle;
	}
	return absent;
}

unsigned occurrence_count(const struct idset *set, const struct id *digest)
{
	return count(set, digest, false);
}

void occurrence_add(struct idset *set, const struct id *digest)
{
	struct id next;

	if (idset_add(set, digest))
		return;
	make_kth(digest, count(set, digest, false), &next);
	idset_add(set, &next);
}

void occurrence_remove(struct idset *set, const struct id *digest)
{
	uint32_t n = count(set, digest, false);
	struct id last;

	if (n == 0)
		return;
	make_kth(digest, n - 1, &last);
	idset_remove(set, &last);
}

bool occurrence_mark(struct idset *set, const struct id *digest)
{
	struct id next;

	make_kth(digest, count(set, digest, true), &next);
	return idset_mark(set, &next);
}
