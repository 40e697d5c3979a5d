/*
 * Bytes to and from a peer without blocking the loop: a TCP or TLS connection, a connected UDP
 * socket, or a socket of the file system. Names are resolved, connections made and TLS done by
 * libcurl (CURLOPT_CONNECT_ONLY) under the rules of client.h: chain and name are checked, TLS 1.2
 * at least, a client certificate can be shown.
 */
#ifndef TRAWLD_NET_STREAM_H
#define TRAWLD_NET_STREAM_H

#include <sys/types.h>

#include "net/message.h"

struct ev_loop;
struct http_stream;

enum http_stream_kind {
	HTTP_STREAM_TCP,
	HTTP_STREAM_TLS,
	HTTP_STREAM_UDP,
	HTTP_STREAM_UNIX, /* datagrams, or a stream where the receiver has one */
};

enum http_stream_state {
	HTTP_STREAM_CONNECTING,
	HTTP_STREAM_OPEN,
	HTTP_STREAM_FAILED, /* see http_stream_fault; nothing but closing is left to do */
};

struct http_stream_setup {
	enum http_stream_kind kind;
	const char *target; /* `host:port`, or a path; borrowed */
	struct http_transport transport; /* ca_file, client_cert, client_key, connect_timeout_ns;
					    strings are borrowed */
	/* Something may go on: the state has changed, bytes may be there to be received (they must
	 * be, until nothing is left), or there is room after http_stream_send answered 0. Never
	 * called inside a function of this header; may call all of them. */
	void (*event)(void *userdata);
	void *userdata;
};

enum {
	HTTP_STREAM_E_FAILED = -1,
	HTTP_STREAM_E_SIZE = -2, /* the datagram is larger than this socket can send */
};

/* Never NULL; what cannot be connected ends as HTTP_STREAM_FAILED, after an event. */
struct http_stream *http_stream_open(struct ev_loop *loop, const struct http_stream_setup *setup);
void http_stream_close(struct http_stream *stream); /* NULL allowed; no event comes any more */

enum http_stream_state http_stream_state(const struct http_stream *stream);
const struct fault *http_stream_fault(const struct http_stream *stream);
/* Each http_stream_send is one message, taken whole or not at all. Known once it is open. */
bool http_stream_is_datagram(const struct http_stream *stream);

/* Bytes taken; 0: no room now, an event comes, until then the same bytes at the same address must
 * be offered again; or one of the above. Without a permit (permit.h) nothing is sent, and it fails.
 */
ssize_t http_stream_send(struct http_stream *stream, struct slice bytes);
/* Bytes received, at most SIZE; 0: none now; HTTP_STREAM_E_FAILED, also when the peer has closed.
 */
ssize_t http_stream_receive(struct http_stream *stream, void *data, size_t size);
/* Bytes sent that the peer's kernel (TCP) or the receiving process (a socket of the file system)
 * has not taken yet; 0 for UDP. */
size_t http_stream_unacknowledged(const struct http_stream *stream);

#endif
