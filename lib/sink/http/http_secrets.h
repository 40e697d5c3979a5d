/* What the headers and the proxy of a sink hold of credentials. */
#ifndef TRAWLD_SINK_HTTP_SECRETS_H
#define TRAWLD_SINK_HTTP_SECRETS_H

#include "base/secret.h"
#include "conf/option.h"

struct http_secrets {
	struct secret *items;
	size_t n_items;
};

/* PROXY may be NULL. Registers them, so that they are masked wherever text is written. */
void http_secrets_init(
	struct http_secrets *ret, const struct option_pairs *headers, const char *proxy);
void http_secrets_deinit(struct http_secrets *secrets);

#endif
