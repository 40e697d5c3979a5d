/* What the fuzz targets share: the input, taken apart from its beginning. */
#ifndef TRAWLD_TESTS_FUZZ_H
#define TRAWLD_TESTS_FUZZ_H

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/slice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline struct slice fuzz_input(const uint8_t *data, size_t size)
{
	return (struct slice){(const char *)data, size};
}

/* Takes the first byte off *REST; 0 when there is none. */
static inline unsigned fuzz_byte(struct slice *rest)
{
	if (rest->size == 0)
		return 0;
	rest->size--;
	return (unsigned char)*rest->data++;
}

/* Takes the first line off *REST, without its line feed. */
static inline struct slice fuzz_line(struct slice *rest)
{
	const char *feed = rest->size ? memchr(rest->data, '\n', rest->size) : NULL;
	struct slice line = {rest->data, feed ? (size_t)(feed - rest->data) : rest->size};
	size_t taken = feed ? line.size + 1 : line.size;
	rest->data += taken;
	rest->size -= taken;
	return line;
}

/* As a text of exactly its size, so that a read past its end is seen. The caller frees. */
static inline char *fuzz_text(struct slice slice)
{
	return mem_strndup(slice.size ? slice.data : "", slice.size);
}

#endif
