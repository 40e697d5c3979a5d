/*
 * `auth.type = login` of an http sink: the request for a token, said by the keys login.*.
 *
 *   url token [method] [body] [expires] [header.NAME]
 *
 * The body is sent as it stands; without a header Content-Type it must be JSON.
 */
#ifndef TRAWLD_SINK_HTTP_LOGIN_H
#define TRAWLD_SINK_HTTP_LOGIN_H

#include "net/auth/auth.h"

struct http_options;

/* Fills what SETUP needs for the kind login, for as long as OPTIONS lives. 0 or FAULT_CONFIG. */
int http_login_setup(
	const struct http_options *options, struct auth_setup *setup, struct fault *reterr);

#endif
