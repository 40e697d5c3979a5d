/* Between the files of the control socket. */
#ifndef TRAWLD_DAEMON_CONTROL_INTERNAL_H
#define TRAWLD_DAEMON_CONTROL_INTERNAL_H

#include <ev.h>
#include <jansson.h>
#include <sys/stat.h>

#include "control.h"

#include "base/buf.h"
#include "base/clock.h"
#include "parts.h"
#include "store/routes.h"

#define CONTROL_CLIENTS_MAX 16
#define CONTROL_REQUEST_MAX 4096
#define CONTROL_WAIT_MAX (30 * NSEC_PER_SEC) /* a person is not kept waiting for longer */

/* What a client waits for: a poll, and how the counters stood when it began, or a reload. */
struct control_wait {
	char *reload; /* the request, which is carried out when a reload may begin; NULL: none */
	const struct poller *poller; /* NULL: no poll */
	uint64_t n_rests; /* ends of polls that are to be seen */
	uint64_t n_pauses;
	uint64_t n_records, n_duplicates, n_pages;
	nsec_t begun_at;
	bool under_way; /* an earlier poll is to end first: then one more is begun */
};

/* Who asks for something: a client of the socket, or a person on any host of a cluster
 * (control_requests.h). */
struct control_caller {
	struct trawld *trawld;
	const struct parts *parts; /* of it */
	struct control_client *client; /* NULL: not through the socket */
	const char *by; /* NULL: as the socket says */
	struct control_wait wait;
};

struct control_client {
	struct control *control;
	struct control_caller caller;
	int fd;
	ev_io reader, writer;
	ev_timer silence;
	struct buf in, out;
	size_t n_sent; /* of out */
	bool over; /* nothing more comes from it */
	bool ends; /* after what is in out */
	bool tails; /* records are sent as they are committed */
	char *tail_source; /* of this source only; NULL: of all */
	uint64_t n_left_out; /* records, since the last that was sent */
};

struct control {
	struct trawld *trawld;
	const struct parts *parts; /* of it */
	char *path;
	struct stat file; /* ours; somebody else's is left alone */
	int fd;
	ev_io acceptor;
	ev_timer pause; /* no descriptor was left to accept with */
	ev_prepare waits; /* runs while a client waits for something */
	ev_io ends; /* epoll of clients that say no more: are they gone? */
	struct control_client *clients[CONTROL_CLIENTS_MAX]; /* in the order in which they came */
	gid_t group; /* whose members may speak; (gid_t)-1: nobody's */
};

/* --- control_socket.c --- */

/* A listening socket at control->path, and what it is. 0, or -1 after the reason was logged. */
int control_socket_open(struct control *control);
/* May the peer of FD speak to us? */
bool control_socket_allows(const struct control *control, int fd);
/* The name of the user at the other end of FD, or `uid N`; the caller frees it. */
char *control_socket_peer(int fd);

/* --- control_command.c --- */

/* The answer to a request, a new reference; NULL: it comes later, caller->wait says what for. */
json_t *control_command(struct control_caller *caller, struct slice line);
/* The answer, when what CALLER waits for has come; else NULL. */
json_t *control_wait_over(struct control_caller *caller);
/* Nothing is waited for any more. */
void control_wait_end(struct control_wait *wait);
static inline bool control_is_waiting(const struct control_wait *wait)
{
	return wait->poller || wait->reload;
}
/* Who it is, for the log and the events; the caller frees it. */
char *control_caller_name(const struct control_caller *caller);
json_t *control_refusal(int code, const char *text);

/* --- control_reload.c --- */

/* Reloads, with CHANGE (store/routes.h; may be NULL) before it. NULL: not yet. */
json_t *control_reload(struct control_caller *caller, struct routes_change *change);
/* The same with the change COMMAND that REQUEST asks for. */
json_t *control_change(
	struct control_caller *caller, enum routes_command command, const json_t *request);

/* --- control_tail.c --- */

/* From now on CLIENT gets what is committed of SOURCE (NULL: of all). The answer, or NULL: there is
 * no such source. */
json_t *control_tail_begin(struct control_client *client, const char *source);

/* BATCH is committed: clients that follow its source get its records. As fanout.h has it. */
void control_tail(const struct batch *batch, void *control);

#endif
