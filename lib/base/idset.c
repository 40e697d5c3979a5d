/* See idset.h. */
#include "base/idset.h"

#include <string.h>

#include "base/mem.h"

#define SLOTS_MIN 8 /* an idle source has two sets of one ID */

static const struct id zero;

static bool is_free(const struct id *slot)
{
	return memcmp(slot, &zero, sizeof(zero)) == 0;
}

static bool equal(const struct id *a, const struct id *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* The slot that holds ID, or the free one where it belongs. */
static struct id *find(const struct idset *set, const struct id *id)
{
	uint64_t hash;
	memcpy(&hash, id->bytes, sizeof(hash));
	for (size_t at = (size_t)hash & (set->n_slots - 1);; at = (at + 1) & (set->n_slots - 1))
		if (is_free(&set->slots[at]) || equal(&set->slots[at], id))
			return &set->slots[at];
}

static void resize(struct idset *set, size_t n_slots)
{
	struct idset grown = {.slots = mem_array(n_slots, sizeof(struct id)), .n_slots = n_slots};
	for (size_t i = 0; i < set->n_slots; i++)
		if (!is_free(&set->slots[i]))
			*find(&grown, &set->slots[i]) = set->slots[i];
	free(set->slots);
	set->slots = grown.slots;
	set->n_slots = n_slots;
}

void idset_deinit(struct idset *set)
{
	free(set->slots);
	*set = IDSET_NULL;
}

void idset_clear(struct idset *set)
{
	idset_deinit(set);
}

bool idset_has(const struct idset *set, const struct id *id)
{
	if (is_free(id))
		return set->has_zero;
	return set->n_slots && !is_free(find(set, id));
}

bool idset_add(struct idset *set, const struct id *id)
{
	if (is_free(id)) {
		bool is_new = !set->has_zero;
		set->has_zero = true;
		set->n_ids += is_new;
		return is_new;
	}
	if (set->n_ids >= set->n_slots / 4 * 3)
		resize(set, set->n_slots ? 2 * set->n_slots : SLOTS_MIN);
	struct id *slot = find(set, id);
	if (!is_free(slot))
		return false;
	*slot = *id;
	set->n_ids++;
	return true;
}

void idset_reserve(struct idset *set, size_t n_ids)
{
	size_t n_slots = set->n_slots ? set->n_slots : SLOTS_MIN;
	while (n_slots / 4 * 3 <= n_ids)
		n_slots *= 2;
	if (n_slots > set->n_slots)
		resize(set, n_slots);
}
