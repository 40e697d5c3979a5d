/*
 * An API for very many sources, which knows when each of them polled:
 *
 * /many/sN?at=K        the next cursor, and a record if K + N is divisible by EVERY
 * /stats?late=MS       polls so far and records in them; of the polls since the last such question:
 * the longest time between two of one source, and how many were later than MS /given for each
 * source, the cursor after the newest record that it was given
 *
 * usage: many_api SOURCES EVERY    prints its port, and ends with its standard input
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_FDS 65536
#define HEAD_MAX 4096

struct source {
	long long last_ms;
	long given; /* cursor after the newest record; 0: none */
};

static struct source *sources;
static long n_sources, every, n_polls, n_late, port;
static long long longest_ms, late_ms = 1LL << 60;
static char *heads[MAX_FDS]; /* of the request that is being read, by descriptor */
static char *body;
static size_t body_size;

static long long now_ms(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

static void print_record(FILE *out, long n, long at)
{
	long long now = now_ms(CLOCK_REALTIME);
	time_t seconds = (time_t)(now / 1000);
	struct tm tm;
	char text[32];

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	fprintf(out,
		"{\"id\":\"s%ld-%ld\",\"timestamp\":\"%s.%03lldZ\",\"action\":\"server_create\","
		"\"message\":\"Server 'web-%ld' has been created\",\"ip_address\":\"172.30.%ld.%ld\","
		"\"user\":\"user%ld@example.com\",\"request\":\"5f1c7c1e-%04ld-4000-8000\"}",
		n, at, text, now % 1000, at, at % 250, at % 253, at % 97, at);
}

static void print_poll(FILE *out, long n, long at)
{
	struct source *source = &sources[n];
	long long now = now_ms(CLOCK_MONOTONIC), gap = now - source->last_ms;

	n_polls++;
	if (source->last_ms && gap > longest_ms)
		longest_ms = gap;
	if (source->last_ms && gap > late_ms)
		n_late++;
	source->last_ms = now;
	fprintf(out,
		"{\"next\":null,\"more\":\"http://127.0.0.1:%ld/many/s%ld?at=%ld\",\"records\":[",
		port, n, at + 1);
	if ((at + n) % every == 0) {
		print_record(out, n, at);
		if (at >= source->given)
			source->given = at + 1;
	}
	fputs("]}", out);
}

/* The cursors at which source N gets a record are those below `given` with (at + n) % every == 0.
 */
static long records_of(long n)
{
	long first = (every - n % every) % every;

	return sources[n].given > first ? (sources[n].given - first + every - 1) / every : 0;
}

static void print_stats(FILE *out)
{
	long n_polled = 0, n_records = 0;

	for (long n = 0; n < n_sources; n++) {
		n_polled += sources[n].last_ms != 0;
		n_records += records_of(n);
	}
	fprintf(out, "{\"polls\":%ld,\"polled\":%ld,\"records\":%ld,\"longest\":%.3f,\"late\":%ld}",
		n_polls, n_polled, n_records, (double)longest_ms / 1000, n_late);
	longest_ms = n_late = 0;
}

static void answer(const char *target)
{
	FILE *out = open_memstream(&body, &body_size);
	long n, at;

	if (sscanf(target, "/many/s%ld?at=%ld", &n, &at) == 2 && n >= 0 && n < n_sources &&
		at >= 0) {
		print_poll(out, n, at);
	} else if (sscanf(target, "/stats?late=%lld", &late_ms) == 1) {
		print_stats(out);
	} else if (strncmp(target, "/given", 6) == 0) {
		for (n = 0; n < n_sources; n++)
			fprintf(out, "%s%ld", n ? "," : "[", sources[n].given);
		fputs("]", out);
	}
	fclose(out);
}

static bool serve(int fd)
{
	char *head = heads[fd];
	size_t size = strlen(head);
	ssize_t n = read(fd, head + size, HEAD_MAX - 1 - size);
	char first[256];

	if (n <= 0)
		return false;
	head[size + (size_t)n] = '\0';
	if (!strstr(head, "\r\n\r\n"))
		return true;
	if (sscanf(head, "GET %255s", first) != 1)
		return false;
	answer(first);
	int length = snprintf(head, HEAD_MAX,
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
		body_size);
	bool whole = write(fd, head, (size_t)length) == length;
	/* /given is longer than the kernel takes at once */
	for (size_t at = 0; whole && at < body_size;) {
		struct pollfd room = {.fd = fd, .events = POLLOUT};
		poll(&room, 1, -1);
		n = write(fd, body + at, body_size - at);
		whole = n > 0;
		at += whole ? (size_t)n : 0;
	}
	free(body);
	head[0] = '\0';
	return whole;
}

static void take(int epoll, int listener)
{
	int fd, on = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		if (!heads[fd])
			heads[fd] = malloc(HEAD_MAX);
		heads[fd][0] = '\0';
		epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
	}
}

static int listen_somewhere(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 4096) ||
		getsockname(listener, (struct sockaddr *)&address, &size))
		exit(1);
	port = ntohs(address.sin_port);
	printf("%ld\n", port);
	fflush(stdout);
	return listener;
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 64;
	signal(SIGPIPE, SIG_IGN); /* a client that had waited for too long */
	n_sources = atol(argv[1]);
	every = atol(argv[2]);
	sources = calloc((size_t)n_sources, sizeof(struct source));
	int listener = listen_somewhere(), epoll = epoll_create1(0);
	for (int i = 0; i < 2; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.fd = i ? listener : 0};
		epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event);
	}
	for (;;) {
		struct epoll_event events[256];
		int n = epoll_wait(epoll, events, 256, -1);
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			if (fd == 0)
				return 0;
			if (fd == listener)
				take(epoll, listener);
			else if (!serve(fd))
				close(fd);
		}
	}
}
