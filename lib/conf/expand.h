/*
 * ${env:NAME}, ${file:/path} and ${credential:NAME} (systemd's $CREDENTIALS_DIRECTORY; where it is
 * not set, expand_directories) in configuration values. One trailing newline of a file is dropped.
 * Any other ${...} is a finding, but in keys of a source with a dot (request.url): these are
 * templates of the provider definition, which judges them. `$${` is a literal `${`; in templates it
 * is left alone here, the template undoes it.
 */
#ifndef TRAWLD_CONF_EXPAND_H
#define TRAWLD_CONF_EXPAND_H

#include "conf/ini.h"

extern const char *expand_directories[]; /* two and NULL; tests put theirs there */

/* Where systemd has put the credential NAME: DIRECTORY/NAME, or DIRECTORY/secrets_NAME, which the
 * unit's LoadCredential=secrets:/etc/trawld/secrets makes of a file there. The caller frees it. */
char *expand_credential_path(const char *directory, const char *name);

/* Expands every value of INI in place; what cannot be had (no such variable, unreadable file,
 * larger than 1 MiB, NUL inside, empty, white space at its ends) is a finding at the entry. An
 * expanded value sets entry->secret and is registered for masking unless its key is known to be
 * harmless. A value in quotes, and `$NAME`, are findings, too. */
/* INI knows afterwards which files were read. */
void expand_ini(struct ini *ini, struct findings *findings);

#endif
