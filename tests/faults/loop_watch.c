/*
 * Preloaded into trawld: how long its event loop is blocked elsewhere than in epoll_wait, names
 * that do not resolve, whom it calls, and how much memory it needs.
 *
 * LOOP_WATCH: a file that gets the longest time in ms whenever that grows. The thread's work and
 * its waits for a processor are not part of it: others use the machine, too. LOOP_TURNS: the same
 * with the thread's work. Whoever removes such a file begins anew. LOOP_NAMES: a file of one word,
 * read at each look-up: "fail", "hang" (for three seconds, then fail), "both" (::1, then
 * 127.0.0.1), "moved" (127.0.0.2), or another word: 127.0.0.1. LOOP_LATER: a file with a number of
 * seconds by which the monotonic clock and time() are ahead. LOOP_PEERS: a file that gets a line
 * for each name that is looked up and each IP address and port that is connected to. LOOP_MEMORY: a
 * file that gets at the end how much memory was in use at most, in KiB.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "../clock_symbols.h"
#include "real_function.h"

#define NSEC_PER_MSEC 1000000

struct busy {
	int64_t run, wait; /* for a processor */
};

static int64_t left_at = -1, longest, longest_turn;
static struct busy left;
static _Atomic int64_t later; /* seconds */

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

int clock_gettime(clockid_t id, struct timespec *ret)
{
	int r = (int)syscall(KERNEL_CLOCK_GETTIME, id, ret);

	if (r == 0 && (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE))
		ret->tv_sec += later;
	return r;
}

time_t time(time_t *ret)
{
	struct timespec now_time;

	clock_gettime(CLOCK_REALTIME, &now_time);
	now_time.tv_sec += later;
	if (ret)
		*ret = now_time.tv_sec;
	return now_time.tv_sec;
}

static size_t read_text(const char *path, char *ret, size_t size)
{
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	ssize_t n = fd >= 0 ? read(fd, ret, size - 1) : 0;

	if (fd >= 0)
		close(fd);
	ret[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

/* How long the thread has worked, or waited for a processor. */
static struct busy busy(void)
{
	char text[128];
	unsigned long long run = 0, wait = 0;

	if (read_text("/proc/thread-self/schedstat", text, sizeof(text)) == 0 ||
		sscanf(text, "%llu %llu", &run, &wait) != 2)
		return (struct busy){0};
	return (struct busy){(int64_t)run, (int64_t)wait};
}

static void note(const char *variable, int64_t ns, int64_t *most)
{
	const char *path = getenv(variable);
	char text[32];
	int fd, size;

	if (path && access(path, F_OK) != 0)
		*most = -1;
	if (ns <= *most || !path)
		return;
	*most = ns;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	size = snprintf(text, sizeof(text), "%lld", (long long)(ns / NSEC_PER_MSEC));
	if (fd < 0 || write(fd, text, (size_t)size) != size)
		abort();
	close(fd);
}

static void note_turn(void)
{
	struct busy at = busy();
	int64_t turn = now() - left_at - (at.wait - left.wait);

	note("LOOP_TURNS", turn, &longest_turn);
	note("LOOP_WATCH", turn - (at.run - left.run), &longest);
}

static void note_peer(const char *text, unsigned port)
{
	const char *path = getenv("LOOP_PEERS");
	char line[512];
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
	int size = snprintf(line, sizeof(line), "%.400s %u\n", text, port);

	if (fd < 0)
		return;
	if (write(fd, line, (size_t)size) != size)
		abort();
	close(fd);
}

static __attribute__((destructor)) void note_memory(void)
{
	const char *path = getenv("LOOP_MEMORY");
	char text[4096];
	const char *peak;
	FILE *out;

	if (!path || read_text("/proc/self/status", text, sizeof(text)) == 0)
		return;
	peak = strstr(text, "VmHWM:");
	out = fopen(path, "w");
	if (!peak || !out || fprintf(out, "%ld", strtol(peak + 6, NULL, 10)) < 0 || fclose(out))
		abort();
}

int epoll_wait(int fd, struct epoll_event *events, int n, int timeout)
{
	static int (*real)(int, struct epoll_event *, int, int);
	char text[16];
	int r;

	if (!real)
		find_real(&real, "epoll_wait");
	if (left_at >= 0)
		note_turn();
	if (read_text(getenv("LOOP_LATER"), text, sizeof(text)) > 0)
		later = strtol(text, NULL, 10);
	r = real(fd, events, n, timeout);
	left = busy();
	left_at = now();
	return r;
}

int getaddrinfo(
	const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
	static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
	struct addrinfo *found = NULL;
	char word[16];
	int r;

	if (!real)
		find_real(&real, "getaddrinfo");
	note_peer(node ? node : "-", 0);
	if (!node || strcmp(node, "api.test") != 0)
		return real(node, service, hints, ret);
	read_text(getenv("LOOP_NAMES"), word, sizeof(word));
	if (strcmp(word, "hang") == 0)
		sleep(3);
	if (strcmp(word, "hang") == 0 || strcmp(word, "fail") == 0)
		return EAI_AGAIN;
	r = real(strcmp(word, "moved") == 0 ? "127.0.0.2" : "127.0.0.1", service, hints, ret);
	if (r == 0 && strcmp(word, "both") == 0 && real("::1", service, hints, &found) == 0) {
		found->ai_next = *ret;
		*ret = found;
	}
	return r;
}

int connect(int fd, __CONST_SOCKADDR_ARG peer, socklen_t size)
{
	static int (*real)(int, const struct sockaddr *, socklen_t);
	const struct sockaddr *address = peer.__sockaddr__;
	char text[INET6_ADDRSTRLEN];
	struct sockaddr_in6 ip = {0};
	const void *bytes = &ip.sin6_addr;

	if (!real)
		find_real(&real, "connect");
	if (address->sa_family == AF_INET || address->sa_family == AF_INET6) {
		memcpy(&ip, address, size < sizeof(ip) ? size : sizeof(ip));
		if (address->sa_family == AF_INET)
			bytes = (const char *)&ip + offsetof(struct sockaddr_in, sin_addr);
		if (inet_ntop(address->sa_family, bytes, text, sizeof(text)))
			note_peer(text, ntohs(ip.sin6_port));
	}
	return real(fd, address, size);
}
