/* Preloaded: while there is a file PATH.hold, the opening of PATH does not return. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_later(const char *path, int flags, int mode)
{
	char hold[4096];

	snprintf(hold, sizeof(hold), "%s.hold", path);
	while (syscall(SYS_access, hold, F_OK) == 0)
		usleep(5000);
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

#define OPEN(name)                                                                                 \
	int name(const char *path, int flags, ...)                                                 \
	{                                                                                          \
		va_list arguments;                                                                 \
		int mode;                                                                          \
                                                                                                   \
		va_start(arguments, flags);                                                        \
		mode = va_arg(arguments, int);                                                     \
		va_end(arguments);                                                                 \
		return open_later(path, flags, mode);                                              \
	}

OPEN(open)
OPEN(open64)
