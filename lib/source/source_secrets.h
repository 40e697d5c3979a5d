/* Secrets that are written out in headers, query parameters, bodies and parameters of a source
 * whose names say so, though no one declared them secret: they are masked like any other. */
#ifndef TRAWLD_SOURCE_SOURCE_SECRETS_H
#define TRAWLD_SOURCE_SOURCE_SECRETS_H

#include "source/source.h"

void source_secrets_take(struct source *source);
void source_secrets_drop(struct source *source); /* wipes */

#endif
