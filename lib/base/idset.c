/*
 * Linear hashing over parts: the low bits of a key's head select its part, and one part is divided
 * at a time, into itself and a new one at the end. In a part, the keys are in order, each at its
 * home (the head, scaled to the number of homes) or in the next slots after it, with no free slot
 * in between. So a part that is nearly full still has short walks, and it is given another size in
 * place: what is in order stays in order.
 *
 * There are at least 8 parts, so a part implies three bits of the heads in it. Their place in a
 * slot says that the slot is used, and whether the key is marked.
 */
#include "base/idset.h"

#include <endian.h>
#include <string.h>

#include "base/mem.h"

#define N_PARTS_MIN 8
#define PART_IDS 16384 /* in the mean, before one more part; twice as many lie in some */

#define IMPLIED UINT64_C(7)
#define USED UINT64_C(1)
#define TAG_SHIFT 1
#define TAG_MAX 3

struct slot {
	uint64_t head; /* 0: free */
	uint64_t tail;
};

struct idset_part {
	struct slot *slots;
	uint32_t n_homes;
	uint32_t n_slots; /* homes, and some more for what is pushed beyond the last one */
	uint32_t n_ids;
	unsigned base; /* tags count generations from here */
};

/* --- a part --- */

static uint32_t homes_for(uint32_t n_ids)
{
	return n_ids + n_ids / 7 + 2;
}

static bool is_full(const struct idset_part *part)
{
	return part->n_ids >= part->n_homes - part->n_homes / 16;
}

static bool is_sparse(const struct idset_part *part)
{
	return part->n_ids < part->n_homes / 4 * 3 && part->n_homes > 16;
}

static uint32_t home_of(uint64_t head, uint32_t n_homes)
{
	return (uint32_t)((head >> 32) * n_homes >> 32);
}

static bool is_less(const struct slot *a, const struct slot *b)
{
	uint64_t a_head = a->head | IMPLIED, b_head = b->head | IMPLIED;

	return a_head < b_head || (a_head == b_head && a->tail < b->tail);
}

/* Where KEY is or belongs. */
static uint32_t find(const struct idset_part *part, const struct slot *key)
{
	uint32_t at = home_of(key->head, part->n_homes);

	while (at < part->n_slots && part->slots[at].head && is_less(&part->slots[at], key))
		at++;
	return at;
}

static bool is_at(const struct idset_part *part, uint32_t at, const struct slot *key)
{
	return at < part->n_slots && part->slots[at].head && !is_less(key, &part->slots[at]);
}

static void set_n_slots(struct idset_part *part, uint32_t n_slots)
{
	part->slots = mem_resize(part->slots, n_slots * sizeof(struct slot));
	if (n_slots > part->n_slots)
		memset(part->slots + part->n_slots, 0,
			(n_slots - part->n_slots) * sizeof(struct slot));
	part->n_slots = n_slots;
}

/* More slots, before the keys from the slot FROM on; where these begin then. */
static uint32_t move_up(struct idset_part *part, uint32_t from, uint32_t n_more)
{
	uint32_t n = part->n_slots - from;

	set_n_slots(part, part->n_slots + n_more);
	memmove(part->slots + from + n_more, part->slots + from, n * sizeof(struct slot));
	memset(part->slots + from, 0, n_more * sizeof(struct slot));
	return from + n_more;
}

/* Keys that are in order, wherever they are, go where they belong with N_HOMES: to the end, then
 * each to its home or after the one before. That is never beyond where it comes from, unless there
 * are too few slots. */
