/*
 * Memory that does not fail for the caller. Small allocations end the process with a message when
 * there is no memory (exit 70: every exit is lossless, systemd restarts); whatever a peer can size
 * goes through buf.h, which has a ceiling. All memory is released with free().
 */
#ifndef TRAWLD_BASE_MEM_H
#define TRAWLD_BASE_MEM_H

#include <stddef.h>
#include <stdlib.h>

/* Large buffers go back to the kernel when they are freed; once, at the start of the program. */
void mem_keep_small(void);
/* Pages of memory that nothing uses any more, between what is used, go back to the kernel, too,
 * where they are a third of all or more. With 10,000 sources the walk takes 100 ms. */
void mem_give_back(void);

/* There is no memory left: says so and ends the process. */
_Noreturn void mem_exhausted(void);

/* Returns SIZE zeroed bytes, never NULL (also for SIZE 0). */
void *mem_alloc(size_t size);

/* Returns N * SIZE zeroed bytes; an overflowing product ends the process like a lack of memory. */
void *mem_array(size_t n, size_t size);

/* As realloc; the new part is not zeroed. */
void *mem_resize(void *memory, size_t size);

/* Makes room for one more element: grows *CAPACITY (elements of SIZE bytes) when N has reached it.
 */
void *mem_grow(void *array, size_t n, size_t *capacity, size_t size);

char *mem_strdup(const char *text); /* NULL gives NULL */
char *mem_strndup(const char *text, size_t size); /* always NUL-terminated */
void *mem_dup(const void *data, size_t size);
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define MEM_NEW(type) ((type *)mem_alloc(sizeof(type)))

#endif
