/* See names.h. Open addressing, at most three quarters full. */
#include "base/names.h"

#include <stdint.h>
#include <string.h>

#include "base/mem.h"

#define SLOTS_MIN 16

/* FNV-1a. Names come from the configuration: nobody chooses them to collide. */
static uint64_t hash(const char *name)
{
	uint64_t value = 0xcbf29ce484222325u;
	for (; *name; name++)
		value = (value ^ (unsigned char)*name) * 0x100000001b3u;
	return value ^ value >> 32;
}

/* The slot of NAME, or the free one where it belongs. */
static size_t *find(const struct names *names, const char *name)
{
	size_t at = (size_t)hash(name) & (names->n_slots - 1);
	while (names->slots[at] && strcmp(names->items[names->slots[at] - 1], name) != 0)
		at = (at + 1) & (names->n_slots - 1);
	return &names->slots[at];
}

static void grow(struct names *names)
{
	free(names->slots);
	names->n_slots = names->n_slots ? 2 * names->n_slots : SLOTS_MIN;
	names->slots = mem_array(names->n_slots, sizeof(*names->slots));
	for (size_t i = 0; i < names->n_items; i++)
		*find(names, names->items[i]) = i + 1;
}

void names_deinit(struct names *names)
{
	for (size_t i = 0; i < names->n_items; i++)
		free(names->items[i]);
	free(names->items);
	free(names->slots);
	*names = NAMES_NULL;
}

bool names_find(const struct names *names, const char *name, size_t *ret_handle)
{
	size_t slot = names->n_slots ? *find(names, name) : 0;
	if (slot)
		*ret_handle = slot - 1;
	return slot != 0;
}

size_t names_add(struct names *names, const char *name)
{
	size_t handle;
	if (names_find(names, name, &handle))
		return handle;
	if (names->n_items >= names->n_slots / 4 * 3)
		grow(names);
	names->items =
		mem_grow(names->items, names->n_items, &names->capacity, sizeof(*names->items));
	*find(names, name) = names->n_items + 1;
	names->items[names->n_items] = mem_strdup(name);
	return names->n_items++;
}
