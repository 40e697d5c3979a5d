/* See web_guests.h. Whoever has to go is shut down, not closed: its owner sees the end and closes.
 */
#include "web_guests.h"

#include <errno.h>
#include <ev.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/timer.h"
#include "listen_address.h"

#define GUESTS_MAX 256 /* connections */
#define GUESTS_TURN 16 /* that are let in before the others have their turn */
#define DEADLINE (10 * NSEC_PER_SEC)
#define PAUSE NSEC_PER_SEC /* where there is no descriptor left */

struct guest {
	struct web_guests *guests;
	struct guest *previous, *next;
	int fd;
	nsec_t since_at;
	bool sent_away;
};

struct web_guests {
	struct web_guests_setup setup;
	struct guest *first, *last; /* by the time of their entry; those sent away are not here */
	size_t n_guests; /* of those */
	ev_io acceptor;
	ev_timer deadline; /* of the first */
	ev_timer pause;
};

/* --- the order of their entry --- */

static void append(struct guest *guest)
{
	struct web_guests *guests = guest->guests;
	guest->since_at = clock_monotonic();
	guest->previous = guests->last;
	guest->next = NULL;
	if (guests->last)
		guests->last->next = guest;
	else
		guests->first = guest;
	guests->last = guest;
	if (!ev_is_active(&guests->deadline))
		timer_start(guests->setup.loop, &guests->deadline, DEADLINE);
}

static void take_out(struct guest *guest)
{
	struct web_guests *guests = guest->guests;
	if (guest->previous)
		guest->previous->next = guest->next;
	else
		guests->first = guest->next;
	if (guest->next)
		guest->next->previous = guest->previous;
	else
		guests->last = guest->previous;
}

/* False: all were sent away already. */
static bool send_first_away(struct web_guests *guests)
{
	struct guest *guest = guests->first;
	if (!guest)
		return false;
	take_out(guest);
	guest->sent_away = true;
	guests->n_guests--;
	shutdown(guest->fd, SHUT_RDWR);
	return true;
}

static void deadline_passed(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct web_guests *guests = timer->data;
	nsec_t now_at = clock_monotonic();
	(void)events;
	while (guests->first && now_at - guests->first->since_at >= DEADLINE)
		send_first_away(guests);
	if (guests->first)
		timer_start(loop, timer, guests->first->since_at + DEADLINE - now_at);
	guests->setup.turn(guests->setup.userdata);
}

/* --- letting them in --- */

/* Every descriptor is in use: until one is free the acceptor would be called without end. */
static void run_out(struct web_guests *guests)
{
	ev_io_stop(guests->setup.loop, &guests->acceptor);
	timer_start(guests->setup.loop, &guests->pause, PAUSE);
	send_first_away(guests);
}

static bool let_one_in(struct web_guests *guests)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	int fd = accept4(guests->acceptor.fd, (struct sockaddr *)&address, &size,
		SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0 && listen_is_exhausted(errno))
		run_out(guests);
	if (fd < 0)
		return false;
	guests->setup.came(fd, (struct sockaddr *)&address, size, guests->setup.userdata);
	return true;
}

static void knocked(struct ev_loop *loop, ev_io *io, int events)
{
	struct web_guests *guests = io->data;
	(void)loop;
	(void)events;
	for (int i = 0; i < GUESTS_TURN && let_one_in(guests); i++)
		;
	/* who came with a request has it answered before anybody has to go */
	guests->setup.turn(guests->setup.userdata);
	while (guests->n_guests > GUESTS_MAX && send_first_away(guests))
		;
	guests->setup.turn(guests->setup.userdata);
}

static void pause_over(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct web_guests *guests = timer->data;
	(void)events;
	ev_io_start(loop, &guests->acceptor);
}

struct web_guests *web_guests_new(const struct web_guests_setup *setup)
{
	struct web_guests *guests = MEM_NEW(struct web_guests);
	guests->setup = *setup;
	ev_io_init(&guests->acceptor, knocked, setup->fd, EV_READ);
	guests->acceptor.data = guests;
	ev_init(&guests->deadline, deadline_passed);
	guests->deadline.data = guests;
	ev_init(&guests->pause, pause_over);
	guests->pause.data = guests;
	ev_io_start(setup->loop, &guests->acceptor);
	return guests;
}

void web_guests_free(struct web_guests *guests)
{
	if (!guests)
		return;
	ev_io_stop(guests->setup.loop, &guests->acceptor);
	ev_timer_stop(guests->setup.loop, &guests->deadline);
	ev_timer_stop(guests->setup.loop, &guests->pause);
	close(guests->setup.fd);
	free(guests);
}

struct guest *web_guests_enter(struct web_guests *guests, int fd)
{
	struct guest *guest = MEM_NEW(struct guest);
	guest->guests = guests;
	guest->fd = fd;
	guests->n_guests++;
	append(guest);
	return guest;
}

void web_guests_stay(struct guest *guest)
{
	if (guest->sent_away)
		return;
	take_out(guest);
	append(guest);
}

void web_guests_leave(struct guest *guest)
{
	if (!guest->sent_away) {
		take_out(guest);
		guest->guests->n_guests--;
	}
	free(guest);
}
