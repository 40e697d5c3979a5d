/* See mem_libraries.h. */
#include "base/mem_libraries.h"

#include <ev.h>
#include <jansson.h>
#include <openssl/crypto.h>

#include "base/mem.h"

static void *take(size_t size)
{
	void *memory = malloc(size);

	if (!memory && size > 0)
		mem_exhausted();
	return memory;
}

/* SIZE 0 frees. */
static void *take_again(void *memory, size_t size)
{
	if (size == 0) {
		free(memory);
		return NULL;
	}
	return mem_resize(memory, size);
}

static void *take_for_ev(void *memory, long size)
{
	return take_again(memory, (size_t)size);
}

/* OpenSSL expects nothing for no bytes. */
static void *take_for_openssl(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return size > 0 ? take(size) : NULL;
}

static void *take_again_for_openssl(void *memory, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return take_again(memory, size);
}

static void free_for_openssl(void *memory, const char *file, int line)
{
	(void)file;
	(void)line;
	free(memory);
}

void mem_libraries(void)
{
	ev_set_allocator(take_for_ev);
	json_set_alloc_funcs(take, free);
	CRYPTO_set_mem_functions(take_for_openssl, take_again_for_openssl, free_for_openssl);
}
