/*
 * Secrets: values that wipe themselves and are masked wherever text leaves the process. Every
 * secret that is set is also known to secret_mask(), which log and fault output pass through; so a
 * token that a server echoes in its error body is masked too.
 */
#ifndef TRAWLD_BASE_SECRET_H
#define TRAWLD_BASE_SECRET_H

#include "base/buf.h"

struct secret {
	char *text; /* never pass this to a log call; NULL: unset */
	size_t size;
};

#define SECRET_NULL ((struct secret){0})

void secret_set(struct secret *secret,
	struct slice text); /* replaces and registers for masking (from 4 bytes on) */
void secret_deinit(struct secret *secret); /* wipes, unregisters */
void secret_wipe(void *data, size_t size); /* explicit_bzero */

/* Registers TEXT for masking without keeping a struct secret; counted, so each register needs one
 * unregister. */
void secret_register(struct slice text);
void secret_unregister(struct slice text);

/* Replaces each registered secret inside BUF by `***`, also where it is percent-encoded, escaped in
 * a string of JSON or in HTML, in any mixture of these and up to three deep, or is part of a text
 * in base64 (either alphabet) or hexadecimal digits. The time does not depend on how many secrets
 * there are unless the text contains their first two bytes. */
void secret_mask(struct buf *buf);
/* The same, and one line: control characters become '?'. For texts that are kept and shown later.
 */
void secret_mask_line(struct buf *buf);

#endif
