/* A request to be sent: plain data that the source's template, the auth kinds and the sinks fill in
 * and the client sends. */
#ifndef TRAWLD_NET_MESSAGE_H
#define TRAWLD_NET_MESSAGE_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/fault.h"

struct http_header {
	char *name;
	char *value;
};

struct http_headers {
	struct http_header *items;
	size_t n_items;
	size_t capacity;
};

/* Copies. A value with a NUL, CR or LF cannot be sent: the request ends with FAULT_CONFIG. */
void http_headers_add(struct http_headers *headers, const char *name, struct slice value);
void http_headers_set(struct http_headers *headers, const char *name,
	struct slice value); /* replaces every one of that name */
void http_headers_remove(struct http_headers *headers, const char *name);
/* May a header have this name (a token of RFC 9110 section 5.6.2), this value (no control character
 * but a tab)? */
bool http_header_name_is_valid(const char *name);
bool http_header_value_is_valid(const char *value);
/* The first value, names compared without case; SLICE_NULL when absent. */
struct slice http_headers_get(const struct http_headers *headers, const char *name);
void http_headers_deinit(struct http_headers *headers); /* wipes values: they may hold tokens */

/* How to reach a peer; borrowed strings that live as long as the source or sink. */
struct http_transport {
	const char *ca_file; /* NULL: the system's */
	const char *client_cert;
	const char *client_key;
	const char *client_key_password; /* NULL: it is not encrypted */
	const char *proxy; /* NULL: none (the environment is not asked) */
	nsec_t timeout_ns; /* whole request; 0: 60 s */
	nsec_t connect_timeout_ns; /* 0: 15 s */
	size_t max_body; /* decoded bytes of the response; 0: 64 MiB */
	const char *max_body_key; /* the key that sets it, for messages; NULL: none does */
	unsigned max_ratio; /* decoded / wire; 0: 100 (counted from 1 MiB decoded on) */
	const char *origin; /* a redirect may not leave it; NULL: redirects are never followed */
};

struct http_message {
	char *method; /* "GET", "POST" */
	char *url;
	struct http_headers headers; /* without Host (but an auth kind may set it), Content-Length,
					User-Agent, Accept-Encoding; a body without Content-Type is
					sent as application/octet-stream */
	struct buf body; /* size 0 and has_body false: none */
	bool has_body;
	bool is_signed; /* its proof fits this URL alone: no redirect is followed */
};

#define HTTP_MESSAGE_NULL ((struct http_message){0})

void http_message_deinit(struct http_message *message); /* wipes */

struct http_response {
	int status; /* 0: no answer, see fault */
	struct fault fault; /* class FAULT_NONE when a whole answer came, whatever its status */
	struct http_headers headers;
	struct buf body; /* decoded (decoding.h) */
	nsec_t server_time; /* Date header; NSEC_NONE */
	nsec_t elapsed_ns;
	uint64_t wire_size;
	bool resent; /* a connection ended without its answer: the server may have it twice */
};

#endif
