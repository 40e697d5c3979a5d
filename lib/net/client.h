/*
 * The one HTTP client: libcurl's multi interface driven by libev, shared by sources and sinks. TLS
 * is verified, connections are reused, gzip and zstd are accepted, NOSIGNAL, http and https
 * only, redirects only to the same origin (GET only, 5 at most; elsewhere FAULT_ORIGIN).
 */
#ifndef TRAWLD_NET_CLIENT_H
#define TRAWLD_NET_CLIENT_H

#include "net/message.h"

struct ev_loop;
struct http_client;
struct http_request;

struct http_client *http_client_new(struct ev_loop *loop, const char *user_agent);
void http_client_free(struct http_client *client); /* cancels what runs; no callback comes */

/* What goes out and what comes back, for a person who looks on (trawlctl probe): each request
 * before it is sent, as the message says it, and each answer before its DONE. WATCH is copied; it
 * must not change, start or cancel anything. */
struct http_watch {
	void (*asked)(const struct http_message *message, void *userdata);
	void (*answered)(const struct http_response *response, void *userdata);
	void *userdata;
};
void http_client_watch(struct http_client *client, const struct http_watch *watch);

/* From now on no request is sent: ANSWER fills in the response (which is empty) in its place. It
 * must not start or cancel anything; DONE comes afterwards, as ever. */
typedef void (*http_answer_fn)(
	const struct http_message *message, struct http_response *response, void *userdata);
void http_client_answer(struct http_client *client, http_answer_fn answer, void *userdata);

/* RESPONSE lives during the call; a body can be taken with buf_take. Exactly once, never inside
 * http_request_start, never after http_request_cancel. The request is gone afterwards: the handle
 * must not be used or cancelled again. */
typedef void (*http_done_fn)(struct http_response *response, void *userdata);

/* Sends MESSAGE (copied as far as needed), if permit.h allows it once there is a connection.
 * TRANSPORT is copied, its strings are borrowed until done. Always returns a handle: what cannot be
 * started ends through DONE. */
struct http_request *http_request_start(struct http_client *client,
	const struct http_message *message, const struct http_transport *transport,
	http_done_fn done, void *userdata);
void http_request_cancel(struct http_request *request); /* NULL allowed */

#endif
