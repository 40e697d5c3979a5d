/*
 * Shared by client.c (libcurl's multi interface on libev), transfer.c (one request's easy handle),
 * stream.c (connections for bytes) and curl_fault.c (libcurl's codes in our words). Nothing outside
 * lib/net includes it.
 */
#ifndef TRAWLD_NET_CLIENT_INTERNAL_H
#define TRAWLD_NET_CLIENT_INTERNAL_H

#include <curl/curl.h>
#include <ev.h>

#include "net/client.h"

/* One read from the socket; small enough for the heap (mem_keep_small), since each request has one.
 */
#define TRANSFER_BUFFER_SIZE 131072L

struct http_request_list {
	struct http_request *first;
	struct http_request *last;
};

struct http_request {
	struct http_client *client;
	struct http_request_list *list; /* the one it is in; NULL: its DONE is running */
	struct http_request *previous;
	struct http_request *next;

	CURL *easy;
	bool added; /* EASY belongs to the multi handle */
	bool tls_begun; /* so TCP is connected, which libcurl itself may tell only later */
	CURLcode result; /* once it has completed */
	struct curl_slist *header_lines;
	char *url;
	char *body; /* ours, so that it can be wiped: it may hold a password */
	size_t body_size;
	struct http_transport transport; /* zeros replaced by the defaults */
	bool may_redirect; /* a GET whose proof is not a signature */
	unsigned n_redirects;
	bool retried; /* on a fresh connection, since the one it had was of no use any more */

	http_done_fn done;
	void *userdata;
	/* a connection for stream.c, in no list: called when it stands or has failed */
	void (*connected)(struct http_request *request, CURLcode result);
	nsec_t started_at;
	struct http_response response;
	int64_t content_length; /* of the answer; -1: not said */
	bool content_encoded;
	struct decoding *decoding; /* once its body has begun */
	bool headers_done;
	bool sent; /* at least once */
	size_t headers_size;
	char error[CURL_ERROR_SIZE];
};

/* transfer.c. A request without its easy handle prepared has response.fault set. */
struct http_request *transfer_new(struct http_client *client, const struct http_message *message,
	const struct http_transport *transport, const char *user_agent);
/* Sets an option of REQUEST's easy handle. An option that libcurl does not take (no memory, not
 * compiled in, a value it refuses) is the request's fault, which then is not sent: what was meant
 * to restrict it would be missing. The first such fault stays. */
#define SET(request, option, value)                                                                \
	transfer_check(request, #option, curl_easy_setopt((request)->easy, option, value))
void transfer_check(struct http_request *request, const char *option, CURLcode result);
/* How to reach the peer, for the easy handle; zeros of the transport are replaced by defaults. */
void transfer_set_transport(struct http_request *request);
/* Gives libcurl's handle and what was to be sent back; the response stays. */
void transfer_close(struct http_request *request);
void transfer_free(struct http_request *request); /* not in the multi handle, in no list */

enum transfer_next {
	TRANSFER_DONE, /* the response is whole or its fault is set */
	TRANSFER_AGAIN, /* redirected: the easy handle is ready to be added once more */
};
/* The easy handle has ended with RESULT and is no longer in the multi handle. */
enum transfer_next transfer_end(struct http_request *request, CURLcode result);

/* client.c, for transfer.c: whoever uses this transport now relies on what its files say now. */
void client_look_at_files(struct http_client *client, const struct http_transport *transport);
/* How old a connection that is used again may be; the sessions of TLS to resume. */
long client_lifetime_s(const struct http_client *client);
CURLSH *client_sessions(const struct http_client *client);

/* client.c, for stream.c: the easy handle stays in the multi handle as long as its connection is
 * used. False: the response's fault says why. */
bool client_connect(struct http_client *client, struct http_request *request);
void client_disconnect(struct http_client *client, struct http_request *request);

/* curl_fault.c. What went wrong, for people; never a path, a query or a secret. */
void curl_fault(struct http_request *request, CURLcode result);
/* `3 MiB`, `1500 bytes` */
char *curl_fault_size(uint64_t size);

/* For auth kinds that need a timer of their own. */
struct ev_loop *http_client_loop(struct http_client *client);

#endif
