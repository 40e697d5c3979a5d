/*
 * Who is connected to the status endpoint: bounded in number, each with a deadline for its request
 * and for taking the answer. Where there is no room the one that has been there longest has to go,
 * so whoever comes with a request is served, however many others are silent or slow.
 */
#ifndef TRAWLD_DAEMON_WEB_GUESTS_H
#define TRAWLD_DAEMON_WEB_GUESTS_H

#include <stddef.h>
#include <sys/socket.h>

struct ev_loop;
struct guest;
struct web_guests;

struct web_guests_setup {
	struct ev_loop *loop;
	int fd; /* listens; taken over */
	/* Somebody has connected: FD is taken over. The callee calls web_guests_enter and _leave.
	 */
	void (*came)(int fd, const struct sockaddr *address, socklen_t size, void *userdata);
	void (*turn)(void *userdata); /* after some have come or were told to go */
	void *userdata;
};

struct web_guests *web_guests_new(const struct web_guests_setup *setup);
void web_guests_free(struct web_guests *guests); /* after the last has left; NULL allowed */

/* Someone at FD, whose time begins; web_guests_leave before FD is closed. */
struct guest *web_guests_enter(struct web_guests *guests, int fd);
void web_guests_stay(struct guest *guest); /* has got its answer: its time begins anew */
void web_guests_leave(struct guest *guest);

#endif