static void lay_out(struct idset_part *part, uint32_t n_homes)
{
	uint32_t n_slots = n_homes + n_homes / 256 + 2, next = 0;

	if (n_slots > part->n_slots)
		set_n_slots(part, n_slots);
	uint32_t to = part->n_slots;
	for (uint32_t from = part->n_slots; from-- > 0;) {
		struct slot key = part->slots[from];
		part->slots[to - 1] = key;
		to -= key.head != 0;
	}
	memset(part->slots, 0, to * sizeof(struct slot));
	for (uint32_t from = to; from < part->n_slots; from++) {
		struct slot key = part->slots[from];
		uint32_t home = home_of(key.head, n_homes);
		next = home > next ? home : next;
		if (next > from)
			from = move_up(part, from, next - from + part->n_slots / 64 + 4);
		part->slots[from].head = 0;
		part->slots[next++] = key;
	}
	part->n_homes = n_homes;
	if (next > n_slots)
		n_slots = next;
	if (n_slots < part->n_slots)
		set_n_slots(part, n_slots);
}

static void insert(struct idset_part *part, uint32_t at, const struct slot *key)
{
	uint32_t end = at;

	while (end < part->n_slots && part->slots[end].head)
		end++;
	if (end == part->n_slots)
		set_n_slots(part, part->n_slots + part->n_slots / 64 + 4);
	memmove(part->slots + at + 1, part->slots + at, (end - at) * sizeof(*key));
	part->slots[at] = *key;
	part->n_ids++;
}

static void take_out(struct idset_part *part, uint32_t at)
{
	uint32_t end = at + 1;

	while (end < part->n_slots && part->slots[end].head &&
		home_of(part->slots[end].head, part->n_homes) < end)
		end++;
	memmove(part->slots + at, part->slots + at + 1, (end - at - 1) * sizeof(struct slot));
	part->slots[end - 1].head = 0;
	part->n_ids--;
}

/* The keys of PART that have BIT go to the empty part NEW. */
static void divide(struct idset_part *part, struct idset_part *new, uint64_t bit)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < part->n_slots; i++)
		n += part->slots[i].head && (part->slots[i].head & bit);
	new->base = part->base;
	if (n == 0)
		return;
	set_n_slots(new, n);
	for (uint32_t i = 0; i < part->n_slots; i++) {
		if (!(part->slots[i].head & bit))
			continue;
		new->slots[new->n_ids++] = part->slots[i];
		part->slots[i].head = 0;
	}
	part->n_ids -= n;
	lay_out(new, homes_for(n));
	lay_out(part, homes_for(part->n_ids));
}

/* --- the set --- */

static size_t top_bit(size_t n)
{
	return (size_t)1 << (63 - __builtin_clzll(n));
}

static struct slot key_of(const struct id *id)
{
	struct slot key;

	memcpy(&key, id->bytes, sizeof(key));
	key.head = le64toh(key.head);
	return key;
}

/* The part of KEY, which becomes as it is in a slot. The set has parts. */
static struct idset_part *part_of(const struct idset *set, struct slot *key)
{
	size_t bit = top_bit(set->n_parts);
	size_t i = (size_t)(key->head & (2 * bit - 1));

	key->head = (key->head & ~IMPLIED) | USED;
	return &set->parts[i < set->n_parts ? i : i - bit];
}

static void set_n_parts(struct idset *set, size_t n_parts)
{
	set->parts = mem_resize(set->parts, n_parts * sizeof(set->parts[0]));
	memset(set->parts + set->n_parts, 0, (n_parts - set->n_parts) * sizeof(set->parts[0]));
	set->n_parts = n_parts;
}

void idset_deinit(struct idset *set)
{
	for (size_t i = 0; i < set->n_parts; i++)
		free(set->parts[i].slots);
	free(set->parts);
	*set = IDSET_NULL;
}

void idset_clear(struct idset *set)
{
	idset_deinit(set);
}

bool idset_add(struct idset *set, const struct id *id)
{
	struct slot key = key_of(id), whole = key;

	if (!set->parts)
		set_n_parts(set, N_PARTS_MIN);
	struct idset_part *part = part_of(set, &key);
	uint32_t at = find(part, &key);
	if (is_at(part, at, &key))
		return false;
	if (set->n_ids >= set->n_parts * PART_IDS) {
		size_t bit = top_bit(set->n_parts), i = set->n_parts - bit;
		set_n_parts(set, set->n_parts + 1);
		divide(&set->parts[i], &set->parts[set->n_parts - 1], bit);
		part = part_of(set, &whole);
		at = find(part, &key);
	}
	if (is_full(part)) {
		lay_out(part, homes_for(part->n_ids + 1));
		at = find(part, &key);
	}
	insert(part, at, &key);
	set->n_ids++;
	return true;
}

