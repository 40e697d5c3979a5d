/*
 * ${env:NAME}, ${file:/path} and ${credential:NAME} (systemd's $CREDENTIALS_DIRECTORY) in
 * configuration values. One trailing newline of a file is dropped. Every other ${...} is left as it
 * stands: it belongs to the provider definition.
 * `$${` is a literal `${`: left alone here, the template undoes it.
 */
#ifndef TRAWLD_CONF_EXPAND_H
#define TRAWLD_CONF_EXPAND_H

#include "conf/ini.h"

/* Expands every value of INI in place; what cannot be had (no such variable, unreadable file,
 * larger than 1 MiB, NUL inside) is a finding at the entry. Values of files and credentials set
 * entry->secret and are registered for masking. */
void expand_ini(struct ini *ini, struct findings *findings);

#endif
