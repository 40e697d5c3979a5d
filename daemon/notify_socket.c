/* See notify_socket.h. */
#include "notify_socket.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/number.h"

/* The size of the address of PATH, whose @ stands for the byte of an abstract name; 0: it is not
 * one. */
static socklen_t read_address(const char *path, struct sockaddr_un *ret)
{
	size_t size = strlen(path);
	if ((path[0] != '/' && path[0] != '@') || size >= sizeof(ret->sun_path))
		return 0;
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(ret->sun_path, path, size);
	if (path[0] == '@')
		ret->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + (path[0] == '/'));
}

void notify_socket_send(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address;
	socklen_t size = path ? read_address(path, &address) : 0;
	if (size == 0)
		return;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address, size);
	close(fd);
}

nsec_t notify_socket_watchdog(void)
{
	const char *interval = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	int64_t usec, meant;
	if (pid && (number_parse(slice_of(pid), 1, INT32_MAX, &meant) || meant != getpid()))
		return 0;
	if (!interval || number_parse(slice_of(interval), 1, INT64_MAX / NSEC_PER_USEC, &usec))
		return 0;
	return usec * NSEC_PER_USEC;
}