bool idset_remove(struct idset *set, const struct id *id)
{
	struct slot key = key_of(id);

	if (!set->parts)
		return false;
	struct idset_part *part = part_of(set, &key);
	uint32_t at = find(part, &key);
	if (!is_at(part, at, &key))
		return false;
	take_out(part, at);
	if (is_sparse(part))
		lay_out(part, homes_for(part->n_ids));
	set->n_ids--;
	return true;
}

void idset_reserve(struct idset *set, size_t n_ids)
{
	size_t n_parts = n_ids / PART_IDS + 1;

	if (set->n_ids)
		return;
	idset_deinit(set);
	set_n_parts(set, n_parts > N_PARTS_MIN ? n_parts : N_PARTS_MIN);
	size_t bit = top_bit(set->n_parts);
	for (size_t i = 0; i < set->n_parts; i++) {
		struct idset_part *part = &set->parts[i];
		/* divided ones have half as many */
		bool whole = i < bit && i + bit >= set->n_parts;
		/* n_parts is not 0: NOLINTNEXTLINE(clang-analyzer-core.DivideZero) */
		size_t n = n_ids / bit / (whole ? 1 : 2);
		part->n_homes = homes_for((uint32_t)(n + n / 64));
		part->n_slots = part->n_homes + part->n_homes / 256 + 2;
		part->slots = mem_array(part->n_slots, sizeof(struct slot));
	}
}

void idset_prefetch(const struct idset *set, const struct id *id)
{
	struct slot key = key_of(id);

	if (!set->parts)
		return;
	const struct idset_part *part = part_of(set, &key);
	if (part->slots)
		__builtin_prefetch(&part->slots[home_of(key.head, part->n_homes)]);
}

/* The slot of ID, NULL without one. */
static struct slot *slot_of(const struct idset *set, const struct id *id, struct idset_part **ret)
{
	struct slot key = key_of(id);

	if (!set->parts)
		return NULL;
	*ret = part_of(set, &key);
	uint32_t at = find(*ret, &key);
	return is_at(*ret, at, &key) ? &(*ret)->slots[at] : NULL;
}

/* How a mark of now looks in PART; 0: it does not fit there. */
static uint64_t tag_of(const struct idset *set, const struct idset_part *part)
{
	unsigned age = set->generation - part->base;

	return age < TAG_MAX ? (uint64_t)(age + 1) << TAG_SHIFT : 0;
}

bool idset_has(const struct idset *set, const struct id *id)
{
	struct idset_part *part;

	return slot_of(set, id, &part);
}

bool idset_mark(struct idset *set, const struct id *id)
{
	struct idset_part *part;
	struct slot *slot = slot_of(set, id, &part);

	if (!slot)
		return false;
	if (!tag_of(set, part)) {
		for (uint32_t i = 0; i < part->n_slots; i++)
			part->slots[i].head &= ~IMPLIED | USED;
		part->base = set->generation;
	}
	slot->head = (slot->head & ~IMPLIED) | USED | tag_of(set, part);
	return true;
}

bool idset_is_marked(const struct idset *set, const struct id *id)
{
	struct idset_part *part;
	const struct slot *slot = slot_of(set, id, &part);
	uint64_t tag = slot ? tag_of(set, part) : 0;

	return tag && (slot->head & IMPLIED & ~USED) == tag;
}

void idset_unmark_all(struct idset *set)
{
	set->generation++;
}

size_t idset_memory(const struct idset *set)
{
	size_t size = set->n_parts * sizeof(set->parts[0]);

	for (size_t i = 0; i < set->n_parts; i++)
		size += set->parts[i].n_slots * sizeof(struct slot);
	return size;
}
