/* Preloaded into trawld: at SIGRTMIN, appends a line with the bytes of the heap that are in use to
 * the file HEAP_IN_USE. Not while trawld allocates: it must be at rest. */
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void tell(int signal)
{
	struct mallinfo2 info = mallinfo2();
	int fd = open(getenv("HEAP_IN_USE"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	(void)signal;
	if (fd < 0 || dprintf(fd, "%zu\n", info.uordblks + info.hblkhd) < 0 || close(fd))
		abort();
}

static __attribute__((constructor)) void listen(void)
{
	signal(SIGRTMIN, tell);
}
