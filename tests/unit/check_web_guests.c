/* Who is connected to the status endpoint: where there is no room, the one that has been there
 * longest goes. */
#include "web_guests.h"

#include <ev.h>
#include <netinet/in.h>
#include <unistd.h>

#include "check_unit.h"
#include "listen_address.h"

#define COMERS 400

static struct ev_loop *loop;
static struct web_guests *guests;
static struct sockaddr_in address;
static struct guest *entered[COMERS];
static int fds[COMERS];
static size_t n_entered;

static void came(int fd, const struct sockaddr *from, socklen_t size, void *userdata)
{
	(void)from;
	(void)size;
	(void)userdata;
	fds[n_entered] = fd;
	entered[n_entered++] = web_guests_enter(guests, fd);
}

static void turn(void *userdata)
{
	(void)userdata;
}

static int connect_one(void)
{
	size_t before = n_entered;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	while (n_entered == before)
		ev_run(loop, EVRUN_ONCE);
	return fd;
}

/* Has the peer at FD been told to go? */
static bool is_shut(int fd)
{
	char c;
	return recv(fd, &c, 1, MSG_DONTWAIT) == 0;
}

START_TEST(the_longest_goes)
{
	struct listen_address at;
	struct fault fault;
	unsigned port;
	int fd, peers[COMERS];
	size_t n = 0;
	loop = ev_loop_new(EVFLAG_AUTO);
	ck_assert_int_eq(listen_address_parse(&at, "127.0.0.1:0", &fault), 0);
	ck_assert_int_eq(listen_address_open(&at, &fd, &port, &fault), 0);
	address = (struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	guests = web_guests_new(
		&(struct web_guests_setup){.loop = loop, .fd = fd, .came = came, .turn = turn});
	peers[n++] = connect_one();
	peers[n++] = connect_one();
	web_guests_stay(entered[0]); /* it has got an answer: its time begins again */
	while (n < COMERS && !is_shut(peers[1])) {
		ck_assert(!is_shut(peers[0]));
		peers[n++] = connect_one();
	}
	ck_assert_uint_lt(n, COMERS);
	ck_assert(!is_shut(peers[n - 1]));
	for (size_t i = 0; i < n_entered; i++) {
		web_guests_leave(entered[i]);
		close(fds[i]);
	}
	web_guests_free(guests);
	for (size_t i = 0; i < n; i++)
		close(peers[i]);
	ev_loop_destroy(loop);
}
END_TEST

UNIT_MAIN("web_guests", the_longest_goes)
