/* See listen_address.h. */
#include "listen_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/str.h"

#define BACKLOG 64

static int set_unix(struct listen_address *ret, const char *path, struct fault *reterr)
{
	struct sockaddr_un *un = &ret->socket.un;
	size_t size = strlen(path);
	if (*path != '/' || size >= sizeof(un->sun_path))
		return fault_set(reterr, FAULT_CONFIG,
			"listen: `unix:` needs an absolute path of less than %zu bytes",
			sizeof(un->sun_path));
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, size + 1);
	ret->size = sizeof(*un);
	return 0;
}

static bool set_host(struct listen_address *ret, char *host, uint16_t port)
{
	size_t size = strlen(host);
	if (host[0] == '[' && host[size - 1] == ']') {
		struct sockaddr_in6 *in6 = &ret->socket.in6;
		host[size - 1] = '\0';
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		ret->size = sizeof(*in6);
		return inet_pton(AF_INET6, host + 1, &in6->sin6_addr) == 1;
	}
	struct sockaddr_in *in = &ret->socket.in;
	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	ret->size = sizeof(*in);
	return inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host,
		       &in->sin_addr) == 1;
}

int listen_address_parse(struct listen_address *ret, const char *text, struct fault *reterr)
{
	int64_t port;
	*ret = (struct listen_address){.size = 0};
	if (strcmp(text, "off") == 0)
		return 0;
	if (str_starts(text, "unix:"))
		return set_unix(ret, text + strlen("unix:"), reterr);
	const char *colon = strrchr(text, ':');
	char *host CLEANUP_FREE = mem_strndup(text, colon ? (size_t)(colon - text) : 0);
	if (!colon || number_parse(slice_of(colon + 1), 0, 65535, &port) != 0 ||
		!set_host(ret, host, (uint16_t)port))
		return fault_set(reterr, FAULT_CONFIG,
			"listen: `%s` is not ADDRESS:PORT (127.0.0.1:9464, [::1]:9464), unix:/path or off",
			text);
	return 0;
}

bool listen_address_is_local(const struct listen_address *address)
{
	switch (address->socket.any.sa_family) {
	case AF_INET:
		return ntohl(address->socket.in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	case AF_INET6:
		return IN6_IS_ADDR_LOOPBACK(&address->socket.in6.sin6_addr);
	default:
		return true;
	}
}

/* Removes a socket file that a daemon which was killed left behind. */
static void remove_stale(const struct listen_address *address)
{
	struct stat st;
	const char *path = address->socket.un.sun_path;
	if (address->socket.any.sa_family != AF_UNIX || lstat(path, &st) != 0 ||
		!S_ISSOCK(st.st_mode))
		return;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	if (connect(fd, &address->socket.any, address->size) != 0 && errno == ECONNREFUSED)
		unlink(path);
	close(fd);
}

static int bind_and_listen(int fd, const struct listen_address *address)
{
	int yes = 1;
	if (address->socket.any.sa_family != AF_UNIX)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	mode_t mask = umask(0117); /* a socket file is for its user and group */
	int r = bind(fd, &address->socket.any, address->size);
	int error = errno;
	umask(mask);
	errno = error;
	return !r ? listen(fd, BACKLOG) : r;
}

int listen_address_open(
	const struct listen_address *address, int *ret_fd, unsigned *ret_port, struct fault *reterr)
{
	struct listen_address bound = *address;
	remove_stale(address);
	int fd = socket(
		address->socket.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind_and_listen(fd, address) != 0 ||
		getsockname(fd, &bound.socket.any, &bound.size) != 0) {
		fault_set(reterr, FAULT_NETWORK, "%s", strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	*ret_fd = fd;
	/* the port stands at the same place in both kinds */
	*ret_port = address->socket.any.sa_family == AF_UNIX ? 0 : ntohs(bound.socket.in.sin_port);
	return 0;
}

bool listen_is_exhausted(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}
