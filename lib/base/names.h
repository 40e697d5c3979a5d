/*
 * A set of names, each with a handle: the first is 0, the next 1, and so on. Handles index arrays
 * that the owner keeps beside it. Names are copied and never removed.
 */
#ifndef TRAWLD_BASE_NAMES_H
#define TRAWLD_BASE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

struct names {
	char **items; /* by handle */
	size_t n_items;
	size_t capacity;
	size_t *slots; /* handle + 1; 0: free */
	size_t n_slots; /* 0 or a power of two */
};

#define NAMES_NULL ((struct names){0})

void names_deinit(struct names *names);
bool names_find(const struct names *names, const char *name, size_t *ret_handle);
/* The handle of NAME, which is added unless it is there: then the handle is the old n_items. */
size_t names_add(struct names *names, const char *name);

#endif
