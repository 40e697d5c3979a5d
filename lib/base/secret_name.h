/* Names of headers, query parameters and members that say that their value is a secret. */
#ifndef TRAWLD_BASE_SECRET_NAME_H
#define TRAWLD_BASE_SECRET_NAME_H

#include "base/slice.h"

/* Whether NAME is one of a credential (`Authorization`, `api_key`, `X-Amz-Signature`), not one of a
 * page (`next_token`). */
bool secret_is_named_by(struct slice name);

#endif
