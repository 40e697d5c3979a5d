/*
 * Scope-bound release: CLEANUP(fn) calls fn(&variable) when the variable leaves its scope, so that
 * a function has one way out on success and one on failure. GCC and clang both accept the attribute
 * under C17 -Wpedantic.
 */
#ifndef TRAWLD_BASE_CLEANUP_H
#define TRAWLD_BASE_CLEANUP_H

#include <stdlib.h>

#define CLEANUP(fn) __attribute__((cleanup(fn)))

static inline void cleanup_free(void *pointer_to_pointer)
{
	free(*(void **)pointer_to_pointer);
}

#define CLEANUP_FREE CLEANUP(cleanup_free)

#endif
