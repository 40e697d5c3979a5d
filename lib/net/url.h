/* URLs by libcurl's URL API (RFC 3986): the origin that holds a token is compared here and nowhere
 * else. */
#ifndef TRAWLD_NET_URL_H
#define TRAWLD_NET_URL_H

#include "base/buf.h"

enum {
	URL_E_SYNTAX = 1, /* no absolute http or https URL */
};

/* `scheme://host:port` in lower case with the port always there; user info is refused
 * (URL_E_SYNTAX). */
int url_origin(const char *url, char **ret_origin);

/* REFERENCE resolved against BASE (RFC 3986 section 5). Blanks and bytes that are not ASCII in its
 * path and query are percent-encoded, blanks around it dropped; anything else of an absolute
 * reference stays as it is. */
int url_resolve(const char *base, const char *reference, char **ret_url);

/* Scheme, host and port of ENDPOINT (its path, without a final '/', is put before the path) in
 * place of URL's: `endpoint =` of a source. */
int url_replace_origin(const char *url, const char *endpoint, char **ret_url);

/* True for 127.0.0.0/8, [::1] and localhost. */
bool url_is_loopback(const char *url);
bool url_is_https(const char *url);
/* What is sent there can be read on the way: neither https nor loopback. */
bool url_is_in_clear(const char *url);

/* The parts of an absolute URL, borrowed from it: authority `host[:port]` as written, path (""
 * allowed), query without '?' (SLICE_NULL: none). */
struct url_parts {
	struct slice scheme;
	struct slice authority;
	struct slice path;
	struct slice query;
};
int url_split(const char *url, struct url_parts *ret);

/* Appends the password before the host of URL, decoded; nothing where there is none. */
void url_password(const char *url, struct buf *out);

/* A proxy: one of SCHEMES (with `://`, NULL ends them), a user and a password if it has any, a host
 * and a port; no path. */
bool url_is_proxy(const char *url, const char *const *schemes);

/* Appends URL, which cannot be used, for a message: all that could belong to a user and a password
 * is `***`. */
void url_append_shown(const char *url, struct buf *out);

/* The target of the first link with the relation REL in a Link header's value (RFC 8288) of the
 * answer from BASE; *RET is NULL when there is none. Links whose anchor is not BASE are another
 * resource's. URL_E_SYNTAX when any part of VALUE cannot be read: it might be that link. */
int url_from_link_header(struct slice value, const char *rel, const char *base, char **ret);

#endif
