/*
 * See mem.h. The message of the one failure is written without allocating: there is no memory left
 * for it.
 */
#include "base/mem.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

_Noreturn void mem_exhausted(void)
{
	static const char text[] =
		"trawld: out of memory: exiting; nothing committed is lost, and the next start resumes\n";
	ssize_t written = write(STDERR_FILENO, text, sizeof(text) - 1);
	(void)written;
	_exit(EX_SOFTWARE);
}

/* glibc raises its bound for mappings of their own with every larger one that is freed, up to 32
 * MiB, and keeps twice as much of what lies on the heap: one large page, and a daemon would stay
 * large. A bound that is set stays. */
#define MAPPED_SIZE (256 << 10)
#define KEPT_SIZE (2 << 20)
#define HEAPS 1 /* for all threads, which seldom run at the same time: each would keep its own */

void mem_keep_small(void)
{
#ifdef __GLIBC__
	mallopt(M_MMAP_THRESHOLD, MAPPED_SIZE);
	mallopt(M_TRIM_THRESHOLD, KEPT_SIZE);
	mallopt(M_ARENA_MAX, HEAPS);
#endif
}

#define UNUSED_SIZE (4 << 20) /* less is not worth the walk over it */

void mem_give_back(void)
{
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
	struct mallinfo2 info = mallinfo2();
	if (info.fordblks > UNUSED_SIZE && info.fordblks > info.uordblks / 2)
		malloc_trim(0);
#endif
}

void *mem_alloc(size_t size)
{
	void *memory = calloc(1, size ? size : 1);
	if (!memory)
		mem_exhausted();
	return memory;
}

void *mem_array(size_t n, size_t size)
{
	if (size && n > SIZE_MAX / size)
		mem_exhausted();
	return mem_alloc(n * size);
}

void *mem_resize(void *memory, size_t size)
{
	void *resized = realloc(memory, size ? size : 1);
	if (!resized)
		mem_exhausted();
	return resized;
}

#define GROWN_MIN 2 /* many arrays of a source never have more */

void *mem_grow(void *array, size_t n, size_t *capacity, size_t size)
{
	if (n < *capacity)
		return array;
	size_t wanted = *capacity ? 2 * *capacity : GROWN_MIN;
	if (wanted > SIZE_MAX / size)
		mem_exhausted();
	*capacity = wanted;
	return mem_resize(array, wanted * size);
}

void *mem_dup(const void *data, size_t size)
{
	void *copy = mem_alloc(size);
	if (size)
		memcpy(copy, data, size);
	return copy;
}

char *mem_strdup(const char *text)
{
	return text ? mem_dup(text, strlen(text) + 1) : NULL;
}

char *mem_strndup(const char *text, size_t size)
{
	char *copy = mem_alloc(size + 1);
	if (size)
		memcpy(copy, text, size);
	return copy;
}

char *mem_printf(const char *format, ...)
{
	char *text = NULL;
	va_list args;
	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		mem_exhausted();
	va_end(args);
	return text;
}
