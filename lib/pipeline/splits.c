/* See splits.h. */
#include "pipeline/splits.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"

void splits_deinit(struct splits *splits)
{
	free(splits->places);
	*splits = SPLITS_NULL;
}

/* How many of them are not behind PLACE. */
static size_t splits_count_to(const struct splits *splits, size_t place)
{
	size_t low = 0, high = splits->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (splits->places[middle] <= place)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void splits_add(struct splits *splits, size_t place)
{
	size_t at = splits_count_to(splits, place);

	if (at > 0 && splits->places[at - 1] == place)
		return;
	splits->places = mem_resize(splits->places, (splits->n + 1) * sizeof(*splits->places));
	memmove(splits->places + at + 1, splits->places + at,
		(splits->n - at) * sizeof(*splits->places));
	splits->places[at] = place;
	splits->n++;
}

bool splits_forget(struct splits *splits, size_t first, size_t end)
{
	size_t from = splits_count_to(splits, first);
	size_t to = from;

	while (to < splits->n && splits->places[to] < end)
		to++;
	if (to == from)
		return false;
	memmove(splits->places + from, splits->places + to,
		(splits->n - to) * sizeof(*splits->places));
	splits->n -= to - from;
	return true;
}

size_t splits_next(const struct splits *splits, size_t place, size_t end)
{
	size_t at = splits_count_to(splits, place);

	return at < splits->n && splits->places[at] < end ? splits->places[at] : end;
}

bool splits_are_equal(const struct splits *a, const struct splits *b)
{
	return a->n == b->n &&
	       (a->n == 0 || memcmp(a->places, b->places, a->n * sizeof(*a->places)) == 0);
}

void splits_copy(struct splits *splits, const struct splits *from)
{
	splits_deinit(splits);
	for (size_t i = 0; i < from->n; i++)
		splits_add(splits, from->places[i]);
}

void splits_print(const struct splits *splits, char separator, struct buf *out)
{
	for (size_t i = 0; i < splits->n; i++)
		buf_printf(out, "%c%zu", separator, splits->places[i]);
}

bool splits_read(struct slice text, char separator, struct splits *ret)
{
	struct slice part;
	int64_t place = 0;

	*ret = SPLITS_NULL;
	while (text.size > 0 && str_next_part(&text, separator, &part)) {
		if (number_parse(part, place + 1, INT64_MAX, &place) != 0) {
			splits_deinit(ret);
			return false;
		}
		splits_add(ret, (size_t)place);
	}
	return true;
}
