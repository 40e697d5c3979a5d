/*
 * Large blocks that are used again. A block that is freed goes back to the kernel (mem_keep_small),
 * which clears the next one page by page as it is touched: a fifth of the processor time of a chain
 * of large pages. A few are kept instead.
 */
#ifndef TRAWLD_BASE_SPARE_H
#define TRAWLD_BASE_SPARE_H

#include <stddef.h>

#define SPARE_SIZE_MIN ((size_t)256 << 10) /* smaller blocks are none */

/* The address sanitizer is to notice when a freed block is used. */
#ifdef __has_feature
#define SPARE_KEEPS !__has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define SPARE_KEEPS 0
#else
#define SPARE_KEEPS 1
#endif

/* SIZE, rounded up if it is that of a large block: the next may need a little more. */
size_t spare_size(size_t size);

/* As malloc, for a SIZE from SPARE_SIZE_MIN on; *RET_SIZE may be larger. Released with free or
 * spare_put. Any thread. */
void *spare_get(size_t size, size_t *ret_size);

/* Takes a block of SIZE bytes from malloc: keeps it, or frees it. */
void spare_put(void *block, size_t size);

#endif
