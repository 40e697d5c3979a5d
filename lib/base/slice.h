/* A borrowed run of bytes: not NUL-terminated, never freed through the slice. */
#ifndef TRAWLD_BASE_SLICE_H
#define TRAWLD_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
	const char *data; /* NULL: absent (differs from empty) */
	size_t size;
};

#define SLICE_NULL ((struct slice){NULL, 0})
#define SLICE(literal) ((struct slice){"" literal, sizeof(literal) - 1})

static inline struct slice slice_of(const char *text)
{
	return (struct slice){text, text ? strlen(text) : 0};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
	return a.size == b.size && (b.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool slice_is(struct slice a, const char *text)
{
	return a.data && slice_equal(a, slice_of(text));
}

#endif
