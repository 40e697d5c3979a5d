/*
 * See spare.h. What is kept is bounded in bytes, the oldest goes first. One that is
 * more than twice as large as what is asked for waits for what needs it.
 */
#include "base/spare.h"

#include <pthread.h>
#include <string.h>

#include "base/mem.h"

#define STEP ((size_t)64 << 10)
#define SPARES 8
#define KEPT_SIZE ((size_t)4 << 20) /* of all spares together */

struct spare {
	void *block;
	size_t size;
};

static struct {
	pthread_mutex_t mutex;
	struct spare spares[SPARES]; /* the oldest first */
	size_t n;
	size_t size; /* of all of them */
} kept = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* Takes the spare at INDEX out of the list. */
static struct spare take_out(size_t index)
{
	struct spare spare = kept.spares[index];
	kept.n--;
	kept.size -= spare.size;
	memmove(&kept.spares[index], &kept.spares[index + 1],
		(kept.n - index) * sizeof(kept.spares[0]));
	return spare;
}

size_t spare_size(size_t size)
{
	return size < SPARE_SIZE_MIN ? size : (size + STEP - 1) / STEP * STEP;
}

/* The smallest that has SIZE bytes. */
static struct spare find(size_t size)
{
	size_t best = SPARES;
	for (size_t i = 0; i < kept.n; i++)
		if (kept.spares[i].size >= size && kept.spares[i].size / 2 <= size &&
			(best == SPARES || kept.spares[i].size < kept.spares[best].size))
			best = i;
	return best < SPARES ? take_out(best) : (struct spare){0};
}

void *spare_get(size_t size, size_t *ret_size)
{
	pthread_mutex_lock(&kept.mutex);
	struct spare spare = find(size);
	pthread_mutex_unlock(&kept.mutex);
	if (!spare.block) {
		spare.size = spare_size(size);
		spare.block = mem_resize(NULL, spare.size);
	}
	*ret_size = spare.size;
	return spare.block;
}

void spare_put(void *block, size_t size)
{
	if (!SPARE_KEEPS || size < SPARE_SIZE_MIN || size > KEPT_SIZE) {
		free(block);
		return;
	}
	pthread_mutex_lock(&kept.mutex);
	while (kept.n == SPARES || kept.size + size > KEPT_SIZE)
		free(take_out(0).block);
	kept.spares[kept.n++] = (struct spare){block, size};
	kept.size += size;
	pthread_mutex_unlock(&kept.mutex);
}
