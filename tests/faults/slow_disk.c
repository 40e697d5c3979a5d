/*
 * Preloaded into trawld: a disk that is slow or hangs. While the file SLOW_DISK exists, fdatasync
 * and fsync of files and folders below SLOW_DISK_ROOT do not return; or, if there is a number in
 * it, they take so many milliseconds. SLOW_DISK.held exists while one is held.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEP 1000 /* microseconds */

/* The number in SLOW_DISK; -1: it is not there, 0: none is in it. */
static long delay(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	return n > 0 ? strtol(text, NULL, 10) : 0;
}

static bool is_slow(int fd, const char *root)
{
	char link[64], path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	return n > 0 && strlen(root) <= (size_t)n && strncmp(path, root, strlen(root)) == 0;
}

static void hold(int fd)
{
	const char *path = getenv("SLOW_DISK"), *root = getenv("SLOW_DISK_ROOT");
	char held[PATH_MAX];
	long waited = 0, wanted;

	if (!path || !root || !is_slow(fd, root) || delay(path) < 0)
		return;
	snprintf(held, sizeof(held), "%s.held", path);
	close(open(held, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	while ((wanted = delay(path)) == 0 || wanted > waited) {
		usleep(STEP);
		waited += STEP / 1000;
	}
	unlink(held);
}

int fdatasync(int fd)
{
	static int (*real)(int fd);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "fdatasync");
	hold(fd);
	return real(fd);
}

int fsync(int fd)
{
	static int (*real)(int fd);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "fsync");
	hold(fd);
	return real(fd);
}
