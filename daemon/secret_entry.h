/*
 * Which entries of a configuration or a definition are secrets: the one rule for what `trawlctl
 * config` shows, for what the digest of an event contains, and for what --check warns of.
 */
#ifndef TRAWLD_DAEMON_SECRET_ENTRY_H
#define TRAWLD_DAEMON_SECRET_ENTRY_H

#include "setup.h"

enum secret_entry {
	SECRET_ENTRY_NO,
	SECRET_ENTRY_TEMPLATE, /* a key for secrets; the value has variables of a definition */
	SECRET_ENTRY_READ, /* the value is from a file, a credential or the environment */
	SECRET_ENTRY_PART, /* written in the file, as a part of the value: the password in an
			      address, `--token=x` in a command */
	SECRET_ENTRY_WRITTEN, /* written in the file, as the value */
};

/* ENTRY is one of SECTION, a section of the configuration of SETUP or of a definition. */
enum secret_entry secret_entry(const struct setup *setup, const struct ini_section *section,
	const struct ini_entry *entry);

#endif
