/*
 * What a person asks of the holder of a shard from any host (cluster_request.h): commands as
 * through the control socket, one at a time. Each is carried out once. The event of a command is
 * committed with what it changes and names the request, so that the next holder, too, finds out
 * whether a request that has no answer was carried out.
 */
#ifndef TRAWLD_DAEMON_CONTROL_REQUESTS_H
#define TRAWLD_DAEMON_CONTROL_REQUESTS_H

struct control_requests;
struct poller;
struct trawld;

/* NULL: there is no cluster. */
struct control_requests *control_requests_new(struct trawld *trawld);
void control_requests_free(struct control_requests *requests); /* NULL allowed */

/* POLLER is about to go: who waits for its poll is told. REQUESTS may be NULL. */
void control_requests_forget(struct control_requests *requests, const struct poller *poller);

#endif
