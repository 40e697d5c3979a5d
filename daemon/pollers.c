/* See pollers.h. */
#include "pollers.h"

#include "base/mem.h"

struct poller *pollers_find(const struct pollers *pollers, const char *name)
{
	for (size_t i = 0; name && i < pollers->n_items; i++)
		if (strcmp(pollers->items[i]->source->name, name) == 0)
			return pollers->items[i];
	return NULL;
}

void pollers_insert(struct pollers *pollers, size_t at, struct poller *poller)
{
	size_t n_after = pollers->n_items - at;
	pollers->items =
		mem_resize(pollers->items, (pollers->n_items + 1) * sizeof(struct poller *));
	memmove(pollers->items + at + 1, pollers->items + at, n_after * sizeof(struct poller *));
	pollers->items[at] = poller;
	pollers->n_items++;
}

size_t pollers_remove(struct pollers *pollers, struct poller *poller)
{
	size_t at = 0;
	while (pollers->items[at] != poller)
		at++;
	pollers->n_items--;
	memmove(pollers->items + at, pollers->items + at + 1,
		(pollers->n_items - at) * sizeof(struct poller *));
	poller_free(poller);
	return at;
}

bool pollers_have_rested(const struct pollers *pollers)
{
	for (size_t i = 0; i < pollers->n_items; i++)
		if (!pollers->items[i]->rested)
			return false;
	return true;
}

void pollers_deinit(struct pollers *pollers)
{
	for (size_t i = 0; i < pollers->n_items; i++)
		poller_free(pollers->items[i]);
	free(pollers->items);
	*pollers = (struct pollers){0};
}
