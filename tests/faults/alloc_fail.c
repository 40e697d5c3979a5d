/*
 * Preloaded into trawld: allocations fail. ALLOC_FAIL is "N once" (the Nth does) or "N always" (it
 * and all after it). ALLOC_COUNT names a file that gets their number at the end of a run that
 * nothing ended early; the backtrace of the first one that failed goes to ALLOC_TRACE, if that is
 * set.
 */
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* glibc's own, behind the names that are replaced here */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static atomic_long count;
static long fail_at;
static bool always;
static _Thread_local bool tracing; /* the trace allocates, too */

__attribute__((constructor)) static void begin(void)
{
	const char *text = getenv("ALLOC_FAIL");
	char how[8] = "";

	if (text && sscanf(text, "%ld %7s", &fail_at, how) != 2)
		abort();
	always = strcmp(how, "always") == 0;
	atomic_store(&count, 0);
}

__attribute__((destructor)) static void end(void)
{
	const char *path = getenv("ALLOC_COUNT");
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
	char text[32];
	int size = snprintf(text, sizeof(text), "%ld", atomic_load(&count));

	if (fd >= 0 && write(fd, text, (size_t)size) == size)
		close(fd);
}

static void trace(void)
{
	const char *path = getenv("ALLOC_TRACE");
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
	void *frames[40];

	if (fd < 0)
		return;
	tracing = true;
	backtrace_symbols_fd(frames, backtrace(frames, 40), fd);
	tracing = false;
	close(fd);
}

static bool fails(void)
{
	long number;

	if (tracing)
		return false;
	number = atomic_fetch_add(&count, 1) + 1;
	if (fail_at == 0 || number < fail_at || (number > fail_at && !always))
		return false;
	if (number == fail_at)
		trace();
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *memory, size_t size)
{
	return fails() ? NULL : __libc_realloc(memory, size);
}

void *memalign(size_t alignment, size_t size)
{
	return fails() ? NULL : __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return memalign(alignment, size);
}

int posix_memalign(void **ret, size_t alignment, size_t size)
{
	void *memory = memalign(alignment, size);

	if (!memory)
		return ENOMEM;
	*ret = memory;
	return 0;
}
