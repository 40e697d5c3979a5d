/* The credential of a source: its definition's [auth] and [login] with the parameters' values. */
#ifndef TRAWLD_SOURCE_SOURCE_AUTH_H
#define TRAWLD_SOURCE_SOURCE_AUTH_H

#include "net/auth/auth.h"
#include "source/source.h"

/* Reports [auth] sections of DEFINITION whose type does not exist, whose settings the type does not
 * take, or that miss one it requires. */
void source_auth_check(const struct definition *definition, struct findings *findings);

/*
 * SOURCE outlives the credential. *RET_CREDENTIAL: a digest of all that tells one caller of this
 * origin from another, the same for every source that calls as the same one: [auth], [login], the
 * client certificate, the requests' headers, every secret; without [auth] the whole request. What
 * a caller asks for is no part of it. 0, or FAULT_CONFIG.
 */
int source_auth_new(const struct source *source, struct http_client *client, struct auth **ret,
	struct id *ret_credential, struct fault *reterr);

/* Where FAULT is status 401: adds what the secrets of the source look like, never their text. */
void source_auth_hint(const struct source *source, struct fault *fault);

#endif
